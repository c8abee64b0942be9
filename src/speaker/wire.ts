// The speaker's side of the wire thread: starts it, tells it what is wanted, keeps what it says.
// What goes wrong in the thread stops Layer 2 with a problem that people see, and nothing else.

import { writeSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import type { AddressCounters } from "../l2/counters.ts";
import type { AddressState, HandoverEvent, Want } from "../l2/handover.ts";
import type { L2Interface } from "../l2/interfaces.ts";
import type { MembershipSnapshot, Peer } from "../members/view.ts";
import type { Address } from "../net/address.ts";
import type { FromWire, ToWire, WireCounters, WireSettings } from "./wire-messages.ts";

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

const WAKE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Between two messages the thread answers what has come meanwhile. */
const WANTS_AT_ONCE = 20;

/** Enough for a hundred thousand addresses; a thread of ours that needs more has gone wrong. */
const HEAP_MIB = 96;

export function startWire(settings: WireSettings, hooks: WireHooks): Wire {
  const { port1: port, port2 } = new MessageChannel();
  const addresses = new Map<Address, AddressState>();
  let wakeFd: number | undefined;
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
  const drained = Promise.withResolvers<void>();
  const ended = Promise.withResolvers<void>();

  const thread = new Worker(threadPath(), {
    workerData: { settings, port: port2 },
    transferList: [port2],
    name: "wire",
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 4 },
  });
  thread.unref();
  thread.once("error", (error) => end(`Layer 2 has stopped: ${error.message}`));
  thread.once("exit", () => end("Layer 2 has stopped"));
  port.on("message", (message: FromWire) => hear(message));
  port.unref();

  function hear(message: FromWire): void {
    switch (message.kind) {
      case "started":
        ({ wakeFd, epochMs } = message);
        wake();
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
      send({ kind: "apiAnswered" });
    } catch {
      // No answer is the answer: the thread draws its conclusion from silence.
    } finally {
      isAsking = false;
    }
  }

  function send(message: ToWire): void {
    // Its number may be another descriptor's once the thread has closed it.
    if (isClosing) return;
    port.postMessage(message);
    wake();
  }

  function wake(): void {
    if (wakeFd !== undefined) writeSync(wakeFd, WAKE);
  }

  function end(why: string): void {
    wakeFd = undefined;
    drained.resolve();
    ended.resolve();
    if (isClosing) return;
    problem ??= why;
    const gone = [...addresses.keys()];
    addresses.clear();
    hooks.onAddresses(gone);
    hooks.onStatus();
  }

  return {
    change: (changes) => {
      const all = [...changes];
      for (let start = 0; start < all.length; start += WANTS_AT_ONCE) {
        send({ kind: "wants", changes: new Map(all.slice(start, start + WANTS_AT_ONCE)) });
      }
    },
    setPeers: (peers) => send({ kind: "peers", peers }),
    status: () => ({
      ...{ addresses, members, interfaces, fence, problem },
      ...{ counters, epochMs, lastTakeover, events },
    }),
    async drain(timeoutMs) {
      send({ kind: "drain" });
      const time = setTimeout(drained.resolve, timeoutMs);
      await drained.promise;
      clearTimeout(time);
    },
    async close() {
      send({ kind: "end" });
      isClosing = true;
      // Else the process ends, with an error, before the thread has.
      thread.ref();
      await ended.promise;
      port.close();
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

/** The bundle beside this one, or the source beside this source. */
function threadPath(): URL {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./wire-thread${extension}`, import.meta.url);
}
