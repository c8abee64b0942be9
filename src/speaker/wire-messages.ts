// What the speaker and its wire thread say to each other. Values only: they are copied on the way.

import type { AddressState, HandoverEvent, Want } from "../l2/handover.ts";
import type { L2Interface } from "../l2/interfaces.ts";
import type { ResponderCounters } from "../l2/responder.ts";
import type { MembershipSnapshot, Peer, Timings } from "../members/view.ts";
import type { Address } from "../net/address.ts";

/** What the thread starts with. */
export type WireSettings = {
  readonly nodeName: string;
  /** What names of interfaces match that never answer. */
  readonly excludedInterfaces: readonly RegExp[];
  /** Pause between unasked announcements of an address that stays; 0: none. */
  readonly refreshIntervalMs: number;
  /** How the living speakers find out about each other; undefined: they do not. */
  readonly membership: MembershipSettings | undefined;
  /** What a node does that reaches neither its watchers nor the API server. */
  readonly isolated: Isolated;
};

export type Isolated = "silent" | "answer";

export type MembershipSettings = {
  /** One per family. */
  readonly bindAddresses: readonly Address[];
  readonly port: number;
  /** Text of the Secret; undefined: datagrams are not authenticated. */
  readonly secret: string | undefined;
  readonly timings: Timings;
};

export type ToWire =
  /** Undefined: the address is not wanted any more. */
  | { readonly kind: "wants"; readonly changes: ReadonlyMap<Address, Want | undefined> }
  | { readonly kind: "peers"; readonly peers: readonly Peer[] }
  /** The API server answered a moment ago. */
  | { readonly kind: "apiAnswered" }
  /** This node goes: hand everything over. */
  | { readonly kind: "drain" }
  | { readonly kind: "end" };

export type FromWire =
  /** `wakeFd`: see Poller. `epochMs`: the zero of the thread's clock, in milliseconds since 1970. */
  | { readonly kind: "started"; readonly wakeFd: number; readonly epochMs: number }
  | { readonly kind: "addresses"; readonly changes: ReadonlyMap<Address, AddressState | undefined> }
  | { readonly kind: "members"; readonly snapshot: MembershipSnapshot }
  | { readonly kind: "interfaces"; readonly interfaces: readonly L2Interface[] }
  /** Why this node answers for nothing now; undefined: it does. */
  | { readonly kind: "fence"; readonly why: string | undefined }
  /** Why the wire cannot be used; undefined: it can. */
  | { readonly kind: "problem"; readonly problem: string | undefined }
  | { readonly kind: "event"; readonly event: HandoverEvent }
  /** Of the addresses only those that have other counts than before. */
  | { readonly kind: "counters"; readonly counters: WireCounters }
  /** The watchers are not heard: does the API server answer? */
  | { readonly kind: "askApi" }
  | { readonly kind: "drained" };

export type WireCounters = {
  readonly responder: ResponderCounters;
  /** Datagrams of members by what became of them. */
  readonly datagrams: Readonly<Record<string, number>>;
};
