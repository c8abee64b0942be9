// The questions that a node has put to others about addresses: to whom, who has not replied, when to
// say it again. Keeps them and knows the members; what the replies mean is Handover's. Pure.

import type { Address } from "../net/address.ts";
import { type Manner, MOST_ADDRESSES } from "./handover-message.ts";

/** One question about as many addresses as a message holds. */
export type Round = {
  readonly id: number;
  readonly kind: RoundKind;
  readonly manner: Manner;
  readonly addresses: Set<Address>;
  /** Who is asked now: other nodes, or the wire and those who have not replied. */
  phase: "asking" | "probing";
  /** Whose reply is missing. */
  readonly silent: Set<string>;
  /** Those of them that are waited for: members. */
  readonly waitedFor: Set<string>;
  againAtMs: number;
  endAtMs: number;
};

export type RoundKind =
  /** All others are asked, then the wire. */
  | "take"
  /** The node that has it, then all. */
  | "recheck"
  /** While answering: does somebody else? */
  | "assert"
  /** The same, since somebody says so on the wire. */
  | "defend";

/** Longest wait for the word of a living member. */
export const ASK_TIMEOUT_MS = 100;
/** How long the wire has to object; an answer takes less than one. */
const PROBE_MS = 50;
/** Pause before whoever did not reply, and the wire, are asked once more. */
const AGAIN_MS = 20;
/** How long a node that is no member (any more) is asked too: it may be on its way out, or in. */
const FORMER_MS = 30_000;

export class Rounds {
  /** The other living nodes. */
  members: ReadonlySet<string> = new Set();
  /** Nodes that are no members, but were or have said something, and when. */
  readonly #formers = new Map<string, number>();
  readonly #byId = new Map<number, Round>();
  #lastId = 0;
  /** Since `takeOpened`; those with room left by what they ask. */
  #opened: Round[] = [];
  readonly #filling = new Map<string, Round>();

  get(id: number): Round | undefined {
    return this.#byId.get(id);
  }

  /** When one has something to say again, or ends. */
  get nextAtMs(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { againAtMs } of this.#byId.values()) next = Math.min(next, againAtMs);
    return next;
  }

  /** Replaces the members; who joins is asked too, who is lost is not waited for. */
  setMembers(alive: ReadonlySet<string>, nowMs: number): Members {
    const joined = [...alive].filter((name) => !this.members.has(name));
    const lost = [...this.members].filter((name) => !alive.has(name));
    for (const name of lost) this.#formers.set(name, nowMs);
    this.members = alive;
    for (const round of this.#byId.values()) {
      for (const name of lost) round.waitedFor.delete(name);
      if (lost.length > 0) hurry(round, nowMs);
      if (round.kind === "recheck" || joined.length === 0) continue;
      for (const name of joined) {
        round.silent.add(name);
        round.waitedFor.add(name);
      }
      round.againAtMs = nowMs;
    }
    return { joined, lost };
  }

  /** Remembers that a node has said something. */
  hear(from: string, nowMs: number): void {
    if (!this.members.has(from)) this.#formers.set(from, nowMs);
  }

  /** Puts the address into a round of this turn; `to` undefined: all that may have it. */
  enter(
    kind: RoundKind,
    manner: Manner,
    address: Address,
    to: readonly string[] | undefined,
    nowMs: number,
  ): Round {
    const key = `${kind} ${manner} ${to?.join() ?? "all"}`;
    let round = this.#filling.get(key);
    if (round === undefined || round.addresses.size === MOST_ADDRESSES) {
      round = this.#open(kind, manner, to, nowMs);
      this.#filling.set(key, round);
    }
    round.addresses.add(address);
    return round;
  }

  #open(kind: RoundKind, manner: Manner, to: readonly string[] | undefined, nowMs: number): Round {
    this.#lastId += 1;
    const round: Round = {
      ...{ id: this.#lastId, kind, manner, addresses: new Set(), phase: "asking" },
      ...{ silent: new Set(to ?? this.members), waitedFor: new Set(to ?? this.members) },
      ...{ againAtMs: nowMs, endAtMs: nowMs + ASK_TIMEOUT_MS },
    };
    for (const [name, atMs] of to === undefined ? this.#formers : []) {
      if (nowMs < atMs + FORMER_MS) round.silent.add(name);
      else this.#formers.delete(name);
    }
    this.#byId.set(round.id, round);
    this.#opened.push(round);
    return round;
  }

  /** The rounds that were opened since the last call and are still open. */
  takeOpened(): readonly Round[] {
    const opened = this.#opened.filter(({ id }) => this.#byId.has(id));
    this.#opened = [];
    this.#filling.clear();
    return opened;
  }

  /** Begins to ask the wire. */
  probe(round: Round, nowMs: number): void {
    round.phase = "probing";
    round.endAtMs = nowMs + PROBE_MS;
  }

  /** It has been put to those who are silent, and will be once more. */
  said(round: Round, nowMs: number): void {
    round.againAtMs = Math.min(nowMs + AGAIN_MS, round.endAtMs);
  }

  /** Ends the question about one address. */
  leave(round: Round, address: Address): void {
    round.addresses.delete(address);
    if (round.addresses.size === 0) this.#byId.delete(round.id);
  }

  /** A node has replied. */
  replied(id: number, from: string, nowMs: number): void {
    const round = this.#byId.get(id);
    if (round === undefined) return;
    round.silent.delete(from);
    round.waitedFor.delete(from);
    hurry(round, nowMs);
  }

  /** The round in which the next thing has been due for the longest time. */
  due(nowMs: number): Round | undefined {
    let first: Round | undefined;
    for (const round of this.#byId.values()) {
      if (round.againAtMs < (first?.againAtMs ?? Number.POSITIVE_INFINITY)) first = round;
    }
    return first !== undefined && first.againAtMs <= nowMs ? first : undefined;
  }
}

/** Makes the round due when nobody is left to be waited for. */
function hurry(round: Round, nowMs: number): void {
  if (isComplete(round)) round.againAtMs = Math.min(round.againAtMs, nowMs);
}

/** Members that are new, and those that are no longer. */
export type Members = { readonly joined: readonly string[]; readonly lost: readonly string[] };

/** Whether everybody has replied who is waited for; of a node that answers, all that may have it. */
export function isComplete({ kind, phase, silent, waitedFor }: Round): boolean {
  if (kind === "assert" || kind === "defend") return silent.size === 0;
  return phase === "asking" && waitedFor.size === 0;
}
