// Metrics over HTTPS: tokens of service accounts reviewed by a real API server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:https";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apply, putNamespace } from "./objects.ts";

const NAMESPACE = "metallb-system";
const MAIN = fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url));
const PORT = 20_000 + (process.pid % 10_000);

function scrape(token?: string): Promise<{ status: number | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const request = get(
      { host: "127.0.0.1", port: PORT, path: "/metrics", headers, rejectUnauthorized: false },
      async (response) => {
        let body = "";
        for await (const piece of response) body += piece;
        resolve({ status: response.statusCode, body });
      },
    );
    request.once("error", reject);
  });
}

describe("metrics over HTTPS with a real API server", () => {
  let cluster: Cluster;
  let end = async () => {};

  before(async () => {
    cluster = await startCluster();
    await putNamespace(cluster, NAMESPACE);
    for (const name of ["prometheus", "nobody"]) {
      const metadata = { namespace: NAMESPACE, name };
      await apply(cluster, { apiVersion: "v1", kind: "ServiceAccount", metadata });
    }
    const rbac = "rbac.authorization.k8s.io";
    await apply(cluster, {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: "metrics-reader" },
      rules: [{ nonResourceURLs: ["/metrics"], verbs: ["get"] }],
    });
    await apply(cluster, {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRoleBinding",
      metadata: { name: "metrics-reader" },
      roleRef: { apiGroup: rbac, kind: "ClusterRole", name: "metrics-reader" },
      subjects: [{ kind: "ServiceAccount", namespace: NAMESPACE, name: "prometheus" }],
    });
    const flags = ["--metrics-scheme=https", `--port=${PORT}`, "--health-probe-port=0"];
    const child = spawn(process.execPath, [MAIN, `--namespace=${NAMESPACE}`, ...flags], {
      env: { ...process.env, KUBECONFIG: cluster.kubeconfigPath, NO_PROXY: "*" },
      stdio: ["ignore", "ignore", "inherit"],
    });
    end = async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    };
    await eventually(async () => (await scrape()).status === 401, { describe: "the server" });
  });
  after(async () => {
    await end();
    await cluster?.stop();
  });

  test("who may get /metrics sees them, nobody else does", async () => {
    const tokenOf = (name: string) => cluster.serviceAccountToken({ namespace: NAMESPACE, name });
    const { status, body } = await scrape(await tokenOf("prometheus"));
    assert.equal(status, 200);
    assert.match(body, /^metallb_controller_leader 1$/m);
    assert.deepEqual(await scrape(await tokenOf("nobody")), {
      status: 403,
      body: `Authorization denied for user system:serviceaccount:${NAMESPACE}:nobody\n`,
    });
    assert.equal((await scrape("made-up")).status, 401);
  });

  test("no answer of the API server lets nobody in whom it does not know yet", async () => {
    const token = await cluster.serviceAccountToken({ namespace: NAMESPACE, name: "prometheus" });
    await cluster.stopApiServer();
    assert.equal((await scrape(token)).status, 500);
    await cluster.startApiServer();
    assert.equal((await scrape(token)).status, 200);
  });
});
