// Everything at once for end-to-end tests: the lab's routers, a real control plane with kube-proxy on
// every node, the controller and three speakers as processes, and the objects of the demo.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ControlPlane, startControlPlane } from "../../lab/demo/control-plane.ts";
import { startKubeProxies } from "../../lab/demo/forwarding.ts";
import { startController, startSpeaker } from "../../lab/demo/programs.ts";
import { nodeSessionsAt, routeAt } from "../../lab/demo/routers.ts";
import { type Lab, type LabNode, startLab } from "../../lab/netns/lab.ts";
import type { SpeakerState } from "../../src/speaker/state.ts";
import type { Cluster } from "../cluster/cluster.ts";
import type { Daemon } from "../cluster/daemon.ts";
import { eventually } from "../cluster/eventually.ts";
import { putEndpointSlice } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";

export const NODES = ["node1", "node2", "node3"] as const;
export const LEAVES = ["leaf1", "leaf2"] as const;

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const DEMO = fileURLToPath(new URL("../../lab/demo/", import.meta.url));
/** Sessions of the nodes with a leaf: one of each family from every node. */
const SESSIONS_AT_A_LEAF = 2 * NODES.length;
/** Many processes on few cores. */
const TIMEOUT_MS = 60_000;

export class Stand {
  readonly lab: Lab;
  readonly controlPlane: ControlPlane;
  readonly cluster: Cluster;
  readonly #programs = new Map<string, Daemon>();

  private constructor(lab: Lab, controlPlane: ControlPlane, cluster: Cluster) {
    this.lab = lab;
    this.controlPlane = controlPlane;
    this.cluster = cluster;
  }

  /** Starts it all, and waits until every session is up. */
  static async start(): Promise<Stand> {
    await using cleanup = new AsyncDisposableStack();
    const lab = await startLab();
    cleanup.defer(() => lab.stop());
    const controlPlane = await startControlPlane(lab, true);
    cleanup.defer(() => controlPlane.stop());
    const { cluster } = controlPlane;
    if (cluster === undefined) throw new Error("Cannot test on the double: want kube-apiserver");
    const stand = new Stand(lab, controlPlane, cluster);
    await controlPlane.prepare(NODES.map((name) => lab.node(name)));
    await stand.configure();
    cleanup.defer(() => stand.#stopPrograms());
    stand.startController();
    for (const name of NODES) stand.startSpeaker(name);
    await startKubeProxies(
      controlPlane,
      NODES.map((name) => lab.node(name)),
    );
    await stand.untilSessions();
    cleanup.move();
    return stand;
  }

  async stop(): Promise<void> {
    await this.#stopPrograms();
    await this.controlPlane.stop();
    await this.lab.stop();
  }

  node(name: string): LabNode {
    return this.lab.node(name);
  }

  startController(): void {
    this.#programs.set("controller", startController(this.lab, this.controlPlane.kubeconfig));
  }

  startSpeaker(name: string): void {
    this.#programs.set(name, startSpeaker(this.lab, this.node(name), this.controlPlane.kubeconfig));
  }

  /** SIGKILL, and waits for the end. */
  async kill(program: string): Promise<void> {
    await this.program(program).stop();
  }

  /** "controller", or the speaker by its node's name. */
  program(name: string): Daemon {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`Cannot find program "${name}"`);
    return program;
  }

  /** The log of a program so far. */
  log(program: string): Promise<string> {
    const name = program === "controller" ? program : `speaker-${program}`;
    return readFile(join(this.lab.folder, "logs", `${name}.log`), "utf8");
  }

  /** What `mirror-status -o json` prints on a node. */
  async state(node: string): Promise<SpeakerState> {
    return JSON.parse(await this.mirrorStatus(node, "-o", "json"));
  }

  mirrorStatus(node: string, ...args: readonly string[]): Promise<string> {
    return this.node(node).exec([process.execPath, CLI, "mirror-status", ...args]);
  }

  /** Applies what a user would. */
  apply(yaml: string): Promise<void> {
    return this.controlPlane.apply(yaml);
  }

  /** Pool, peers and advertisement as the demo has them. */
  async configure(): Promise<void> {
    await this.apply(await readFile(join(DEMO, "metallb.yaml"), "utf8"));
  }

  service(name: string): Promise<Json> {
    return this.controlPlane.get(`/api/v1/namespaces/default/services/${name}`);
  }

  /** Waits until the Service has an address, and returns the first. */
  address(name: string): Promise<string> {
    return this.until(`an address of ${name}`, async () => {
      const { status } = await this.service(name);
      return status?.loadBalancer?.ingress?.[0]?.ip as string | undefined;
    });
  }

  /** Makes the pods of these nodes the endpoints of the Service, in IPv4. */
  serveFrom(service: string, nodes: readonly string[]): Promise<void> {
    const endpoints = nodes.map((name) => ({
      address: this.node(name).loopbackAddresses[0] ?? "",
      nodeName: name,
    }));
    return putEndpointSlice(this.cluster, { service, endpoints });
  }

  untilSessions(): Promise<unknown> {
    return this.until("all sessions of nodes with leaves", async () => {
      const counts = await Promise.all(LEAVES.map((leaf) => nodeSessionsAt(this.lab, leaf)));
      return counts.every((count) => count === SESSIONS_AT_A_LEAF);
    });
  }

  /** Waits until the router has the prefix from exactly these nodes. */
  untilRoute(router: string, prefix: string, nodes: readonly string[]): Promise<unknown> {
    const family = prefix.includes(":") ? 1 : 0;
    const wanted = nodes.map((name) => this.node(name).addresses[family] ?? "").sort();
    return this.until(`${prefix} from ${nodes.join(", ") || "nobody"} at ${router}`, async () => {
      const { nextHops } = await routeAt(this.lab, router, prefix);
      return nextHops.join() === wanted.join();
    });
  }

  until<T>(
    describe: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(look, { describe, timeoutMs: TIMEOUT_MS });
  }

  async #stopPrograms(): Promise<void> {
    await Promise.all([...this.#programs.values()].map((program) => program.stop()));
  }
}
