// MetalLB in the lab with all it needs: a control plane, the controller, a speaker and kube-proxy on
// each node. Nodes can die and come back with all that ran in them. Knows neither BGP nor Layer 2.

import { once } from "node:events";
import type { Daemon } from "../../test/cluster/daemon.ts";
import { cutCable, killNode, mendCable, restartNode } from "../netns/faults.ts";
import type { Lab, LabNode } from "../netns/lab.ts";
import type { ControlPlane } from "./control-plane.ts";
import { hasKubeProxy, startKubeProxies } from "./forwarding.ts";
import { startController, startSpeaker } from "./programs.ts";

export const NODES = ["node1", "node2", "node3"] as const;

export class Stage {
  readonly lab: Lab;
  readonly controlPlane: ControlPlane;
  readonly #programs = new Map<string, Daemon>();

  constructor(lab: Lab, controlPlane: ControlPlane) {
    this.lab = lab;
    this.controlPlane = controlPlane;
  }

  get nodes(): readonly LabNode[] {
    return NODES.map((name) => this.lab.node(name));
  }

  /** The controller and the speakers that are meant to run. */
  get programs(): readonly Daemon[] {
    return [...this.#programs.values()];
  }

  startController(): void {
    this.#programs.set("controller", startController(this.lab, this.controlPlane.kubeconfig));
  }

  startSpeaker(nodeName: string): void {
    const speaker = startSpeaker(this.lab, this.lab.node(nodeName), this.controlPlane.kubeconfig);
    this.#programs.set(nodeName, speaker);
  }

  /** "controller", or the speaker by its node's name. */
  program(name: string): Daemon {
    const program = this.#programs.get(name);
    if (program === undefined) throw new Error(`Cannot find program "${name}"`);
    return program;
  }

  async stopPrograms(): Promise<void> {
    await Promise.all(this.programs.map((program) => program.stop()));
  }

  /** SIGTERM to a speaker, and waits for its end: it hands over what it has. */
  async endSpeaker(nodeName: string): Promise<void> {
    const { child, ended } = this.program(nodeName);
    this.#programs.delete(nodeName);
    if (ended !== undefined) return;
    child.ref();
    child.kill("SIGTERM");
    await once(child, "exit");
  }

  /** SIGKILL to all that runs in the node, the speaker and kube-proxy too; its kernel goes on. */
  async killNode(name: string): Promise<void> {
    this.#programs.delete(name);
    await killNode(this.lab, name);
  }

  /** As when the power goes: its cable is dead, and all that ran in it. */
  async powerOff(name: string): Promise<void> {
    await cutCable(this.lab, name, "port down");
    await this.killNode(name);
  }

  /** Starts a node that was killed with all that is meant to run in it. */
  async startNode(name: string): Promise<void> {
    await restartNode(this.lab, name);
    if (hasKubeProxy(this.controlPlane)) {
      await startKubeProxies(this.controlPlane, [this.lab.node(name)]);
    }
    this.startSpeaker(name);
  }

  async powerOn(name: string): Promise<void> {
    await mendCable(this.lab, name, "port down");
    await this.startNode(name);
  }
}
