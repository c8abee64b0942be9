// The cluster, the routers and the client that the seed guide takes for granted, and the steps of the
// guide taken on them one by one.

import { cp, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Lab, startLab } from "../../../lab/netns/lab.ts";
import { type Cluster, startCluster } from "../../cluster/cluster.ts";
import { Daemon } from "../../cluster/daemon.ts";
import { eventually, GiveUp } from "../../cluster/eventually.ts";
import { startKubeProxy } from "../../cluster/kube-proxy.ts";
import { startKubelet } from "../../cluster/kubelet/kubelet.ts";
import { apply } from "../../cluster/objects.ts";
import { makeImages } from "./images.ts";
import { REPOSITORY_PROGRAM } from "./repository.ts";
import { runInShell, type Said } from "./shell.ts";
import { type Place, type Section, type Step, sampleText } from "./steps.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const TOPOLOGY = fileURLToPath(new URL("containerlab.yml", import.meta.url));
/** By name, an address in the range for its Pods. */
const WORKERS = { "worker-1": "10.244.1.10", "worker-2": "10.244.2.10" } as const;
const MACHINES = {
  administrator: "control",
  client: "client",
  router1: "router1",
  router2: "router2",
} as const satisfies Record<Place, string>;
/** Pods start and end meanwhile, on few cores. */
const TIMEOUT_MS = 90_000;

export class Walk {
  readonly #lab: Lab;
  readonly #cluster: Cluster;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #cleanup: AsyncDisposableStack;

  private constructor(
    lab: Lab,
    cluster: Cluster,
    environment: Readonly<Record<string, string>>,
    cleanup: AsyncDisposableStack,
  ) {
    this.#lab = lab;
    this.#cluster = cluster;
    this.#environment = environment;
    this.#cleanup = cleanup;
  }

  /** Everything up to the first line of the guide: a cluster without a load balancer. */
  static async start(): Promise<Walk> {
    await using cleanup = new AsyncDisposableStack();
    // Else the process might end while it waits for a kubelet, which never keeps one from ending.
    const awake = setInterval(() => {}, TIMEOUT_MS);
    cleanup.defer(() => clearInterval(awake));
    const lab = await startLab({ topologyPath: TOPOLOGY });
    cleanup.defer(() => lab.stop());
    const { netns, addresses } = lab.node(MACHINES.administrator);
    const cluster = await startCluster({
      netns,
      bindAddress: addresses[0] ?? "",
      workloads: true,
      logFolder: join(lab.folder, "logs"),
    });
    cleanup.defer(() => cluster.stop());
    const home = homeFolder(lab);
    await mkdir(home);
    const { helm, folder } = cluster.assets;
    if (helm === undefined) throw new Error("Cannot walk: want Go to build helm");
    const environment = {
      HOME: home,
      KUBECONFIG: await cluster.writeKubeconfig({ forNodes: true }),
      PATH: `${folder}:${dirname(helm)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
      TERM: "dumb",
      LC_ALL: "C.UTF-8",
      // There is no DNS; `arp -a` asks it for the names of addresses.
      RES_OPTIONS: "timeout:1 attempts:1",
    };
    await putKubeProxyConfig(cluster);
    const walk = new Walk(lab, cluster, environment, cleanup.move());
    try {
      await walk.#startWorkers();
      await walk.#startRepository();
      return walk;
    } catch (error) {
      await walk.stop();
      throw error;
    }
  }

  /** Saves the manifests of the section where its commands look for them. */
  async enter({ files = [] }: Section): Promise<void> {
    for (const { name, sample } of files) {
      await writeFile(join(homeFolder(this.#lab), name), sampleText(sample));
    }
  }

  /** Runs the step until its output is as wanted, once if it changes something; the output. */
  take(step: Step): Promise<string> {
    const look = async () => {
      const said = await this.#run(step.place, step.command);
      const wrong = complaint(step, said);
      if (wrong === undefined) return said.output;
      throw step.changes ? new GiveUp(wrong) : new Error(wrong);
    };
    return eventually(look, { describe: `"${step.command}"`, timeoutMs: TIMEOUT_MS });
  }

  async stop(): Promise<void> {
    await this.#cleanup.disposeAsync();
  }

  #run(place: Place, command: string): Promise<Said> {
    const node = this.#lab.node(MACHINES[place]);
    const shell = { node, folder: homeFolder(this.#lab), environment: this.#environment };
    return runInShell(shell, command);
  }

  async #startWorkers(): Promise<void> {
    const images = await makeImages(this.#cleanup);
    for (const [name, podAddress] of Object.entries(WORKERS)) {
      const { netns, addresses } = this.#lab.node(name);
      const kubelet = await startKubelet({
        cluster: this.#cluster,
        node: { name, netns, addresses, podAddresses: [podAddress] },
        images,
        folder: join(this.#lab.folder, "kubelets", name),
        logFolder: join(this.#lab.folder, "logs"),
      });
      this.#cleanup.defer(() => kubelet.stop());
      await startKubeProxy({ cluster: this.#cluster, netns, nodeName: name });
    }
  }

  /** Packs the chart as a release would, and serves it and the manifest to the administrator. */
  async #startRepository(): Promise<void> {
    const folder = join(this.#lab.folder, "repository");
    await cp(join(ROOT, "config/manifests"), join(folder, "manifests"), { recursive: true });
    await this.#prepare(`helm package ${join(ROOT, "charts/metallb")} -d ${folder}/charts`);
    await this.#prepare(`helm repo index ${folder}/charts`);
    const daemon = new Daemon({
      name: "repository",
      command: process.execPath,
      args: [REPOSITORY_PROGRAM, folder, "80"],
      netns: this.#lab.node(MACHINES.administrator).netns,
      logPath: join(this.#lab.folder, "logs", "repository.log"),
    });
    this.#cleanup.defer(() => daemon.stop());
    await eventually(
      () => {
        const log = daemon.logTail();
        if (daemon.ended === undefined) return log === "listening";
        throw new GiveUp(`Cannot start ${daemon.name}: it ended ${daemon.ended}\n${log}`);
      },
      { describe: daemon.name },
    );
  }

  async #prepare(command: string): Promise<void> {
    const { output, exit } = await this.#run("administrator", command);
    if (exit !== 0) throw new Error(`Cannot run ${command}: exit code ${exit}: ${output}`);
  }
}

/** The administrator's, and the current folder of every command. */
function homeFolder(lab: Lab): string {
  return join(lab.folder, "home");
}

/** What is not as the step wants it, with the whole output. */
function complaint({ command, exit = 0, wants }: Step, said: Said): string | undefined {
  const wrong = wants
    .filter((wanted) => !wanted.test(said.output))
    .map((wanted) => `want output that matches ${wanted}`);
  if (said.exit !== exit) wrong.unshift(`want exit code ${exit}, got ${said.exit}`);
  return wrong.length === 0 ? undefined : [command, ...wrong, said.output].join("\n");
}

/** As kubeadm makes it, with the setting that the guide is about. */
async function putKubeProxyConfig(cluster: Cluster): Promise<void> {
  const config = [
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1",
    "kind: KubeProxyConfiguration",
    "mode: nftables",
    "ipvs:",
    "  strictARP: false",
  ];
  await apply(cluster, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "kube-system", name: "kube-proxy" },
    data: { "config.conf": `${config.join("\n")}\n` },
  });
}
