// Settings and classes -> the view the templates read: every key present, null for unset, ready
// text. The one place that decides which lines appear; templates only lay them out. Pure.

import { type Family, familyOf } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { type NamedClass, type Policy, policyOf } from "./classes.ts";
import type { FrrBfdProfile, FrrSettings, Neighbor, Router } from "./model.ts";
import { inboundMapName, neighborName, routerLine } from "./names.ts";

export type FrrView = {
  readonly logLevel: FrrSettings["logLevel"];
  readonly debug: boolean;
  readonly hostname: string | null;
  readonly classes: readonly { readonly name: string; readonly tag: number }[];
  readonly policies: readonly PolicyView[];
  readonly routers: readonly RouterView[];
  readonly bfdProfiles: readonly FrrBfdProfile[];
};

export type PolicyView = { readonly name: string; readonly clauses: readonly ClauseView[] };

export type ClauseView = {
  readonly policyName: string;
  readonly sequence: number;
  readonly tag: number;
  readonly communities: string | null;
  readonly largeCommunities: string | null;
  readonly localPreference: number | null;
};

export type RouterView = {
  readonly line: string;
  readonly routerId: string | null;
  readonly neighbors: readonly NeighborView[];
  readonly families: readonly FamilyView[];
};

export type FamilyView = {
  readonly family: Family;
  readonly neighbors: readonly NeighborView[];
  readonly networks: readonly NetworkView[];
};

export type NetworkView = { readonly prefix: Prefix; readonly className: string };

export type NeighborView = {
  readonly name: string;
  readonly unnumbered: boolean;
  readonly remoteAs: string;
  readonly ebgpMultihop: boolean;
  readonly localAs: number | null;
  readonly port: number | null;
  readonly timers: string | null;
  readonly connectSeconds: number | null;
  readonly password: string | null;
  readonly sourceAddress: string | null;
  readonly gracefulRestart: boolean;
  readonly bfdProfile: string | null;
  readonly disableConnectedCheck: boolean;
  readonly inboundMap: string;
  readonly outboundMap: string;
};

export const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** `networksOf` gives the networks of one router and family, in the order they are to appear. */
export function viewOf(
  settings: FrrSettings,
  classes: ReadonlyMap<string, NamedClass>,
  networksOf: (router: Router, family: Family) => readonly NetworkView[],
): FrrView {
  const policies = new Map<string, Policy>();
  const routers = settings.routers.map((router) => {
    const neighbors = router.neighbors.map((neighbor) => {
      const policy = policyOf(neighbor, classes);
      policies.set(policy.name, policy);
      return { neighbor, view: neighborView(router, neighbor, policy.name) };
    });
    const families = FAMILIES.map((family) => ({
      family,
      neighbors: neighbors.filter(({ neighbor }) => neighbor[family]).map(({ view }) => view),
      networks: networksOf(router, family),
    }));
    return {
      line: routerLine(router),
      routerId: router.routerId,
      neighbors: neighbors.map(({ view }) => view),
      families: families.filter((family) => family.neighbors.length > 0),
    };
  });
  return {
    logLevel: settings.logLevel,
    debug: settings.logLevel === "debugging",
    hostname: settings.hostname,
    classes: [...classes.values()].map(({ name, tag }) => ({ name, tag })),
    policies: [...policies.values()]
      .map(policyView)
      .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)),
    routers,
    bfdProfiles: settings.bfdProfiles.map(profileView),
  };
}

function policyView(policy: Policy): PolicyView {
  return {
    name: policy.name,
    clauses: policy.clauses.map((clause, index) => ({
      policyName: policy.name,
      // Maps are never edited, so there is no need to leave room: 65535 clauses fit.
      sequence: index + 1,
      tag: clause.tag,
      communities: clause.communities.length === 0 ? null : clause.communities.join(" "),
      largeCommunities:
        clause.largeCommunities.length === 0 ? null : clause.largeCommunities.join(" "),
      localPreference: clause.localPreference,
    })),
  };
}

function neighborView(router: Router, neighbor: Neighbor, outboundMap: string): NeighborView {
  const { keepaliveSeconds, holdTimeSeconds } = neighbor;
  return {
    name: neighborName(neighbor),
    unnumbered: neighbor.address === null,
    remoteAs: String(neighbor.remoteAs),
    // FRR takes it for an internal session, and forgets it.
    ebgpMultihop: neighbor.ebgpMultihop && !isInternal(router, neighbor),
    localAs: neighbor.localAs,
    port: neighbor.port === 179 ? null : neighbor.port,
    timers:
      keepaliveSeconds === null || holdTimeSeconds === null
        ? null
        : `${keepaliveSeconds} ${holdTimeSeconds}`,
    connectSeconds: neighbor.connectSeconds,
    password: neighbor.password,
    // An unnumbered session starts from the link-local address; FRR 8.4 does not keep another,
    // and setting it anew would reset the session.
    sourceAddress: neighbor.address === null ? null : neighbor.sourceAddress,
    gracefulRestart: neighbor.gracefulRestart,
    bfdProfile: neighbor.bfdProfile,
    disableConnectedCheck: needsNoConnectedCheck(router, neighbor),
    inboundMap: inboundMapName(router, neighbor),
    outboundMap,
  };
}

/**
 * External IPv6 peers are often addressed by a global address that is not in a connected subnet
 * from FRR's point of view (MetalLB; it leaves it out with both families on one session).
 */
function needsNoConnectedCheck(router: Router, neighbor: Neighbor): boolean {
  if (neighbor.address === null || familyOf(neighbor.address) !== "ipv6") return false;
  return !neighbor.ebgpMultihop && !isInternal(router, neighbor);
}

function isInternal(router: Router, neighbor: Neighbor): boolean {
  return neighbor.remoteAs === "internal" || neighbor.remoteAs === router.asn;
}

/** Without FRR's defaults: it never shows them, so writing them would look like a change. */
function profileView(profile: FrrBfdProfile): FrrBfdProfile {
  const unless = (value: number | null, usual: number): number | null =>
    value === usual ? null : value;
  return {
    ...profile,
    receiveIntervalMs: unless(profile.receiveIntervalMs, 300),
    transmitIntervalMs: unless(profile.transmitIntervalMs, 300),
    echoIntervalMs: unless(profile.echoIntervalMs, 50),
    detectMultiplier: unless(profile.detectMultiplier, 3),
    minimumTtl: unless(profile.minimumTtl, 254),
  };
}
