// Brings up the network of a containerlab topology with network namespaces, Debian's FRR and BIRD.
// Everything lives in namespaces of this lab: no interface, address or route of the machine is touched.

import { mkdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../test/cluster/daemon.ts";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import { type CommandOptions, run } from "./command.ts";
import { Container } from "./container.ts";
import { Frr } from "./frr.ts";
import { newLabId } from "./identity.ts";
import { labFolder, removeAbandonedLabs, removeLab } from "./remains.ts";
import { type Program, parseTopology, type Topology, type TopologyNode } from "./topology.ts";
import { WEB_PROGRAM } from "./web.ts";

export const TOPOLOGY_PATH = fileURLToPath(new URL("../containerlab.yml", import.meta.url));

export type LabOptions = {
  /** A containerlab topology; default lab/containerlab.yml. */
  readonly topologyPath?: string;
  /** Leave out the FRR of node1, node2 and so on: it comes in Pods; default false. */
  readonly bareNodes?: boolean;
  /** Ends the start; a lab that is up ends by `stop`. */
  readonly signal?: AbortSignal;
};

/**
 * Brings the lab up: about a second. Every daemon then answers and has its configuration; the
 * sessions of the routers come up a moment later. Removes first what killed labs left.
 */
export async function startLab(options: LabOptions = {}): Promise<Lab> {
  if (process.getuid?.() !== 0) {
    throw new Error("Cannot start the lab: network namespaces want root");
  }
  const { signal, topologyPath = TOPOLOGY_PATH } = options;
  removeAbandonedLabs();
  const whole = parseTopology(await readFile(topologyPath, "utf8"));
  const topology = options.bareNodes ? withBareNodes(whole) : whole;
  signal?.throwIfAborted();
  const lab = new Lab(topology, dirname(topologyPath));
  const stop = () => void lab.stop();
  signal?.addEventListener("abort", stop, { once: true });
  try {
    await lab.start();
    signal?.throwIfAborted();
    return lab;
  } catch (error) {
    await lab.stop();
    signal?.throwIfAborted();
    throw error;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
}

/** Made by `startLab`. */
export class Lab {
  /** Namespaces and the folder are named after it. */
  readonly id = newLabId();
  readonly topology: Topology;
  readonly nodes: readonly LabNode[];
  readonly #sourceFolder: string;
  readonly #stopped = new AbortController();
  readonly #atExit = () => removeLab(this.id);
  #starting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;

  constructor(topology: Topology, sourceFolder: string) {
    this.topology = topology;
    this.#sourceFolder = sourceFolder;
    this.nodes = topology.nodes.map((node) => new LabNode(this.id, node, this.#stopped.signal));
  }

  /** The lab's own folder; `logs` in it holds what the daemons said. */
  get folder(): string {
    return labFolder(this.id);
  }

  node(name: string): LabNode {
    const node = this.nodes.find((candidate) => candidate.name === name);
    if (node !== undefined) return node;
    const names = this.nodes.map((candidate) => candidate.name).join(", ");
    throw new Error(`Cannot find node ${name} in the lab: want one of ${names}`);
  }

  /** Called once, by `startLab`. */
  start(): Promise<void> {
    this.#starting = this.#start();
    return this.#starting;
  }

  async #start(): Promise<void> {
    process.once("exit", this.#atExit);
    mkdirSync(join(this.folder, "logs"), { recursive: true });
    const own = this.nodes.filter((node) => node.topology.sharesWith === undefined);
    await this.#ip(own.map(({ netns }) => `netns add ${netns}`));
    await all(own.map((node) => node.startContainer(this.folder, this.#sourceFolder)));
    const netns = (name: string) => this.node(name).netns;
    await this.#ip(
      this.topology.links.map(
        ([one, other]) =>
          `link add ${one.interfaceName} netns ${netns(one.node)} type veth ` +
          `peer name ${other.interfaceName} netns ${netns(other.node)}`,
      ),
    );
    await all(own.map((node) => this.#configureNetwork(node)));
    await all(this.nodes.map((node) => node.startProgram()));
  }

  /** Ends everything that runs in the lab and removes what it left. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      this.#stopped.abort();
      // What is just being started would else come after its end.
      await Promise.allSettled([this.#starting]);
      await Promise.all(this.nodes.map((node) => node.stop()));
      removeLab(this.id);
      process.off("exit", this.#atExit);
    })();
    return this.#stopping;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #configureNetwork({ netns, name, topology }: LabNode): Promise<void> {
    const interfaces = this.topology.links
      .flat()
      .filter(({ node }) => node === name)
      .map(({ interfaceName }) => interfaceName);
    await this.#ip(
      [...["lo", ...interfaces].map((i) => `link set ${i} up`), ...topology.ipCommands],
      ["-netns", netns],
    );
  }

  /** The node and those that share its network, such as the web server that plays its pod. */
  nodesOnNetworkOf(name: string): readonly LabNode[] {
    const { netns } = this.node(name);
    return this.nodes.filter((node) => node.netns === netns);
  }

  /** Many commands of ip(8) in one process. */
  async #ip(commands: readonly string[], options: readonly string[] = []): Promise<void> {
    const { signal } = this.#stopped;
    await run(["ip", ...options, "-batch", "-"], { input: `${commands.join("\n")}\n`, signal });
  }
}

/** One node of a lab. */
export class LabNode {
  readonly name: string;
  /** The name of its network namespace, as `ip netns exec` wants it. */
  readonly netns: string;
  readonly topology: TopologyNode;
  /** On its cables, in the order of the topology file. */
  readonly addresses: readonly string[];
  /** On its loopback interface: the pods' addresses of a cluster node. */
  readonly loopbackAddresses: readonly string[];
  readonly #signal: AbortSignal;
  readonly #logFolder: string;
  /** Ends the restarting of daemons. */
  #life = new AbortController();
  #container: Container | undefined;
  #frr: Frr | undefined;
  #web: Daemon | undefined;

  constructor(labId: string, topology: TopologyNode, signal: AbortSignal) {
    this.name = topology.name;
    this.netns = `${labId}-${topology.sharesWith ?? topology.name}`;
    this.topology = topology;
    const given = topology.ipCommands.flatMap((command) => {
      const match = /^address add (\S+)\/\d+ dev (\w+)$/.exec(command);
      return match?.[1] === undefined ? [] : [{ address: match[1], on: match[2] }];
    });
    this.addresses = given.filter(({ on }) => on !== "lo").map(({ address }) => address);
    this.loopbackAddresses = given.filter(({ on }) => on === "lo").map(({ address }) => address);
    this.#signal = signal;
    this.#logFolder = join(labFolder(labId), "logs");
  }

  /** The folder of FRR's vty sockets. */
  get socketsFolder(): string {
    return join(this.#running.folder, "run/frr");
  }

  /** FRR's configuration file, from which a daemon that ended starts again. */
  get configFile(): string {
    return join(this.#running.folder, "etc/frr/frr.conf");
  }

  /** The process id of an FRR daemon; it changes when the daemon ends and is started again. */
  pid(daemon: "zebra" | "bgpd" | "bfdd" | "staticd"): number {
    if (this.#frr === undefined) throw new Error(`Cannot find ${daemon}: ${this.name} has no FRR`);
    return this.#frr.pid(daemon);
  }

  /** Runs a command with the node's network and files, vtysh or birdc too; its standard output. */
  exec(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
    return run(this.command(argv), options);
  }

  /** The command line by which `argv` runs with the node's network and files. */
  command(argv: readonly string[]): readonly string[] {
    if (this.topology.sharesWith !== undefined) return ["ip", "netns", "exec", this.netns, ...argv];
    return this.#running.command(argv);
  }

  get #running(): Container {
    if (this.#container !== undefined) return this.#container;
    throw new Error(`Cannot use node ${this.name}: it has no files of its own or does not run`);
  }

  /** Called by the lab. */
  async startContainer(labFolder: string, sourceFolder: string): Promise<void> {
    const { name, runs, sysctls, files } = this.topology;
    this.#container = await Container.start({
      name,
      netns: this.netns,
      folder: join(labFolder, name),
      logFolder: this.#logFolder,
      sysctls,
      ...surroundings(runs),
      files: files.map(({ source, target }) => ({ source: resolve(sourceFolder, source), target })),
    });
  }

  /** Starts what the topology says runs in it: called by the lab when the network is there, and after `giveUp`. */
  async startProgram(): Promise<void> {
    this.#life = new AbortController();
    switch (this.topology.runs) {
      case undefined:
        return;
      case "frr":
        this.#frr = new Frr(this.#running, AbortSignal.any([this.#signal, this.#life.signal]));
        return this.#frr.start();
      case "bird":
        return this.#startBird(this.#running);
      case "web":
        return this.#startWeb();
    }
  }

  /** Starts no daemon again from now on. */
  giveUp(): void {
    this.#life.abort();
  }

  /** The processes that stand for the node itself: its namespaces last as long as they do. */
  get holders(): readonly number[] {
    return this.#container?.holders ?? [];
  }

  /** Called by the lab. */
  async stop(): Promise<void> {
    await Promise.all([this.#web?.stop(), this.#container?.stop()]);
  }

  async #startBird(container: Container): Promise<void> {
    const bird = container.startDaemon("bird", ["bird", "-f", "-c", "/etc/bird/bird.conf"]);
    await eventually(
      () => {
        if (bird.ended === undefined) return this.exec(["birdc", "show", "status"]);
        const log = bird.logTail();
        throw new GiveUp(`Cannot start ${bird.name}: it ended ${bird.ended}\n${log}`);
      },
      { describe: `${bird.name} to answer` },
    );
  }

  async #startWeb(): Promise<void> {
    const web = new Daemon({
      name: `web server of ${this.name}`,
      command: process.execPath,
      args: [WEB_PROGRAM, this.topology.sharesWith ?? this.name],
      netns: this.netns,
      logPath: join(this.#logFolder, `${this.name}.log`),
      ipc: true,
    });
    this.#web = web;
    await new Promise<void>((resolve, reject) => {
      web.child.once("message", () => resolve());
      web.child.once("exit", () => {
        reject(new Error(`Cannot start ${web.name}: it ended ${web.ended}\n${web.logTail()}`));
      });
    });
  }
}

/** The same network, with nothing running on the cluster's nodes. */
function withBareNodes(topology: Topology): Topology {
  const nodes = topology.nodes.map((node) =>
    /^node\d+$/.test(node.name) ? { ...node, runs: undefined, files: [] } : node,
  );
  return { ...topology, nodes };
}

/** As Promise.all, but nothing is still going on when it throws. */
async function all(tasks: readonly Promise<void>[]): Promise<void> {
  await Promise.allSettled(tasks);
  await Promise.all(tasks);
}

/** The folders that the container of a program has to itself, and whose they are. */
function surroundings(program: Program | undefined): {
  readonly ownFolders: readonly string[];
  readonly owner: string;
} {
  switch (program) {
    case "frr":
      return { ownFolders: ["/etc/frr", "/run/frr"], owner: "frr:frr" };
    case "bird":
      return { ownFolders: ["/etc/bird", "/run/bird"], owner: "root:root" };
    case "web":
    case undefined:
      return { ownFolders: [], owner: "root:root" };
  }
}
