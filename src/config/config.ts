// All objects of an installation -> Config and Problems: the one translation that run time,
// admission and the command line share. One bad object never stops the others: its last good
// version stays in force, if there was one, and it gets a problem.

import type { BgpAdvertisement, L2Advertisement } from "./advertisement.ts";
import type { BfdProfile } from "./bfd.ts";
import {
  type Compiled,
  compile,
  type Subjects,
  type Surroundings,
  sortedValues,
} from "./compile.ts";
import { parseExtras } from "./extras.ts";
import { fieldsOf } from "./field.ts";
import { labelsOf, nameOf, sortOut } from "./metadata.ts";
import type { Peer } from "./peer.ts";
import type { Pool } from "./pool.ts";
import { objectKey, objectRef, type Problem } from "./problem.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  IPAddressPoolResource,
  L2AdvertisementResource,
  Labels,
  NamespaceResource,
  SecretResource,
} from "./resources.ts";
import {
  type AcceptedVersion,
  compareTexts,
  type Verdicts,
  type Version,
  type VersionedResource,
} from "./version.ts";

/** Every object a configuration is made of, in any order. */
export type ConfigResources = {
  readonly pools: readonly IPAddressPoolResource[];
  readonly l2Advertisements: readonly L2AdvertisementResource[];
  readonly bgpAdvertisements: readonly BGPAdvertisementResource[];
  readonly peers: readonly BGPPeerResource[];
  readonly bfdProfiles: readonly BFDProfileResource[];
  readonly communities: readonly CommunityResource[];
  readonly namespaces: readonly NamespaceResource[];
  /** Secrets of our own namespace; only those a peer names are looked at. */
  readonly secrets: readonly SecretResource[];
  /** Text of ConfigMap `bgpextras`, key `extras`; "" when absent. */
  readonly extras: string;
};

/** The node a speaker compiles its configuration for. */
export type NodeFacts = { readonly name: string; readonly labels: Labels };

/**
 * The configuration in force. With `node` given it holds only the peers that node opens and the
 * BGP advertisements it makes; L2 advertisements are kept whole, because every speaker must
 * compute the same election.
 */
export type Config = {
  /** By name, in name order. */
  readonly pools: ReadonlyMap<string, Pool>;
  readonly peers: readonly Peer[];
  readonly bfdProfiles: ReadonlyMap<string, BfdProfile>;
  readonly bgpAdvertisements: readonly BgpAdvertisement[];
  readonly l2Advertisements: readonly L2Advertisement[];
  /** Raw FRR configuration of the user, appended to ours. */
  readonly extras: string;
};

/**
 * The last good version of every object, by `objectKey`. Opaque: kept by the caller and handed
 * to the next `parseConfig`, so that a bad edit leaves the last good version in force. Holds
 * passwords: never to be printed.
 */
export type Accepted = ReadonlyMap<string, AcceptedVersion>;

export type ParsedConfig = {
  readonly config: Config;
  readonly problems: readonly Problem[];
  readonly accepted: Accepted;
};

export type ParseOptions = {
  /** The node to compile for; undefined: the whole cluster's view (controller, command line). */
  readonly node: NodeFacts | undefined;
  readonly accepted: Accepted;
};

/** Compiles the objects into a configuration; the order of the objects does not matter. */
export function parseConfig(resources: ConfigResources, options: ParseOptions): ParsedConfig {
  const problems: Problem[] = [];
  const subjects = subjectsOf(resources, options.accepted, problems);
  const surroundings = surroundingsOf(resources, options.node);
  const verdicts: Verdicts = { findings: new Map(), yielded: new Set() };
  // Each round either settles everything or takes out at least one version more.
  let compiled = compile(subjects, surroundings, verdicts);
  while (compiled === undefined) compiled = compile(subjects, surroundings, verdicts);

  const extras = parseExtras(resources.extras);
  for (const finding of extras.findings) problems.push({ object: EXTRAS, ...finding });
  for (const { object, key } of Object.values(subjects).flat()) {
    for (const finding of verdicts.findings.get(key) ?? []) problems.push({ object, ...finding });
  }
  return {
    config: { ...configOf(compiled), extras: extras.text },
    problems: problems.sort(compareProblems),
    accepted: acceptedOf(subjects, compiled),
  };
}

const EXTRAS = objectRef("ConfigMap", { name: "bgpextras" });

function subjectsOf(resources: ConfigResources, accepted: Accepted, problems: Problem[]): Subjects {
  return {
    pools: sortOut("IPAddressPool", resources.pools, accepted, problems),
    peers: sortOut("BGPPeer", resources.peers, accepted, problems),
    bfdProfiles: sortOut("BFDProfile", resources.bfdProfiles, accepted, problems),
    communities: sortOut("Community", resources.communities, accepted, problems),
    bgpAdvertisements: sortOut("BGPAdvertisement", resources.bgpAdvertisements, accepted, problems),
    l2Advertisements: sortOut("L2Advertisement", resources.l2Advertisements, accepted, problems),
  };
}

function surroundingsOf(resources: ConfigResources, node: NodeFacts | undefined): Surroundings {
  return {
    node,
    namespaces: resources.namespaces.map((namespace) => ({
      name: nameOf(namespace),
      labels: labelsOf(namespace),
    })),
    secrets: new Map(resources.secrets.map((secret) => [nameOf(secret), fieldsOf(secret, "", [])])),
  };
}

function configOf(compiled: Compiled): Omit<Config, "extras"> {
  const bfdProfiles = new Map(
    sortedValues(compiled.bfdProfiles).map((profile) => [profile.name, profile]),
  );
  // A peer that goes on as it was may need a profile that is gone.
  for (const { references } of compiled.peers) {
    const { bfdProfile } = references;
    if (bfdProfile !== undefined && !bfdProfiles.has(bfdProfile.name)) {
      bfdProfiles.set(bfdProfile.name, bfdProfile);
    }
  }
  return {
    pools: new Map(sortedValues(compiled.pools).map((pool) => [pool.name, pool])),
    peers: sortedValues(compiled.peers),
    bfdProfiles: new Map([...bfdProfiles].sort(([a], [b]) => compareTexts(a, b))),
    bgpAdvertisements: sortedValues(compiled.bgpAdvertisements),
    l2Advertisements: sortedValues(compiled.l2Advertisements),
  };
}

/** What is good now, and what was good of the objects that are not. */
function acceptedOf(subjects: Subjects, compiled: Compiled): Accepted {
  const inForce = new Map<string, Version<VersionedResource, unknown>>();
  for (const version of [
    ...compiled.bfdProfiles,
    ...compiled.communities,
    ...compiled.pools,
    ...compiled.peers,
    ...compiled.l2Advertisements,
    ...compiled.bgpAdvertisements,
  ]) {
    inForce.set(version.subject.key, version);
  }
  const accepted = new Map<string, AcceptedVersion>();
  for (const { key, current, last } of Object.values(subjects).flat()) {
    const version = inForce.get(key);
    if (version !== undefined) {
      const resource = version.which === "current" ? current : version.subject.last?.resource;
      if (resource === undefined) continue;
      accepted.set(key, { resource, references: version.references, inForce: true });
    } else if (last !== undefined && !compiled.elsewhere.has(key)) {
      accepted.set(key, { ...last.accepted, inForce: false });
    }
  }
  return accepted;
}

// By object; findings of one object keep the order of the checks, as sort is stable.
function compareProblems(a: Problem, b: Problem): number {
  return compareTexts(objectKey(a.object), objectKey(b.object));
}
