// A network of speakers in virtual time: every node runs the product's own view.ts, datagrams get
// lost or late, nodes are killed, cut off or kept from running. The same seed gives the same run.

import { encodeMessage, type Message, type Why } from "./message.ts";
import { DEFAULT_TIMINGS, type Timings, View } from "./view.ts";
import { Rings } from "./watchers.ts";

export type SimulationOptions = {
  readonly nodes: number;
  readonly seed: number;
  /** Of datagrams, 0 to 1. */
  readonly lossRate: number;
  readonly timings: Timings;
};

/** One node saw one node's state change. */
export type Sighting = {
  readonly atMs: number;
  readonly by: string;
  readonly name: string;
  readonly to: string;
  readonly why: Why;
  /** The node was running and could be reached. */
  readonly isWrong: boolean;
};

export type Traffic = { readonly datagrams: number; readonly octets: number };

type SimulatedNode = {
  readonly name: string;
  /** Undefined: its process does not run. */
  view: View | undefined;
  /** The host is there: it says that nobody listens. */
  isHostUp: boolean;
  isFrozen: boolean;
  /** Came while it was frozen. */
  readonly backlog: (() => void)[];
  /** For this time its tick stands in the queue. */
  tickAtMs: number;
};

type Event = { readonly atMs: number; readonly order: number; readonly run: () => void };

/** One way. */
const SHORTEST_LATENCY_MS = 0.1;
const LATENCY_SPREAD_MS = 0.9;

/** Headers of IP, UDP and channel.ts, without the sender's name. */
const OVERHEAD_OCTETS = 28 + 34;

export class Simulation {
  readonly names: readonly string[];
  readonly sightings: Sighting[] = [];
  nowMs = 0;
  /** Whether datagrams get from one node to another. */
  connects: (from: string, to: string) => boolean = () => true;
  /** Share of the datagrams that get lost, 0 to 1. */
  lossRate: number;
  readonly #options: SimulationOptions;
  readonly #nodes = new Map<string, SimulatedNode>();
  readonly #queue = new Queue();
  readonly #rings: Rings;
  readonly #random: () => number;
  #datagrams = 0;
  #octets = 0;
  #last: { readonly message: Message | undefined; readonly octets: number };

  /** `listed`: names of nodes that never run. */
  constructor(options: SimulationOptions, listed: readonly string[] = []) {
    this.#options = options;
    this.lossRate = options.lossRate;
    this.#last = { message: undefined, octets: 0 };
    this.#random = randomOf(options.seed);
    this.names = Array.from({ length: options.nodes }, (_, index) => nodeName(index));
    this.#rings = new Rings([...this.names, ...listed]);
    for (const name of [...this.names, ...listed]) {
      this.#nodes.set(name, {
        name,
        view: undefined,
        isHostUp: false,
        isFrozen: false,
        backlog: [],
        tickAtMs: Number.POSITIVE_INFINITY,
      });
    }
  }

  /** What was sent since the start. */
  get traffic(): Traffic {
    return { datagrams: this.#datagrams, octets: this.#octets };
  }

  view(name: string): View {
    const view = this.#node(name).view;
    if (view === undefined) throw new Error(`Cannot look into "${name}": it does not run`);
    return view;
  }

  /** Those whose process runs. */
  get running(): readonly string[] {
    return this.names.filter((name) => this.#node(name).view !== undefined);
  }

  /** `clockMs`: of its host, milliseconds since 1970. */
  start(name: string, clockMs = 1_000_000 + Math.floor(this.nowMs)): void {
    const node = this.#node(name);
    node.tickAtMs = Number.POSITIVE_INFINITY;
    node.isHostUp = true;
    const view = new View({
      self: name,
      nowMs: this.nowMs,
      incarnation: clockMs,
      random: this.#random,
      timings: this.#options.timings,
    });
    node.view = view;
    view.setPeers(this.#rings, this.nowMs);
    this.#after(node, view);
  }

  startAll(): void {
    for (const name of this.names) this.start(name);
  }

  /** Until now the process ran; its host says "port unreachable" from now on. */
  kill(name: string): void {
    const node = this.#node(name);
    node.view = undefined;
    node.backlog.length = 0;
    node.isFrozen = false;
  }

  /** Nothing comes from its host any more. */
  powerOff(name: string): void {
    this.kill(name);
    this.#node(name).isHostUp = false;
  }

  leave(name: string): void {
    const node = this.#node(name);
    const { view } = node;
    if (view === undefined) return;
    view.leave(this.nowMs);
    this.#after(node, view);
  }

  /** The process does not run for that time; what comes waits for it. */
  freeze(name: string, forMs: number): void {
    const node = this.#node(name);
    if (node.isFrozen || node.view === undefined) return;
    const { view } = node;
    node.isFrozen = true;
    this.at(this.nowMs + forMs, () => {
      if (node.view !== view) return;
      node.isFrozen = false;
      for (const run of node.backlog.splice(0)) run();
      this.#tick(node, view);
    });
  }

  at(atMs: number, run: () => void): void {
    this.#queue.push(atMs, run);
  }

  random(): number {
    return this.#random();
  }

  /** Lets that much time go by. */
  run(forMs: number): void {
    const endMs = this.nowMs + forMs;
    this.runUntil(() => false, endMs);
    this.nowMs = endMs;
  }

  /** Until the condition holds, looked at after each event; false: `endMs` came first. */
  runUntil(isDone: () => boolean, endMs: number): boolean {
    while (!isDone()) {
      const event = this.#queue.take(endMs);
      if (event === undefined) return false;
      this.nowMs = event.atMs;
      event.run();
    }
    return true;
  }

  /** Until all running nodes agree that these are alive, looked at every 10 ms. */
  runUntilAlive(alive: readonly string[], endMs: number): boolean {
    const agree = () => {
      const views = this.running.map((name) => this.view(name));
      return views.every(
        (view) => view.alive.size === alive.length && alive.every((name) => view.alive.has(name)),
      );
    };
    while (this.nowMs < endMs) {
      if (agree()) return true;
      this.run(10);
    }
    return agree();
  }

  #node(name: string): SimulatedNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`Cannot find node "${name}"`);
    return node;
  }

  #tick(node: SimulatedNode, view: View): void {
    if (node.view !== view || node.isFrozen) return;
    node.tickAtMs = Number.POSITIVE_INFINITY;
    if (this.nowMs >= view.nextTickMs) view.tick(this.nowMs);
    this.#after(node, view);
  }

  /** Sends what the view wants sent, and sees to its next tick. */
  #after(node: SimulatedNode, view: View): void {
    const { sends, changes } = view.takeOutput();
    for (const { to, message } of sends) this.#send(node, this.#node(to), message);
    for (const { name, to, why } of changes) {
      const subject = this.#node(name);
      const isWrong = to === "dead" && subject.view !== undefined && this.connects(name, node.name);
      this.sightings.push({ atMs: this.nowMs, by: node.name, name, to, why, isWrong });
    }
    const nextMs = Math.max(view.nextTickMs, this.nowMs);
    if (nextMs >= node.tickAtMs) return;
    node.tickAtMs = nextMs;
    this.#queue.push(nextMs, () => {
      // An earlier one has taken its place.
      if (node.tickAtMs === nextMs) this.#tick(node, view);
    });
  }

  #send(from: SimulatedNode, to: SimulatedNode, message: Message): void {
    this.#datagrams += 1;
    this.#octets += OVERHEAD_OCTETS + from.name.length + this.#lengthOf(message);
    if (this.#isLost(from, to)) return;
    this.at(this.nowMs + this.#latencyMs(), () => this.#arrive(from, to, message));
  }

  /** News go to many in a row. */
  #lengthOf(message: Message): number {
    if (message !== this.#last.message) {
      this.#last = { message, octets: encodeMessage(message).length };
    }
    return this.#last.octets;
  }

  #arrive(from: SimulatedNode, to: SimulatedNode, message: Message): void {
    const { view } = to;
    if (view === undefined) {
      if (to.isHostUp && !this.#isLost(to, from)) this.#refuse(from, to);
      return;
    }
    this.#when(to, view, () => view.receive(from.name, message, this.nowMs));
  }

  #refuse(from: SimulatedNode, to: SimulatedNode): void {
    const { view } = from;
    if (view === undefined) return;
    this.at(this.nowMs + this.#latencyMs(), () =>
      this.#when(from, view, () => view.refused(to.name, this.nowMs)),
    );
  }

  /** Now, or when the node runs again. */
  #when(node: SimulatedNode, view: View, happen: () => void): void {
    const run = () => {
      if (node.view !== view) return;
      happen();
      this.#after(node, view);
    };
    if (node.isFrozen) node.backlog.push(run);
    else run();
  }

  #isLost(from: SimulatedNode, to: SimulatedNode): boolean {
    if (!this.connects(from.name, to.name)) return true;
    return this.lossRate > 0 && this.#random() < this.lossRate;
  }

  #latencyMs(): number {
    return SHORTEST_LATENCY_MS + LATENCY_SPREAD_MS * this.#random();
  }
}

/** All nodes run and know each other. */
export function runningCluster(options: Partial<SimulationOptions>): Simulation {
  const simulation = new Simulation({
    nodes: 3,
    seed: 1,
    lossRate: 0,
    timings: DEFAULT_TIMINGS,
    ...options,
  });
  simulation.startAll();
  if (!simulation.runUntilAlive(simulation.names, 60_000)) {
    throw new Error(`Cannot start ${simulation.names.length} nodes within 60 s`);
  }
  simulation.sightings.length = 0;
  return simulation;
}

export function nodeName(index: number): string {
  return `node-${String(index).padStart(4, "0")}`;
}

/** Events by time, those of one time in the order they came. */
class Queue {
  readonly #heap: Event[] = [];
  #order = 0;

  push(atMs: number, run: () => void): void {
    const event = { atMs, order: this.#order, run };
    this.#order += 1;
    const heap = this.#heap;
    let place = heap.push(event) - 1;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || isBefore(parent, event)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = event;
  }

  /** The next event that is not after `endMs`. */
  take(endMs: number): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.atMs > endMs) return undefined;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let below = 2 * place + 1;
      let child = heap[below];
      const other = heap[below + 1];
      if (child !== undefined && other !== undefined && isBefore(other, child)) {
        child = other;
        below += 1;
      }
      if (child === undefined || isBefore(last, child)) break;
      heap[place] = child;
      place = below;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** Numbers from 0 to below 1, of 52 bits, always the same for a seed (two rounds of mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), 1 | state);
    value = (value + Math.imul(value ^ (value >>> 7), 61 | value)) ^ value;
    return (value ^ (value >>> 14)) >>> 0;
  };
  return () => (next() * 2 ** 20 + (next() >>> 12)) / 2 ** 52;
}
