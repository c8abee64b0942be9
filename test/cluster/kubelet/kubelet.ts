// A double of the kubelet and of a container runtime: runs the Pods that are bound to a node as
// processes in the node's network namespace, with the user, groups, capabilities, files, environment
// and probes of their manifests, and serves `kubectl exec` and `kubectl logs`. It pulls no images (an
// image is a folder), limits no memory and no CPU, filters no system calls, and is no wall.

import { mkdir, rm } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import type { Cluster } from "../cluster.ts";
import { putNode } from "../objects.ts";
import type { Json, Watch } from "../request.ts";
import type { Images } from "./image.ts";
import { PodNetworks } from "./network.ts";
import { KUBELET_PORT, NodeServer } from "./node-server.ts";
import { Pod } from "./pod.ts";

export type KubeletNode = {
  readonly name: string;
  /** Its network namespace, by name. */
  readonly netns: string;
  /** InternalIP addresses, the first one reachable from the API server. */
  readonly addresses: readonly string[];
  /** An address of each family in the node's range for Pods, such as 10.244.1.10; not theirs. */
  readonly podAddresses: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
};

export type KubeletOptions = {
  /** Started with `workloads`, so that somebody makes and binds Pods. */
  readonly cluster: Cluster;
  readonly node: KubeletNode;
  readonly images: Images;
  /** Does not exist yet, or is an earlier kubelet's; holds the Pods' files, removed by `stop`. */
  readonly folder: string;
  /** Receives a folder with the logs of each Pod; default `logs` in `folder`. */
  readonly logFolder?: string;
};

/** Registers the node and runs its Pods until `stop`, or until this process ends in whatever way. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const { cluster, node, folder, logFolder = join(folder, "logs") } = options;
  const program = cluster.assets.nodeServer;
  if (program === undefined) throw new Error("Cannot run the kubelet: node-server wants Go");
  await rm(join(folder, "socket"), { force: true });
  await mkdir(folder, { recursive: true });
  await mkdir(logFolder, { recursive: true });
  const server = await NodeServer.start({
    program,
    name: node.name,
    netns: node.netns,
    socketPath: join(folder, "socket"),
    logPath: join(logFolder, `node-server-${node.name}.log`),
  });
  const kubelet = new Kubelet({ ...options, logFolder }, server);
  try {
    await kubelet.start();
    return kubelet;
  } catch (error) {
    await kubelet.stop();
    throw error;
  }
}

/** Made by `startKubelet`. */
export class Kubelet {
  readonly name: string;
  readonly #options: KubeletOptions & { readonly logFolder: string };
  readonly #server: NodeServer;
  readonly #networks: PodNetworks;
  /** By UID. */
  readonly #pods = new Map<string, Pod>();
  #watch: Watch | undefined;

  constructor(options: KubeletOptions & { readonly logFolder: string }, server: NodeServer) {
    this.name = options.node.name;
    this.#options = options;
    this.#server = server;
    this.#networks = new PodNetworks(options.node.netns, options.node.podAddresses);
  }

  /** Called once, by `startKubelet`. */
  async start(): Promise<void> {
    const { cluster, node } = this.#options;
    const { name, addresses, labels = {} } = node;
    const os = { "kubernetes.io/os": "linux", "kubernetes.io/arch": goArchitecture() };
    await putNode(cluster, { name, addresses, labels: { ...os, ...labels } });
    const room = { cpu: "8", memory: "16Gi", pods: "110", "ephemeral-storage": "64Gi" };
    await cluster.request("PATCH", `/api/v1/nodes/${name}/status`, {
      status: {
        capacity: room,
        allocatable: room,
        daemonEndpoints: { kubeletEndpoint: { Port: KUBELET_PORT } },
        nodeInfo: await nodeInfo(cluster),
      },
    });
    const watch = cluster.watch(`/api/v1/pods?fieldSelector=spec.nodeName%3D${name}`, () =>
      this.#sync(watch),
    );
    this.#watch = watch;
  }

  /** The names of its Pods, those that end too. */
  get pods(): readonly string[] {
    return [...this.#pods.values()].map(({ name }) => name);
  }

  /** Sends a signal, SIGKILL unless told, to the first process of a Pod's container. */
  async kill(
    podName: string,
    container: string,
    signal: keyof typeof constants.signals = "SIGKILL",
  ): Promise<void> {
    const pod = [...this.#pods.values()].find(({ name }) => name === podName);
    if (pod === undefined) {
      throw new Error(`Cannot kill ${podName}: ${this.name} has ${this.pods.join(", ") || "none"}`);
    }
    await pod.signal(container, constants.signals[signal]);
  }

  /**
   * Kills all containers at once and removes what they left, as when the power goes: their Pods stay
   * with the API server. A kubelet started for the node later runs them again.
   */
  async stop(): Promise<void> {
    this.#watch?.close();
    for (const pod of this.#pods.values()) pod.abandon();
    await this.#server.stop();
    await this.#networks.stop();
    const { folder } = this.#options;
    for (const uid of this.#pods.keys()) {
      await rm(join(folder, uid), { recursive: true, force: true, maxRetries: 5 });
    }
    this.#pods.clear();
  }

  #sync(watch: Watch): void {
    const { cluster, node, images, folder, logFolder } = this.#options;
    const { name, netns, addresses } = node;
    const present = new Map<string, Json>();
    for (const object of watch.objects.values()) present.set(object.metadata.uid, object);
    for (const [uid, object] of present) {
      const known = this.#pods.get(uid);
      if (known !== undefined) known.update(object);
      else if (!isOver(object)) {
        this.#pods.set(
          uid,
          new Pod(object, {
            ...{ cluster, netns, addresses, images, folder, logFolder },
            server: this.#server,
            networks: this.#networks,
            nodeName: name,
          }),
        );
      }
    }
    for (const [uid, pod] of this.#pods) {
      if (!present.has(uid)) void pod.remove().finally(() => this.#pods.delete(uid));
    }
  }
}

function isOver({ status }: Json): boolean {
  return status.phase === "Succeeded" || status.phase === "Failed";
}

async function nodeInfo(cluster: Cluster): Promise<Json> {
  const { gitVersion } = await cluster.request("GET", "/version");
  return {
    architecture: goArchitecture(),
    bootID: "",
    containerRuntimeVersion: "double://1",
    kernelVersion: "",
    kubeProxyVersion: "",
    kubeletVersion: gitVersion,
    machineID: "",
    operatingSystem: "linux",
    osImage: "",
    systemUUID: "",
  };
}

function goArchitecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}
