// A whole small cluster for tests that install MetalLB as users do: the lab's routers, a real control
// plane with scheduler and controllers, a double of the kubelet on every node, kube-proxy, and the
// images that the chart names.

import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Lab, startLab } from "../../lab/netns/lab.ts";
import { buildImageRoot, IMAGE } from "../../scripts/image-root.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { eventually } from "../cluster/eventually.ts";
import { startKubeProxy } from "../cluster/kube-proxy.ts";
import { type Images, machineImage } from "../cluster/kubelet/image.ts";
import { type LabKubelets, startKubelets } from "../cluster/kubelet/lab.ts";
import { applyYaml } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";
import { hasRoute, haveSessions } from "../e2e/leaves.ts";

export const NODES = ["node1", "node2", "node3"] as const;
export const NAMESPACE = "metallb-system";
export const CHART = fileURLToPath(new URL("../../charts/metallb", import.meta.url));

const DEMO = fileURLToPath(new URL("../../lab/demo/", import.meta.url));
const IMAGE_ROOT = fileURLToPath(new URL("../../dist/image-root", import.meta.url));
/** Many processes on few cores. */
const TIMEOUT_MS = 90_000;

export type ClusterStandOptions = {
  /** More than what the chart names, or instead of it. */
  readonly images?: Images;
  /** As of `startCluster`. */
  readonly audit?: boolean;
};

/** Stops with `stop()`. Nothing of MetalLB is installed yet. */
export class ClusterStand {
  readonly lab: Lab;
  readonly cluster: Cluster;
  readonly kubelets: LabKubelets;

  private constructor(lab: Lab, cluster: Cluster, kubelets: LabKubelets) {
    this.lab = lab;
    this.cluster = cluster;
    this.kubelets = kubelets;
  }

  static async start(options: ClusterStandOptions = {}): Promise<ClusterStand> {
    const { images = {}, audit = false } = options;
    await buildImageRoot(IMAGE_ROOT);
    await using cleanup = new AsyncDisposableStack();
    const lab = await startLab({ bareNodes: true });
    cleanup.defer(() => lab.stop());
    const { netns, addresses } = lab.node("control");
    const cluster = await startCluster({
      ...{ netns, bindAddress: addresses[0] ?? "", workloads: true, audit },
      logFolder: join(lab.folder, "logs"),
    });
    cleanup.defer(() => cluster.stop());
    const kubelets = await startKubelets(lab, cluster, {
      "metallb-ts/metallb": { layers: [IMAGE_ROOT], ...IMAGE },
      "quay.io/frrouting/frr": machineImage(),
      ...images,
    });
    cleanup.defer(() => kubelets.stop());
    await Promise.all(
      NODES.map((name) => startKubeProxy({ cluster, netns: lab.node(name).netns, nodeName: name })),
    );
    cleanup.move();
    return new ClusterStand(lab, cluster, kubelets);
  }

  async stop(): Promise<void> {
    await this.kubelets.stop();
    await this.cluster.stop();
    await this.lab.stop();
  }

  kubectl(...args: readonly string[]): Promise<string> {
    return this.cluster.kubectl(args);
  }

  /** `helm install metallb CHART` with more arguments, and waits until the Pods are ready. */
  async install(...args: readonly string[]): Promise<string> {
    const said = await this.helm("install", ...args);
    await this.until("the controllers to be ready", () => this.#areReady("controller", 2));
    await this.until("the speakers to be ready", () => this.#areReady("speaker", NODES.length));
    return said;
  }

  /** `helm install` or `helm upgrade` of the release metallb, with what the lab's FRR wants. */
  helm(command: "install" | "upgrade", ...args: readonly string[]): Promise<string> {
    return this.cluster.helm([
      ...[command, "metallb", CHART, "--namespace", NAMESPACE, "--create-namespace"],
      ...["--set", `speaker.frr.groups={${frrGroups().join()}}`, ...args],
    ]);
  }

  async #areReady(component: "controller" | "speaker", count: number): Promise<boolean> {
    const pods = await this.pods(component);
    const isReady = ({ status }: Json) =>
      status.conditions?.some((c: Json) => c.type === "Ready" && c.status === "True") ?? false;
    return pods.length === count && pods.every(isReady);
  }

  /** Waits until a rollout of controller and speakers is over, minReadySeconds of each included. */
  async untilRolledOut(): Promise<void> {
    const timeout = `--timeout=${TIMEOUT_MS / 1000}s`;
    for (const workload of ["deployment/controller", "daemonset/speaker"]) {
      try {
        await this.kubectl("rollout", "status", workload, "-n", NAMESPACE, timeout);
      } catch (cause) {
        const seen = await this.kubectl("describe", "pods", "-n", NAMESPACE);
        throw new Error(`Waited for ${workload}: ${cause}\n${seen}`, { cause });
      }
    }
  }

  /** The Pods of a component. */
  async pods(component: "controller" | "speaker"): Promise<readonly Json[]> {
    const selector = encodeURIComponent(`app=metallb,component=${component}`);
    const path = `/api/v1/namespaces/${NAMESPACE}/pods?labelSelector=${selector}`;
    return (await this.cluster.request("GET", path)).items;
  }

  /** The name of the speaker's Pod on a node. */
  async speakerOn(node: string): Promise<string> {
    const found = (await this.pods("speaker")).find(({ spec }) => spec.nodeName === node);
    if (found === undefined) throw new Error(`Cannot find a speaker on ${node}`);
    return found.metadata.name;
  }

  apply(yaml: string): Promise<void> {
    return applyYaml(this.cluster, yaml);
  }

  /** Applies a file of lab/demo. */
  async applyDemo(name: "metallb.yaml" | "l2.yaml" | "web.yaml"): Promise<void> {
    await this.apply(await readFile(join(DEMO, name), "utf8"));
  }

  /** Waits until the Service has addresses, and returns them. */
  addresses(service: string): Promise<readonly string[]> {
    return this.until(`addresses of ${service}`, async () => {
      const path = `/api/v1/namespaces/default/services/${service}`;
      const { status } = await this.cluster.request("GET", path);
      const found = (status?.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip as string);
      return found.length > 0 && found;
    });
  }

  untilSessions(): Promise<unknown> {
    const describe = "all sessions of nodes with leaves";
    return this.until(describe, () => haveSessions(this.lab, NODES.length));
  }

  /** Waits until the router has the prefix from exactly these nodes. */
  untilRoute(router: string, prefix: string, nodes: readonly string[]): Promise<unknown> {
    const describe = `${prefix} from ${nodes.join(", ") || "nobody"} at ${router}`;
    return this.until(describe, () => hasRoute(this.lab, router, prefix, nodes));
  }

  /** What the Service at that address answers the lab's client. */
  ask(address: string): Promise<string> {
    const host = address.includes(":") ? `[${address}]` : address;
    return this.lab.node("client").exec(["curl", "-gsSm5", `http://${host}/`]);
  }

  until<T>(
    describe: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(look, { describe, timeoutMs: TIMEOUT_MS });
  }
}

/** The groups frr and frrvty of this machine, whose FRR stands for the image. */
export function frrGroups(): readonly number[] {
  const lines = readFileSync("/etc/group", "utf8").split("\n");
  return ["frr", "frrvty"].map((name) => {
    const line = lines.find((candidate) => candidate.startsWith(`${name}:`));
    if (line === undefined) throw new Error(`Cannot find group ${name}: want Debian's package frr`);
    return Number(line.split(":")[2]);
  });
}
