// The controller as a process: flags, pages and signals, against the API server double.

import assert from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { eventually } from "./cluster/eventually.ts";
import { type FakeApiServer, startApiServer } from "./fakes/api-server.ts";

const MAIN = fileURLToPath(new URL("../src/controller/main.ts", import.meta.url));

function run(...args: readonly string[]) {
  const env = { PATH: process.env["PATH"], NO_PROXY: "*" };
  return spawnSync(process.execPath, [MAIN, ...args], { encoding: "utf8", env });
}

describe("controller's flags", () => {
  for (const [args, status, output] of [
    [["--help"], 0, /--lb-class string\n.*loadBalancerClass/],
    [["--namspace=x"], 2, /^controller: Unknown flag --namspace/],
    [["--port=x"], 2, /^controller: Cannot take --port "x": want a whole number from 0 to 65535/],
    [
      ["--log-level=loud"],
      2,
      /^controller: Cannot take --log-level "loud": want one of all, debug/,
    ],
    [[], 2, /^controller: Cannot start without --namespace, \$METALLB_NAMESPACE or /],
    [["--namespace=x"], 2, /^controller: Cannot find the API server/],
    [["--namespace=x", "--kubeconfig=/nowhere"], 2, /^controller: Cannot read kubeconfig/],
    [
      ["--namespace=x", "--leader-elect-lease-duration=1500ms"],
      2,
      /^controller: Cannot take --leader-elect-lease-duration of 1500 ms: want whole seconds/,
    ],
  ] as const) {
    test(`${args.join(" ") || "none"}: ends with ${status}`, () => {
      const { status: got, stdout, stderr } = run(...args);
      assert.match(status === 0 ? stdout : stderr, output);
      assert.equal(got, status);
    });
  }
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const address = server.address();
  server.close();
  assert(address !== null && typeof address === "object");
  return address.port;
}

async function start(t: TestContext, api: FakeApiServer) {
  const [port, probePort] = await Promise.all([freePort(), freePort()]);
  const args = [MAIN, `-port=${port}`, `--health-probe-port=${probePort}`];
  const child: ChildProcess = spawn(process.execPath, args, {
    env: {
      PATH: process.env["PATH"],
      NO_PROXY: "*",
      KUBECONFIG: api.kubeconfigFile(),
      METALLB_NAMESPACE: "metallb-system",
    },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  t.after(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const page = async (path: string, at = port) => {
    const response = await fetch(`http://127.0.0.1:${at}${path}`);
    return { status: response.status, text: await response.text() };
  };
  return { child, exited, page, probePort };
}

describe("controller's pages and signals", () => {
  test("/readyz says what is waited for, then ok; SIGTERM ends it", async (t) => {
    const api = await startApiServer();
    t.after(() => api.close());
    api.absent.add("ipaddresspools.metallb.io");
    const { child, exited, page, probePort } = await start(t, api);
    await eventually(
      async () => {
        const { status, text } = await page("/readyz");
        return status === 503 && text.includes("waiting for the CRD ipaddresspools.metallb.io");
      },
      { describe: "/readyz to name the CRD" },
    );
    assert.equal((await page("/healthz")).status, 200);
    assert.equal((await page("/healthz", probePort)).status, 200);
    assert.equal((await page("/readyz", probePort)).status, 503);
    // Whoever may probe need not be let in to see metrics.
    assert.equal((await page("/metrics", probePort)).status, 404);
    api.absent.clear();
    await eventually(async () => (await page("/readyz")).status === 200, { describe: "readiness" });
    await eventually(
      async () => /^metallb_k8s_client_config_loaded_bool 1$/m.test((await page("/metrics")).text),
      { describe: "the metric" },
    );
    child.kill("SIGTERM");
    assert.deepEqual(await exited, [0, null]);
  });

  test("SIGTERM ends it although the API server does not answer a write", async (t) => {
    const api = await startApiServer();
    t.after(() => api.close());
    const { child, exited, page } = await start(t, api);
    await eventually(async () => (await page("/readyz")).status === 200, { describe: "readiness" });
    api.fault({ kind: "hang", verb: "patch", times: 1e6 });
    api.put({
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace: "default", name: "web" },
      spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.1"], ports: [{ port: 80 }] },
    } as never);
    await eventually(() => api.count("patch", /services/) === 1, { describe: "the write" });
    const sentMs = performance.now();
    child.kill("SIGTERM");
    assert.deepEqual(await exited, [0, null]);
    // It waits one second for the answer; MetalLB sometimes hangs for more than fifteen.
    assert(performance.now() - sentMs < 10_000);
  });
});
