// The double behaves as the real API server where our programs depend on it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { describe, it, type TestContext } from "node:test";
import {
  APPLY_PATCH,
  type Connection,
  connect,
  MERGE_PATCH,
  type Method,
  type RequestOptions,
} from "../src/kube/connection.ts";
import { KubeError } from "../src/kube/error.ts";
import { type FakeApiServer, type Json, pathOf, startApiServer } from "./fakes/api-server.ts";

const SERVICES = "/api/v1/namespaces/a/services";
const PEERS = "/apis/metallb.io/v1beta2/namespaces/a/bgppeers";

function service(name: string, spec: object = {}, metadata: object = {}) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "a", ...metadata },
    spec,
  };
}

function peer(name: string, spec: object = {}) {
  return {
    apiVersion: "metallb.io/v1beta2",
    kind: "BGPPeer",
    metadata: { name, namespace: "a" },
    spec,
  };
}

async function started(t: TestContext) {
  const server = await startApiServer();
  t.after(() => server.close());
  const connection = connect({ kubeconfig: server.kubeconfigFile() });
  t.after(() => connection.close());
  const ask = (method: Method, path: string, options?: RequestOptions) =>
    connection.request<Json>(method, path, options);
  return { server, connection, ask };
}

/** Reads watch events until the predicate holds for the last. */
async function watched(
  connection: Connection,
  path: string,
  query: Record<string, string>,
  isLast: (event: Json) => boolean,
  onOpen: () => void = () => {},
): Promise<Json[]> {
  const seen: Json[] = [];
  const options = {
    query: { watch: "true", ...query },
    signal: AbortSignal.timeout(20_000),
    onOpen,
  };
  for await (const event of connection.stream(path, options)) {
    seen.push(event);
    if (isLast(event)) break;
  }
  return seen;
}

const names = (list: Json) => list.items.map((item: Json) => item.metadata.name);
const isConflict = { name: "KubeError", status: 409, reason: "Conflict" };

describe("FakeApiServer writes", () => {
  it("creates with uid, time and version, without status", async (t) => {
    const { server, ask } = await started(t);
    const body = { ...service("web", { type: "ClusterIP" }), status: { loadBalancer: {} } };
    const created = await ask("POST", SERVICES, { body });
    assert.match(created.metadata.uid, /^[0-9a-f-]{36}$/);
    assert.match(created.metadata.creationTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(created.status, undefined);
    assert.equal(created.kind, "Service");
    assert.deepEqual(server.get(`${SERVICES}/web`), created);
    await assert.rejects(ask("POST", SERVICES, { body }), {
      status: 409,
      reason: "AlreadyExists",
      message: `Cannot POST ${SERVICES}: 409 AlreadyExists: services "web" already exists`,
    });
  });

  it("makes a name of generateName", async (t) => {
    const { ask } = await started(t);
    const body = { metadata: { generateName: "web-" } };
    const created = await ask("POST", SERVICES, { body });
    assert.match(created.metadata.name, /^web-[a-z0-9]{5}$/);
    await assert.rejects(ask("POST", SERVICES, { body: { metadata: {} } }), { status: 422 });
  });

  it("merges a patch, removes what is null, and keeps the status", async (t) => {
    const { server, ask } = await started(t);
    server.put({ ...service("web", { type: "LoadBalancer", a: 1 }), ...{ status: { x: 1 } } });
    const patched = await ask("PATCH", `${SERVICES}/web`, {
      contentType: MERGE_PATCH,
      body: { metadata: { labels: { k: "v" } }, spec: { a: null, b: [1] }, status: { x: 2 } },
    });
    assert.deepEqual(patched.spec, { type: "LoadBalancer", b: [1] });
    assert.deepEqual(patched.metadata.labels, { k: "v" });
    assert.deepEqual(patched.status, { x: 1 });
  });

  it("takes only the status on /status, and annotations of built-in kinds", async (t) => {
    const { server, ask } = await started(t);
    server.put(service("web", { a: 1 }));
    server.put(peer("tor", { a: 1 }));
    const patch = {
      contentType: MERGE_PATCH,
      body: { metadata: { annotations: { k: "v" } }, spec: { a: 2 }, status: { x: 1 } },
    };
    const web = await ask("PATCH", `${SERVICES}/web/status`, patch);
    assert.deepEqual(
      [web.spec, web.status, web.metadata.annotations],
      [{ a: 1 }, { x: 1 }, { k: "v" }],
    );
    const tor = await ask("PATCH", `${PEERS}/tor/status`, patch);
    assert.deepEqual(
      [tor.spec, tor.status, tor.metadata.annotations],
      [{ a: 1 }, { x: 1 }, undefined],
    );
  });

  it("applies: creates what is absent, merges conditions by type", async (t) => {
    const { ask } = await started(t);
    const apply = (path: string, body: object, manager = "m") =>
      ask("PATCH", path, {
        contentType: APPLY_PATCH,
        query: { fieldManager: manager, force: "true" },
        body,
      });
    const tor = `${PEERS}/tor`;
    await assert.rejects(apply(`${tor}/status`, peer("tor")), { status: 404 });
    const created = await apply(tor, peer("tor", { a: 1 }));
    assert.deepEqual([created.spec, created.metadata.generation], [{ a: 1 }, 1]);
    const condition = (type: string, status: string) => ({ type, status });
    await apply(`${tor}/status`, { status: { conditions: [condition("A", "True")] } });
    await apply(`${tor}/status`, { status: { conditions: [condition("B", "True")] } });
    const last = await apply(`${tor}/status`, {
      status: { conditions: [condition("B", "False")] },
    });
    assert.deepEqual(last.status.conditions, [condition("A", "True"), condition("B", "False")]);
    await assert.rejects(ask("PATCH", tor, { contentType: APPLY_PATCH, body: {} }), {
      status: 400,
      message: /fieldManager/,
    });
    await assert.rejects(ask("PATCH", tor, { body: {} }), { status: 415 });
  });

  it("counts generations of the spec of custom kinds", async (t) => {
    const { server, ask } = await started(t);
    server.put(peer("tor", { a: 1 }));
    const patch = async (body: object, path = `${PEERS}/tor`) =>
      (await ask("PATCH", path, { contentType: MERGE_PATCH, body })).metadata.generation;
    assert.equal(await patch({ metadata: { labels: { k: "v" } } }), 1);
    assert.equal(await patch({ status: { x: 1 } }, `${PEERS}/tor/status`), 1);
    assert.equal(await patch({ spec: { a: 2 } }), 2);
  });

  it("does not write what is the same", async (t) => {
    const { server, ask } = await started(t);
    const before = server.put(peer("tor", { a: 1, b: 2 }));
    const body = { spec: { b: 2, a: 1 } };
    const after = await ask("PATCH", `${PEERS}/tor`, { contentType: MERGE_PATCH, body });
    assert.deepEqual(after, before);
  });

  for (const { what, write } of [
    {
      what: "a PUT",
      write: (old: Json) => ["PUT", { body: { ...service("web"), metadata: old.metadata } }],
    },
    {
      what: "a PATCH",
      write: ({ metadata: { resourceVersion } }: Json) => [
        "PATCH",
        { contentType: MERGE_PATCH, body: { metadata: { resourceVersion }, spec: { b: 1 } } },
      ],
    },
    {
      what: "a PATCH of another object of that name",
      write: () => [
        "PATCH",
        { contentType: MERGE_PATCH, body: { metadata: { uid: "other" }, spec: { b: 1 } } },
      ],
    },
    {
      what: "a DELETE",
      write: ({ metadata: { resourceVersion } }: Json) => [
        "DELETE",
        { body: { preconditions: { resourceVersion } } },
      ],
    },
  ] as const) {
    it(`refuses ${what} with a stale precondition`, async (t) => {
      const { server, ask } = await started(t);
      const old = server.put(service("web", { a: 1 }));
      const now = server.put(service("web", { a: 2 }));
      const [method, options] = write(old) as [Method, RequestOptions];
      await assert.rejects(ask(method, `${SERVICES}/web`, options), isConflict);
      assert.deepEqual(server.get(`${SERVICES}/web`), now);
    });
  }

  it("replaces and deletes what is up to date", async (t) => {
    const { server, ask } = await started(t);
    const { metadata } = server.put(service("web", { a: 1 }));
    const replaced = await ask("PUT", `${SERVICES}/web`, {
      body: { ...service("web", { b: 1 }), metadata },
    });
    assert.deepEqual(replaced.spec, { b: 1 });
    assert.equal(replaced.metadata.uid, metadata.uid);
    const { uid, resourceVersion } = replaced.metadata;
    const body = { preconditions: { uid, resourceVersion } };
    await ask("DELETE", `${SERVICES}/web`, { body });
    assert.equal(server.get(`${SERVICES}/web`), undefined);
    await assert.rejects(ask("DELETE", `${SERVICES}/web`), { status: 404, reason: "NotFound" });
  });

  it("deletes a collection by selector", async (t) => {
    const { server, ask } = await started(t);
    server.put(service("one", {}, { labels: { k: "v" } }));
    server.put(service("two"));
    await ask("DELETE", SERVICES, { query: { labelSelector: "k=v" } });
    assert.deepEqual(
      server.list("/api/v1/services").map((one) => one.metadata.name),
      ["two"],
    );
  });

  it("keeps 64-bit integers", async (t) => {
    const { server, ask } = await started(t);
    server.put(peer("tor"));
    const body = { status: { free: 2n ** 63n - 1n } };
    await ask("PATCH", `${PEERS}/tor/status`, { contentType: MERGE_PATCH, body });
    assert.equal((await ask("GET", `${PEERS}/tor`)).status.free, 2n ** 63n - 1n);
  });
});

describe("FakeApiServer lists", () => {
  it("pages in the order of names, as it was at the first page", async (t) => {
    const { server, ask } = await started(t);
    for (const name of ["d", "b", "a", "c", "e"]) server.put(service(name));
    const first = await ask("GET", SERVICES, { query: { limit: "2" } });
    server.remove(`${SERVICES}/c`);
    server.put(service("bb"));
    const token = first.metadata.continue;
    const second = await ask("GET", SERVICES, { query: { limit: "2", continue: token } });
    const last = await ask("GET", SERVICES, {
      query: { limit: "2", continue: second.metadata.continue },
    });
    assert.deepEqual([first, second, last].map(names), [["a", "b"], ["c", "d"], ["e"]]);
    assert.equal(first.metadata.remainingItemCount, 3);
    assert.equal(last.metadata.continue, undefined);
    assert.equal(last.metadata.resourceVersion, first.metadata.resourceVersion);
  });

  it("answers 410 to a page after expire()", async (t) => {
    const { server, ask } = await started(t);
    for (const name of ["a", "b"]) server.put(service(name));
    const first = await ask("GET", SERVICES, { query: { limit: "1" } });
    server.expire();
    const query = { limit: "1", continue: first.metadata.continue };
    await assert.rejects(ask("GET", SERVICES, { query }), { status: 410, reason: "Expired" });
  });

  it("leaves the kind out of items of built-in kinds only", async (t) => {
    const { server, ask } = await started(t);
    server.put(service("web"));
    server.put(peer("tor"));
    const services = await ask("GET", SERVICES);
    assert.deepEqual([services.kind, services.items[0].kind], ["ServiceList", undefined]);
    const peers = await ask("GET", "/apis/metallb.io/v1beta1/bgppeers");
    assert.deepEqual(
      [peers.kind, peers.items[0].kind, peers.items[0].apiVersion],
      ["BGPPeerList", "BGPPeer", "metallb.io/v1beta1"],
    );
  });

  for (const { query, expected } of [
    { query: { labelSelector: "tier=web" }, expected: ["a"] },
    { query: { labelSelector: "tier!=web" }, expected: ["b", "c"] },
    { query: { labelSelector: "tier" }, expected: ["a", "b"] },
    { query: { labelSelector: "!tier" }, expected: ["c"] },
    { query: { labelSelector: "tier in (web, db),tier==db" }, expected: ["b"] },
    { query: { labelSelector: "tier notin (web)" }, expected: ["b", "c"] },
    { query: { fieldSelector: "spec.type=LoadBalancer" }, expected: ["a", "c"] },
    { query: { fieldSelector: "spec.type!=LoadBalancer" }, expected: ["b"] },
    { query: { fieldSelector: "metadata.name=a,spec.type=LoadBalancer" }, expected: ["a"] },
  ]) {
    it(`selects by ${Object.values(query).join()}`, async (t) => {
      const { server, ask } = await started(t);
      server.put(service("a", { type: "LoadBalancer" }, { labels: { tier: "web" } }));
      server.put(service("b", { type: "ClusterIP" }, { labels: { tier: "db" } }));
      server.put(service("c", { type: "LoadBalancer" }));
      assert.deepEqual(names(await ask("GET", SERVICES, { query })), expected);
    });
  }

  for (const [path, query, status] of [
    [SERVICES, { fieldSelector: "spec.clusterIPs=1" }, 400],
    ["/apis/discovery.k8s.io/v1/endpointslices", { fieldSelector: "spec.type=x" }, 400],
    [SERVICES, { labelSelector: "a==b==c" }, 400],
    ["/nothing", {}, 404],
  ] as const) {
    it(`refuses ${path} ${JSON.stringify(query)}`, async (t) => {
      const { ask } = await started(t);
      await assert.rejects(ask("GET", path, { query }), { status });
    });
  }

  it("reads the Namespace itself and what is in it", async (t) => {
    const { server, ask } = await started(t);
    server.put({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } });
    server.put(service("web"));
    assert.equal((await ask("GET", "/api/v1/namespaces/a")).kind, "Namespace");
    assert.deepEqual(names(await ask("GET", "/api/v1/namespaces")), ["a"]);
    assert.deepEqual(names(await ask("GET", SERVICES)), ["web"]);
    assert.deepEqual(names(await ask("GET", "/api/v1/namespaces/b/services")), []);
  });
});

describe("FakeApiServer watches", () => {
  it("sends what happened since a version, then what happens", async (t) => {
    const { server, connection } = await started(t);
    const { metadata } = server.put(service("a"));
    server.put(service("b"));
    const seen = await watched(
      connection,
      "/api/v1/services",
      { resourceVersion: metadata.resourceVersion },
      ({ type }) => type === "DELETED",
      () => {
        server.put(service("b", { x: 1 }));
        server.remove(`${SERVICES}/b`);
      },
    );
    assert.deepEqual(
      seen.map(({ type, object }) => [type, object.metadata.name, object.kind]),
      ["ADDED", "MODIFIED", "DELETED"].map((type) => [type, "b", "Service"]),
    );
    const versions = seen.map(({ object }) => Number(object.metadata.resourceVersion));
    assert.deepEqual(
      versions,
      versions.toSorted((a, b) => a - b),
    );
  });

  it("tells of objects that begin and cease to match the selector", async (t) => {
    const { server, connection } = await started(t);
    const { metadata } = server.put(service("a", { type: "ClusterIP" }));
    server.put(service("a", { type: "LoadBalancer" }));
    server.put(service("a", { type: "LoadBalancer", x: 1 }));
    server.put(service("a", { type: "ClusterIP" }));
    const seen = await watched(
      connection,
      SERVICES,
      { resourceVersion: metadata.resourceVersion, fieldSelector: "spec.type=LoadBalancer" },
      ({ type }) => type === "DELETED",
    );
    assert.deepEqual(
      seen.map(({ type }) => type),
      ["ADDED", "MODIFIED", "DELETED"],
    );
  });

  it("begins with all objects at version 0", async (t) => {
    const { server, connection } = await started(t);
    for (const name of ["a", "b"]) server.put(service(name));
    const isLast = ({ object }: Json) => object.metadata.name === "b";
    const seen = await watched(connection, SERVICES, { resourceVersion: "0" }, isLast);
    assert.deepEqual(
      seen.map(({ type, object }) => type + object.metadata.name),
      ["ADDEDa", "ADDEDb"],
    );
  });

  it("sends an ERROR event with 410 for a version before expire()", async (t) => {
    const { server, connection } = await started(t);
    const { metadata } = server.put(service("a"));
    server.put(service("b"));
    server.expire();
    const query = { resourceVersion: metadata.resourceVersion };
    const [event] = await watched(connection, SERVICES, query, () => true);
    assert.deepEqual(
      [event.type, event.object.code, event.object.reason],
      ["ERROR", 410, "Expired"],
    );
  });

  it("ends after its timeout with a bookmark", async (t) => {
    const { server, connection } = await started(t);
    const { metadata } = server.put(service("a"));
    const { resourceVersion } = server.put(peer("tor")).metadata;
    const query = {
      resourceVersion: metadata.resourceVersion,
      timeoutSeconds: "0",
      allowWatchBookmarks: "true",
    };
    const seen = await watched(connection, SERVICES, query, () => false);
    assert.deepEqual(
      seen.map(({ type, object }) => [type, object.metadata.resourceVersion]),
      [["BOOKMARK", resourceVersion]],
    );
    assert.equal(server.streams, 0);
  });

  it("holds back what watches should see between holdStreams() and releaseStreams()", async (t) => {
    const { server, connection, ask } = await started(t);
    const { metadata } = server.put(service("a"));
    const seen = await watched(
      connection,
      SERVICES,
      { resourceVersion: metadata.resourceVersion },
      ({ object }) => object.metadata.name === "c",
      () => {
        server.holdStreams();
        server.put(service("b"));
        void ask("POST", SERVICES, { body: service("c") }).finally(() => server.releaseStreams());
      },
    );
    assert.deepEqual(
      seen.map(({ object }) => object.metadata.name),
      ["b", "c"],
    );
  });
});

describe("FakeApiServer faults", () => {
  it("answers with a status as often as asked, and only what fits", async (t) => {
    const { server, ask } = await started(t);
    server.fault({
      kind: "status",
      status: 503,
      verb: "get",
      path: /web$/,
      times: 2,
      retryAfterSeconds: 7,
    });
    server.put(service("web"));
    await ask("GET", SERVICES);
    for (const _ of [1, 2]) {
      await assert.rejects(ask("GET", `${SERVICES}/web`), { status: 503, retryAfterMs: 7000 });
    }
    await ask("GET", `${SERVICES}/web`);
    assert.deepEqual(
      [server.count("get"), server.count("get", /web/), server.count("list")],
      [3, 3, 1],
    );
  });

  it("takes a fault away when asked to", async (t) => {
    const { server, ask } = await started(t);
    const remove = server.fault({ kind: "status", status: 500, times: Number.POSITIVE_INFINITY });
    await assert.rejects(ask("GET", SERVICES), { status: 500 });
    remove();
    await ask("GET", SERVICES);
  });

  it("hangs", async (t) => {
    const { server, ask } = await started(t);
    server.fault({ kind: "hang" });
    await assert.rejects(ask("GET", SERVICES, { timeoutMs: 50 }), { reason: "Timeout" });
    await ask("GET", SERVICES);
  });

  it("answers late", async (t) => {
    const { server, ask } = await started(t);
    server.fault({ kind: "slow", ms: 60 });
    const beganMs = performance.now();
    await ask("GET", SERVICES);
    assert.ok(performance.now() - beganMs > 50);
  });

  for (const { kind, left } of [
    { kind: "reset", left: 0 },
    { kind: "lose", left: 1 },
  ] as const) {
    it(`closes the connection without an answer: ${kind} leaves ${left} object`, async (t) => {
      const { server, ask } = await started(t);
      server.fault({ kind });
      await assert.rejects(ask("POST", SERVICES, { body: service("web") }), {
        reason: "ECONNRESET",
      });
      assert.equal(server.list(SERVICES).length, left);
    });
  }

  it("refuses connections and comes back with its objects on the same port", async (t) => {
    const { server, ask } = await started(t);
    server.put(service("web"));
    await server.refuse();
    await assert.rejects(ask("GET", SERVICES), { reason: "ECONNREFUSED" });
    await server.accept();
    assert.deepEqual(names(await ask("GET", SERVICES)), ["web"]);
  });

  it("accepts only the tokens it is told", async (t) => {
    const { server, ask } = await started(t);
    server.tokens = ["other"];
    await assert.rejects(ask("GET", SERVICES), { status: 401 });
    server.tokens = ["anyone"];
    await ask("GET", SERVICES);
  });

  it("has no collection whose CRD is absent", async (t) => {
    const { server, ask } = await started(t);
    server.absent.add("bgppeers.metallb.io");
    await assert.rejects(ask("GET", PEERS), { status: 404 });
    server.absent.clear();
    await ask("GET", PEERS);
  });

  it("leaves neither sockets nor files behind", async (t) => {
    const { server, connection } = await started(t);
    const file = server.kubeconfigFile();
    const watch = watched(
      connection,
      SERVICES,
      {},
      () => false,
      () => void server.close(),
    );
    await assert.rejects(watch, KubeError);
    await server.close();
    assert.equal(existsSync(file), false);
    assert.equal(server.streams, 0);
  });
});

describe("pathOf()", () => {
  for (const [apiVersion, kind, namespace, expected] of [
    ["v1", "Service", "a", "/api/v1/namespaces/a/services/x"],
    ["v1", "Node", undefined, "/api/v1/nodes/x"],
    ["v1", "Endpoints", "a", "/api/v1/namespaces/a/endpoints/x"],
    ["metallb.io/v1beta1", "Community", "a", "/apis/metallb.io/v1beta1/namespaces/a/communities/x"],
    [
      "metallb.io/v1beta1",
      "ServiceBGPStatus",
      "a",
      "/apis/metallb.io/v1beta1/namespaces/a/servicebgpstatuses/x",
    ],
  ] as const) {
    it(`is ${expected} for a ${kind}`, () => {
      const metadata = { name: "x", ...(namespace !== undefined && { namespace }) };
      assert.equal(pathOf({ apiVersion, kind, metadata }), expected);
    });
  }
});

describe("FakeApiServer at scale", () => {
  it("lists 10 000 Services and takes 2000 patches in a moment", async (t) => {
    const { server, ask } = await started(t);
    fill(server, 10_000);
    const beganMs = performance.now();
    let token = "";
    let listed = 0;
    do {
      const query = { limit: "500", ...(token !== "" && { continue: token }) };
      const page = await ask("GET", "/api/v1/services", { query });
      listed += page.items.length;
      token = page.metadata.continue ?? "";
    } while (token !== "");
    const listedMs = performance.now();
    await Promise.all(
      Array.from({ length: 2000 }, (_, index) =>
        ask("PATCH", `${SERVICES}/web-${index}/status`, {
          contentType: MERGE_PATCH,
          body: { status: { loadBalancer: { ingress: [{ ip: `10.0.0.${index % 256}` }] } } },
        }),
      ),
    );
    const patchedMs = performance.now();
    t.diagnostic(
      `list ${Math.round(listedMs - beganMs)} ms, patches ${Math.round(patchedMs - listedMs)} ms`,
    );
    assert.equal(listed, 10_000);
    // Nearly a second on a slow machine; what grows with the square takes minutes.
    assert.ok(patchedMs - beganMs < 20_000);
  });
});

function fill(server: FakeApiServer, count: number): void {
  for (let index = 0; index < count; index++) {
    server.put(
      service(`web-${index}`, {
        type: "LoadBalancer",
        clusterIP: `10.96.${index >> 8}.${index & 255}`,
        ports: [{ name: "http", port: 80, targetPort: 8080, protocol: "TCP" }],
        selector: { app: `web-${index}` },
      }),
    );
  }
}
