import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { Gauge, Registry } from "prom-client";
import { type HttpServerOptions, startHttpServer } from "./http.ts";

async function started(t: TestContext, options: Partial<HttpServerOptions> = {}) {
  const registry = new Registry();
  new Gauge({ name: "metallb_x", help: "x", registers: [registry] }).set(3);
  const server = await startHttpServer({
    port: 0,
    host: "127.0.0.1",
    registry,
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
