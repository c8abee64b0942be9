// How a Service stands on Layer 2 at this node: what was decided of it and what the wire has made of
// that, in one value for events, status objects, metrics and people. Pure.

import type { Address } from "../net/address.ts";
import type { Decision } from "./announce.ts";
import type { RefusalReason } from "./refusal.ts";
import type { WireStatus } from "./wire.ts";

export type L2State =
  | {
      readonly announced: true;
      /** Names; empty: all. */
      readonly interfaces: readonly string[];
      /** The node that comes first and has not asked for the addresses yet; undefined: this one. */
      readonly preferred: string | undefined;
      /** Why the node that comes first does. */
      readonly why: string;
    }
  | { readonly announced: false; readonly reason: SilenceReason; readonly message: string };

/** Why an elected node does not answer all the same; docs/reference/conditions.md is made from here. */
export const SILENCE_REASONS = {
  takingOver: "Elected, and asking the others and the network whether the address is free.",
  heldByOther: "Elected, but another node still answers.",
  fenced: "Elected, but this node may answer for nothing now: it is cut off, or not a member.",
  wireProblem: "Layer 2 does not work on this node.",
  noInterface: "None of the interfaces the advertisement names exists here.",
} as const satisfies Readonly<Record<string, string>>;

export type SilenceReason = RefusalReason | keyof typeof SILENCE_REASONS;

/** Tells how it stands. */
export function l2State(decision: Decision, wire: WireStatus): L2State {
  const { l2, addresses } = decision;
  if (l2.kind === "refused") return silent(l2.refusal.reason, l2.refusal.message);
  const { interfaces, why } = l2.announcement;
  const answering = addresses.filter((one) => wire.addresses.get(one)?.kind === "answering");
  if (answering.length > 0 && wire.problem === undefined) {
    const missing = missingInterfaces(interfaces, wire);
    if (missing !== undefined) return silent("noInterface", missing);
    const preferred = l2.kind === "standby" ? l2.owner : undefined;
    return { announced: true, interfaces, preferred, why };
  }
  if (l2.kind === "standby") return silent("notOwner", `Node "${l2.owner}" announces it: ${why}`);
  if (wire.problem !== undefined) return silent("wireProblem", wire.problem);
  if (wire.fence !== undefined) return silent("fenced", `Elected, but ${wire.fence}`);
  return elected(addresses, wire);
}

function elected(addresses: readonly Address[], wire: WireStatus): L2State {
  for (const address of addresses) {
    const state = wire.addresses.get(address);
    if (state?.kind !== "waiting") continue;
    return silent("heldByOther", `Elected, but ${state.for} answers for ${address}`);
  }
  return silent("takingOver", "Elected, and asking the others and the network whether it is free");
}

function silent(reason: SilenceReason, message: string): L2State {
  return { announced: false, reason, message };
}

/** In words; undefined: at least one is there, or all will do. */
function missingInterfaces(
  names: readonly string[],
  { interfaces }: WireStatus,
): string | undefined {
  if (names.length === 0) return undefined;
  const known = new Set(interfaces.map(({ name }) => name));
  if (names.some((name) => known.has(name))) return undefined;
  const there = [...known].sort().join(", ") || "those that are known: none";
  return `This node has none of the interfaces ${names.join(", ")}, want one of ${there}`;
}
