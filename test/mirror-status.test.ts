// The command mirror-status as a process, reading from a real HTTP server with a speaker's state.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createServer } from "node:net";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type HttpServer, startHttpServer } from "../src/http.ts";
import { eventually } from "./cluster/eventually.ts";
import { endAll, serverWith, start } from "./running-speaker.ts";
import {
  bgpAdvertisement,
  l2Advertisement,
  NODE,
  node,
  peer,
  pool,
  service,
  slice,
} from "./speaker-samples.ts";

const MAIN = join(import.meta.dirname, "../src/cli/main.ts");

type Outcome = { readonly code: number; readonly out: string; readonly err: string };

function run(args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [MAIN, ...args],
      { env: { ...process.env, ...env } },
      (error, out, err) => resolve({ code: Number(error?.code ?? 0), out, err }),
    );
  });
}

let pages: HttpServer;

before(async () => {
  const server = await serverWith(
    node(NODE),
    peer("leaf1", "10.0.0.2"),
    peer("bad", "nonsense"),
    pool("pool", ["192.0.2.0/24"]),
    bgpAdvertisement("all"),
    l2Advertisement("all"),
    service("web", ["192.0.2.1"]),
    slice("web", [NODE]),
    service("idle", ["192.0.2.2"]),
  );
  const { speaker, frr, registry } = start(server);
  pages = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    registries: () => [registry],
    ready: speaker.waitingFor,
    healthy: () => [],
    routes: { "/state": speaker.state },
  });
  await eventually(() => frr.applies.length > 0, { describe: "the first apply" });
});

after(async () => {
  await pages?.close();
  await endAll();
});

describe("mirror-status", () => {
  it("prints what is announced, what is not and why, and what is wrong", async () => {
    const { code, out, err } = await run(["mirror-status", `--port=${pages.port}`]);
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, /^Node node1: ready$/m);
    assert.match(
      out,
      /^ +default\/web +192\.0\.2\.1 +pool +bgp +announced +192\.0\.2\.1\/32 to leaf1\n +layer2 +announced +on all interfaces; the only candidate$/m,
    );
    assert.match(out, /^ +default\/idle +192\.0\.2\.2 +pool +- +refused +noEndpoints: /m);
    assert.match(out, /^ +192\.0\.2\.1 +answering /m);
    assert.match(out, /^ +membership +off: /m);
    assert.match(out, /^ +leaf1 +10\.0\.0\.2 +- +65100 +Unknown /m);
    assert.match(out, /^ +BGPPeer "bad": spec\.peerAddress: /m);
  });

  it("-o json prints the same as JSON; the port can come from the environment", async () => {
    const { code, out } = await run(["mirror-status", "-o", "json"], {
      METALLB_STATE_PORT: String(pages.port),
    });
    assert.equal(code, 0);
    const state = JSON.parse(out);
    assert.equal(state.node, NODE);
    assert.deepEqual(
      state.services.map(({ service: key }: { service: string }) => key),
      ["default/idle", "default/web"],
    );
  });

  it("says how to run it where no speaker answers", async () => {
    const { code, out, err } = await run(["mirror-status", `--port=${await freePort()}`]);
    assert.deepEqual([code, out], [1, ""]);
    assert.match(err, /ECONNREFUSED/);
    assert.match(err, /Is the speaker running here\? .*kubectl exec/);
  });

  for (const [args, pattern] of [
    [["mirror-status", "--nope"], /Unknown flag --nope/],
    [["mirror-status", "-o", "yaml"], /want one of table, json/],
    [["nope"], /Unknown command "nope"/],
  ] as const) {
    it(`refuses "${args.join(" ")}"`, async () => {
      const { code, err } = await run(args);
      assert.equal(code, 2);
      assert.match(err, pattern);
    });
  }

  it("--help lists the flags", async () => {
    const { code, out } = await run(["mirror-status", "--help"]);
    assert.equal(code, 0);
    assert.match(out, /--port number/);
  });
});

/** A port nobody listens on. */
function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address() as { port: number };
      probe.close(() => resolve(port));
    });
  });
}
