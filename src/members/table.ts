// What this node knows of every speaker: rows merged by incarnation, and a digest that is equal on
// two nodes when their rows are. Pure.

import type { Row, State, Why } from "./message.ts";
import { hashText } from "./watchers.ts";

/** A row with what this node alone knows. Changed by its table and view only. */
export type Entry = {
  readonly name: string;
  state: State;
  incarnation: number;
  why: Why;
  sinceMs: number;
  /** When it died, the latest last; see `deathsSince`. */
  deathsAtMs: readonly number[];
  /** Its last datagram that is no replay. */
  heardAtMs: number;
  /** The first question to it since then. */
  askedAtMs: number | undefined;
  /** What it said last of itself; incarnation 0: nothing yet. */
  toldIncarnation: number;
  toldState: State;
  /** Since when its digest has been another one than ours. */
  differsSinceMs: number | undefined;
  /** The two digests when its table was asked for, and when that was. */
  pulled: { readonly key: string; readonly atMs: number } | undefined;
};

/** At the same incarnation the later one wins. */
const RANKS: Readonly<Record<State, number>> = { unknown: 0, alive: 1, dead: 2, left: 3 };

/** Deaths longer ago are forgotten. */
const MEMORY_MS = 600_000;

/** Of one entry; more only make the list longer. */
const MOST_DEATHS = 10;

/** Of rows in one message. */
const PAGE_OCTETS = 1100;
/** Of a row without its name. */
const ROW_OCTETS = 11;

export class Table {
  readonly #entries = new Map<string, Entry>();
  readonly #alive = new Set<string>();
  #digest = 0;

  /** Equal on two nodes when all their rows are, leaving those out that are unknown. */
  get digest(): number {
    return this.#digest;
  }

  get alive(): ReadonlySet<string> {
    return this.#alive;
  }

  get entries(): MapIterator<Entry> {
    return this.#entries.values();
  }

  get(name: string): Entry | undefined {
    return this.#entries.get(name);
  }

  /** All rows that are known, in portions that fit a datagram on any path. */
  pages(): readonly (readonly Row[])[] {
    const pages: Row[][] = [];
    let left = 0;
    for (const entry of this.#entries.values()) {
      if (entry.state === "unknown") continue;
      // The names of nodes are ASCII; of others the length is only estimated.
      left -= ROW_OCTETS + entry.name.length;
      if (left < 0) {
        pages.push([]);
        left = PAGE_OCTETS - ROW_OCTETS - entry.name.length;
      }
      pages.at(-1)?.push(rowOf(entry));
    }
    return pages;
  }

  add(name: string, nowMs: number): void {
    if (this.#entries.has(name)) return;
    this.#entries.set(name, {
      name,
      state: "unknown",
      incarnation: 0,
      why: "starting",
      sinceMs: nowMs,
      deathsAtMs: [],
      heardAtMs: Number.NEGATIVE_INFINITY,
      askedAtMs: undefined,
      toldIncarnation: 0,
      toldState: "unknown",
      differsSinceMs: undefined,
      pulled: undefined,
    });
  }

  remove(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#digest = (this.#digest ^ digestOf(entry)) >>> 0;
    this.#entries.delete(name);
    this.#alive.delete(name);
  }

  /** Makes the entry what the row says, newer or not. */
  set(entry: Entry, { state, incarnation, why }: Omit<Row, "name">, nowMs: number): void {
    const before = digestOf(entry);
    if (state !== entry.state) entry.sinceMs = nowMs;
    if (state === "dead" && entry.state === "alive") {
      entry.deathsAtMs = [...entry.deathsAtMs.slice(1 - MOST_DEATHS), nowMs];
    }
    entry.state = state;
    entry.incarnation = incarnation;
    entry.why = why;
    this.#digest = (this.#digest ^ before ^ digestOf(entry)) >>> 0;
    if (state === "alive") this.#alive.add(entry.name);
    else this.#alive.delete(entry.name);
  }
}

/** Whether the row says something later than the entry. */
export function isNewer(row: Row, entry: Entry): boolean {
  if (row.incarnation !== entry.incarnation) return row.incarnation > entry.incarnation;
  return RANKS[row.state] > RANKS[entry.state];
}

export function rowOf({ name, state, incarnation, why }: Entry): Row {
  return { name, state, incarnation, why };
}

/** Deaths that are not forgotten yet. */
export function deathsOf({ deathsAtMs }: Entry, nowMs: number): number {
  return deathsAtMs.filter((atMs) => nowMs - atMs < MEMORY_MS).length;
}

/** Whether it is there with an incarnation that is no member yet: it starts, or comes back. */
export function isComing(entry: Entry, nowMs: number, patienceMs: number): boolean {
  return (
    entry.state !== "alive" &&
    nowMs - entry.heardAtMs < patienceMs &&
    entry.toldIncarnation > entry.incarnation &&
    entry.toldState !== "left"
  );
}

function digestOf({ name, state, incarnation }: Entry): number {
  if (state === "unknown") return 0;
  return hashText(`${state} ${incarnation} ${name}`, 0);
}
