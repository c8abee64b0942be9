// What BGP advertisements may not do together or with a pool: contradict each other's local
// preference, or announce more addresses than the pool has. Pure predicates, which the speaker
// asks again for single Services.

import type { Family } from "../net/address.ts";
import { prefixLength } from "../net/prefix.ts";
import { type AddressRange, formatRange, rangePrefixes } from "../net/range.ts";
import type { BgpAdvertisement } from "./advertisement.ts";
import { type Pool, poolFamilies } from "./pool.ts";

/**
 * Tells whether two advertisements, both made by one node and both announcing the pool, give one
 * prefix two local preferences to one peer: the preferences differ, some peer hears both, and the
 * aggregation lengths are equal in a family the pool has (in a pool of both families MetalLB
 * wants both lengths to differ).
 *
 * Says nothing about service selectors: with any of those the answer holds only for a Service
 * that both select.
 */
export function conflictingLocalPreferences(
  a: BgpAdvertisement,
  b: BgpAdvertisement,
  pool: Pool,
): boolean {
  return preferencesMeet(a, b) && lengthsMeet(a, b, poolFamilies(pool));
}

/** The part of the rule that does not depend on the pool. */
export function preferencesMeet(a: BgpAdvertisement, b: BgpAdvertisement): boolean {
  return a.localPreference !== b.localPreference && peersMeet(a.peers, b.peers);
}

/** The part of the rule that depends on the families of the pool. */
export function lengthsMeet(
  a: BgpAdvertisement,
  b: BgpAdvertisement,
  families: ReadonlySet<Family>,
): boolean {
  for (const family of families) {
    if (aggregationLengthOf(a, family) === aggregationLengthOf(b, family)) return true;
  }
  return false;
}

function peersMeet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === 0 || b.length === 0 || a.some((name) => b.includes(name));
}

/** The length of the prefixes an advertisement announces in a family. */
export function aggregationLengthOf(advertisement: BgpAdvertisement, family: Family): number {
  return family === "ipv4" ? advertisement.aggregationLength : advertisement.aggregationLengthV6;
}

/** An entry of a pool, and the length of the shortest prefix in it. */
export type ShortestPrefix = { readonly range: AddressRange; readonly length: number };

/** The entry of the pool that allows the least aggregation, per family it has. */
export function narrowestEntries(pool: Pool): ReadonlyMap<Family, ShortestPrefix> {
  const narrowest = new Map<Family, ShortestPrefix>();
  for (const range of pool.ranges) {
    const length = Math.min(...rangePrefixes(range).map(prefixLength));
    const other = narrowest.get(range.family);
    if (other === undefined || length > other.length)
      narrowest.set(range.family, { range, length });
  }
  return narrowest;
}

/** What stands against an aggregation length shorter than a pool's entry; undefined: it fits. */
export function aggregationComplaint(
  advertisement: BgpAdvertisement,
  pool: Pool,
  narrowest: ReadonlyMap<Family, ShortestPrefix>,
): { readonly family: Family; readonly message: string } | undefined {
  for (const [family, { range, length }] of narrowest) {
    const aggregation = aggregationLengthOf(advertisement, family);
    if (aggregation >= length) continue;
    const message = `Cannot announce IPAddressPool "${pool.name}" by BGPAdvertisement "${advertisement.name}": invalid aggregation length ${aggregation}: prefix ${length} in this pool is more specific than the aggregation length for addresses ${formatRange(range)}, want at least ${length}`;
    return { family, message };
  }
  return undefined;
}
