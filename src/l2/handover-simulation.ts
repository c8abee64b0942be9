// A cluster in virtual time for tests: nodes with the product's own Handover, a network that loses
// and delays, a wire that answers probes, and an election that reaches the nodes at different times.
// The same seed and the same steps give the same run.

import type { Address } from "../net/address.ts";
import { type Mac, macAt } from "../net/mac.ts";
import { DueQueue } from "./due-queue.ts";
import { type Effect, Handover, type Want } from "./handover.ts";
import { decodeHandover, encodeHandover } from "./handover-message.ts";

export type ClusterOptions = {
  readonly seed: number;
  readonly nodes: number;
  /** Addresses, and how long a living node keeps one that another comes first for. */
  readonly failbackDelaysMs: ReadonlyMap<Address, number | undefined>;
  /** Longest way of a datagram or frame; the shortest is 0.1 ms. */
  readonly delayMs: number;
  /** Probability that a datagram or frame is lost. */
  readonly loss: number;
  /** Longest time until a node knows who is alive, and until it knows who is elected. */
  readonly lagMs: number;
};

/** What befalls the cluster. */
export type Step = {
  readonly kind: StepKind;
  /** Its number; counted around. */
  readonly node: number;
  /** When it is over. */
  readonly forMs: number;
  /** Of "prefer". */
  readonly address: number;
  /** Of "cut": frames do not pass, either. */
  readonly isWireCut: boolean;
};

export type StepKind =
  /** The process ends without a word, and starts again. */
  | "crash"
  /** The process does nothing. */
  | "freeze"
  /** The node hands everything over and ends, and starts again. */
  | "drain"
  /** The node may not answer. */
  | "fence"
  /** The node is no candidate. */
  | "exclude"
  /** Nodes with smaller numbers and the others do not hear each other. */
  | "cut"
  /** The node comes first for an address from now on. */
  | "prefer";

/** Two or more nodes answered for an address at once. */
export type Overlap = {
  readonly address: Address;
  readonly nodes: readonly string[];
  readonly fromMs: number;
  readonly forMs: number;
};

/** Nobody answered for an address between two that did. */
export type Gap = { readonly address: Address; readonly fromMs: number; readonly forMs: number };

/** What is true; nodes learn of it later. */
type Truth = {
  readonly alive: ReadonlySet<string>;
  readonly excluded: ReadonlySet<string>;
  readonly orders: ReadonlyMap<Address, readonly string[]>;
};

type Node = {
  readonly name: string;
  readonly mac: Mac;
  /** Undefined: the process does not run. */
  handover: Handover | undefined;
  /** Of the process; its clock starts with it. */
  startedAtMs: number;
  isFrozen: boolean;
  /** What came while it was frozen. */
  readonly inbox: (() => void)[];
  isCutOff: boolean;
  isDraining: boolean;
  /** What is to come of older truths is not heeded. */
  membersVersion: number;
  wantsVersion: number;
  alive: ReadonlySet<string>;
  readonly wants: Map<Address, Want>;
  readonly answers: Set<Address>;
  readonly watched: Set<Address>;
};

const SHORTEST_DELAY_MS = 0.1;
/** From the death of a node to the verdict of the others, and a node's own lease. */
const DETECTION_MS = 700;
const LEASE_MS = 600;
const READMISSION_MS = 1_000;
const DRAIN_MS = 5_000;
/** When an address that was gained is announced. */
const BURST_MS = [0, 100, 300, 1_400, 2_500, 3_600, 4_700];

export class Cluster {
  readonly overlaps: Overlap[] = [];
  readonly gaps: Gap[] = [];
  /** Datagrams that were sent. */
  datagrams = 0;
  /** How often a node began to answer. */
  gains = 0;
  /** How often a node that may not answer went on. */
  fencedAnswers = 0;
  nowMs = 0;
  readonly #options: ClusterOptions;
  readonly #random: () => number;
  readonly #queue = new DueQueue<() => void>();
  readonly #nodes = new Map<string, Node>();
  readonly #sides = new Map<string, number>();
  /** When a node last learned something. */
  #learnedAtMs = 0;
  /** When all steps are over. */
  #overAtMs = 0;
  #isCut = false;
  #isWireCut = false;
  #version = 0;
  #truth: Truth;
  /** Addresses that several answer for, or nobody does, and since when. */
  readonly #open = new Map<Address, { readonly nodes: readonly string[]; readonly atMs: number }>();

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    const names = Array.from({ length: options.nodes }, (_, index) => `node${index}`);
    const orders = new Map<Address, readonly string[]>();
    for (const address of options.failbackDelaysMs.keys()) {
      orders.set(address, this.#shuffled(names));
    }
    this.#truth = { alive: new Set(names), excluded: new Set(), orders };
    for (const [index, name] of names.entries()) {
      const node: Node = {
        ...{ name, mac: macAt(Uint8Array.of(2, 0, 0, 0, 0, index), 0), handover: undefined },
        ...{ startedAtMs: 0, isFrozen: false, inbox: [], isCutOff: false, isDraining: false },
        ...{ membersVersion: 0, wantsVersion: 0, alive: new Set<string>(), wants: new Map() },
        ...{ answers: new Set<Address>(), watched: new Set<Address>() },
      };
      this.#nodes.set(name, node);
      this.#sides.set(name, 0);
      this.#boot(node);
    }
    this.#tellAll();
  }

  /** Lets time pass. */
  run(forMs: number): void {
    const untilMs = this.nowMs + forMs;
    for (;;) {
      const atMs = this.#queue.firstAtMs();
      if (atMs === undefined || atMs > untilMs) break;
      this.nowMs = Math.max(this.nowMs, atMs);
      this.#queue.take(this.nowMs)?.();
    }
    this.nowMs = untilMs;
  }

  /** Lets time pass until the nodes have learned nothing new for `forMs`. */
  settle(forMs: number): void {
    for (;;) {
      const untilMs = Math.max(this.#overAtMs, this.#learnedAtMs + forMs);
      if (this.nowMs >= untilMs) return;
      this.run(untilMs - this.nowMs);
    }
  }

  step({ kind, node: number, forMs, address, isWireCut }: Step): void {
    const index = number % this.#nodes.size;
    const node = [...this.#nodes.values()][index];
    if (node === undefined) return;
    const longestMs = forMs + DRAIN_MS + READMISSION_MS + 2 * this.#options.lagMs;
    this.#overAtMs = Math.max(this.#overAtMs, this.nowMs + longestMs);
    switch (kind) {
      case "crash":
        this.#crash(node, forMs);
        return;
      case "freeze":
        this.#freeze(node, forMs);
        return;
      case "drain":
        this.#drain(node, forMs);
        return;
      case "fence":
        this.#cutOff(node, forMs);
        return;
      case "exclude":
        this.#exclude(node, forMs);
        return;
      case "cut":
        this.#cut(index, isWireCut, forMs);
        return;
      case "prefer":
        this.#prefer(node, address);
        return;
    }
  }

  /** The nodes that answer for the address now. */
  holders(address: Address): readonly string[] {
    const holders = [...this.#nodes.values()].filter((node) => this.#isHeard(node, address));
    return holders.map(({ name }) => name);
  }

  /** The node that comes first. */
  elected(address: Address): string | undefined {
    return electedOf(this.#truth, address);
  }

  #isHeard(node: Node, address: Address): boolean {
    return node.answers.has(address) && !node.isFrozen && this.#fenceOf(node) === undefined;
  }

  #boot(node: Node): void {
    node.handover = new Handover(node.name);
    node.startedAtMs = this.nowMs;
    node.isDraining = false;
    node.isCutOff = false;
    node.alive = new Set();
    node.wants.clear();
    node.membersVersion = 0;
    node.wantsVersion = 0;
  }

  #end(node: Node): void {
    node.handover = undefined;
    node.isFrozen = false;
    node.inbox.length = 0;
    node.watched.clear();
    for (const address of [...node.answers]) {
      node.answers.delete(address);
      this.#look(address);
    }
  }

  #crash(node: Node, forMs: number): void {
    if (node.handover === undefined || node.isDraining) return;
    this.#end(node);
    // Whoever starts again before it is missed says so itself.
    this.#after(Math.min(forMs, this.#between(DETECTION_MS, 1.2 * DETECTION_MS)), () => {
      this.#change({ alive: without(this.#truth.alive, node.name) });
    });
    this.#after(forMs, () => this.#start(node));
  }

  #start(node: Node): void {
    this.#boot(node);
    this.#tell(node, this.#truth, this.#version);
    this.#readmit(node);
  }

  #readmit(node: Node): void {
    const { handover } = node;
    this.#after(READMISSION_MS, () => {
      if (node.handover !== handover || node.isDraining) return;
      this.#change({ alive: new Set([...this.#truth.alive, node.name]) });
    });
  }

  #freeze(node: Node, forMs: number): void {
    if (node.handover === undefined || node.isFrozen || node.isDraining) return;
    const { handover } = node;
    node.isFrozen = true;
    for (const address of node.answers) this.#look(address);
    if (forMs > DETECTION_MS) {
      this.#after(DETECTION_MS, () => {
        if (node.handover !== handover) return;
        this.#change({ alive: without(this.#truth.alive, node.name) });
      });
    }
    this.#after(forMs, () => {
      if (node.handover !== handover) return;
      if (forMs > LEASE_MS) this.#cutOff(node, 200);
      this.#flush(node, () => {});
      node.isFrozen = false;
      for (const arrive of node.inbox.splice(0)) arrive();
      for (const address of node.answers) this.#look(address);
      if (forMs > DETECTION_MS) this.#readmit(node);
    });
  }

  #cutOff(node: Node, forMs: number): void {
    if (node.handover === undefined) return;
    const { handover } = node;
    node.isCutOff = true;
    this.#flush(node, () => {});
    this.#after(forMs, () => {
      if (node.handover !== handover) return;
      node.isCutOff = false;
      this.#flush(node, () => {});
    });
  }

  #drain(node: Node, forMs: number): void {
    if (node.handover === undefined || node.isDraining || node.isFrozen) return;
    const { handover } = node;
    node.isDraining = true;
    this.#flush(node, () => handover.drain());
    this.#change({ alive: without(this.#truth.alive, node.name) });
    const endAtMs = this.nowMs + DRAIN_MS;
    const look = () => {
      if (!handover.isDrained && this.nowMs < endAtMs) {
        this.#after(10, look);
        return;
      }
      this.#end(node);
      this.#after(forMs, () => this.#start(node));
    };
    look();
  }

  #exclude({ name }: Node, forMs: number): void {
    this.#change({ excluded: new Set([...this.#truth.excluded, name]) });
    this.#after(forMs, () => this.#change({ excluded: without(this.#truth.excluded, name) }));
  }

  #cut(size: number, isWireCut: boolean, forMs: number): void {
    if (this.#isCut || size === 0) return;
    this.#isCut = true;
    this.#isWireCut = isWireCut;
    this.#side((index) => (index < size ? 0 : 1));
    this.#after(Math.min(forMs, DETECTION_MS), () => this.#change({}));
    this.#after(forMs, () => {
      this.#isCut = false;
      this.#isWireCut = false;
      this.#side(() => 0);
      this.#change({});
    });
  }

  #side(sideOf: (index: number) => number): void {
    for (const [index, name] of [...this.#nodes.keys()].entries()) {
      this.#sides.set(name, sideOf(index));
    }
    for (const address of this.#truth.orders.keys()) this.#look(address);
  }

  #prefer({ name }: Node, index: number): void {
    const orders = new Map(this.#truth.orders);
    const address = [...orders.keys()][index % orders.size];
    if (address === undefined) return;
    const order = orders.get(address) ?? [];
    orders.set(address, [name, ...order.filter((other) => other !== name)]);
    this.#change({ orders });
  }

  #change(change: Partial<Truth>): void {
    this.#truth = { ...this.#truth, ...change };
    this.#tellAll();
  }

  #tellAll(): void {
    this.#version += 1;
    for (const node of this.#nodes.values()) this.#tell(node, this.#truth, this.#version);
  }

  /** Lets a node learn what is true: who is alive, and later who is elected. */
  #tell(node: Node, truth: Truth, version: number): void {
    const side = this.#sides.get(node.name);
    const alive = new Set([...truth.alive].filter((name) => this.#sides.get(name) === side));
    const membersMs = this.#between(0, this.#options.lagMs);
    const { handover } = node;
    this.#after(membersMs, () => {
      this.#arrive(node, handover, () => {
        if (version < node.membersVersion) return;
        node.membersVersion = version;
        node.alive = alive;
        this.#learnedAtMs = this.nowMs;
        this.#flush(node, (nowMs) => handover?.members(without(alive, node.name), nowMs));
      });
    });
    this.#after(membersMs + this.#between(0, this.#options.lagMs), () => {
      this.#arrive(node, handover, () => {
        if (version < node.wantsVersion) return;
        node.wantsVersion = version;
        this.#learnedAtMs = this.nowMs;
        this.#want(node, { ...truth, alive });
      });
    });
  }

  #want(node: Node, truth: Truth): void {
    const changes = new Map<Address, Want | undefined>();
    for (const [address, failbackDelayMs] of this.#options.failbackDelaysMs) {
      const role = roleOf(truth, address, node.name);
      const before = node.wants.get(address);
      if (role === before?.role) continue;
      const hasOthers = truth.alive.size > 1;
      const want = role && { role, interfaces: [], failbackDelayMs, hasOthers };
      changes.set(address, want);
      if (want === undefined) node.wants.delete(address);
      else node.wants.set(address, want);
    }
    this.#flush(node, (nowMs) => node.handover?.want(changes, nowMs));
  }

  #fenceOf(node: Node): string | undefined {
    if (node.isDraining) return undefined;
    if (!node.alive.has(node.name)) return "not alive";
    return node.isCutOff ? "cut off" : undefined;
  }

  /** Lets something happen in a node, and then what follows from it, as the product does. */
  #flush(node: Node, happen: (nowMs: number) => void): void {
    const { handover } = node;
    if (handover === undefined) return;
    const nowMs = this.nowMs - node.startedAtMs;
    handover.fence(this.#fenceOf(node), nowMs);
    happen(nowMs);
    handover.fence(this.#fenceOf(node), nowMs);
    for (const effect of handover.takeEffects()) this.#carryOut(node, effect);
    handover.takeChanges();
    if (this.#fenceOf(node) !== undefined && node.answers.size > 0) this.fencedAnswers += 1;
    const { nextAtMs } = handover;
    if (nextAtMs === undefined) return;
    // Timers of the product are up to a millisecond late.
    this.#after(nextAtMs - nowMs + this.#between(0, 1), () => {
      this.#arrive(node, handover, () => {
        const tickMs = this.nowMs - node.startedAtMs;
        const dueMs = handover.nextAtMs;
        if (dueMs !== undefined && dueMs <= tickMs) this.#flush(node, () => handover.tick(tickMs));
      });
    });
  }

  #carryOut(node: Node, effect: Effect): void {
    switch (effect.kind) {
      case "answer":
        if (node.answers.has(effect.address)) return;
        this.gains += 1;
        node.answers.add(effect.address);
        node.watched.delete(effect.address);
        this.#look(effect.address);
        for (const burstMs of BURST_MS) {
          this.#after(burstMs, () => this.#announce(node, effect.address));
        }
        return;
      case "silence":
        node.answers.delete(effect.address);
        this.#look(effect.address);
        return;
      case "probe":
        node.watched.add(effect.address);
        this.#probe(node, effect.address);
        return;
      case "unwatch":
        node.watched.delete(effect.address);
        return;
      case "defend":
        this.#announce(node, effect.address);
        return;
      case "send": {
        const to = this.#nodes.get(effect.to);
        const bytes = encodeHandover(effect.message);
        this.datagrams += 1;
        if (to !== undefined)
          this.#transmit(node, to, this.#isCut, () => this.#hear(to, node, bytes));
        return;
      }
      case "tell":
        return;
    }
  }

  #hear(node: Node, from: Node, bytes: Uint8Array): void {
    const message = decodeHandover(bytes);
    if (message === undefined) throw new Error("Cannot read what was written");
    this.#flush(node, (nowMs) => node.handover?.receive(from.name, message, nowMs));
  }

  #probe(node: Node, address: Address): void {
    for (const other of this.#nodes.values()) {
      if (other === node) continue;
      this.#transmit(node, other, this.#isWireCut, () => {
        if (this.#isHeard(other, address)) this.#claim(other, node, address);
      });
    }
  }

  #announce(node: Node, address: Address): void {
    if (!this.#isHeard(node, address)) return;
    for (const other of this.#nodes.values()) if (other !== node) this.#claim(node, other, address);
  }

  /** One node's frame says to another that the address is its own. */
  #claim(node: Node, to: Node, address: Address): void {
    this.#transmit(node, to, this.#isWireCut, () => {
      if (!to.answers.has(address) && !to.watched.has(address)) return;
      this.#flush(to, (nowMs) => to.handover?.claim(address, node.mac, nowMs));
    });
  }

  #transmit(from: Node, to: Node, isCut: boolean, arrive: () => void): void {
    if (isCut && this.#sides.get(from.name) !== this.#sides.get(to.name)) return;
    if (this.#random() < this.#options.loss) return;
    const { handover } = to;
    const delayMs = this.#between(SHORTEST_DELAY_MS, this.#options.delayMs);
    this.#after(delayMs, () => this.#arrive(to, handover, arrive));
  }

  /** Something gets to a process, at the latest when it runs again. */
  #arrive(node: Node, handover: Handover | undefined, arrive: () => void): void {
    if (handover === undefined || node.handover !== handover) return;
    if (node.isFrozen) node.inbox.push(() => this.#arrive(node, handover, arrive));
    else arrive();
  }

  /** Notes when two answer for the address, or nobody does. */
  #look(address: Address): void {
    const nodes = this.holders(address);
    // Those on different sides of a wire that is cut cannot know of each other.
    const sides = this.#isWireCut ? new Set(nodes.map((name) => this.#sides.get(name))).size : 1;
    const isOpen = nodes.length === 0 || (nodes.length > 1 && sides === 1);
    const open = this.#open.get(address);
    if (isOpen && open?.nodes.length === nodes.length) return;
    if (open !== undefined) {
      const { atMs: fromMs } = open;
      const forMs = this.nowMs - fromMs;
      if (open.nodes.length === 0) this.gaps.push({ address, fromMs, forMs });
      // A frozen node that comes back first hears what it missed.
      else if (forMs > 0) this.overlaps.push({ address, nodes: open.nodes, fromMs, forMs });
      this.#open.delete(address);
    }
    if (isOpen) this.#open.set(address, { nodes, atMs: this.nowMs });
  }

  #after(ms: number, callback: () => void): void {
    // Each is a key of its own.
    this.#queue.set(() => callback(), this.nowMs + Math.max(ms, 0));
  }

  #between(from: number, to: number): number {
    return from + this.#random() * (to - from);
  }

  #shuffled(names: readonly string[]): readonly string[] {
    const ranked = names.map((name) => ({ name, rank: this.#random() }));
    return ranked.sort((a, b) => a.rank - b.rank).map(({ name }) => name);
  }
}

function electedOf({ alive, excluded, orders }: Truth, address: Address): string | undefined {
  return orders.get(address)?.find((name) => alive.has(name) && !excluded.has(name));
}

function roleOf(truth: Truth, address: Address, name: string): Want["role"] | undefined {
  const elected = electedOf(truth, address);
  if (elected === undefined) return undefined;
  if (elected === name) return "elected";
  return truth.alive.has(name) && !truth.excluded.has(name) ? "standby" : "leaving";
}

function without(names: ReadonlySet<string>, name: string): ReadonlySet<string> {
  return new Set([...names].filter((other) => other !== name));
}

/** Numbers from 0 to below 1; mulberry32. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
