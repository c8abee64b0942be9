// A real Prometheus scrapes controller and speaker over HTTPS with a service account's token, which they
// have the real API server review, and raises the chart's alerts. FRR is absent.

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { NAMESPACE, type Rendered, render } from "../../scripts/chart/helm.ts";
import type { Rule } from "../monitoring/queries.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import type { Daemon } from "./daemon.ts";
import { eventually } from "./eventually.ts";
import { apply, applyFolder, putNamespace, putNode, putService } from "./objects.ts";
import type { Json } from "./request.ts";

const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const mainOf = (program: string) =>
  fileURLToPath(new URL(`../../src/${program}/main.ts`, import.meta.url));
const READER = "metallb-metrics-reader";
const RIGHTS = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];

describe("metrics over HTTPS", () => {
  let cluster: Cluster;
  let folder: string;
  let prometheus: Daemon;
  let url: string;
  const ports = { controller: 0, speaker: 0 };

  const ask = async (path: string): Promise<Json> => {
    const response = await fetch(`${url}/api/v1/${path}`);
    const { status, data, error } = (await response.json()) as Json;
    assert.equal(status, "success", error);
    return data;
  };
  /** The value of each series, by its Pod. */
  const query = async (promql: string): Promise<Readonly<Record<string, number>>> => {
    const { result } = await ask(`query?query=${encodeURIComponent(promql)}`);
    return Object.fromEntries(
      result.map(({ metric, value }: Json) => [metric.pod, Number(value[1])]),
    );
  };
  const failureOf = (job: string) =>
    eventually(
      async () => {
        const { activeTargets } = await ask("targets?state=active");
        const { health, lastError } = activeTargets.find(({ labels }: Json) => labels.job === job);
        return health !== "unknown" && `${health} ${lastError}`.trim();
      },
      { describe: `${job} to scrape` },
    );
  const firing = async (): Promise<readonly string[]> => {
    const { alerts } = await ask("alerts");
    return alerts
      .filter(({ state }: Json) => state === "firing")
      .map(({ labels }: Json) => [labels.alertname, labels.pod ?? labels.pool].join(" "))
      .sort();
  };
  const start = async (program: "controller" | "speaker", args: readonly string[]) => {
    ports[program] = await freePort();
    const serviceAccount = { namespace: NAMESPACE, name: program };
    const kubeconfig = await cluster.writeKubeconfig({ serviceAccount });
    return cluster.startDaemon(program, process.execPath, [
      ...[mainOf(program), `--kubeconfig=${kubeconfig}`, `--namespace=${NAMESPACE}`],
      ...[`--port=${ports[program]}`, `--health-probe-port=${await freePort()}`],
      ...["--metrics-scheme=https", ...args],
    ]);
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "metallb-ts-scrape-"));
    cluster = await startCluster();
    await putNamespace(cluster, NAMESPACE);
    await applyFolder(cluster, CRDS);
    const objects = await render({
      prometheus: {
        ...{ serviceAccount: "prometheus-k8s", namespace: "monitoring" },
        ...{ podMonitor: { enabled: true }, prometheusRule: { enabled: true } },
      },
    });
    for (const object of objects) {
      if (RIGHTS.includes(object.kind)) await apply(cluster, object);
    }
    await putNode(cluster, { name: "node1", addresses: ["192.0.2.1"] });
    await start("controller", ["--leader-elect", "--pod-name=controller-a"]);
    await start("speaker", [...["--node-name=node1", `--frr-sockets=${join(folder, "no-frr")}`]]);
    prometheus = await startPrometheus(objects);
  });
  after(async () => {
    await cluster?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function startPrometheus(objects: readonly Rendered[]): Promise<Daemon> {
    const token = await cluster.serviceAccountToken({ namespace: NAMESPACE, name: READER });
    await apply(cluster, {
      ...{ apiVersion: "v1", kind: "ServiceAccount" },
      metadata: { namespace: NAMESPACE, name: "stranger" },
    });
    const stranger = await cluster.serviceAccountToken({ namespace: NAMESPACE, name: "stranger" });
    const job = (name: string, authorization: object) => ({
      ...{ job_name: name, scheme: "https", scrape_interval: "500ms", honor_labels: true },
      ...{ tls_config: { insecure_skip_verify: true }, ...authorization },
      static_configs: Object.entries(ports)
        .filter(([program]) => name === "metallb" || program === "controller")
        .map(([program, port]) => ({
          targets: [`127.0.0.1:${port}`],
          labels: { namespace: NAMESPACE, pod: program, node: "node1" },
        })),
    });
    const bearer = (credentials: string) => ({ authorization: { credentials } });
    const config = {
      global: { evaluation_interval: "500ms" },
      rule_files: [await cluster.writeFile("rules.yaml", JSON.stringify(quick(objects)))],
      scrape_configs: [
        job("metallb", bearer(token)),
        job("stranger", bearer(stranger)),
        job("unknown", bearer(`${token}x`)),
        job("nobody", {}),
      ],
    };
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const daemon = cluster.startDaemon("prometheus", "prometheus", [
      `--config.file=${await cluster.writeFile("prometheus.yaml", JSON.stringify(config))}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ]);
    await eventually(async () => (await fetch(`${url}/-/ready`)).ok, {
      describe: "Prometheus to be ready",
    });
    return daemon;
  }

  it("are for whoever the chart lets GET /metrics", async () => {
    assert.equal(await failureOf("metallb"), "up");
    await eventually(
      async () => {
        const up = await query('up{job="metallb"}');
        return up["controller"] === 1 && up["speaker"] === 1;
      },
      { describe: "both to be up" },
    );
  });

  for (const [job, status] of [
    ["stranger", "403 Forbidden"],
    ["unknown", "401 Unauthorized"],
    ["nobody", "401 Unauthorized"],
  ] as const) {
    it(`are not for the job "${job}": ${status}`, async () => {
      assert.equal(await failureOf(job), `down server returned HTTP status ${status}`);
    });
  }

  it("tell who leads, and raise an alert for what is wrong only", async () => {
    await eventually(async () => (await query("metallb_controller_leader"))["controller"] === 1, {
      describe: "the controller to lead",
    });
    await eventually(
      async () => {
        assert.deepEqual(await firing(), ["MetalLBFRRNotReachable speaker"]);
        return true;
      },
      { describe: "the alert about the absent FRR, alone" },
    );
  });

  it("raise an alert when a pool is full", async () => {
    await apply(cluster, {
      ...{ apiVersion: "metallb.io/v1beta1", kind: "IPAddressPool" },
      metadata: { namespace: NAMESPACE, name: "small" },
      spec: { addresses: ["192.0.2.10/32"] },
    });
    await putService(cluster, { name: "web" });
    await eventually(
      async () => {
        assert((await firing()).includes("MetalLBAddressPoolExhausted small"));
        return true;
      },
      { describe: "the alert about the pool" },
    );
  });

  it("run without an error in any rule", async () => {
    const { groups } = await ask("rules");
    const bad = groups.flatMap(({ rules }: Json) =>
      rules.filter(({ health, lastError }: Json) => health !== "ok" || lastError),
    );
    assert.deepEqual(bad, []);
    assert.equal(prometheus.ended, undefined);
  });
});

/** The rules of the chart without their patience, which is what promtool's cases are about. */
function quick(objects: readonly Rendered[]): Json {
  const rule = objects.find(({ kind }) => kind === "PrometheusRule") as Json;
  return {
    groups: rule.spec.groups.map(({ name, rules }: Json) => ({
      name,
      rules: rules.map(({ for: _, ...rest }: Rule) => rest),
    })),
  };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  assert(address !== null && typeof address === "object");
  return address.port;
}
