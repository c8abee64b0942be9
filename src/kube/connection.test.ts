import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type FakeApiServer, type Json, startApiServer } from "../../test/fakes/api-server.ts";
import { until } from "../../test/until.ts";
import { type ConnectOptions, connect, MERGE_PATCH } from "./connection.ts";
import { KubeError } from "./error.ts";

const SERVICES = "/api/v1/namespaces/a/services";

async function started(t: TestContext, options: Partial<ConnectOptions> = {}) {
  const server = await startApiServer();
  t.after(() => server.close());
  const connection = connect({ kubeconfig: server.kubeconfigFile(), ...options });
  t.after(() => connection.close());
  return { server, connection };
}

function put(server: FakeApiServer, name: string, spec: object = {}): Json {
  return server.put({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "a" },
    ...spec,
  });
}

/** A file with this text in a folder that goes with the test. */
function file(t: TestContext, name: string, text: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), "connection-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

function kubeconfig(server: string, user: object = {}): string {
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "c", cluster: { server } }],
    users: [{ name: "c", user }],
    contexts: [{ name: "c", context: { cluster: "c", user: "c" } }],
  });
}

describe("connect()", () => {
  it("takes several kubeconfigs as $KUBECONFIG does", async (t) => {
    const { server } = await started(t);
    const users = file(t, "users", JSON.stringify({ apiVersion: "v1", kind: "Config" }));
    const both = [server.kubeconfigFile(), users].join(path.delimiter);
    const connection = connect({ kubeconfig: both });
    t.after(() => connection.close());
    assert.equal(connection.server, server.url);
    await connection.request("GET", SERVICES);
  });

  for (const { when, text, message } of [
    { when: "is no YAML", text: "{", message: /^Cannot read kubeconfig ".*file": / },
    {
      when: "has no cluster",
      text: kubeconfig("http://x").replace('"current-context":"c"', '"current-context":"d"'),
      message: /^Cannot find the API server in kubeconfig ".*file": want a current-context/,
    },
    {
      when: "has a server that is no URL",
      text: kubeconfig("nowhere"),
      message: /^Cannot find the API server in kubeconfig ".*file": want a current-context/,
    },
  ]) {
    it(`throws when the kubeconfig ${when}`, (t) => {
      const kubeconfig = file(t, "file", text);
      assert.throws(() => connect({ kubeconfig }), { message });
    });
  }

  it("throws when there is no such kubeconfig", () => {
    assert.throws(() => connect({ kubeconfig: "/nowhere" }), {
      message: /^Cannot read kubeconfig "\/nowhere": ENOENT/,
    });
    assert.throws(() => connect({ kubeconfig: "" }), {
      message: 'Cannot read kubeconfig "": want a path',
    });
  });

  it("throws when it is in no pod and has no kubeconfig", () => {
    assert.equal(process.env["KUBERNETES_SERVICE_HOST"], undefined);
    assert.throws(() => connect({ kubeconfig: undefined }), {
      message: /^Cannot find the API server: want \$KUBECONFIG, or to run in a pod/,
    });
  });
});

describe("Connection.request()", () => {
  it("sends query, body, content type and credentials, returns the answer", async (t) => {
    const { server, connection } = await started(t);
    const { spec: _, ...before } = put(server, "web");
    const answer = await connection.request<Json>("PATCH", `${SERVICES}/web`, {
      query: { fieldManager: "a b&c" },
      contentType: MERGE_PATCH,
      body: { spec: { big: 2n ** 63n - 1n, text: "ä" } },
    });
    assert.deepEqual(answer.spec, { big: 2n ** 63n - 1n, text: "ä" });
    assert.equal(answer.metadata.uid, before.metadata.uid);
    assert.deepEqual(server.requests, [
      {
        verb: "patch",
        path: `${SERVICES}/web`,
        query: { fieldManager: "a b&c" },
        contentType: MERGE_PATCH,
        authorization: "Bearer anyone",
        body: { spec: { big: 2n ** 63n - 1n, text: "ä" } },
      },
    ]);
  });

  it("throws a KubeError with what the server says", async (t) => {
    const { server, connection } = await started(t);
    server.fault({ kind: "status", status: 429, reason: "TooManyRequests", retryAfterSeconds: 3 });
    await assert.rejects(connection.request("GET", SERVICES), {
      name: "KubeError",
      status: 429,
      reason: "TooManyRequests",
      method: "GET",
      path: SERVICES,
      retryAfterMs: 3000,
      message: `Cannot GET ${SERVICES}: 429 TooManyRequests: Injected fault`,
    });
    assert.equal(server.requests.length, 1);
  });

  it("throws a KubeError without status when nobody listens", async (t) => {
    const { server, connection } = await started(t);
    await server.refuse();
    await assert.rejects(connection.request("GET", SERVICES), (error) => {
      assert.ok(error instanceof KubeError);
      assert.deepEqual([error.status, error.reason], [undefined, "ECONNREFUSED"]);
      return true;
    });
  });

  it("throws a KubeError when the answer is no JSON", async (t) => {
    const other = http.createServer((_, response) => response.end("<html>"));
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    t.after(() => other.close());
    const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
    const connection = connect({ kubeconfig: file(t, "file", kubeconfig(url)) });
    t.after(() => connection.close());
    await assert.rejects(connection.request("GET", "/x"), {
      name: "KubeError",
      message: 'Cannot GET /x: NotJson: Cannot parse answer "<html>": want JSON',
    });
  });

  it("gives up after its timeout and frees the socket", async (t) => {
    const { server, connection } = await started(t, { maxSockets: 1 });
    server.fault({ kind: "hang" });
    await assert.rejects(connection.request("GET", SERVICES, { timeoutMs: 20 }), {
      name: "KubeError",
      reason: "Timeout",
      message: `Cannot GET ${SERVICES}: Timeout: No answer within 0.02 s`,
    });
    await connection.request("GET", SERVICES);
  });

  it("throws the reason of its signal, before and after it is sent", async (t) => {
    const { server, connection } = await started(t);
    const reason = new Error("Enough");
    const stop = new AbortController();
    server.fault({ kind: "hang" });
    const asked = connection.request("GET", SERVICES, { signal: stop.signal });
    await until("the request", () => server.requests.length === 1);
    stop.abort(reason);
    await assert.rejects(asked, reason);
    await assert.rejects(connection.request("GET", SERVICES, { signal: stop.signal }), reason);
    assert.equal(server.requests.length, 1);
    assert.equal(connection.inFlight, 0);
  });

  it("uses a bounded number of sockets and counts what waits for one", async (t) => {
    const { server, connection } = await started(t, { maxSockets: 2 });
    server.fault({ kind: "hang", times: 2 });
    const stop = new AbortController();
    const hung = [1, 2].map(() => connection.request("GET", SERVICES, { signal: stop.signal }));
    const waiting = [1, 2, 3].map(() => connection.request("GET", SERVICES));
    await until("the first two", () => server.requests.length === 2);
    assert.equal(connection.inFlight, 5);
    stop.abort();
    for (const request of hung) await assert.rejects(request, { name: "AbortError" });
    await Promise.all(waiting);
    assert.equal(connection.inFlight, 0);
  });

  for (const { method, isRepeated } of [
    { method: "GET", isRepeated: true },
    { method: "PATCH", isRepeated: true },
    { method: "DELETE", isRepeated: true },
    { method: "POST", isRepeated: false },
  ] as const) {
    it(`${isRepeated ? "repeats" : "does not repeat"} a ${method} whose kept socket was closed`, async (t) => {
      const { server, connection } = await started(t, { maxSockets: 1 });
      put(server, "web");
      await connection.request("GET", SERVICES);
      server.fault({ kind: "reset" });
      const path = method === "POST" ? SERVICES : `${SERVICES}/web`;
      const body = { metadata: { name: method === "POST" ? "new" : "web" } };
      const options = method === "PATCH" ? { body, contentType: MERGE_PATCH } : { body };
      const asked = connection.request(method, path, method === "GET" ? {} : options);
      if (isRepeated) await asked;
      else await assert.rejects(asked, { status: undefined, reason: "ECONNRESET" });
      assert.equal(server.requests.length, isRepeated ? 3 : 2);
    });
  }

  it("repeats nothing on a new socket", async (t) => {
    const { server, connection } = await started(t);
    server.fault({ kind: "reset" });
    await assert.rejects(connection.request("GET", SERVICES), { reason: "ECONNRESET" });
    assert.equal(server.requests.length, 1);
  });

  it("asks before each write whether it may be sent, when its socket is ready", async (t) => {
    let asked = 0;
    let may = true;
    const mayWrite = () => {
      asked++;
      return may;
    };
    const { server, connection } = await started(t, { mayWrite, maxSockets: 1 });
    put(server, "web");
    const write = (label: string) =>
      connection.request("PATCH", `${SERVICES}/web`, {
        body: { metadata: { labels: { [label]: "" } } },
        contentType: MERGE_PATCH,
      });
    await write("first");
    await connection.request("GET", SERVICES);
    assert.equal(asked, 1);
    // One waits for the socket of the other, and meanwhile things change.
    server.fault({ kind: "slow", verb: "patch", ms: 100 });
    const [second, third] = [write("second"), write("third")];
    await until("the second write", () => server.count("patch") === 2);
    may = false;
    await second;
    await assert.rejects(third, { name: "KubeError", reason: "NotAllowed", status: undefined });
    await assert.rejects(write("fourth"), /Not sent: we may not write any more/);
    const { items } = await connection.request<Json>("GET", SERVICES);
    assert.deepEqual(Object.keys(items[0].metadata.labels), ["first", "second"]);
    assert.equal(server.count("patch"), 2);
  });

  it("reads the kubeconfig again when its token is refused, and asks once more", async (t) => {
    const { server, connection } = await started(t);
    await connection.request("GET", SERVICES);
    server.tokens = ["new"];
    await assert.rejects(connection.request("GET", SERVICES), { status: 401 });
    assert.equal(server.requests.length, 3);
    server.kubeconfigFile();
    await connection.request("GET", SERVICES);
    await connection.request("GET", SERVICES);
    const sent = server.requests.slice(3).map(({ authorization }) => authorization);
    assert.deepEqual(sent, ["Bearer anyone", "Bearer new", "Bearer new"]);
  });

  it("reads the token file of a service account again when its token is refused", async (t) => {
    const { server } = await started(t);
    server.tokens = ["new"];
    const tokenFile = file(t, "token", "old\n");
    // How client-node notes a service account.
    const user = { "auth-provider": { name: "tokenFile", config: { tokenFile } } };
    const connection = connect({ kubeconfig: file(t, "file", kubeconfig(server.url, user)) });
    t.after(() => connection.close());
    await assert.rejects(connection.request("GET", SERVICES), { status: 401 });
    writeFileSync(tokenFile, "new\n");
    await connection.request("POST", SERVICES, { body: { metadata: { name: "web" } } });
    assert.equal(server.list(SERVICES).length, 1);
  });

  it("ends what is under way when the connection is closed, and begins nothing", async (t) => {
    const { server, connection } = await started(t);
    server.fault({ kind: "hang" });
    const asked = connection.request("GET", SERVICES);
    await until("the request", () => server.requests.length === 1);
    connection.close();
    await assert.rejects(asked, { reason: "Closed" });
    await assert.rejects(connection.request("GET", SERVICES), { reason: "Closed" });
    assert.equal(server.requests.length, 1);
  });
});

describe("Connection.stream()", () => {
  const query = { watch: "true", resourceVersion: "0" };

  async function collect(stream: AsyncIterable<unknown>, seen: Json[] = []): Promise<Json[]> {
    for await (const value of stream) seen.push(value);
    return seen;
  }

  it("yields the lines until the server ends, and does not count as in flight", async (t) => {
    const { server, connection } = await started(t);
    for (const name of ["a", "b"]) put(server, name);
    let opened = 0;
    const seen: Json[] = [];
    const signal = AbortSignal.timeout(20_000);
    const onOpen = () => void opened++;
    const done = collect(connection.stream(SERVICES, { query, signal, onOpen }), seen);
    await until("two events", () => seen.length === 2);
    assert.deepEqual([opened, connection.inFlight], [1, 0]);
    server.endStreams();
    await done;
    assert.deepEqual(
      seen.map(({ object }) => object.metadata.name),
      ["a", "b"],
    );
  });

  it("throws a KubeError when it is refused", async (t) => {
    const { server, connection } = await started(t);
    server.fault({ kind: "status", status: 403, reason: "Forbidden" });
    const onOpen = () => assert.fail("opened");
    const signal = AbortSignal.timeout(20_000);
    await assert.rejects(collect(connection.stream(SERVICES, { query, signal, onOpen })), {
      name: "KubeError",
      status: 403,
    });
  });

  it("throws a KubeError without status when it is cut", async (t) => {
    const { server, connection } = await started(t);
    const signal = AbortSignal.timeout(20_000);
    const onOpen = () => server.cutStreams();
    await assert.rejects(collect(connection.stream(SERVICES, { query, signal, onOpen })), {
      name: "KubeError",
      status: undefined,
    });
  });

  it("throws a KubeError when nothing comes for too long", async (t) => {
    const { server, connection } = await started(t);
    const signal = AbortSignal.timeout(20_000);
    const stream = connection.stream(SERVICES, { query, signal, idleTimeoutMs: 30 });
    await assert.rejects(collect(stream), { name: "KubeError", reason: "Timeout" });
    await until("the end of the stream", () => server.streams === 0);
  });

  it("throws the reason of its signal", async (t) => {
    const { server, connection } = await started(t);
    const stop = new AbortController();
    const reason = new Error("Enough");
    const onOpen = () => stop.abort(reason);
    const stream = connection.stream(SERVICES, { query, signal: stop.signal, onOpen });
    await assert.rejects(collect(stream), reason);
    await until("the end of the stream", () => server.streams === 0);
  });

  it("closes its socket when the caller has enough", async (t) => {
    const { server, connection } = await started(t);
    put(server, "a");
    const signal = AbortSignal.timeout(20_000);
    for await (const _ of connection.stream(SERVICES, { query, signal })) break;
    await until("the end of the stream", () => server.streams === 0);
  });
});

describe("Connection.untilAnswer()", () => {
  it("wakes who waits as soon as the server answers again", async (t) => {
    const { server, connection } = await started(t);
    await server.refuse();
    await assert.rejects(connection.request("GET", SERVICES));
    const { signal } = new AbortController();
    const waiting = connection.untilAnswer(600_000, signal);
    await server.accept();
    await connection.request("GET", SERVICES);
    await waiting;
  });

  it("ends with its signal and with its time", async (t) => {
    const { connection } = await started(t);
    const stop = new AbortController();
    await connection.untilAnswer(1, stop.signal);
    const waiting = connection.untilAnswer(600_000, stop.signal);
    stop.abort();
    await waiting;
  });
});
