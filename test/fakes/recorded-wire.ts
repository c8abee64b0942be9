// A double of startWire() that takes everything and records it: no thread, no socket. Every address
// this node is elected for is answered for at once, unless the test says otherwise.

import type { HandoverEvent, Want } from "../../src/l2/handover.ts";
import type { Member, MembershipSnapshot, Peer } from "../../src/members/view.ts";
import type { Address } from "../../src/net/address.ts";
import type { Wire, WireHooks, WireStatus } from "../../src/speaker/wire.ts";

export class RecordedWire {
  readonly wants = new Map<Address, Want>();
  /** Every change so far, oldest first. */
  readonly changes: ReadonlyMap<Address, Want | undefined>[] = [];
  peers: readonly Peer[] = [];
  drains = 0;
  /** False: what is wanted stays "asking" until the test says more. */
  isQuick = true;
  #hooks: WireHooks | undefined;
  #status: WireStatus = wireStatus();

  /** What startWire() is to the speaker. */
  readonly start = (hooks: WireHooks): Wire => {
    this.#hooks = hooks;
    return {
      change: (changes) => this.#change(changes),
      setPeers: (peers) => {
        this.peers = peers;
      },
      status: () => this.#status,
      drain: async () => {
        this.drains += 1;
      },
      close: () => Promise.resolve(),
    };
  };

  /** Addresses wanted in a role, sorted. */
  in(role: Want["role"]): readonly string[] {
    return [...this.wants]
      .filter(([, want]) => want.role === role)
      .map(([address]) => address)
      .sort();
  }

  /** Says that things stand otherwise. */
  tell(change: Partial<WireStatus>): void {
    this.#status = { ...this.#status, ...change };
    if (change.addresses !== undefined) this.#hooks?.onAddresses(change.addresses.keys());
    if (change.members !== undefined) this.#hooks?.onMembers();
    this.#hooks?.onStatus();
  }

  event(event: HandoverEvent): void {
    this.#hooks?.onEvent(event);
  }

  askApi(): Promise<void> {
    return this.#hooks?.askApi() ?? Promise.reject(new Error("Cannot ask: not started"));
  }

  #change(changes: ReadonlyMap<Address, Want | undefined>): void {
    this.changes.push(changes);
    const addresses = new Map(this.#status.addresses);
    for (const [address, want] of changes) {
      if (want === undefined) this.wants.delete(address);
      else this.wants.set(address, want);
      if (want?.role !== "elected") addresses.delete(address);
      else if (this.isQuick)
        addresses.set(address, { kind: "answering", sinceMs: 0, from: undefined });
      else addresses.set(address, { kind: "asking", sinceMs: 0 });
    }
    this.#status = { ...this.#status, addresses };
    this.#hooks?.onAddresses(changes.keys());
  }
}

/** A wire that works, with one interface and nothing to do. */
export function wireStatus(changes: Partial<WireStatus> = {}): WireStatus {
  const eth0 = {
    index: 2,
    name: "eth0",
    mac: "02:00:00:00:00:01",
    linkLocal: undefined,
    isRunning: true,
    arp: true,
    ndp: false,
    whyNot: undefined,
  } as WireStatus["interfaces"][number];
  return {
    addresses: new Map(),
    members: undefined,
    interfaces: [eth0],
    fence: undefined,
    problem: undefined,
    counters: undefined,
    epochMs: 0,
    lastTakeover: undefined,
    events: { gained: 0, lost: 0, conflict: 0 },
    ...changes,
  };
}

/** These nodes are alive, as the members see it. */
export function livingMembers(...names: readonly string[]): MembershipSnapshot {
  const members = names.map(
    (name): Member => ({
      name,
      state: "alive",
      sinceMs: 0,
      why: "answers",
      incarnation: 1,
      rttMs: undefined,
      isWatchedByMe: true,
    }),
  );
  return {
    alive: [...names].sort(),
    members,
    contact: { kind: "watched", quorumHeardAtMs: 0, watchers: names.length },
    isDeclaredDead: false,
    isAuthenticated: true,
  };
}
