// One round of compiling: parse the version of each object that is tried, then let those in
// conflict yield.

import {
  type BgpAdvertisement,
  type L2Advertisement,
  parseBgpAdvertisement,
  parseL2Advertisement,
} from "./advertisement.ts";
import { parseBfdProfile } from "./bfd.ts";
import { type CommunityValue, parseCommunityAliases } from "./community.ts";
import { type Fields, type Finding, fieldsOf, type Parsed, readFields } from "./field.ts";
import { labelsOf } from "./metadata.ts";
import { secretPassword } from "./password.ts";
import { type Peer, parsePeer } from "./peer.ts";
import { type Namespace, type Pool, parsePool } from "./pool.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  IPAddressPoolResource,
  L2AdvertisementResource,
  Labels,
} from "./resources.ts";
import { matchesAny, readSelectors } from "./selector.ts";
import {
  type Aliases,
  type BfdVersion,
  type BgpVersion,
  type CommunityVersion,
  type PeerVersion,
  type PoolVersion,
  settleAggregation,
  settleAliases,
  settleEcho,
  settleLocalPreferences,
  settlePeers,
  settlePools,
} from "./settle.ts";
import {
  type Attempt,
  chooseVersion,
  compareStanding,
  compareTexts,
  NO_REFERENCES,
  type References,
  type Subject,
  type Verdicts,
  type Version,
} from "./version.ts";

/** All objects of an installation, whether good or not. */
export type Subjects = {
  readonly pools: readonly Subject<IPAddressPoolResource>[];
  readonly peers: readonly Subject<BGPPeerResource>[];
  readonly bfdProfiles: readonly Subject<BFDProfileResource>[];
  readonly communities: readonly Subject<CommunityResource>[];
  readonly bgpAdvertisements: readonly Subject<BGPAdvertisementResource>[];
  readonly l2Advertisements: readonly Subject<L2AdvertisementResource>[];
};

/** What objects are compiled against that has no versions of its own. */
export type Surroundings = {
  readonly node: { readonly labels: Labels } | undefined;
  readonly namespaces: readonly Namespace[];
  readonly secrets: ReadonlyMap<string, Fields>;
};

/** The versions in force, each list in order of standing. */
export type Compiled = {
  readonly bfdProfiles: readonly BfdVersion[];
  readonly communities: readonly CommunityVersion[];
  readonly pools: readonly PoolVersion[];
  readonly peers: readonly PeerVersion[];
  readonly l2Advertisements: readonly Version<L2AdvertisementResource, L2Advertisement>[];
  readonly bgpAdvertisements: readonly BgpVersion[];
  /** Keys of objects that are for other nodes. */
  readonly elsewhere: ReadonlySet<string>;
};

/** One round: the versions that can be in force together, or undefined if some had to yield. */
export function compile(
  subjects: Subjects,
  surroundings: Surroundings,
  verdicts: Verdicts,
): Compiled | undefined {
  const before = verdicts.yielded.size;
  const elsewhere = new Set<string>();

  const bfdProfiles = choose(subjects.bfdProfiles, verdicts, elsewhere, (resource) =>
    attemptOf(parseBfdProfile(resource)),
  );
  const communities = choose(subjects.communities, verdicts, elsewhere, (resource) =>
    attemptOf(parseCommunityAliases(resource)),
  );
  const aliases = settleAliases(communities, verdicts);
  const pools = choose(subjects.pools, verdicts, elsewhere, (resource) =>
    attemptOf(parsePool(resource, labelsOf(resource), surroundings.namespaces)),
  );
  settlePools(pools, verdicts);

  const profilesByName = byName(bfdProfiles);
  const peers = choose(subjects.peers, verdicts, elsewhere, (resource, remembered) =>
    isElsewhere(resource, surroundings.node)
      ? ELSEWHERE
      : attemptPeer(resource, remembered, surroundings.secrets, profilesByName),
  );
  settlePeers(peers, surroundings.node !== undefined, verdicts);
  if (verdicts.yielded.size > before) return undefined;

  const poolsByName = new Map(sortedValues(pools).map((pool) => [pool.name, pool]));
  const scope = { pools: poolsByName, poolNames: new Set(poolsByName.keys()) };
  const l2Advertisements = choose(subjects.l2Advertisements, verdicts, elsewhere, (resource) =>
    attemptOf(parseL2Advertisement(resource, { ...scope, findAlias: () => undefined })),
  );
  const bgpAdvertisements = choose(
    subjects.bgpAdvertisements,
    verdicts,
    elsewhere,
    (resource, remembered) =>
      isElsewhere(resource, surroundings.node)
        ? ELSEWHERE
        : attemptBgpAdvertisement(resource, remembered, scope, aliases),
  );
  const others = { pools: byName(pools), peers, bfdProfiles: profilesByName };
  settleAggregation(bgpAdvertisements, others.pools, verdicts);
  settleEcho(bgpAdvertisements, others, verdicts);
  // Two advertisements may meet only in a pool that has just yielded.
  if (verdicts.yielded.size > before) return undefined;
  settleLocalPreferences(
    bgpAdvertisements,
    others.pools,
    surroundings.node !== undefined,
    verdicts,
  );
  if (verdicts.yielded.size > before) return undefined;
  return { bfdProfiles, communities, pools, peers, l2Advertisements, bgpAdvertisements, elsewhere };
}

const ELSEWHERE = { kind: "elsewhere" } as const;

/** The version of each object that can be used on its own, in order of standing. */
function choose<Resource, Value>(
  subjects: readonly Subject<Resource>[],
  verdicts: Verdicts,
  elsewhere: Set<string>,
  parse: (resource: Resource, remembered: References) => Attempt<Value>,
): readonly Version<Resource, Value>[] {
  const versions: Version<Resource, Value>[] = [];
  for (const subject of subjects) {
    const version = chooseVersion(subject, verdicts, parse);
    if (version === "elsewhere") elsewhere.add(subject.key);
    else if (version !== undefined) versions.push(version);
  }
  return versions.sort(compareStanding);
}

function attemptOf<Value>(result: Parsed<Value>, references = NO_REFERENCES): Attempt<Value> {
  return result.kind === "value" ? { ...result, references } : result;
}

/** Tells whether an object has readable node selectors, none of which matches the node. */
function isElsewhere(
  resource: BGPPeerResource | BGPAdvertisementResource,
  node: { readonly labels: Labels } | undefined,
): boolean {
  if (node === undefined) return false;
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const selectors = readSelectors(spec, "nodeSelectors");
  return findings.length === 0 && selectors.length > 0 && !matchesAny(selectors, node.labels);
}

function attemptPeer(
  resource: BGPPeerResource,
  remembered: References,
  secrets: ReadonlyMap<string, Fields>,
  profiles: ReadonlyMap<string, BfdVersion>,
): Attempt<Peer> {
  const findBfdProfile = (name: string) =>
    profiles.get(name)?.value ??
    (remembered.bfdProfile?.name === name ? remembered.bfdProfile : undefined);
  const result = parsePeer(resource, {
    findBfdProfile,
    findPassword: (name) => {
      const found = secretPassword(name, secrets.get(name));
      if (found.kind === "password" || remembered.password === undefined) return found;
      return { kind: "password", password: remembered.password };
    },
  });
  if (result.kind === "invalid") return attemptOf(result);
  const { password, bfdProfile } = result.value;
  return attemptOf(result, {
    ...NO_REFERENCES,
    password,
    bfdProfile: bfdProfile === undefined ? undefined : findBfdProfile(bfdProfile),
  });
}

function attemptBgpAdvertisement(
  resource: BGPAdvertisementResource,
  remembered: References,
  scope: { readonly pools: ReadonlyMap<string, Pool>; readonly poolNames: ReadonlySet<string> },
  live: Aliases,
): Attempt<BgpAdvertisement> {
  const aliases = new Map<string, CommunityValue>();
  const findAlias = (name: string) => {
    const community = live.get(name)?.community ?? remembered.aliases.get(name);
    if (community !== undefined) aliases.set(name, community);
    return community;
  };
  const result = parseBgpAdvertisement(resource, { ...scope, findAlias });
  return attemptOf(result, { ...NO_REFERENCES, aliases });
}

function byName<Resource, Value extends { readonly name: string }>(
  versions: readonly Version<Resource, Value>[],
): ReadonlyMap<string, Version<Resource, Value>> {
  return new Map(versions.map((version) => [version.value.name, version]));
}

/** What the versions say, in name order. */
export function sortedValues<Value extends { readonly name: string }>(
  versions: readonly Version<unknown, Value>[],
): readonly Value[] {
  return versions.map(({ value }) => value).sort((a, b) => compareTexts(a.name, b.name));
}
