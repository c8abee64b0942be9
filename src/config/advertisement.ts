// L2Advertisement, BGPAdvertisement -> Advertisement.

import { ADDRESS_BITS } from "../net/address.ts";
import { type CommunityValue, parseCommunity, sortCommunities } from "./community.ts";
import { parseDuration } from "./duration.ts";
import {
  type Fields,
  type Finding,
  fieldsOf,
  hasField,
  type Parsed,
  parsed,
  pathOf,
  readDistinctTexts,
  readFields,
  readInteger,
  readList,
  readText,
  readTexts,
  report,
  show,
} from "./field.ts";
import type { Pool } from "./pool.ts";
import type { BGPAdvertisementResource, L2AdvertisementResource } from "./resources.ts";
import { matchesAny, readSelector, readSelectors, type Selector } from "./selector.ts";

/** What both kinds of advertisement say: which pools, which nodes, which Services. */
type AdvertisementScope = {
  readonly name: string;
  /** Names of the pools it announces, selectors resolved against the pools that are in force. */
  readonly pools: ReadonlySet<string>;
  /** Nodes that announce; empty: all. */
  readonly nodeSelectors: readonly Selector[];
  /** Services that are announced; empty: all. */
  readonly serviceSelectors: readonly Selector[];
};

export type BgpAdvertisement = AdvertisementScope & {
  /** Length of announced IPv4 prefixes, 1 to 32; default 32. */
  readonly aggregationLength: number;
  /** Length of announced IPv6 prefixes, 1 to 128; default 128. */
  readonly aggregationLengthV6: number;
  /** 1 to 4294967295; undefined: not set. Heard by internal peers only (RFC 4271 section 5.1.5). */
  readonly localPreference: number | undefined;
  /** Aliases resolved, sorted, without repetition. */
  readonly communities: readonly CommunityValue[];
  /** Names of the BGPPeers that hear it; empty: all. */
  readonly peers: readonly string[];
};

export type L2Advertisement = AdvertisementScope & {
  /** Interfaces that answer; empty: all. */
  readonly interfaces: readonly string[];
  readonly preferredNodes: readonly {
    /** 1 to 100. */
    readonly weight: number;
    readonly preference: Selector;
  }[];
  /**
   * How long a node that comes first leaves the address with a living owner; 0: not at all, as
   * MetalLB does; undefined: for ever.
   */
  readonly failbackDelayMs: number | undefined;
};

/** What advertisements refer to: the pools in force, and the community of an alias. */
export type AdvertisementReferences = {
  readonly pools: ReadonlyMap<string, Pool>;
  /** Names of all pools: one set for all advertisements that name none. */
  readonly poolNames: ReadonlySet<string>;
  readonly findAlias: (name: string) => CommunityValue | undefined;
};

const MAX_LOCAL_PREFERENCE = 0xffff_ffff;
const NANOSECONDS_PER_MS = 1_000_000n;

/** Parses a BGPAdvertisement; names of pools and peers that do not exist are no findings. */
export function parseBgpAdvertisement(
  resource: BGPAdvertisementResource,
  references: AdvertisementReferences,
): Parsed<BgpAdvertisement> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const scope = readScope(resource.metadata.name, spec, references);
  const advertisement: BgpAdvertisement = {
    ...scope,
    peers: readDistinctTexts(spec, "peers"),
    aggregationLength: readLength(spec, "aggregationLength", ADDRESS_BITS.ipv4),
    aggregationLengthV6: readLength(spec, "aggregationLengthV6", ADDRESS_BITS.ipv6),
    // 0 is what MetalLB's users write for "not set".
    localPreference: readInteger(spec, "localPref", 0, MAX_LOCAL_PREFERENCE) || undefined,
    communities: readCommunities(resource.metadata.name, spec, references),
  };
  if (scope.serviceSelectors.length > 0) {
    for (const [key, length, bits] of [
      ["aggregationLength", advertisement.aggregationLength, ADDRESS_BITS.ipv4],
      ["aggregationLengthV6", advertisement.aggregationLengthV6, ADDRESS_BITS.ipv6],
    ] as const) {
      if (length === bits) continue;
      report(
        spec,
        key,
        `Cannot use ${length}: serviceSelectors and aggregationLength are mutually exclusive, want ${bits} or no serviceSelectors`,
      );
    }
  }
  return parsed(findings, () => advertisement);
}

/** Parses an L2Advertisement; names of pools that do not exist are no findings. */
export function parseL2Advertisement(
  resource: L2AdvertisementResource,
  references: AdvertisementReferences,
): Parsed<L2Advertisement> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const advertisement: L2Advertisement = {
    ...readScope(resource.metadata.name, spec, references),
    interfaces: readTexts(spec, "interfaces"),
    preferredNodes: readPreferredNodes(spec),
    failbackDelayMs: readFailbackDelay(spec),
  };
  return parsed(findings, () => advertisement);
}

function readScope(
  name: string,
  spec: Fields,
  references: AdvertisementReferences,
): AdvertisementScope {
  const names = readDistinctTexts(spec, "ipAddressPools");
  const selectors = readSelectors(spec, "ipAddressPoolSelectors");
  return {
    name,
    pools: resolvePools(names, selectors, references),
    nodeSelectors: readSelectors(spec, "nodeSelectors"),
    serviceSelectors: readSelectors(spec, "serviceSelectors"),
  };
}

function resolvePools(
  names: readonly string[],
  selectors: readonly Selector[],
  references: AdvertisementReferences,
): ReadonlySet<string> {
  if (names.length === 0 && selectors.length === 0) return references.poolNames;
  const resolved = names.filter((name) => references.pools.has(name));
  if (selectors.length > 0) {
    for (const pool of references.pools.values()) {
      if (matchesAny(selectors, pool.labels)) resolved.push(pool.name);
    }
  }
  return new Set(resolved.sort());
}

function readLength(spec: Fields, key: string, bits: number): number {
  if (!hasField(spec, key)) return bits;
  const value = spec.values[key];
  if (typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= bits) {
    return value;
  }
  report(spec, key, `Cannot use ${show(value)}: invalid aggregation length, want 1 to ${bits}`);
  return bits;
}

function readCommunities(
  name: string,
  spec: Fields,
  references: AdvertisementReferences,
): readonly CommunityValue[] {
  const communities: CommunityValue[] = [];
  for (const [index, text] of readDistinctTexts(spec, "communities").entries()) {
    const alias = references.findAlias(text);
    const result = alias === undefined ? parseCommunity(text) : undefined;
    if (alias !== undefined) communities.push(alias);
    else if (result?.kind === "community") communities.push(result.community);
    else if (result !== undefined) {
      report(
        spec,
        `communities[${index}]`,
        `${result.message}\ninvalid community ${show(text)} in BGP advertisement ${show(name)}`,
        result.kind === "format",
      );
    }
  }
  return sortCommunities(communities);
}

function readPreferredNodes(spec: Fields): L2Advertisement["preferredNodes"] {
  return readList(spec, "preferredNodeSelectors").map((item, index) => {
    const entry = fieldsOf(
      item ?? false,
      pathOf(spec, `preferredNodeSelectors[${index}]`),
      spec.findings,
    );
    const weight = readInteger(entry, "weight", 1, 100);
    if (!hasField(entry, "weight")) {
      report(entry, "weight", "Cannot use an entry without weight: want an integer from 1 to 100");
    }
    const path = pathOf(entry, "preference");
    const { selector } = readSelector(entry.values["preference"], path, spec.findings);
    return { weight: weight ?? 1, preference: selector };
  });
}

/** Whole milliseconds, never less than what is asked for. */
function readFailbackDelay(spec: Fields): number | undefined {
  const text = readText(spec, "failbackDelay");
  if (text === undefined) return 0;
  if (text === "never") return undefined;
  const delay = parseDuration(text);
  if (delay !== undefined && delay >= 0n) {
    return Number((delay + NANOSECONDS_PER_MS - 1n) / NANOSECONDS_PER_MS);
  }
  const wanted = 'want a duration such as "30s" or "5m", or "never"';
  report(spec, "failbackDelay", `Cannot use ${show(text)}: ${wanted}`);
  return 0;
}
