// Who answers for an address between living nodes: asks the others before it answers, stops when
// one that comes first asks, and never lets two answer. Pure: events and the clock in, effects out.
//
//   elected ─► asking ─► probing ─► answering ─► asked, fenced, no longer wanted: silent
//                │          │
//                └──────────┴─► waiting: a node, or somebody on the wire, has it; asks again
//
// A node that comes first asks every other one. The one that answers for the address stops and says
// so: one round trip, and the new one answers. Members that say nothing for 100 ms are not waited
// for. When nobody says that it has just stopped, the wire is asked too (RFC 5227 section 2.1.1,
// RFC 4862 section 5.4): a node that counts as dead may still answer there.
//
// Why no two answer: "free" and "released" are promises not to answer without asking, and of two
// that ask each other one gives way. What is left when views differ, datagrams are lost or a cut
// network heals is found by asking while answering: members that join, those that have not replied,
// and all when somebody claims the address on the wire.

import { hash } from "node:crypto";
import type { Address } from "../net/address.ts";
import type { Mac } from "../net/mac.ts";
import { DueQueue } from "./due-queue.ts";
import {
  type HandoverMessage,
  type Manner,
  MOST_ADDRESSES,
  type Standing,
} from "./handover-message.ts";
import { isComplete, type Round, type RoundKind, Rounds } from "./rounds.ts";

/** What the election wants of this node for one address. */
export type Want = {
  /**
   * "elected": this node comes first. "standby": another does; goes on answering only until that
   * one asks for the address. "leaving": this node is no candidate any more; the same, but not for
   * longer than LEAVING_MS, nor where it is asked politely.
   */
  readonly role: "elected" | "standby" | "leaving";
  /** Names of the interfaces that answer; empty: all. */
  readonly interfaces: readonly string[];
  /** How long a living node that has the address keeps it; 0: not at all; undefined: for ever. */
  readonly failbackDelayMs: number | undefined;
  /** Whether another node could announce it when this one goes. */
  readonly hasOthers: boolean;
};

export type AddressState =
  /** The other nodes are being asked. */
  | { readonly kind: "asking"; readonly sinceMs: number }
  /** The wire is being asked. */
  | { readonly kind: "probing"; readonly sinceMs: number }
  | {
      readonly kind: "answering";
      readonly sinceMs: number;
      /** The node that had it before and gave it up; undefined: nobody said so. */
      readonly from: string | undefined;
    }
  /**
   * Elected, but somebody else has it: a node by name, or a stranger by hardware address. Asks
   * again now and then, without another state meanwhile.
   */
  | { readonly kind: "waiting"; readonly sinceMs: number; readonly for: string };

export type Effect =
  /** Answer from now on, on these interfaces; repeated when they change. */
  | { readonly kind: "answer"; readonly address: Address; readonly interfaces: readonly string[] }
  | { readonly kind: "silence"; readonly address: Address }
  /** Ask the wire once who has it, and listen until `unwatch`. */
  | { readonly kind: "probe"; readonly address: Address; readonly interfaces: readonly string[] }
  | { readonly kind: "unwatch"; readonly address: Address }
  /** Say again that it is ours (RFC 5227 section 2.4). */
  | { readonly kind: "defend"; readonly address: Address }
  | { readonly kind: "send"; readonly to: string; readonly message: HandoverMessage }
  | { readonly kind: "tell"; readonly event: HandoverEvent };

export type HandoverEvent =
  | {
      readonly kind: "gained";
      readonly address: Address;
      readonly from: string | undefined;
      /** From the first question to the first answer. */
      readonly durationMs: number;
    }
  | {
      readonly kind: "lost";
      readonly address: Address;
      readonly why: LossReason;
      /** The node that has it now; undefined: not known. */
      readonly to: string | undefined;
    }
  /** Somebody else says on the wire that the address is his. */
  | {
      readonly kind: "conflict";
      readonly address: Address;
      readonly mac: Mac;
      readonly role: "answering" | "waiting";
    };

export type LossReason =
  /** No longer wanted of this node. */
  | "withdrawn"
  /** Given to the node that asked for it. */
  | "handedOver"
  /** This node may not answer now; see `fence`. */
  | "fenced"
  /** Another answers for it too, and comes first. */
  | "conflict";

/** How long a node that must not announce an address any more waits for the one that will. */
export const LEAVING_MS = 500;

/** Addresses in one `tick`, besides a round: a millisecond's work or so. */
const ADDRESSES_AT_ONCE = 30;

/** Pause before an address that somebody else has is asked for again. */
const RETRY_MS = 1_000;
/** Frames of the node before are still under way. */
const SETTLE_MS = 250;
/** Least time between two claims of one address that are looked into. */
const CONFLICT_PAUSE_MS = 1_000;
/** RFC 5227 section 1.1: DEFEND_INTERVAL. */
const DEFEND_INTERVAL_MS = 10_000;
/** How long a node that asks again is told again that the address was released: a whole round. */
const REMEMBER_MS = 200;

type Entry = {
  want: Want;
  state: AddressState;
  /** The question that is open. Without one, what is not answered for is waited for. */
  round: Round | undefined;
  /** When it was last asked for. */
  askedAtMs: number;
  /** Who said that it is his while the wire was asked. */
  claimedBy: Mac | undefined;
  /** Somebody offered it while it was asked for, and may have replied before. */
  isOffered: boolean;
  /**
   * The first round since others were last told that it is free for them; what is released for an
   * earlier one came too late.
   */
  firstRoundId: number | undefined;
  /** Since when it is known that a living node has it; for the failback delay. */
  heldSinceMs: number | undefined;
  /** Members that were asked, and did not reply, whether they have it, too. */
  unheard: readonly string[];
  /** When a claim was last looked into. */
  conflictAtMs: number;
  defendedAtMs: number;
};

export class Handover {
  readonly #self: string;
  readonly #wants = new Map<Address, Want>();
  readonly #entries = new Map<Address, Entry>();
  readonly #rounds = new Rounds();
  /** When to ask again for what is waited for, and to leave what is answered for. */
  readonly #due = new DueQueue<Address>();
  /** What was released lately, so that who did not hear of it can be told again. */
  readonly #released = new Map<Address, { readonly to: string; readonly round: number }>();
  #releasedAtMs = Number.NEGATIVE_INFINITY;
  /** Whether others can ask this node at all: not where members are unknown. */
  #canBeAsked = false;
  /** Addresses whose state is another since somebody asked. */
  readonly #changed = new Set<Address>();
  #fence: string | undefined = "starting";
  #draining = false;
  #effects: Effect[] = [];
  readonly #offers: Address[] = [];

  constructor(self: string) {
    this.#self = self;
  }

  /** Changes what the election wants of this node; undefined: nothing any more. */
  want(changes: ReadonlyMap<Address, Want | undefined>, nowMs: number): void {
    // A node that goes is no candidate, yet what is here is here until somebody takes it.
    if (this.#draining) return;
    for (const [address, want] of changes) {
      const entry = this.#entries.get(address);
      if (want === undefined) {
        this.#wants.delete(address);
        if (entry !== undefined) this.#drop(address, entry, "withdrawn");
        continue;
      }
      this.#wants.set(address, want);
      if (entry === undefined) this.#begin(address, want, nowMs);
      else this.#change(address, entry, want, nowMs);
    }
    this.#endTurn(nowMs);
  }

  /** Replaces the other living members. Never called: nobody can ask, nor be asked. */
  members(alive: ReadonlySet<string>, nowMs: number): void {
    this.#canBeAsked = true;
    const { joined, lost } = this.#rounds.setMembers(alive, nowMs);
    for (const [address, entry] of this.#entries) {
      const { state, round } = entry;
      if (round !== undefined) continue;
      if (state.kind === "answering") {
        // One that comes from the other side of a cut may answer, too.
        if (joined.length > 0) this.#enter("assert", address, entry, joined, nowMs);
      } else if (state.kind === "waiting" && lost.length > 0 && !alive.has(state.for)) {
        this.#ask(address, entry, nowMs);
      }
    }
    this.#endTurn(nowMs);
  }

  /** Why this node may not answer for anything now; undefined: it may. */
  fence(why: string | undefined, nowMs: number): void {
    const was = this.#fence;
    this.#fence = why;
    if (why !== undefined && was === undefined) {
      for (const [address, entry] of this.#entries) this.#drop(address, entry, "fenced");
    } else if (why === undefined && was !== undefined) {
      for (const [address, want] of this.#wants) this.#begin(address, want, nowMs);
    }
    this.#endTurn(nowMs);
  }

  /** This node goes: gives every address to whoever asks, and takes none. */
  drain(): void {
    this.#draining = true;
    for (const [address, entry] of this.#entries) {
      if (entry.state.kind !== "answering") this.#drop(address, entry, "withdrawn");
    }
    this.#sendOffers();
  }

  /** Whether no address is left that another node could take over. */
  get isDrained(): boolean {
    if (!this.#canBeAsked) return true;
    for (const { want } of this.#entries.values()) if (want.hasOthers) return false;
    return true;
  }

  receive(from: string, message: HandoverMessage, nowMs: number): void {
    this.#rounds.hear(from, nowMs);
    if (nowMs > this.#releasedAtMs + REMEMBER_MS) this.#released.clear();
    switch (message.kind) {
      case "ask": {
        const { round, manner } = message;
        const standings = new Map<Address, Standing>();
        for (const address of message.addresses) {
          standings.set(address, this.#asked(address, from, round, manner, nowMs));
        }
        this.#send(from, { kind: "reply", round, standings });
        break;
      }
      case "reply":
        this.#replied(from, message.round, message.standings, nowMs);
        break;
      case "offer":
        for (const address of message.addresses) {
          const entry = this.#entries.get(address);
          if (entry === undefined || entry.state.kind === "answering") continue;
          if (entry.round === undefined) this.#ask(address, entry, nowMs);
          else entry.isOffered = true;
        }
        break;
    }
    this.#endTurn(nowMs);
  }

  /** Somebody else said on the wire that the address is his. */
  claim(address: Address, mac: Mac, nowMs: number): void {
    const entry = this.#entries.get(address);
    if (entry === undefined) return;
    const { state, round } = entry;
    if (round?.phase === "probing") {
      // Not the end yet: it may be the node that is just releasing it.
      entry.claimedBy ??= mac;
      return;
    }
    if (state.kind !== "answering" || round !== undefined) return;
    const isSettled = nowMs >= state.sinceMs + SETTLE_MS;
    if (!isSettled || nowMs < entry.conflictAtMs + CONFLICT_PAUSE_MS) return;
    entry.conflictAtMs = nowMs;
    this.#tell({ kind: "conflict", address, mac, role: "answering" });
    // If it is one of us, it stops, or says that it comes first.
    this.#enter("defend", address, entry, undefined, nowMs);
    this.#endTurn(nowMs);
  }

  /** Does a piece of what is due, so that other work can go on; `nextAtMs` tells if more is. */
  tick(nowMs: number): void {
    const round = this.#rounds.due(nowMs);
    if (round !== undefined) {
      if (nowMs >= round.endAtMs || isComplete(round)) this.#endPhase(round, nowMs);
      else this.#say(round, nowMs);
    }
    for (let left = ADDRESSES_AT_ONCE; left > 0; left--) {
      const address = this.#due.take(nowMs);
      if (address === undefined) break;
      const entry = this.#entries.get(address);
      if (entry?.state.kind === "answering") this.#lookAgain(address, entry, nowMs);
      else if (entry !== undefined) this.#askAgain(address, entry, nowMs);
    }
    this.#endTurn(nowMs);
  }

  /** When `tick` has something to do; undefined: not before another event. */
  get nextAtMs(): number | undefined {
    const next = Math.min(this.#due.firstAtMs() ?? Number.POSITIVE_INFINITY, this.#rounds.nextAtMs);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  /** The addresses whose state is another since the last call; undefined: none any more. */
  takeChanges(): ReadonlyMap<Address, AddressState | undefined> {
    const changes = new Map<Address, AddressState | undefined>();
    for (const address of this.#changed) changes.set(address, this.#entries.get(address)?.state);
    this.#changed.clear();
    return changes;
  }

  /** What is to be done since the last call, in order. */
  takeEffects(): readonly Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** Asks for an address that is new here, where that is due. */
  #begin(address: Address, want: Want, nowMs: number): void {
    if (want.role !== "elected" || this.#fence !== undefined || this.#draining) return;
    const entry: Entry = {
      want,
      state: { kind: "asking", sinceMs: nowMs },
      round: undefined,
      askedAtMs: nowMs,
      claimedBy: undefined,
      isOffered: false,
      firstRoundId: undefined,
      heldSinceMs: undefined,
      unheard: [],
      conflictAtMs: Number.NEGATIVE_INFINITY,
      defendedAtMs: Number.NEGATIVE_INFINITY,
    };
    this.#entries.set(address, entry);
    this.#changed.add(address);
    this.#ask(address, entry, nowMs);
  }

  #change(address: Address, entry: Entry, want: Want, nowMs: number): void {
    const before = entry.want;
    // What leaves stays where it is.
    entry.want = want.role === "leaving" ? { ...want, interfaces: before.interfaces } : want;
    const isAnswering = entry.state.kind === "answering";
    if (want.role !== "elected" && !(isAnswering && this.#canBeAsked)) {
      this.#drop(address, entry, "withdrawn");
    } else if (isAnswering) {
      this.#changeAnswered(address, entry, before, nowMs);
    } else if (entry.round === undefined && want.failbackDelayMs !== before.failbackDelayMs) {
      this.#due.set(address, nowMs);
    }
  }

  #changeAnswered(address: Address, { want }: Entry, before: Want, nowMs: number): void {
    if (before.role === "leaving" && want.role !== "leaving") this.#due.delete(address);
    if (before.role !== "leaving" && want.role === "leaving") {
      this.#due.set(address, nowMs + LEAVING_MS);
      this.#offers.push(address);
    }
    const { interfaces } = want;
    if (interfaces.join() === before.interfaces.join()) return;
    this.#effects.push({ kind: "answer", address, interfaces });
  }

  #ask(address: Address, entry: Entry, nowMs: number): void {
    entry.askedAtMs = nowMs;
    this.#enter("take", address, entry, undefined, nowMs);
  }

  /** Asks the node that has it, or where a stranger has, all. */
  #askAgain(address: Address, entry: Entry, nowMs: number): void {
    const { state } = entry;
    if (state.kind !== "waiting" || !this.#rounds.members.has(state.for)) {
      this.#ask(address, entry, nowMs);
      return;
    }
    entry.askedAtMs = nowMs;
    this.#enter("recheck", address, entry, [state.for], nowMs);
  }

  #enter(
    kind: RoundKind,
    address: Address,
    entry: Entry,
    to: readonly string[] | undefined,
    nowMs: number,
  ): void {
    const round = this.#rounds.enter(kind, this.#mannerOf(entry, nowMs), address, to, nowMs);
    entry.round = round;
    entry.firstRoundId ??= round.id;
    entry.claimedBy = undefined;
    entry.isOffered = false;
    if (entry.state.kind !== "answering") this.#due.delete(address);
  }

  #mannerOf(entry: Entry, nowMs: number): Manner {
    if (entry.state.kind === "answering") return this.#comesFirst(entry) ? "keep" : "hold";
    const { failbackDelayMs } = entry.want;
    const heldMs = nowMs - (entry.heldSinceMs ?? nowMs);
    return failbackDelayMs !== undefined && heldMs >= failbackDelayMs ? "take" : "polite";
  }

  #comesFirst({ want }: Entry): boolean {
    return want.role === "elected" && !this.#draining;
  }

  /** Asks those who have not replied, and the wire where it is its turn. */
  #say(round: Round, nowMs: number): void {
    const { id, manner, phase } = round;
    const addresses = [...round.addresses];
    for (const to of round.silent) {
      this.#send(to, { kind: "ask", round: id, manner, addresses });
    }
    for (const address of phase === "probing" ? addresses : []) {
      const interfaces = this.#entries.get(address)?.want.interfaces ?? [];
      this.#effects.push({ kind: "probe", address, interfaces });
    }
    this.#rounds.said(round, nowMs);
  }

  /** Everybody has replied, or had the time to. */
  #endPhase(round: Round, nowMs: number): void {
    if (round.kind === "take" && round.phase === "asking") {
      this.#rounds.probe(round, nowMs);
      this.#say(round, nowMs);
      for (const address of round.addresses) {
        const entry = this.#entries.get(address);
        if (entry?.state.kind !== "asking") continue;
        this.#setState(address, entry, { kind: "probing", sinceMs: nowMs });
      }
      return;
    }
    const unheard = [...round.waitedFor];
    for (const address of round.addresses) {
      const entry = this.#entries.get(address);
      if (entry === undefined) continue;
      this.#close(address, entry);
      if (round.kind === "take") this.#endProbing(address, entry, nowMs);
      else if (round.kind === "recheck") this.#ask(address, entry, nowMs);
      else if (round.kind === "defend") this.#defend(address, entry, nowMs);
      if (entry.state.kind === "answering") this.#miss(address, entry, unheard, nowMs);
    }
  }

  #defend(address: Address, entry: Entry, nowMs: number): void {
    if (nowMs < entry.defendedAtMs + DEFEND_INTERVAL_MS) return;
    entry.defendedAtMs = nowMs;
    this.#effects.push({ kind: "defend", address });
  }

  /** Remembers who did not say that it does not answer: it is asked again while it is a member. */
  #miss(address: Address, entry: Entry, unheard: readonly string[], nowMs: number): void {
    if (unheard.length === 0 || entry.want.role === "leaving") return;
    entry.unheard = [...new Set([...entry.unheard, ...unheard])];
    this.#due.set(address, nowMs + RETRY_MS);
  }

  /** Leaves what is answered for, or asks those who were not heard. */
  #lookAgain(address: Address, entry: Entry, nowMs: number): void {
    if (entry.want.role === "leaving") {
      this.#drop(address, entry, "withdrawn");
      return;
    }
    entry.unheard = entry.unheard.filter((name) => this.#rounds.members.has(name));
    if (entry.unheard.length === 0) return;
    if (entry.round !== undefined) this.#due.set(address, nowMs + RETRY_MS);
    else this.#enter("assert", address, entry, entry.unheard, nowMs);
  }

  #endProbing(address: Address, entry: Entry, nowMs: number): void {
    const { claimedBy: mac, state } = entry;
    if (mac === undefined) {
      this.#answer(address, entry, undefined, nowMs);
      return;
    }
    if (state.kind !== "waiting" || state.for !== mac) {
      this.#tell({ kind: "conflict", address, mac, role: "waiting" });
    }
    this.#wait(address, entry, mac, nowMs);
  }

  #answer(address: Address, entry: Entry, from: string | undefined, nowMs: number): void {
    this.#close(address, entry);
    this.#due.delete(address);
    this.#setState(address, entry, { kind: "answering", sinceMs: nowMs, from });
    entry.heldSinceMs = undefined;
    entry.unheard = [];
    this.#effects.push({ kind: "answer", address, interfaces: entry.want.interfaces });
    this.#tell({ kind: "gained", address, from, durationMs: nowMs - entry.askedAtMs });
  }

  #replied(
    from: string,
    roundId: number,
    standings: ReadonlyMap<Address, Standing>,
    nowMs: number,
  ): void {
    const unused: Address[] = [];
    for (const [address, standing] of standings) {
      const entry = this.#entries.get(address);
      if (entry !== undefined) this.#settle(address, entry, from, roundId, standing, nowMs);
      else if (standing === "released") unused.push(address);
    }
    if (unused.length > 0) this.#send(from, { kind: "offer", addresses: unused });
    this.#rounds.replied(roundId, from, nowMs);
  }

  /** One node's word about one address. */
  #settle(
    address: Address,
    entry: Entry,
    from: string,
    roundId: number,
    standing: Standing,
    nowMs: number,
  ): void {
    const isAnswering = entry.state.kind === "answering";
    const isOpen = entry.round?.id === roundId;
    entry.unheard = entry.unheard.filter((name) => name !== from);
    switch (standing) {
      case "free":
        return;
      case "released":
        if (isAnswering) return;
        if (entry.firstRoundId !== undefined && roundId >= entry.firstRoundId) {
          this.#answer(address, entry, from, nowMs);
        } else if (entry.round === undefined) {
          this.#ask(address, entry, nowMs);
        }
        return;
      case "wanted":
        if (isOpen && !isAnswering) this.#wait(address, entry, from, nowMs);
        return;
      case "held":
        if (isOpen && isAnswering) {
          this.#effects.push({ kind: "silence", address });
          this.#tell({ kind: "lost", address, why: "conflict", to: from });
          this.#waitOrRemove(address, entry, from, nowMs);
        } else if (isOpen) {
          this.#wait(address, entry, from, nowMs);
        } else if (isAnswering && entry.round === undefined) {
          // It did not reply in time.
          this.#enter("assert", address, entry, [from], nowMs);
        }
        return;
    }
  }

  /** Another node asks for it: where do we stand, after giving it up where that is due? */
  #asked(address: Address, from: string, round: number, manner: Manner, nowMs: number): Standing {
    const entry = this.#entries.get(address);
    if (entry?.state.kind === "answering") {
      if (!this.#yields(address, entry, from, manner)) return "held";
      this.#released.set(address, { to: from, round });
      this.#releasedAtMs = nowMs;
      this.#effects.push({ kind: "silence", address });
      this.#tell({ kind: "lost", address, why: "handedOver", to: from });
      this.#waitOrRemove(address, entry, from, nowMs);
      return "released";
    }
    if (entry?.round !== undefined) {
      // Who has it is asked by us, too.
      if (manner === "keep" || manner === "hold") return "free";
      if (!this.#isAfter(from, address)) return "wanted";
      this.#wait(address, entry, from, nowMs);
    }
    if (entry !== undefined) entry.firstRoundId = undefined;
    // Our first reply may have been lost.
    const released = this.#released.get(address);
    return released?.to === from && released.round === round ? "released" : "free";
  }

  /** Whether this node stops answering for the address when it is asked so. */
  #yields(address: Address, { want, state }: Entry, from: string, manner: Manner): boolean {
    if (this.#draining || want.role === "leaving") return true;
    const isStandby = want.role === "standby";
    // Of a node that gave the address to this one, that is old.
    const hadIt = state.kind === "answering" && state.from === from;
    switch (manner) {
      case "take":
        // One that is no member may just not know yet that it counts as dead.
        return isStandby || (this.#rounds.members.has(from) && this.#isAfter(from, address));
      case "keep":
        return !hadIt && (isStandby || this.#isAfter(from, address));
      case "hold":
        return !hadIt && isStandby && this.#isAfter(from, address);
      case "polite":
        return false;
    }
  }

  /**
   * Whether another node comes before this one where both believe to be elected: their views
   * differ, and this order needs none.
   */
  #isAfter(other: string, address: Address): boolean {
    return rank(other, address) < rank(this.#self, address);
  }

  /** After it stopped answering. */
  #waitOrRemove(address: Address, entry: Entry, who: string, nowMs: number): void {
    entry.firstRoundId = undefined;
    if (this.#comesFirst(entry)) this.#wait(address, entry, who, nowMs);
    else this.#remove(address, entry);
  }

  /** Somebody has it: asks again later. */
  #wait(address: Address, entry: Entry, who: string, nowMs: number): void {
    this.#close(address, entry);
    const { state, want } = entry;
    if (state.kind !== "waiting" || state.for !== who) {
      this.#setState(address, entry, { kind: "waiting", sinceMs: nowMs, for: who });
    }
    entry.heldSinceMs ??= nowMs;
    const failbackAtMs = entry.heldSinceMs + (want.failbackDelayMs ?? Number.POSITIVE_INFINITY);
    const retryAtMs = entry.isOffered ? nowMs : nowMs + RETRY_MS;
    this.#due.set(address, failbackAtMs > nowMs ? Math.min(failbackAtMs, retryAtMs) : retryAtMs);
  }

  #drop(address: Address, entry: Entry, why: LossReason): void {
    const isAnswering = entry.state.kind === "answering";
    if (isAnswering) {
      this.#effects.push({ kind: "silence", address });
      this.#tell({ kind: "lost", address, why, to: undefined });
    }
    // Somebody may have been told that it is held, or wanted.
    if (isAnswering || entry.round !== undefined) this.#offers.push(address);
    this.#remove(address, entry);
  }

  #remove(address: Address, entry: Entry): void {
    this.#close(address, entry);
    this.#entries.delete(address);
    this.#changed.add(address);
    this.#due.delete(address);
  }

  /** Ends the question about the address. */
  #close(address: Address, entry: Entry): void {
    const { round } = entry;
    if (round === undefined) return;
    entry.round = undefined;
    this.#rounds.leave(round, address);
    if (round.phase === "probing") this.#effects.push({ kind: "unwatch", address });
  }

  #setState(address: Address, entry: Entry, state: AddressState): void {
    entry.state = state;
    this.#changed.add(address);
  }

  /** Sends what this turn has gathered. */
  #endTurn(nowMs: number): void {
    for (const round of this.#rounds.takeOpened()) {
      if (!isComplete(round)) this.#say(round, nowMs);
    }
    this.#sendOffers();
  }

  #sendOffers(): void {
    for (const addresses of parts(this.#offers)) {
      for (const to of this.#rounds.members) this.#send(to, { kind: "offer", addresses });
    }
    this.#offers.length = 0;
  }

  #send(to: string, message: HandoverMessage): void {
    this.#effects.push({ kind: "send", to, message });
  }

  #tell(event: HandoverEvent): void {
    this.#effects.push({ kind: "tell", event });
  }
}

function rank(node: string, address: Address): string {
  return hash("sha256", `${node}#${address}`, "hex");
}

function* parts(addresses: readonly Address[]): Generator<readonly Address[]> {
  for (let start = 0; start < addresses.length; start += MOST_ADDRESSES) {
    yield addresses.slice(start, start + MOST_ADDRESSES);
  }
}
