// What keeps Layer 2 from working on this node, or makes it work wrongly, in words. Pure.

import { type ArpIgnore, strictArpProblem } from "../l2/strict-arp.ts";
import type { WireStatus } from "./wire.ts";

/** All of it; empty: Layer 2 works. */
export function l2Problems(wire: WireStatus, arpIgnore: ArpIgnore | undefined): readonly string[] {
  return [wire.problem, strictArpProblem(arpIgnore)].filter((problem) => problem !== undefined);
}

/** Interfaces on which the node answers ARP. */
export function arpInterfaces({ interfaces }: WireStatus): readonly string[] {
  return interfaces.filter(({ arp }) => arp).map(({ name }) => name);
}
