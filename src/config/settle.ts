// Conflicts between objects that are good on their own: whoever has the least standing yields.
// `oneNode` says that all versions given are in force on one node.

import { ADDRESS_BITS, type Family } from "../net/address.ts";
import type { BgpAdvertisement } from "./advertisement.ts";
import {
  aggregationComplaint,
  lengthsMeet,
  narrowestEntries,
  preferencesMeet,
  type ShortestPrefix,
} from "./advertisement-conflict.ts";
import type { BfdProfile } from "./bfd.ts";
import { type CommunityAlias, duplicateAlias } from "./community.ts";
import type { Peer } from "./peer.ts";
import {
  findOverlap,
  overlapMessage,
  type Pool,
  poolFamilies,
  type TakenRanges,
  takeRange,
} from "./pool.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  IPAddressPoolResource,
} from "./resources.ts";
import { addSession, type Sessions } from "./session-conflict.ts";
import {
  compareStanding,
  hasYielded,
  type Standing,
  type Verdicts,
  type Version,
  yieldVersion,
} from "./version.ts";

export type PoolVersion = Version<IPAddressPoolResource, Pool>;
export type PeerVersion = Version<BGPPeerResource, Peer>;
export type BgpVersion = Version<BGPAdvertisementResource, BgpAdvertisement>;
export type BfdVersion = Version<BFDProfileResource, BfdProfile>;
export type CommunityVersion = Version<CommunityResource, readonly CommunityAlias[]>;

/** Communities by alias, and the object each is from. */
export type Aliases = ReadonlyMap<string, CommunityAlias & { readonly owner: string }>;

/** An alias may be given once in all; returns the aliases of those that did not yield. */
export function settleAliases(
  communities: readonly CommunityVersion[],
  verdicts: Verdicts,
): Aliases {
  const aliases = new Map<string, CommunityAlias & { readonly owner: string }>();
  for (const version of communities) {
    const owner = version.subject.object.name;
    const taken = version.value.find(({ name }) => aliases.has(name));
    if (taken === undefined) {
      for (const alias of version.value) aliases.set(alias.name, { ...alias, owner });
      continue;
    }
    const message = duplicateAlias(taken.name, aliases.get(taken.name)?.owner ?? "");
    yieldVersion(verdicts, version, { field: `${taken.field}.name`, message, transient: false });
  }
  return aliases;
}

/** No address may be in two pools. */
export function settlePools(pools: readonly PoolVersion[], verdicts: Verdicts): void {
  const taken: TakenRanges = { ipv4: [], ipv6: [] };
  for (const version of pools) {
    const { name, ranges } = version.value;
    const index = ranges.findIndex((range) => findOverlap(taken, range) !== undefined);
    const range = ranges[index];
    const other = range === undefined ? undefined : findOverlap(taken, range);
    if (range === undefined || other === undefined) {
      for (const free of ranges) takeRange(taken, free, name);
      continue;
    }
    const message = overlapMessage(range, other);
    yieldVersion(verdicts, version, {
      field: `spec.addresses[${index}]`,
      message,
      transient: false,
    });
  }
}

/**
 * Without a node only peers of every node are held against each other: whether two with node
 * selectors meet is for the nodes to find out.
 */
export function settlePeers(
  peers: readonly PeerVersion[],
  oneNode: boolean,
  verdicts: Verdicts,
): void {
  const sessions: Sessions = { first: undefined, byIdentity: new Map(), byVrf: new Map() };
  for (const version of peers) {
    if (!oneNode && version.value.nodeSelectors.length > 0) continue;
    const finding = addSession(sessions, version.value);
    if (finding !== undefined) yieldVersion(verdicts, version, finding);
  }
}

/** An aggregate must not hold addresses that are not the pool's. */
export function settleAggregation(
  advertisements: readonly BgpVersion[],
  pools: ReadonlyMap<string, PoolVersion>,
  verdicts: Verdicts,
): void {
  const narrowest = new Map<string, ReadonlyMap<Family, ShortestPrefix>>();
  for (const version of advertisements) {
    const { aggregationLength, aggregationLengthV6 } = version.value;
    if (aggregationLength === ADDRESS_BITS.ipv4 && aggregationLengthV6 === ADDRESS_BITS.ipv6)
      continue;
    for (const name of version.value.pools) {
      const pool = pools.get(name);
      if (pool === undefined || hasYielded(verdicts, pool)) continue;
      let entries = narrowest.get(name);
      if (entries === undefined) {
        entries = narrowestEntries(pool.value);
        narrowest.set(name, entries);
      }
      const complaint = aggregationComplaint(version.value, pool.value, entries);
      if (complaint === undefined) continue;
      const { family, message } = complaint;
      const key = family === "ipv4" ? "aggregationLength" : "aggregationLengthV6";
      const loser = yieldLast(verdicts, message, [
        [version, `spec.${key}`],
        [pool, "spec.addresses"],
      ]);
      if (loser === version) break;
    }
  }
}

/** FRR has no BFD echo for IPv6: MetalLB refuses IPv6 pools towards peers that use it. */
export function settleEcho(
  advertisements: readonly BgpVersion[],
  others: {
    readonly pools: ReadonlyMap<string, PoolVersion>;
    readonly peers: readonly PeerVersion[];
    readonly bfdProfiles: ReadonlyMap<string, BfdVersion>;
  },
  verdicts: Verdicts,
): void {
  const peers = others.peers.filter((peer) => peer.references.bfdProfile?.echoMode === true);
  if (peers.length === 0) return;
  const pools = [...others.pools.values()].filter((pool) => poolFamilies(pool.value).has("ipv6"));
  for (const version of advertisements) {
    for (const pool of pools) {
      if (!version.value.pools.has(pool.value.name)) continue;
      for (const peer of peers) {
        const hears =
          version.value.peers.length === 0 || version.value.peers.includes(peer.value.name);
        const settled = [version, pool, peer].some((party) => hasYielded(verdicts, party));
        if (!hears || settled) continue;
        const profile = others.bfdProfiles.get(peer.value.bfdProfile ?? "");
        // A profile can only go back to what it was: without it its peers would be left alone.
        const edited = profile?.subject.last !== undefined && !profile.incumbent;
        yieldLast(
          verdicts,
          `Cannot announce IPAddressPool "${pool.value.name}", which has IPv6 addresses, by BGPAdvertisement "${version.value.name}" to BGPPeer "${peer.value.name}": its BFDProfile "${peer.value.bfdProfile}" has echo mode on, want it off for IPv6`,
          [
            [version, "spec.peers"],
            [pool, "spec.addresses"],
            [peer, "spec.bfdProfile"],
            ...(edited && profile !== undefined ? [[profile, "spec.echoMode"] as const] : []),
          ],
        );
      }
    }
  }
}

/** Lets the party of the least standing yield, unless one has done so already; returns it. */
function yieldLast(
  verdicts: Verdicts,
  message: string,
  parties: readonly (readonly [Standing, string])[],
): Standing | undefined {
  const [last] = parties.toSorted(([a], [b]) => compareStanding(b, a));
  if (last === undefined) return undefined;
  const [version, field] = last;
  if (!parties.some(([party]) => hasYielded(verdicts, party))) {
    yieldVersion(verdicts, version, { field, message, transient: false });
  }
  return version;
}

/**
 * Two advertisements of a pool must not give one prefix two local preferences. Those with
 * service selectors are left to the speaker, which knows the Services.
 */
export function settleLocalPreferences(
  advertisements: readonly BgpVersion[],
  pools: ReadonlyMap<string, PoolVersion>,
  oneNode: boolean,
  verdicts: Verdicts,
): void {
  const families = new Map([...pools].map(([name, pool]) => [name, poolFamilies(pool.value)]));
  const kept: BgpAdvertisement[] = [];
  for (const version of advertisements) {
    const { value } = version;
    if (value.serviceSelectors.length > 0 || hasYielded(verdicts, version)) continue;
    let taken: { readonly other: BgpAdvertisement; readonly pool: string } | undefined;
    for (const other of kept) {
      if (!preferencesMeet(value, other) || !nodesMeet(value, other, oneNode)) continue;
      const pool = sharedPool(value, other, families);
      if (pool === undefined) continue;
      taken = { other, pool };
      break;
    }
    if (taken === undefined) {
      kept.push(value);
      continue;
    }
    const { other, pool } = taken;
    yieldVersion(verdicts, version, {
      field: "spec.localPref",
      message: `Cannot use ${value.localPreference ?? 0}: invalid local preference for IPAddressPool "${pool}", BGPAdvertisement "${other.name}" has set ${other.localPreference ?? 0}; want the same, or other peers, nodes or aggregation lengths`,
      transient: false,
    });
  }
}

function sharedPool(
  a: BgpAdvertisement,
  b: BgpAdvertisement,
  families: ReadonlyMap<string, ReadonlySet<Family>>,
): string | undefined {
  const [fewer, more] = a.pools.size <= b.pools.size ? [a, b] : [b, a];
  for (const name of fewer.pools) {
    if (more.pools.has(name) && lengthsMeet(a, b, families.get(name) ?? new Set())) return name;
  }
  return undefined;
}

/**
 * Tells whether one node makes both. With a node given it makes all that are compiled; else only
 * what is certain counts: no node selectors, or equal ones.
 */
function nodesMeet(a: BgpAdvertisement, b: BgpAdvertisement, oneNode: boolean): boolean {
  if (oneNode) return true;
  if (a.nodeSelectors.length === 0 || b.nodeSelectors.length === 0) return true;
  return JSON.stringify(a.nodeSelectors) === JSON.stringify(b.nodeSelectors);
}
