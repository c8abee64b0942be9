// Config -> Policy: what decisions need of the configuration, looked up instead of searched. Pure.

import type { BgpAdvertisement } from "../config/advertisement.ts";
import type { Config } from "../config/config.ts";
import type { Pool } from "../config/pool.ts";
import type { ClassEntry } from "../frr/model.ts";
import { type Address, addressNumber, familyOf } from "../net/address.ts";
import type { AddressRange } from "../net/range.ts";

/** A pool and how this node announces it. */
export type PoolPolicy = {
  readonly pool: Pool;
  readonly advertisements: readonly PolicyAdvertisement[];
};

/** A BGP advertisement this node makes. */
export type PolicyAdvertisement = {
  readonly advertisement: BgpAdvertisement;
  readonly entry: ClassEntry;
  /** Equal for equal entries. */
  readonly entryKey: string;
  /** Names of the peers of this node that hear it, sorted; empty: none does. */
  readonly hearers: readonly string[];
};

export type Policy = {
  /** The pool an address is in. */
  readonly poolOf: (address: Address) => PoolPolicy | undefined;
  readonly pools: ReadonlyMap<string, PoolPolicy>;
};

/** Compiles the configuration of one node. */
export function compilePolicy(config: Config): Policy {
  const peerNames = config.peers.map(({ name }) => name).sort();
  const advertisements = config.bgpAdvertisements.map((advertisement) => {
    const entry = entryOf(advertisement);
    const { peers } = entry;
    return {
      advertisement,
      entry,
      entryKey: entryKeyOf(entry),
      hearers: peers.length === 0 ? peerNames : peerNames.filter((name) => peers.includes(name)),
    };
  });
  const pools = new Map<string, PoolPolicy>();
  const ranges: { readonly range: AddressRange; readonly policy: PoolPolicy }[] = [];
  for (const pool of config.pools.values()) {
    const policy = {
      pool,
      advertisements: advertisements.filter(({ advertisement }) =>
        advertisement.pools.has(pool.name),
      ),
    };
    pools.set(pool.name, policy);
    for (const range of pool.ranges) ranges.push({ range, policy });
  }
  // No two ranges overlap, so the last one that starts at or before an address decides.
  ranges.sort((a, b) => compareRanges(a.range, b.range));
  const poolOf = (address: Address) => {
    const family = familyOf(address);
    const value = addressNumber(address);
    let low = 0;
    let high = ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = ranges[middle]?.range;
      if (range !== undefined && startsAfter(range, family, value)) high = middle;
      else low = middle + 1;
    }
    const found = ranges[low - 1];
    if (found === undefined || found.range.family !== family) return undefined;
    return value <= found.range.last ? found.policy : undefined;
  };
  return { poolOf, pools };
}

function compareRanges(a: AddressRange, b: AddressRange): number {
  if (a.family !== b.family) return a.family === "ipv4" ? -1 : 1;
  return a.first < b.first ? -1 : a.first > b.first ? 1 : 0;
}

function startsAfter(range: AddressRange, family: AddressRange["family"], value: bigint): boolean {
  if (range.family !== family) return range.family === "ipv6";
  return range.first > value;
}

function entryOf(advertisement: BgpAdvertisement): ClassEntry {
  const texts = (kind: "standard" | "large") => [
    ...new Set(
      advertisement.communities.filter((value) => value.kind === kind).map(({ text }) => text),
    ),
  ];
  return {
    peers: [...new Set(advertisement.peers)].sort(),
    localPreference: advertisement.localPreference ?? null,
    communities: texts("standard").sort(),
    largeCommunities: texts("large").sort(),
  };
}

function entryKeyOf(entry: ClassEntry): string {
  return JSON.stringify([
    entry.peers,
    entry.localPreference,
    entry.communities,
    entry.largeCommunities,
  ]);
}
