// One Pod on a node: its volumes, its network, its containers in their order, its status, its end.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "../cluster.ts";
import { find } from "../objects.ts";
import { ApiError, type Json } from "../request.ts";
import { Container, type EventSink } from "./container.ts";
import type { Environment, Lookup } from "./fields.ts";
import { type Images, imageOf } from "./image.ts";
import type { PodNetwork, PodNetworks } from "./network.ts";
import type { BoundMount, NodeServer } from "./node-server.ts";
import { pause } from "./probes.ts";
import { specOf } from "./spec.ts";
import { Volume } from "./volumes.ts";

const TRY_AGAIN_MS = 500;
/** A kubelet takes up to a minute or two. */
const VOLUME_SYNC_MS = 5000;

export type PodHost = {
  readonly cluster: Cluster;
  readonly server: NodeServer;
  readonly networks: PodNetworks;
  readonly nodeName: string;
  readonly netns: string;
  readonly addresses: readonly string[];
  readonly images: Images;
  readonly folder: string;
  readonly logFolder: string;
};

export class Pod {
  readonly uid: string;
  readonly #host: PodHost;
  readonly #life = new AbortController();
  /** The node is gone: nothing more goes to the API server. */
  readonly #abandoned = new AbortController();
  readonly #folder: string;
  readonly #logFolder: string;
  readonly #startTime: string;
  #object: Json;
  #network: PodNetwork | undefined;
  #volumes = new Map<string, Volume>();
  #init: readonly Container[] = [];
  #main: readonly Container[] = [];
  #initialized = false;
  #running: Promise<void>;
  #ending: Promise<void> | undefined;
  #reporting = false;
  #reportAgain = false;
  #reported = "";
  #transitions = new Map<string, { status: string; at: string }>();

  constructor(object: Json, host: PodHost) {
    this.#object = object;
    this.#host = host;
    this.uid = object.metadata.uid;
    this.#folder = join(host.folder, this.uid);
    this.#logFolder = join(host.logFolder, `${this.#namespace}_${this.name}`);
    this.#startTime = object.status.startTime ?? now();
    this.#running = this.#run();
    this.update(object);
  }

  get name(): string {
    return this.#object.metadata.name;
  }

  get #namespace(): string {
    return this.#object.metadata.namespace;
  }

  get #path(): string {
    return `/api/v1/namespaces/${this.#namespace}/pods/${this.name}`;
  }

  /** The latest that the API server has; begins the end when the Pod is to go. */
  update(object: Json): void {
    this.#object = object;
    const { deletionTimestamp, deletionGracePeriodSeconds } = object.metadata;
    if (deletionTimestamp === undefined) return;
    void this.#beginEnd(deletionGracePeriodSeconds ?? 30);
  }

  /** Ends it at once: the API server has it no more. */
  async remove(): Promise<void> {
    await this.#beginEnd(0);
  }

  #beginEnd(graceSeconds: number): Promise<void> {
    this.#ending ??= this.#end(graceSeconds).catch((error) => {
      if (!this.#abandoned.signal.aborted) this.#complain(error);
    });
    return this.#ending;
  }

  /** Sends a signal to a container's first process. */
  signal(container: string, signal: number): Promise<void> {
    return this.#host.server.signal(this.#key(container), signal);
  }

  /** Lets go of it without its end: its node is gone. */
  abandon(): void {
    this.#abandoned.abort();
    this.#life.abort();
    for (const container of [...this.#init, ...this.#main]) container.abandon();
  }

  async #run(): Promise<void> {
    try {
      await mkdir(this.#logFolder, { recursive: true });
      await mkdir(this.#folder, { recursive: true });
      this.#network = this.#object.spec.hostNetwork
        ? { netns: this.#host.netns, addresses: this.#host.addresses }
        : await this.#host.networks.make();
      const files = await this.#writeFiles(this.#network);
      const { spec } = this.#object;
      this.#init = (spec.initContainers ?? []).map((manifest: Json) =>
        this.#container(manifest, files, "initContainerStatuses"),
      );
      this.#main = spec.containers.map((manifest: Json) =>
        this.#container(manifest, files, "containerStatuses"),
      );
      this.#report();
      await this.#makeVolumes();
      if (!(await this.#initialize()) || this.#life.signal.aborted) return;
      this.#initialized = true;
      for (const container of this.#main) void container.start();
      this.#report();
      void this.#refreshVolumes();
    } catch (error) {
      if (this.#life.signal.aborted) return;
      this.#event("Warning", "FailedCreatePodSandBox", messageOf(error));
      this.#complain(error);
    }
  }

  /** Of what is a fault of the double, or of the machine, so that it is not only an event. */
  #complain(error: unknown): void {
    process.emitWarning(`Pod ${this.name} on ${this.#host.nodeName}: ${messageOf(error)}`);
  }

  async #initialize(): Promise<boolean> {
    for (const container of this.#init) {
      const ended = container.start();
      const sidecar = this.#isSidecar(container);
      if (!sidecar) await ended;
      while (sidecar && !container.isStarted && (await pause(100, this.#life.signal)));
      if (this.#life.signal.aborted) return false;
      // It was never to be tried again: the Pod has failed.
      if (!sidecar && container.exitCode !== 0) return false;
    }
    return true;
  }

  #isSidecar({ name }: Container): boolean {
    const { initContainers = [] } = this.#object.spec;
    return initContainers.find((c: Json) => c.name === name)?.restartPolicy === "Always";
  }

  #key(container: string): string {
    return `${this.#namespace}/${this.name}/${container}`;
  }

  #container(manifest: Json, files: readonly BoundMount[], statuses: string): Container {
    const { server, images } = this.#host;
    const { spec, status } = this.#object;
    const folder = join(this.#folder, "containers", manifest.name);
    const isInit = statuses === "initContainerStatuses";
    // An init container that fails is tried again, unless the Pod says never.
    const ofInit = spec.restartPolicy === "Never" ? "Never" : "OnFailure";
    const policy = manifest.restartPolicy ?? (isInit ? ofInit : spec.restartPolicy);
    return new Container({
      server,
      key: this.#key(manifest.name),
      manifest: {
        terminationGracePeriodSeconds: spec.terminationGracePeriodSeconds,
        ...manifest,
      },
      restartPolicy: policy,
      netns: pathOf(this.#network?.netns),
      podIP: this.#network?.addresses[0] ?? "",
      folder,
      logFolder: this.#logFolder,
      before: status[statuses]?.find(({ name }: Json) => name === manifest.name),
      spec: async () => {
        await mkdir(folder, { recursive: true });
        return specOf({
          environment: this.#environment,
          container: manifest,
          image: imageOf(images, manifest.image),
          folder,
          volumeFolders: new Map([...this.#volumes].map(([name, v]) => [name, v.folder])),
          files,
        });
      },
      onChange: () => this.#report(),
      event: this.#eventsOf(`spec.${isInit ? "initContainers" : "containers"}{${manifest.name}}`),
    });
  }

  get #environment(): Environment {
    const { cluster, addresses } = this.#host;
    return {
      pod: this.#object,
      hostIPs: addresses,
      podIPs: this.#network?.addresses ?? [],
      api: new URL(cluster.nodeUrl),
      lookup: this.#lookup,
    };
  }

  readonly #lookup: Lookup = (kind, name) =>
    find(this.#host.cluster, `/api/v1/namespaces/${this.#namespace}/${kind}/${name}`).then(
      // The API server leaves it out of single objects that it decodes from lists only.
      (object) => object && { kind: kind === "secrets" ? "Secret" : "ConfigMap", ...object },
    );

  async #writeFiles({ addresses }: PodNetwork): Promise<readonly BoundMount[]> {
    const hosts = ["127.0.0.1 localhost", "::1 localhost"];
    const { hostNetwork } = this.#object.spec;
    if (!hostNetwork) hosts.push(...addresses.map((address) => `${address} ${this.name}`));
    const texts = {
      hosts: `${hosts.join("\n")}\n`,
      hostname: `${hostNetwork ? this.#host.nodeName : this.name}\n`,
      "resolv.conf": "",
    };
    return Promise.all(
      Object.entries(texts).map(async ([name, text]) => {
        const source = join(this.#folder, name);
        await writeFile(source, text);
        return { source, target: `/etc/${name}`, readOnly: false };
      }),
    );
  }

  async #makeVolumes(): Promise<void> {
    for (const volume of this.#object.spec.volumes ?? []) {
      const folder = join(this.#folder, "volumes", volume.name);
      const token = (audience: string | undefined, expirationSeconds: number) =>
        this.#token(audience, expirationSeconds);
      const made = new Volume(volume, { environment: this.#environment, folder, token });
      this.#volumes.set(volume.name, made);
    }
    let said = "";
    for (const [name, volume] of this.#volumes) {
      for (;;) {
        try {
          await volume.sync();
          break;
        } catch (error) {
          const message = `MountVolume.SetUp failed for volume "${name}" : ${messageOf(error)}`;
          if (message !== said) this.#event("Warning", "FailedMount", message);
          said = message;
          for (const c of [...this.#init, ...this.#main]) c.wait("ContainerCreating", message);
          if (!(await pause(TRY_AGAIN_MS, this.#life.signal))) return;
        }
      }
    }
  }

  async #refreshVolumes(): Promise<void> {
    while (await pause(VOLUME_SYNC_MS, this.#life.signal)) {
      // What has gone stays in the volume as it was.
      await Promise.allSettled([...this.#volumes.values()].map((volume) => volume.sync()));
    }
  }

  async #token(audience: string | undefined, expirationSeconds: number): Promise<string> {
    const { cluster } = this.#host;
    const { serviceAccountName } = this.#object.spec;
    const path = `/api/v1/namespaces/${this.#namespace}/serviceaccounts/${serviceAccountName}/token`;
    const { name, uid } = this.#object.metadata;
    const { status } = await cluster.request("POST", path, {
      spec: {
        expirationSeconds,
        ...(audience && { audiences: [audience] }),
        boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid },
      },
    });
    return status.token;
  }

  async #end(graceSeconds: number): Promise<void> {
    const { server, cluster, networks } = this.#host;
    this.#life.abort();
    await Promise.all([
      ...this.#main.map((container) => container.stop(graceSeconds)),
      ...this.#init.filter((c) => !this.#isSidecar(c)).map((c) => c.stop(0)),
    ]);
    await this.#running;
    await Promise.all(this.#init.map((container) => container.stop(graceSeconds)));
    if (this.#network && !this.#object.spec.hostNetwork) await networks.remove(this.#network);
    for (const { name } of [...this.#init, ...this.#main]) await server.forget(this.#key(name));
    await rm(this.#folder, { recursive: true, force: true });
    const options = { gracePeriodSeconds: 0, preconditions: { uid: this.uid } };
    await this.#untilDone(() => cluster.request("DELETE", this.#path, options));
  }

  /** Tries until it is done, or there is no such Pod, or another one of its name. */
  async #untilDone(attempt: () => Promise<unknown>): Promise<void> {
    const { signal } = this.#abandoned;
    do {
      try {
        await attempt();
        return;
      } catch (error) {
        if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return;
      }
    } while (await pause(TRY_AGAIN_MS, signal));
  }

  /** Sends the status, if it has changed, and once more if it changes meanwhile. */
  #report(): void {
    this.#reportAgain = true;
    if (this.#reporting || this.#abandoned.signal.aborted) return;
    this.#reporting = true;
    void (async () => {
      while (this.#reportAgain && !this.#abandoned.signal.aborted) {
        this.#reportAgain = false;
        const status = this.#status();
        const text = JSON.stringify(status);
        if (text === this.#reported) continue;
        const { namespace, name, uid } = this.#object.metadata;
        const metadata = { namespace, name, uid };
        await this.#untilDone(() =>
          this.#host.cluster.request(
            "PATCH",
            `${this.#path}/status?fieldManager=kubelet&force=true`,
            { apiVersion: "v1", kind: "Pod", metadata, status },
            { patch: "apply" },
          ),
        );
        this.#reported = text;
      }
      this.#reporting = false;
    })();
  }

  #status(): Json {
    const addresses = this.#network?.addresses ?? [];
    const { hostNetwork } = this.#object.spec;
    const started =
      this.#initialized && this.#main.some((c) => c.isRunning || c.exitCode === undefined);
    const codes = this.#main.map(({ exitCode }) => exitCode);
    const ended = this.#initialized && codes.every((code) => code !== undefined);
    const failed = this.#init.some((c) => c.exitCode !== undefined && c.exitCode !== 0);
    const endPhase = codes.every((code) => code === 0) ? "Succeeded" : "Failed";
    const phase = failed ? "Failed" : ended ? endPhase : started ? "Running" : "Pending";
    const ready =
      this.#initialized && this.#ending === undefined && this.#main.every((c) => c.isReady);
    const [hostIP] = this.#host.addresses;
    return {
      phase,
      startTime: this.#startTime,
      hostIP,
      hostIPs: this.#host.addresses.map((ip) => ({ ip })),
      // Those of other Pods are theirs when they run.
      ...(addresses.length > 0 &&
        (hostNetwork || phase !== "Pending" || this.#init.length > 0) && {
          podIP: addresses[0],
          podIPs: addresses.map((ip) => ({ ip })),
        }),
      conditions: [
        this.#condition("PodReadyToStartContainers", this.#network !== undefined),
        this.#condition("Initialized", this.#initialized, "ContainersNotInitialized"),
        this.#condition("ContainersReady", ready, "ContainersNotReady"),
        this.#condition("Ready", ready, "ContainersNotReady"),
      ],
      ...(this.#init.length > 0 && {
        initContainerStatuses: this.#init.map((container) => container.status),
      }),
      containerStatuses: this.#main.map((container) => container.status),
    };
  }

  #condition(type: string, holds: boolean, reason = ""): Json {
    const status = holds ? "True" : "False";
    const before = this.#transitions.get(type);
    const transition = before?.status === status ? before : { status, at: now() };
    this.#transitions.set(type, transition);
    return {
      type,
      status,
      lastTransitionTime: transition.at,
      ...(!holds && reason && { reason }),
    };
  }

  get #event(): EventSink {
    return this.#eventsOf(undefined);
  }

  /** Makes Events about the Pod, or about the part of it at the path. */
  #eventsOf(fieldPath: string | undefined): EventSink {
    return (type, reason, message) => {
      if (this.#abandoned.signal.aborted) return;
      const { namespace, name, uid } = this.#object.metadata;
      const at = now();
      const event = {
        metadata: { namespace, generateName: `${name}.` },
        involvedObject: { apiVersion: "v1", kind: "Pod", namespace, name, uid, fieldPath },
        ...{ type, reason, message, count: 1, firstTimestamp: at, lastTimestamp: at },
        source: { component: "kubelet", host: this.#host.nodeName },
      };
      const path = `/api/v1/namespaces/${namespace}/events`;
      void this.#host.cluster.request("POST", path, event).catch(() => {});
    };
  }
}

/** The path that a named network namespace has. */
function pathOf(netns: string | undefined): string {
  return `/run/netns/${netns}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : `${error}`;
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
