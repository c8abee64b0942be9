import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import https from "node:https";
import { connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { Gauge, Registry } from "prom-client";
import { eventually } from "../test/cluster/eventually.ts";
import { startApiServer } from "../test/fakes/api-server.ts";
import { type HttpServerOptions, SECURE_CONNECTIONS, startHttpServer } from "./http.ts";
import { connect } from "./kube/connection.ts";
import { createLogger } from "./log.ts";
import { type SecureOptions, secureServing } from "./serving/secure.ts";
import { selfSigned } from "./serving/self-signed.ts";

async function started(t: TestContext, options: Partial<HttpServerOptions> = {}) {
  const registry = new Registry();
  new Gauge({ name: "metallb_x", help: "x", registers: [registry] }).set(3);
  const server = await startHttpServer({
    port: 0,
    host: "127.0.0.1",
    registries: () => [registry],
    ready: () => [],
    healthy: () => [],
    ...options,
  });
  t.after(() => server.close());
  const get = async (path: string, method = "GET") => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    const type = response.headers.get("content-type");
    return { status: response.status, type, body: await response.text() };
  };
  return { server, get };
}

describe("startHttpServer()", () => {
  it("serves the registry on /metrics", async (t) => {
    const { get } = await started(t);
    const { status, type, body } = await get("/metrics");
    assert.equal(status, 200);
    assert.match(type ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(body, /^metallb_x 3$/m);
  });

  it("says what it waits for and what is broken, as it is at that moment", async (t) => {
    const waiting = ["list of Services", "FRR: no socket"];
    const broken: string[] = [];
    const { get } = await started(t, { ready: () => waiting, healthy: () => broken });
    const type = "text/plain; charset=utf-8";
    assert.deepEqual(await get("/readyz?verbose"), {
      status: 503,
      type,
      body: "list of Services\nFRR: no socket\n",
    });
    assert.deepEqual(await get("/healthz"), { status: 200, type, body: "ok\n" });
    waiting.length = 0;
    broken.push("Main loop stuck for 60 s");
    assert.deepEqual(await get("/readyz"), { status: 200, type, body: "ok\n" });
    assert.deepEqual(await get("/healthz"), {
      status: 503,
      type,
      body: "Main loop stuck for 60 s\n",
    });
  });

  it("serves routes as JSON, big integers exactly", async (t) => {
    const { get } = await started(t, { routes: { "/state": () => ({ free: 2n ** 63n - 1n }) } });
    assert.deepEqual(await get("/state"), {
      status: 200,
      type: "application/json",
      body: '{"free":9223372036854775807}\n',
    });
  });

  for (const { path, method = "GET", status, body } of [
    { path: "/", status: 404, body: "No page /: want one of /metrics, /healthz, /readyz, /bad\n" },
    {
      path: "/toString",
      status: 404,
      body: "No page /toString: want one of /metrics, /healthz, /readyz, /bad\n",
    },
    { path: "/healthz", method: "POST", status: 405, body: "Cannot POST: want GET\n" },
    { path: "/bad", status: 500, body: "No state yet\n" },
    { path: "/healthz", method: "HEAD", status: 200, body: "" },
  ]) {
    it(`answers ${method} ${path} with ${status}`, async (t) => {
      const bad = () => {
        throw new Error("No state yet");
      };
      const { get } = await started(t, { routes: { "/bad": bad } });
      const answer = await get(path, method);
      assert.deepEqual([answer.status, answer.body], [status, body]);
    });
  }

  for (const port of [-1, 65536, 1.5, Number.NaN]) {
    it(`refuses port ${port}`, async (t) => {
      await assert.rejects(started(t, { port }), {
        name: "RangeError",
        message: `Cannot listen on port ${port}: want a whole number from 0 to 65535`,
      });
    });
  }

  it("says so when the port is taken", async (t) => {
    const { server } = await started(t);
    await assert.rejects(started(t, { port: server.port }), {
      message: new RegExp(`^Cannot listen on "127.0.0.1" port ${server.port}: .*EADDRINUSE`),
    });
  });

  it("closes kept connections with the server", async (t) => {
    const { server, get } = await started(t);
    await get("/healthz");
    await server.close();
    await assert.rejects(get("/healthz"));
  });
});

const FLAGS = {
  metricsScheme: "https",
  metricsCertDir: "",
  tlsMinVersion: "VersionTLS13",
  tlsCipherSuites: "",
} as const;

/** A server of HTTPS, with an API server double that knows the token "good". */
async function startedSecure(t: TestContext, flags: Partial<SecureOptions["flags"]> = {}) {
  const api = await startApiServer();
  const connection = connect({ kubeconfig: api.kubeconfigFile() });
  t.after(async () => {
    connection.close();
    await api.close();
  });
  api.users.set("good", "prometheus");
  api.allowed.add("prometheus");
  const log = createLogger({ level: "none" });
  const secure = secureServing({
    program: "speaker",
    flags: { ...FLAGS, ...flags },
    connection,
    log,
  });
  const { server } = await started(t, { secure });
  const get = (path: string, token?: string) =>
    new Promise<{ status: number | undefined; body: string }>((resolve, reject) => {
      const request = https.get({
        host: "127.0.0.1",
        port: server.port,
        path,
        rejectUnauthorized: false,
        agent: false,
        headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
      });
      request.once("error", reject);
      request.once("response", async (response) => {
        let body = "";
        for await (const piece of response) body += piece;
        resolve({ status: response.statusCode, body });
      });
    });
  const handshake = (options: ConnectionOptions = {}) =>
    new Promise<{ protocol: string | null; cipher: string; serial: string }>((resolve, reject) => {
      const socket: TLSSocket = connectTls(
        { host: "127.0.0.1", port: server.port, rejectUnauthorized: false, ...options },
        () => {
          const { standardName } = socket.getCipher();
          const serial = socket.getPeerCertificate().serialNumber;
          resolve({ protocol: socket.getProtocol(), cipher: standardName, serial });
          socket.destroy();
        },
      );
      socket.once("error", reject);
    });
  return { api, server, get, handshake };
}

describe("startHttpServer() with TLS", () => {
  it("shows /metrics to whom the API server lets, and the other pages to everybody", async (t) => {
    const { get } = await startedSecure(t);
    assert.deepEqual(await get("/metrics"), { status: 401, body: "Unauthorized\n" });
    assert.equal((await get("/metrics", "bad")).status, 401);
    const { status, body } = await get("/metrics?x=y", "good");
    assert.equal(status, 200);
    assert.match(body, /^metallb_x 3$/m);
    assert.equal((await get("/readyz")).status, 200);
    assert.equal((await get("/healthz")).status, 200);
  });

  it("does not answer without TLS", async (t) => {
    const { server } = await startedSecure(t);
    await assert.rejects(fetch(`http://127.0.0.1:${server.port}/metrics`));
  });

  it("speaks TLS 1.3 only, unless 1.2 is asked for, and then the suites that are", async (t) => {
    const strict = await startedSecure(t);
    assert.equal((await strict.handshake()).protocol, "TLSv1.3");
    await assert.rejects(strict.handshake({ maxVersion: "TLSv1.2" }));
    const suite = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
    const lax = await startedSecure(t, { tlsMinVersion: "VersionTLS12", tlsCipherSuites: suite });
    const old = await lax.handshake({ maxVersion: "TLSv1.2" });
    assert.deepEqual([old.protocol, old.cipher], ["TLSv1.2", suite]);
    const ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    await assert.rejects(lax.handshake({ maxVersion: "TLSv1.2", ciphers }));
    assert.equal((await lax.handshake()).protocol, "TLSv1.3");
  });

  it("reads the certificate again when its files change, and keeps the last good one", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    const folder = mkdtempSync(join(tmpdir(), "certificates-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const write = (parts: { readonly cert?: string; readonly key?: string }) => {
      if (parts.cert !== undefined) writeFileSync(join(folder, "tls.crt"), parts.cert);
      if (parts.key !== undefined) writeFileSync(join(folder, "tls.key"), parts.key);
      t.mock.timers.tick(10_000);
    };
    const pair = () =>
      selfSigned({
        commonName: "x",
        dnsNames: [],
        addresses: ["127.0.0.1"],
        notBefore: new Date(Date.now() - 1000),
        notAfter: new Date(Date.now() + 1e7),
      });
    const [first, second] = [pair(), pair()];
    await assert.rejects(startedSecure(t, { metricsCertDir: folder }), /Cannot read .*tls\.crt/);
    write(first);
    const { handshake } = await startedSecure(t, { metricsCertDir: folder });
    const { serial } = await handshake({ ca: first.cert, rejectUnauthorized: true });
    // Half of the change: the two do not belong together.
    write({ cert: second.cert });
    assert.equal((await handshake()).serial, serial);
    write({ key: second.key });
    await handshake({ ca: second.cert, rejectUnauthorized: true });
  });

  it("refuses flags that cannot be had", async (t) => {
    for (const [flags, message] of [
      [{ tlsCipherSuites: "TLS_AES_128_GCM_SHA256" }, /--tls-min-version=VersionTLS13/],
      [{ tlsMinVersion: "VersionTLS12", tlsCipherSuites: "x" }, /Unknown cipher suite "x"/],
      [{ metricsCertDir: "/nowhere" }, /Cannot read \/nowhere\/tls.crt/],
    ] as const) {
      await assert.rejects(startedSecure(t, flags), message);
    }
  });

  it("takes so many connections and no more", async (t) => {
    const { server, get } = await startedSecure(t);
    const idle = () => {
      const socket = connectTls({
        host: "127.0.0.1",
        port: server.port,
        rejectUnauthorized: false,
      });
      t.after(() => socket.destroy());
      return new Promise<TLSSocket | undefined>((resolve) => {
        socket.once("secureConnect", () => resolve(socket));
        for (const name of ["error", "close"]) socket.on(name, () => resolve(undefined));
      });
    };
    const sockets = await Promise.all(Array.from({ length: SECURE_CONNECTIONS + 10 }, idle));
    const open = sockets.filter((socket) => socket !== undefined);
    assert.equal(open.length, SECURE_CONNECTIONS);
    open[0]?.destroy();
    await eventually(async () => (await get("/healthz")).status === 200, {
      describe: "a place for another",
    });
  });

  it("keeps no place for those who say nothing, before the handshake or after", async (t) => {
    const { server } = await startedSecure(t);
    const options = { host: "127.0.0.1", port: server.port, rejectUnauthorized: false };
    const sockets = [connectTcp(options), connectTls(options)];
    t.after(() => {
      for (const socket of sockets) socket.destroy();
    });
    let closed = 0;
    for (const socket of sockets) {
      socket.on("error", () => {}).on("close", () => closed++);
      socket.resume();
    }
    await eventually(() => closed === 2, { describe: "both to be closed" });
  });

  it("closes also those who never finish the handshake", async (t) => {
    const { server } = await startedSecure(t);
    const idle = connectTcp(server.port, "127.0.0.1");
    await new Promise((resolve) => idle.once("connect", resolve));
    const closed = new Promise((resolve) => idle.once("close", resolve));
    idle.once("error", () => {});
    idle.resume();
    await server.close();
    await closed;
  });
});
