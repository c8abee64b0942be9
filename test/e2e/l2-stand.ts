// Everything at once for Layer 2: the stand with a pool of the nodes' own network, faults that are
// undone, and Services that are looked at from outside while something happens to their owner.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Observer } from "../../lab/clients/observer.ts";
import { ownersText, type Takeover, takeoverText } from "../../lab/clients/takeover.ts";
import { areAllMembers } from "../../lab/demo/speakers.ts";
import { NODES, type Stage } from "../../lab/demo/stage.ts";
import {
  type Cut,
  cutCable,
  freezeNode,
  type Loss,
  loseFrames,
  mendCable,
  thawNode,
} from "../../lab/netns/faults.ts";
import type { Lab } from "../../lab/netns/lab.ts";
import { putService } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";
import { Stand } from "./stand.ts";

export type L2ServiceOptions = {
  readonly name: string;
  /** Default IPv4 alone. */
  readonly dualStack?: boolean;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: Json;
  /** Nodes whose pods serve it; default all, until `Scene.start` takes the owner's away. */
  readonly pods?: readonly string[];
};

export class L2Stand {
  readonly stand: Stand;
  /** By what was done: how it is undone. */
  readonly #undo = new Map<string, () => Promise<unknown>>();

  private constructor(stand: Stand) {
    this.stand = stand;
  }

  /** Starts it all, and waits until the speakers know each other. */
  static async start(): Promise<L2Stand> {
    const stand = await Stand.startWith("l2.yaml");
    try {
      const l2 = new L2Stand(stand);
      await l2.untilMembers();
      return l2;
    } catch (error) {
      await stand.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.stand.stop();
  }

  get stage(): Stage {
    return this.stand.stage;
  }

  get lab(): Lab {
    return this.stand.lab;
  }

  /** Waits until each speaker counts all of them as alive and may answer. */
  async untilMembers(): Promise<void> {
    await this.stand.until("three living members at each speaker", () => areAllMembers(this.lab));
  }

  /** Makes a Service with pods, and waits for its addresses. */
  async serve(options: L2ServiceOptions): Promise<readonly string[]> {
    const { name, dualStack = false, annotations = {}, spec = {}, pods = NODES } = options;
    const families = dualStack
      ? { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] }
      : {};
    await putService(this.stand.cluster, { name, annotations, spec: { ...families, ...spec } });
    await this.movePods(name, pods, dualStack);
    return this.stand.until(`the addresses of ${name}`, async () => {
      const { status } = await this.stand.service(name);
      const ingress: readonly { ip: string }[] = status?.loadBalancer?.ingress ?? [];
      return ingress.length === (dualStack ? 2 : 1) && ingress.map(({ ip }) => ip);
    });
  }

  /** Has these nodes' pods serve the Service, and no others. */
  movePods(name: string, nodes: readonly string[], dualStack = false): Promise<void> {
    return dualStack ? this.stand.serveBothFrom(name, nodes) : this.stand.serveFrom(name, nodes);
  }

  async deleteService(name: string): Promise<void> {
    await this.stand.cluster.request("DELETE", `/api/v1/namespaces/default/services/${name}`);
  }

  /** Looks at the addresses from outside, with no web client yet. */
  observe(addresses: readonly string[]): Promise<Observer> {
    return Observer.start({
      lab: this.lab,
      nodes: NODES,
      addresses,
      until: (describe, look) => this.stand.until(describe, look),
    });
  }

  async killNode(name: string): Promise<void> {
    this.#undo.set(`kill ${name}`, () => this.stage.startNode(name));
    await this.stage.killNode(name);
  }

  startNode(name: string): Promise<void> {
    return this.#undoNow(`kill ${name}`);
  }

  async powerOff(name: string): Promise<void> {
    this.#undo.set(`power ${name}`, () => this.stage.powerOn(name));
    await this.stage.powerOff(name);
  }

  powerOn(name: string): Promise<void> {
    return this.#undoNow(`power ${name}`);
  }

  async cutCable(name: string, cut: Cut): Promise<void> {
    this.#undo.set(`cut ${name}`, () => mendCable(this.lab, name, cut));
    await cutCable(this.lab, name, cut);
  }

  mendCable(name: string): Promise<void> {
    return this.#undoNow(`cut ${name}`);
  }

  async freeze(name: string): Promise<void> {
    this.#undo.set(`freeze ${name}`, () => thawNode(this.lab, name));
    freezeNode(this.lab, name);
  }

  thaw(name: string): Promise<void> {
    return this.#undoNow(`freeze ${name}`);
  }

  async loseFrames(losses: readonly Loss[]): Promise<void> {
    this.#undo.set("lose frames", () => loseFrames(this.lab, []));
    await loseFrames(this.lab, losses);
  }

  healNetwork(): Promise<void> {
    return this.#undoNow("lose frames");
  }

  async endSpeaker(name: string): Promise<void> {
    this.#undo.set(`end ${name}`, async () => this.stage.startSpeaker(name));
    await this.stage.endSpeaker(name);
  }

  startSpeaker(name: string): Promise<void> {
    return this.#undoNow(`end ${name}`);
  }

  async stopApiServer(): Promise<void> {
    this.#undo.set("api", () => this.stand.cluster.startApiServer());
    await this.stand.cluster.stopApiServer();
  }

  startApiServer(): Promise<void> {
    return this.#undoNow("api");
  }

  /**
   * Undoes what a test has left, and starts the speakers afresh: a node that has died a few times is
   * waited for longer and longer, up to a minute.
   */
  async mend(): Promise<void> {
    for (const what of [...this.#undo.keys()]) await this.#undoNow(what);
    await Promise.all(NODES.map((name) => this.stand.kill(name)));
    for (const name of NODES) this.stand.startSpeaker(name);
    await this.untilMembers();
  }

  async #undoNow(what: string): Promise<void> {
    const undo = this.#undo.get(what);
    if (undo === undefined) throw new Error(`Cannot undo "${what}": it was not done`);
    this.#undo.delete(what);
    await undo();
  }
}

/** A Service with its owner, and one who looks at it from outside. */
export class Scene {
  readonly addresses: readonly string[];
  readonly owner: string;
  /** The nodes other than the owner. */
  readonly others: readonly string[];
  readonly observer: Observer;
  readonly #l2: L2Stand;
  readonly #service: string;

  private constructor(
    l2: L2Stand,
    service: string,
    addresses: readonly string[],
    owner: string,
    observer: Observer,
  ) {
    this.#l2 = l2;
    this.#service = service;
    this.addresses = addresses;
    this.owner = owner;
    this.others = NODES.filter((name) => name !== owner);
    this.observer = observer;
  }

  /**
   * Makes the Service, finds its owner on the wire, moves the pods to the other nodes so that they
   * outlive the owner, and has the client ask.
   */
  static async start(l2: L2Stand, options: L2ServiceOptions): Promise<Scene> {
    const addresses = await l2.serve(options);
    const observer = await l2.observe(addresses);
    try {
      const owner = await observer.untilOwner((name) => name !== undefined);
      const scene = new Scene(l2, options.name, addresses, owner, observer);
      const pods = (options.pods ?? NODES).filter((name) => name !== owner);
      if (pods.length > 0) await l2.movePods(options.name, pods, options.dualStack);
      await scene.#untilServed(pods);
      observer.startCallers();
      return scene;
    } catch (error) {
      await observer.stop();
      throw error;
    }
  }

  /** Takes the Service and the clients away. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.observer.stop();
    await this.#l2.deleteService(this.#service);
  }

  /** The addresses must go to another node: which one, and what was seen. */
  async moves(what: string, act: () => Promise<unknown>): Promise<readonly Takeover[]> {
    const isOwner = (name: string | undefined) => name !== undefined && name !== this.owner;
    return this.observer.watchMove({ what, act, isOwner });
  }

  /** The addresses must come back to their owner. */
  async comesBack(what: string, act: () => Promise<unknown>): Promise<readonly Takeover[]> {
    return this.observer.watchMove({ what, act, isOwner: (name) => name === this.owner });
  }

  /** Until kube-proxy leads to none but the pods that are meant. */
  async #untilServed(pods: readonly string[]): Promise<void> {
    for (const address of this.addresses) {
      const url = `http://${address.includes(":") ? `[${address}]` : address}/`;
      const ask = ["curl", "-gsS", "--max-time", "1", url];
      await this.#l2.stand.until(`${url} to be served by the right pods`, async () => {
        for (let i = 0; i < 12; i++) {
          const answer = (await this.#l2.lab.node("host").exec(ask)).trim();
          if (pods.length > 0 && !pods.includes(answer)) return false;
        }
        return true;
      });
    }
  }
}

/** One owner after the other: from the first node, if it was seen still, to the last, and no third. */
export function assertHandedOver(
  takeovers: readonly Takeover[],
  { from, to }: { readonly from: string; readonly to?: string },
): void {
  for (const { what, address, owners } of takeovers) {
    assert.equal(owners.length, 2, `${what}: ${address} was answered by ${ownersText(owners)}`);
    assert.equal(owners[0], from, `${what}: the first owner of ${address}`);
    if (to !== undefined) assert.equal(owners[1], to, `${what}: the new owner of ${address}`);
  }
  const last = new Set(takeovers.map(({ owners }) => owners.at(-1)));
  assert.equal(last.size, 1, "all addresses of a Service have one owner");
}

/** Prints the times beside the test. */
export function tell(t: TestContext, ...groups: readonly (readonly Takeover[])[]): void {
  for (const takeover of groups.flat()) t.diagnostic(`${takeover.what}: ${takeoverText(takeover)}`);
}
