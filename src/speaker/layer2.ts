// The Layer 2 decision per Service: whether this node owns its addresses, stands by, or does not
// announce them, and why. MetalLB's checks in MetalLB's order (docs/compatibility.md). Pure.

import { matchesAny } from "../config/selector.ts";
import type { Address } from "../net/address.ts";
import { gatherCandidates } from "./election.ts";
import {
  type Contest,
  type Electorate,
  EXCLUDE_LABEL,
  localContest,
  type Obstacle,
} from "./electorate.ts";
import type { L2PoolPolicy, PolicyL2Advertisement } from "./l2-policy.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import type { ServiceFacts } from "./service.ts";

/** How a Service is announced by Layer 2, from whichever node. */
export type L2Announcement = {
  /** Names of interfaces of this node that answer, sorted; empty: all. */
  readonly interfaces: readonly string[];
  /**
   * How long a node that comes first leaves the address with a living owner; 0: not at all, as
   * MetalLB does; undefined: for ever.
   */
  readonly failbackDelayMs: number | undefined;
  /** Nodes that could announce, in no order. */
  readonly candidates: readonly string[];
  /** In words: why the elected node comes first. */
  readonly why: string;
};

export type L2Decision =
  | { readonly kind: "elected"; readonly announcement: L2Announcement }
  /** Could announce, but `owner` comes first: goes on only until that one takes over. */
  | { readonly kind: "standby"; readonly owner: string; readonly announcement: L2Announcement }
  | {
      readonly kind: "refused";
      readonly refusal: Refusal;
      /**
       * The node that would announce if the exclude label were not looked at, where that label
       * alone leaves nobody; the same on every node.
       */
      readonly excludedOnly: string | undefined;
      /**
       * The node that announces it instead; what this node answers for until now it leaves to that
       * one. Undefined: nobody does.
       */
      readonly successor: string | undefined;
    };

export type Layer2Input = {
  readonly service: L2Service;
  /** Nodes with a serving endpoint; "" for an unknown node. */
  readonly servingNodes: ReadonlySet<string>;
  /** Of the pool that holds the addresses. */
  readonly policy: L2PoolPolicy;
  readonly electorate: Electorate;
};

/** What the decision needs of a Service; the first address elects the owner of all. */
export type L2Service = Pick<ServiceFacts, "labels" | "isLocal" | "addresses" | "hasSharingKey">;

/** Decides for one Service. */
export function decideLayer2(input: Layer2Input): L2Decision {
  const { service, servingNodes, policy, electorate } = input;
  const { self } = electorate;
  const [address] = service.addresses;
  if (address === undefined) return refused("noIPAllocated", "It has no address yet");
  if (servingNodes.size === 0) return refused("notOwner", "No endpoint is serving");
  const matching = policy.advertisements.filter(({ advertisement: { serviceSelectors } }) => {
    return serviceSelectors.length === 0 || matchesAny(serviceSelectors, service.labels);
  });
  const selecting = matching.filter(({ advertisement }) => {
    return advertisement.serviceSelectors.length > 0;
  });
  if (service.hasSharingKey && selecting.length > 0) {
    return refused(
      "sharedIPWithServiceSelector",
      `It may share its addresses, but L2Advertisements ${namesOf(selecting)} have serviceSelectors: they could announce one address from two nodes`,
    );
  }
  const shared = electorate.contestOf(policy, matching);
  const contest = service.isLocal ? localContest(shared, servingNodes) : shared;
  const owner = contest.candidates && electorate.elections.ownerOf(address, contest.candidates);
  if (!matching.some(({ preferences }) => preferences.has(self))) {
    return refused("noMatchingAdvertisement", mismatchText(policy, matching), owner);
  }
  if (contest.candidates === undefined || owner === undefined) {
    return refuseAll(address, contest, electorate);
  }
  const why = contest.why(owner);
  if (!contest.candidates.byName.has(self)) {
    const message = `Node "${owner}" comes first (${why}); this node is no candidate: ${ownObstacle(contest, self)}`;
    return refused("notOwner", message, owner);
  }
  const { interfaces, failbackDelayMs } = shared;
  const announcement = { interfaces, failbackDelayMs, candidates: contest.names, why };
  if (owner === self) return { kind: "elected", announcement };
  return { kind: "standby", owner, announcement };
}

function refused(reason: RefusalReason, message: string, successor?: string): L2Decision {
  return { kind: "refused", refusal: { reason, message }, excludedOnly: undefined, successor };
}

function namesOf(advertisements: readonly PolicyL2Advertisement[]): string {
  return listOf(advertisements.map(({ advertisement }) => advertisement.name));
}

function mismatchText(
  { poolName, advertisements }: L2PoolPolicy,
  matching: readonly PolicyL2Advertisement[],
): string {
  if (advertisements.length === 0) return `No L2Advertisement is for pool "${poolName}"`;
  if (matching.length > 0) {
    return `The nodeSelectors of L2Advertisements ${namesOf(matching)} do not include this node`;
  }
  return `Its labels match the serviceSelectors of none of the L2Advertisements ${namesOf(advertisements)}`;
}

/** Nobody can announce it. */
function refuseAll(address: Address, contest: Contest, electorate: Electorate): L2Decision {
  const labelled = gatherCandidates(
    contest.contenders
      .filter(({ obstacle }) => obstacle === "excludeLabel")
      .map(({ candidate }) => candidate),
  );
  const message = `No node can announce it: ${obstaclesText(contest)}`;
  if (labelled === undefined) return refused("notOwner", message);
  return {
    kind: "refused",
    refusal: { reason: "nodeLabeledExcludeBalancers", message },
    excludedOnly: electorate.elections.ownerOf(address, labelled),
    successor: undefined,
  };
}

const OBSTACLES: Readonly<Record<Obstacle, string>> = {
  excludeLabel: `the label ${EXCLUDE_LABEL}`,
  noServingEndpoint: "no serving endpoint, with externalTrafficPolicy Local",
  networkUnavailable: "the condition NetworkUnavailable",
  notMember: "no living speaker",
};

function ownObstacle({ contenders }: Contest, self: string): string {
  const own = contenders.find(({ candidate }) => candidate.name === self);
  return own?.obstacle === undefined ? "it is not known yet" : `it has ${OBSTACLES[own.obstacle]}`;
}

function obstaclesText({ contenders }: Contest): string {
  if (contenders.length === 0) return "none is known yet";
  const byObstacle = Map.groupBy(contenders, ({ obstacle }) => obstacle);
  const texts: string[] = [];
  for (const [obstacle, text] of Object.entries(OBSTACLES)) {
    const names = byObstacle.get(obstacle as Obstacle)?.map(({ candidate }) => candidate.name);
    if (names === undefined) continue;
    texts.push(`${listOf(names)} ${names.length === 1 ? "has" : "have"} ${text}`);
  }
  return texts.join("; ");
}

/** Names in quotes and in order, the first few of them: events hold 1024 characters. */
function listOf(names: readonly string[]): string {
  const shown = [...names].sort().slice(0, MAX_NAMES);
  const more = names.length - shown.length;
  return `${shown.map((name) => `"${name}"`).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

const MAX_NAMES = 5;
