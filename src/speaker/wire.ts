// The speaker's side of the wire thread: starts it, tells it what is wanted, keeps what it says.
// What goes wrong in the thread stops Layer 2 with a problem that people see, and nothing else; it is
// started again.

import type { AddressCounters } from "../l2/counters.ts";
import type { AddressState, HandoverEvent, Want } from "../l2/handover.ts";
import type { L2Interface } from "../l2/interfaces.ts";
import type { MembershipSnapshot, Peer } from "../members/view.ts";
import type { Address } from "../net/address.ts";
import { startThread } from "./thread.ts";
import type { FromWire, WireCounters, WireSettings } from "./wire-messages.ts";

export type WireStatus = {
  /** How each address stands that this node is elected for, or answers for. */
  readonly addresses: ReadonlyMap<Address, AddressState>;
  /** Undefined: membership is off, or nothing is known yet. */
  readonly members: MembershipSnapshot | undefined;
  readonly interfaces: readonly L2Interface[];
  /** Why this node answers for nothing now; undefined: it does. */
  readonly fence: string | undefined;
  /** Why Layer 2 does not work here; undefined: it does. */
  readonly problem: string | undefined;
  readonly counters: WireCounters | undefined;
  /** The zero of the thread's clock, in milliseconds since 1970. */
  readonly epochMs: number;
  readonly lastTakeover: Takeover | undefined;
  /** Since the start of the speaker. */
  readonly events: Readonly<Record<HandoverEvent["kind"], number>>;
};

export type Takeover = {
  /** RFC 3339. */
  readonly at: string;
  readonly address: string;
  /** The node that gave it up; null: nobody had it, or its node was dead. */
  readonly from: string | null;
  /** From the first question to the first answer. */
  readonly durationMs: number;
};

export type WireHooks = {
  /** What the thread has done of its own accord. */
  readonly onEvent: (event: HandoverEvent) => void;
  /** The addresses that stand otherwise now. */
  readonly onAddresses: (addresses: Iterable<Address>) => void;
  /** Who is alive may be otherwise now. */
  readonly onMembers: () => void;
  /** Interfaces, fence or problem are otherwise now. */
  readonly onStatus: () => void;
  /** Asks the API server something small; resolves when it answered, rejects when it does not. */
  readonly askApi: () => Promise<void>;
};

export type Wire = {
  /** Changes what is wanted; undefined: nothing any more. */
  readonly change: (changes: ReadonlyMap<Address, Want | undefined>) => void;
  /** The other speakers, as the API server lists them; this one may be among them. */
  readonly setPeers: (peers: readonly Peer[]) => void;
  readonly status: () => WireStatus;
  /** Hands every address over to others; resolves when that is done or `timeoutMs` is up. */
  readonly drain: (timeoutMs: number) => Promise<void>;
  readonly close: () => Promise<void>;
};

/** Between two messages the thread answers what has come meanwhile. */
const WANTS_AT_ONCE = 20;

/** Before a thread that ended is started again: the members' port may be in use for a moment. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;

export function startWire(settings: WireSettings, hooks: WireHooks): Wire {
  const wants = new Map<Address, Want>();
  let peers: readonly Peer[] | undefined;
  const addresses = new Map<Address, AddressState>();
  let members: MembershipSnapshot | undefined;
  let interfaces: readonly L2Interface[] = [];
  let fence: string | undefined = "starting";
  let problem: string | undefined;
  let counters: WireCounters | undefined;
  const counted = new Map<Address, AddressCounters>();
  let epochMs = 0;
  let lastTakeover: Takeover | undefined;
  const events = { gained: 0, lost: 0, conflict: 0 };
  let isAsking = false;
  let isClosing = false;
  let pauseMs = FIRST_PAUSE_MS;
  const drained = Promise.withResolvers<void>();
  let thread = startThread(settings, { onMessage: hear, onEnd });

  function hear(message: FromWire): void {
    switch (message.kind) {
      case "started":
        ({ epochMs } = message);
        return;
      case "addresses":
        for (const [address, state] of message.changes) {
          if (state === undefined) addresses.delete(address);
          else addresses.set(address, state);
        }
        hooks.onAddresses(message.changes.keys());
        return;
      case "members":
        members = message.snapshot;
        hooks.onMembers();
        return;
      case "interfaces":
        ({ interfaces } = message);
        hooks.onStatus();
        return;
      case "fence":
        fence = message.why;
        hooks.onStatus();
        return;
      case "problem":
        ({ problem } = message);
        if (problem === undefined) pauseMs = FIRST_PAUSE_MS;
        hooks.onStatus();
        return;
      case "event":
        events[message.event.kind] += 1;
        if (message.event.kind === "gained") lastTakeover = takeoverOf(message.event);
        hooks.onEvent(message.event);
        return;
      case "counters":
        for (const [address, counts] of message.counters.responder.addresses) {
          counted.set(address, counts);
        }
        counters = withAddresses(message.counters, counted);
        return;
      case "askApi":
        void askApi();
        return;
      case "drained":
        drained.resolve();
        return;
    }
  }

  async function askApi(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    try {
      await hooks.askApi();
      thread.send({ kind: "apiAnswered" });
    } catch {
      // No answer is the answer: the thread draws its conclusion from silence.
    } finally {
      isAsking = false;
    }
  }

  function onEnd(why: string): void {
    problem = why;
    members = undefined;
    const gone = [...addresses.keys()];
    addresses.clear();
    drained.resolve();
    hooks.onAddresses(gone);
    hooks.onMembers();
    hooks.onStatus();
    setTimeout(restart, pauseMs).unref();
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }

  function restart(): void {
    if (isClosing) return;
    thread = startThread(settings, { onMessage: hear, onEnd });
    if (peers !== undefined) thread.send({ kind: "peers", peers });
    sendWants(wants);
  }

  function sendWants(changes: ReadonlyMap<Address, Want | undefined>): void {
    const all = [...changes];
    for (let start = 0; start < all.length; start += WANTS_AT_ONCE) {
      thread.send({ kind: "wants", changes: new Map(all.slice(start, start + WANTS_AT_ONCE)) });
    }
  }

  return {
    change: (changes) => {
      for (const [address, want] of changes) {
        if (want === undefined) wants.delete(address);
        else wants.set(address, want);
      }
      sendWants(changes);
    },
    setPeers: (next) => {
      peers = next;
      thread.send({ kind: "peers", peers });
    },
    status: () => ({
      ...{ addresses, members, interfaces, fence, problem },
      ...{ counters, epochMs, lastTakeover, events },
    }),
    async drain(timeoutMs) {
      thread.send({ kind: "drain" });
      const time = setTimeout(drained.resolve, timeoutMs);
      await drained.promise;
      clearTimeout(time);
    },
    close() {
      isClosing = true;
      return thread.close();
    },
  };
}

function withAddresses(
  { responder, datagrams }: WireCounters,
  addresses: ReadonlyMap<Address, AddressCounters>,
): WireCounters {
  return { responder: { ...responder, addresses }, datagrams };
}

function takeoverOf(event: Extract<HandoverEvent, { readonly kind: "gained" }>): Takeover {
  const { address, from, durationMs } = event;
  return { at: new Date().toISOString(), address, from: from ?? null, durationMs };
}
