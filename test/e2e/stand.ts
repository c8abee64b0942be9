// Everything at once for end-to-end tests: the lab's routers, a real control plane with kube-proxy on
// every node, the controller and three speakers as processes, and the objects of the demo.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ControlPlane, startControlPlane } from "../../lab/demo/control-plane.ts";
import { startKubeProxies } from "../../lab/demo/forwarding.ts";
import { speakerPodName } from "../../lab/demo/programs.ts";
import { mirrorStatus, speakerState } from "../../lab/demo/speakers.ts";
import { NODES, Stage } from "../../lab/demo/stage.ts";
import { type Lab, type LabNode, startLab } from "../../lab/netns/lab.ts";
import type { SpeakerState } from "../../src/speaker/state.ts";
import type { Cluster } from "../cluster/cluster.ts";
import { eventually } from "../cluster/eventually.ts";
import { type EndpointOptions, putEndpointSlice } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";
import { hasRoute, haveSessions } from "./leaves.ts";

const DEMO = fileURLToPath(new URL("../../lab/demo/", import.meta.url));
/** Many processes on few cores. */
const TIMEOUT_MS = 60_000;

/** What a user writes to configure MetalLB: a file of the demo. */
type Manifest = "metallb.yaml" | "l2.yaml";

export class Stand {
  readonly stage: Stage;
  readonly cluster: Cluster;
  readonly #manifest: Manifest;

  private constructor(stage: Stage, cluster: Cluster, manifest: Manifest) {
    this.stage = stage;
    this.cluster = cluster;
    this.#manifest = manifest;
  }

  /** Starts it all for BGP, and waits until every session is up. */
  static async start(): Promise<Stand> {
    const stand = await Stand.startWith("metallb.yaml");
    try {
      await stand.untilSessions();
      return stand;
    } catch (error) {
      await stand.stop();
      throw error;
    }
  }

  /** Starts it all with these objects of MetalLB. */
  static async startWith(manifest: Manifest): Promise<Stand> {
    await using cleanup = new AsyncDisposableStack();
    const lab = await startLab();
    cleanup.defer(() => lab.stop());
    const controlPlane = await startControlPlane(lab, true);
    cleanup.defer(() => controlPlane.stop());
    const { cluster } = controlPlane;
    if (cluster === undefined) throw new Error("Cannot test on the double: want kube-apiserver");
    const stage = new Stage(lab, controlPlane);
    const stand = new Stand(stage, cluster, manifest);
    await controlPlane.prepare(stage.nodes);
    await stand.configure();
    cleanup.defer(() => stage.stopPrograms());
    stand.startController();
    for (const name of NODES) stand.startSpeaker(name);
    await startKubeProxies(controlPlane, stage.nodes);
    cleanup.move();
    return stand;
  }

  async stop(): Promise<void> {
    await this.stage.stopPrograms();
    await this.controlPlane.stop();
    await this.lab.stop();
  }

  get lab(): Lab {
    return this.stage.lab;
  }

  get controlPlane(): ControlPlane {
    return this.stage.controlPlane;
  }

  node(name: string): LabNode {
    return this.lab.node(name);
  }

  startController(): void {
    this.stage.startController();
  }

  startSpeaker(name: string): void {
    this.stage.startSpeaker(name);
  }

  /** SIGKILL, and waits for the end. */
  async kill(program: string): Promise<void> {
    await this.stage.program(program).stop();
  }

  /** The log of a program so far. */
  log(program: string): Promise<string> {
    const name = program === "controller" ? program : speakerPodName(program);
    return readFile(join(this.lab.folder, "logs", `${name}.log`), "utf8");
  }

  /** What `mirror-status -o json` prints on a node. */
  state(node: string): Promise<SpeakerState> {
    return speakerState(this.lab, node);
  }

  mirrorStatus(node: string): Promise<string> {
    return mirrorStatus(this.lab, node);
  }

  /** Applies what a user would. */
  apply(yaml: string): Promise<void> {
    return this.controlPlane.apply(yaml);
  }

  /** Pool, advertisement and, for BGP, peers as the demo has them. */
  async configure(): Promise<void> {
    await this.apply(await readFile(join(DEMO, this.#manifest), "utf8"));
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
    return putEndpointSlice(this.cluster, { service, endpoints: this.#endpoints(nodes, 0) });
  }

  /** The same in both families. */
  async serveBothFrom(service: string, nodes: readonly string[]): Promise<void> {
    await this.serveFrom(service, nodes);
    await putEndpointSlice(this.cluster, {
      service,
      name: `${service}-ipv6`,
      addressType: "IPv6",
      endpoints: this.#endpoints(nodes, 1),
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

  until<T>(
    describe: string,
    look: () => T | undefined | false | Promise<T | undefined | false>,
  ): Promise<T> {
    return eventually(look, { describe, timeoutMs: TIMEOUT_MS });
  }

  #endpoints(nodes: readonly string[], family: 0 | 1): readonly EndpointOptions[] {
    return nodes.map((name) => ({
      address: this.node(name).loopbackAddresses[family] ?? "",
      nodeName: name,
    }));
  }
}
