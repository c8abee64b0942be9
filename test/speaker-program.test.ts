// The speaker as a process: flags, environment, pages, signals; the API server is a double, FRR absent.

import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:https";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, describe, it } from "node:test";
import { eventually } from "./cluster/eventually.ts";
import { type FakeApiServer, type Json, startApiServer } from "./fakes/api-server.ts";
import { bgpAdvertisement, NAMESPACE, NODE, node, peer, pool } from "./speaker-samples.ts";

const MAIN = join(import.meta.dirname, "../src/speaker/main.ts");
const NO_FRR = join(import.meta.dirname, "no-such-folder");

let server: FakeApiServer | undefined;
let child: ChildProcess | undefined;

afterEach(async () => {
  if (child?.exitCode === null && child.signalCode === null) {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  await server?.close();
  server = undefined;
  child = undefined;
});

describe("speaker", () => {
  it("runs, says what is missing, and ends when told to", async () => {
    server = await startApiServer();
    for (const manifest of [
      node(NODE),
      peer("leaf1", "10.0.0.2"),
      pool("pool", ["192.0.2.0/24"]),
      bgpAdvertisement("all"),
    ]) {
      server.put(manifest);
    }
    const [health, metrics] = await Promise.all([freePort(), freePort()]);
    child = spawn(process.execPath, [MAIN, `--port=${metrics}`, "--log-level", "debug"], {
      env: {
        ...process.env,
        KUBECONFIG: server.kubeconfigFile(),
        METALLB_NODE_NAME: NODE,
        METALLB_NAMESPACE: NAMESPACE,
        METALLB_FRR_SOCKETS: NO_FRR,
        METALLB_STATE_PORT: String(health),
        METALLB_HOST: "10.0.0.1",
        METALLB_ML_LABELS: "app=metallb",
      },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let out = "";
    child.stdout?.on("data", (piece: Buffer) => {
      out += piece;
    });
    const page = (path: string, port = health) => fetch(`http://127.0.0.1:${port}${path}`);
    await eventually(
      async () => {
        const answer = await page("/readyz");
        const text = await answer.text();
        return answer.status === 503 && /^FRR: waiting: .*no-such-folder/.test(text);
      },
      { describe: "FRR to be the only thing missing" },
    );
    assert.equal((await page("/healthz")).status, 200);
    const state = (await (await page("/state")).json()) as Json;
    assert.equal(state.sessions[0].peer, "leaf1");
    assert.match(await (await page("/metrics", metrics)).text(), /^metallb_frr_connected 0$/m);
    // Names of Services and peers are for this host only.
    assert.equal((await page("/state", metrics)).status, 404);
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
    const lines = out
      .trim()
      .split("\n")
      .map((line): Json => JSON.parse(line));
    assert(lines.every(({ ts, level, msg }) => ts && level && msg));
    assert.equal(lines.at(-1).op, "shutdown");
  });

  it("shows metrics over HTTPS to who may see them; probes stay plain", async () => {
    server = await startApiServer();
    server.users.set("good", "prometheus");
    server.allowed.add("prometheus");
    const [health, metrics] = await Promise.all([freePort(), freePort()]);
    const ports = [`--port=${metrics}`, `--health-probe-port=${health}`];
    child = spawn(process.execPath, [MAIN, ...ports, "--metrics-scheme=https"], {
      env: {
        ...process.env,
        KUBECONFIG: server.kubeconfigFile(),
        METALLB_NODE_NAME: NODE,
        METALLB_NAMESPACE: NAMESPACE,
        METALLB_FRR_SOCKETS: NO_FRR,
      },
      stdio: ["ignore", "ignore", "inherit"],
    });
    await eventually(async () => (await fetch(`http://127.0.0.1:${health}/healthz`)).ok, {
      describe: "the speaker to answer",
    });
    assert.deepEqual(await securely(metrics, undefined), [401, "Unauthorized\n"]);
    const [status, text] = await securely(metrics, "good");
    assert.equal(status, 200);
    assert.match(text, /^metallb_frr_connected 0$/m);
  });

  for (const [name, args, env, pattern] of [
    ["an unknown flag", ["--nope"], {}, /Unknown flag --nope/],
    ["a bad value", ["--log-level=loud"], {}, /--log-level "loud": want one of all, debug/],
    ["a bad variable", [], { METALLB_ML_BIND_PORT: "x" }, /\$METALLB_ML_BIND_PORT "x"/],
    ["no node name", [], {}, /without --node-name or \$METALLB_NODE_NAME/],
    [
      "a kubeconfig that is not there",
      [],
      { METALLB_NODE_NAME: NODE, METALLB_NAMESPACE: NAMESPACE, KUBECONFIG: NO_FRR },
      /Cannot read kubeconfig .*no-such-folder/,
    ],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const { code, err } = await run(args, env);
      assert.equal(code, 2);
      assert.match(err, pattern);
    });
  }

  it("--help lists flags with their variables and defaults", async () => {
    const { code, out } = await run(["--help"], {});
    assert.equal(code, 0);
    for (const text of [
      "--lb-class",
      "$METALLB_FRR_SOCKETS; default /var/run/frr",
      "$FRR_CONFIG_FILE",
      "default 17472",
      "default 7472",
    ]) {
      assert(out.includes(text), text);
    }
  });
});

function run(args: readonly string[], env: Readonly<Record<string, string>>) {
  return new Promise<{ code: number; out: string; err: string }>((resolve) => {
    const options = { env: { PATH: process.env["PATH"], ...env } };
    execFile(process.execPath, [MAIN, ...args], options, (error, out, err) => {
      resolve({ code: Number(error?.code ?? 0), out, err });
    });
  });
}

/** Status and text of /metrics over HTTPS. */
function securely(port: number, token: string | undefined) {
  return new Promise<readonly [number | undefined, string]>((resolve, reject) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const options = { host: "127.0.0.1", port, path: "/metrics", headers };
    const request = get({ ...options, rejectUnauthorized: false }, async (response) => {
      let text = "";
      for await (const piece of response) text += piece;
      resolve([response.statusCode, text]);
    });
    request.once("error", reject);
  });
}

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
