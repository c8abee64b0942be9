// What the speaker tells people about Layer 2 besides its Services: members, addresses, interfaces,
// the last take-over. Part of the JSON behind `/state`. Pure.

import type { AddressState } from "../l2/handover.ts";
import { compareAddresses } from "../net/address.ts";
import type { Takeover, WireStatus } from "./wire.ts";

export type WireState = {
  /** What keeps Layer 2 from working as it should on this node; empty: nothing. */
  readonly problems: readonly string[];
  /** Why this node answers for nothing now; null: it may. */
  readonly fence: string | null;
  readonly addresses: readonly WireAddressState[];
  /** Null: membership is off, every Node counts as alive. */
  readonly members: readonly WireMemberState[] | null;
  readonly interfaces: readonly WireInterfaceState[];
  /** The last address this node took over; null: none since the speaker started. */
  readonly lastTakeover: Takeover | null;
};

export type WireAddressState = {
  readonly address: string;
  readonly state: AddressState["kind"];
  /** RFC 3339. */
  readonly since: string;
  /** From whom it was taken, or who has it; null: nobody said. */
  readonly other: string | null;
};

export type WireMemberState = {
  readonly name: string;
  readonly state: string;
  readonly since: string;
  readonly why: string;
  /** Of its last answer to this node; null: this node does not watch it. */
  readonly rttMs: number | null;
};

export type WireInterfaceState = {
  readonly name: string;
  readonly mac: string;
  readonly arp: boolean;
  readonly ndp: boolean;
  /** Why it does not answer; null: it does. */
  readonly whyNot: string | null;
};

export function wireState(wire: WireStatus, problems: readonly string[]): WireState {
  const time = (threadMs: number) => new Date(wire.epochMs + threadMs).toISOString();
  return {
    problems,
    fence: wire.fence ?? null,
    addresses: [...wire.addresses]
      .sort(([a], [b]) => compareAddresses(a, b))
      .map(([address, state]) => ({
        address,
        state: state.kind,
        since: time(state.sinceMs),
        other: otherOf(state) ?? null,
      })),
    members:
      wire.members?.members.map(({ name, state, sinceMs, why, rttMs }) => ({
        name,
        state,
        since: time(sinceMs),
        why,
        rttMs: rttMs ?? null,
      })) ?? null,
    interfaces: wire.interfaces.map(({ name, mac, arp, ndp, whyNot }) => ({
      name,
      mac,
      arp,
      ndp,
      whyNot: whyNot ?? null,
    })),
    lastTakeover: wire.lastTakeover ?? null,
  };
}

function otherOf(state: AddressState): string | undefined {
  switch (state.kind) {
    case "answering":
      return state.from;
    case "waiting":
      return state.for;
    case "asking":
    case "probing":
      return undefined;
  }
}
