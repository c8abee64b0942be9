// The lab with a real control plane on which MetalLB's own release is installed and runs: its
// controller with its webhooks, its speakers in native mode. Our programs can take their place. What
// a kubelet would do (Pods, mounted Secrets) is done here by hand.

import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { routeAt } from "../../lab/demo/routers.ts";
import { NODES } from "../../lab/demo/stage.ts";
import { type Lab, type LabNode, startLab } from "../../lab/netns/lab.ts";
import { type Cluster, startCluster } from "../cluster/cluster.ts";
import { Daemon } from "../cluster/daemon.ts";
import { eventually } from "../cluster/eventually.ts";
import { startKubeProxy } from "../cluster/kube-proxy.ts";
import { find, putNode, putPod } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";
import { type MetallbRelease, metallbRelease } from "./metallb-release.ts";

export const NAMESPACE = "metallb-system";
export const SYSTEM = `/api/v1/namespaces/${NAMESPACE}`;
export const METALLB = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;

type Owner = "metallb" | "ours";
type Component = "controller" | "speaker";

const OURS = {
  controller: fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url)),
  speaker: fileURLToPath(new URL("../../src/speaker/main.ts", import.meta.url)),
} as const;
const TIMEOUT_MS = 60_000;

export class ProgramStand {
  readonly lab: Lab;
  readonly cluster: Cluster;
  readonly release: MetallbRelease;
  readonly #programs = new Map<string, Daemon>();

  private constructor(lab: Lab, cluster: Cluster, release: MetallbRelease) {
    this.lab = lab;
    this.cluster = cluster;
    this.release = release;
  }

  /** Nodes, and MetalLB's manifest as a user applied it; nothing of it runs yet. */
  static async start(): Promise<ProgramStand> {
    const release = await metallbRelease();
    await using cleanup = new AsyncDisposableStack();
    const lab = await startLab();
    cleanup.defer(() => lab.stop());
    const control = lab.node("control");
    const cluster = await startCluster({
      netns: control.netns,
      bindAddress: addressOf(control),
      controllers: true,
      logFolder: join(lab.folder, "logs"),
    });
    cleanup.defer(() => cluster.stop());
    const stand = new ProgramStand(lab, cluster, release);
    for (const node of [control, ...stand.nodes]) await putNode(cluster, node);
    // The API server reaches webhooks by the cluster address of their Service.
    await control.exec(["ip", "route", "add", "10.96.0.0/16", "dev", "eth1"]);
    await startKubeProxy({ cluster, netns: control.netns, nodeName: control.name });
    await stand.kubectl(["apply", "-f", release.manifest]);
    await stand.#putWeb();
    cleanup.move();
    return stand;
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.stop()));
    await this.cluster.stop();
    await this.lab.stop();
  }

  get nodes(): readonly LabNode[] {
    return NODES.map((name) => this.lab.node(name));
  }

  kubectl(args: readonly string[], input?: string): Promise<string> {
    return this.cluster.kubectl(args, input === undefined ? {} : { input });
  }

  /** Applies a file of this folder as a user does; tried again while a webhook is not there yet. */
  async apply(name: string): Promise<void> {
    const path = fileURLToPath(new URL(name, import.meta.url));
    await this.until(`${name} to be taken`, async () => {
      await this.kubectl(["apply", "-f", path]);
      return true;
    });
  }

  list(path: string): Promise<Json[]> {
    return this.cluster.request("GET", path).then(({ items }) => items);
  }

  get(path: string): Promise<Json | undefined> {
    return find(this.cluster, path);
  }

  /** Starts the controller of one of both, in a Pod of its own. */
  async startController(owner: Owner): Promise<void> {
    const node = this.lab.node("control");
    const pod = await this.#putPod(owner, "controller", node);
    const env = {
      METALLB_POD_NAME: pod,
      METALLB_ML_SECRET_NAME: "memberlist",
      METALLB_DEPLOYMENT: "controller",
      // Its webhook server looks for certificates below, whatever its flag says; the rest of it obeys.
      TMPDIR: this.lab.folder,
    };
    const args = owner === "metallb" ? [`--cert-dir=${this.#certificates}`] : [];
    await this.#run(owner, "controller", node, env, args);
    if (owner === "metallb") await this.#mountCertificate();
  }

  async startSpeakers(owner: Owner): Promise<void> {
    for (const node of this.nodes) await this.startSpeaker(owner, node);
  }

  async startSpeaker(owner: Owner, node: LabNode): Promise<void> {
    const pod = await this.#putPod(owner, "speaker", node);
    await this.#run(owner, "speaker", node, {
      METALLB_NODE_NAME: node.name,
      METALLB_POD_NAME: pod,
      METALLB_ML_BIND_ADDR: owner === "ours" ? node.addresses.join() : addressOf(node),
      METALLB_ML_LABELS: "app=metallb,component=speaker",
      METALLB_ML_SECRET_KEY_PATH: await this.#mountMemberlist(),
      ...(owner === "ours" && {
        METALLB_FRR_SOCKETS: node.socketsFolder,
        FRR_CONFIG_FILE: node.configFile,
      }),
    });
  }

  stopController(owner: Owner): Promise<void> {
    return this.#end(owner, "controller", this.lab.node("control"));
  }

  async stopSpeakers(owner: Owner): Promise<void> {
    await Promise.all(this.nodes.map((node) => this.#end(owner, "speaker", node)));
  }

  /** Waits until both leaves have the prefix from all nodes. */
  untilRoutes(prefix: string): Promise<unknown> {
    const wanted = this.nodes.map(addressOf).sort().join();
    return this.until(`${prefix} at both leaves from all nodes`, async () => {
      const routes = await Promise.all(
        ["leaf1", "leaf2"].map((leaf) => routeAt(this.lab, leaf, prefix)),
      );
      return routes.every(({ nextHops }) => nextHops.join() === wanted);
    });
  }

  until<T>(
    describe: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(look, { describe, timeoutMs: TIMEOUT_MS });
  }

  async #run(
    owner: Owner,
    component: Component,
    node: LabNode,
    env: Readonly<Record<string, string>>,
    args: readonly string[] = [],
  ): Promise<void> {
    const name = podName(owner, component, node.name);
    const serviceAccount = { namespace: NAMESPACE, name: component };
    const settings = {
      KUBECONFIG: await this.cluster.writeKubeconfig({
        forNodes: true,
        // What ours may do is proven with the chart's roles.
        ...(owner === "metallb" && { serviceAccount }),
      }),
      METALLB_NAMESPACE: NAMESPACE,
      ...env,
    };
    const command =
      owner === "ours" ? [process.execPath, OURS[component]] : [this.release[component]];
    const daemon = new Daemon({
      name,
      command: "env",
      args: [
        ...Object.entries(settings).map(([key, value]) => `${key}=${value}`),
        ...command,
        ...args,
      ],
      netns: node.netns,
      logPath: this.#logPath(name),
    });
    this.#programs.set(name, daemon);
  }

  /** SIGTERM, its end, and the Pod is gone with all that it owned. */
  async #end(owner: Owner, component: Component, node: LabNode): Promise<void> {
    const name = podName(owner, component, node.name);
    const daemon = this.#programs.get(name);
    this.#programs.delete(name);
    if (daemon !== undefined && daemon.ended === undefined) {
      daemon.child.ref();
      const exited = once(daemon.child, "exit");
      daemon.child.kill("SIGTERM");
      // MetalLB's speaker gets no longer from its chart.
      const patience = setTimeout(() => daemon.child.kill("SIGKILL"), 2000);
      await exited;
      clearTimeout(patience);
    }
    await this.kubectl(["delete", "pod", "-n", NAMESPACE, name, "--force", "--grace-period=0"]);
  }

  async #putPod(owner: Owner, component: Component, node: LabNode): Promise<string> {
    const name = podName(owner, component, node.name);
    const { addresses } = node;
    const labels = { app: "metallb", component };
    await putPod(this.cluster, {
      namespace: NAMESPACE,
      name,
      nodeName: node.name,
      addresses,
      labels,
    });
    return name;
  }

  /** Endpoints of the Services on every node. */
  async #putWeb(): Promise<void> {
    for (const node of this.nodes) {
      const addresses = node.loopbackAddresses;
      const pod = {
        name: `web-${node.name}`,
        nodeName: node.name,
        addresses,
        labels: { app: "web" },
      };
      await putPod(this.cluster, pod);
    }
  }

  /** What the kubelet does: the Secret's files where the controller waits for them. */
  async #mountCertificate(): Promise<void> {
    const path = `${SYSTEM}/secrets/metallb-webhook-cert`;
    const { data } = await this.until("the certificate of MetalLB's webhooks", async () => {
      const secret = await this.get(path);
      return secret?.data?.["tls.crt"] && secret;
    });
    mkdirSync(this.#certificates, { recursive: true });
    for (const [name, value] of Object.entries<string>(data)) {
      writeFileSync(join(this.#certificates, name), Buffer.from(value, "base64"));
    }
  }

  async #mountMemberlist(): Promise<string> {
    const path = `${SYSTEM}/secrets/memberlist`;
    const { data } = await this.until("the Secret memberlist", () => this.get(path));
    const folder = join(this.lab.folder, "memberlist");
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, "secretkey"), Buffer.from(data.secretkey, "base64"));
    return folder;
  }

  get #certificates(): string {
    return join(this.lab.folder, "k8s-webhook-server", "serving-certs");
  }

  #logPath(name: string): string {
    return join(this.lab.folder, "logs", `${name}.log`);
  }
}

function podName(owner: Owner, component: Component, node: string): string {
  return `${component}-${owner}-${node}`;
}

function addressOf(node: LabNode): string {
  const [address] = node.addresses;
  if (address === undefined) throw new Error(`Cannot use node ${node.name}: it has no address`);
  return address;
}
