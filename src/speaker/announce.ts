// The decision per Service: what this node announces for it, or why not, per protocol. MetalLB's
// checks in MetalLB's order (docs/compatibility.md). Pure.

import {
  aggregationLengthOf,
  conflictingLocalPreferences,
} from "../config/advertisement-conflict.ts";
import { matchesAny } from "../config/selector.ts";
import type { ClassEntry } from "../frr/model.ts";
import { type Address, familyOf } from "../net/address.ts";
import { type Prefix, prefixOf } from "../net/prefix.ts";
import { type Electorate, EXCLUDE_LABEL } from "./electorate.ts";
import type { L2PoolPolicy } from "./l2-policy.ts";
import { decideLayer2, type L2Decision } from "./layer2.ts";
import type { Policy, PolicyAdvertisement, PoolPolicy } from "./policy.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import type { NodeState, ServiceFacts } from "./service.ts";

/** What this node does for one Service. */
export type Decision = {
  readonly addresses: readonly Address[];
  /** Undefined: the addresses are in no pool, or not all in one. */
  readonly pool: string | undefined;
  /** How the pool is announced; undefined: it was refused before it came to that. */
  readonly policies: PoolPolicies | undefined;
  /**
   * The pool is gone, or no longer covers the addresses: announced as before until the controller
   * changes the Service.
   */
  readonly poolGone: boolean;
  readonly bgp: BgpDecision;
  readonly l2: L2Decision;
};

/** How one pool is announced, by protocol. */
export type PoolPolicies = { readonly bgp: PoolPolicy; readonly l2: L2PoolPolicy };

export type BgpDecision =
  | {
      readonly kind: "announced";
      readonly announcements: readonly Announcement[];
      /** Names of the peers of this node that hear it, sorted. */
      readonly peers: readonly string[];
    }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** One prefix, announced because of one advertisement. */
export type Announcement = {
  readonly prefix: Prefix;
  readonly entry: ClassEntry;
  /** Equal for equal entries. */
  readonly entryKey: string;
};

export type DecisionInput = {
  /** Undefined: deleted, or no longer of type LoadBalancer. */
  readonly service: ServiceFacts | undefined;
  /** Nodes with a serving endpoint; "" for an unknown node. */
  readonly servingNodes: ReadonlySet<string>;
  readonly node: NodeState;
  readonly policy: Policy;
  /** By pool name. */
  readonly l2Policies: ReadonlyMap<string, L2PoolPolicy>;
  readonly electorate: Electorate;
  /** Do not look at the label node.kubernetes.io/exclude-from-external-load-balancers. */
  readonly ignoreExcludeLabel: boolean;
  /** The last decision for this Service. */
  readonly previous: Decision | undefined;
};

/** Decides for one Service. */
export function decideService(input: DecisionInput): Decision {
  const { service, previous } = input;
  if (service === undefined) {
    const message = "The Service is gone, or no longer of type LoadBalancer";
    return refused([], undefined, "serviceDeleted", message);
  }
  const { addresses, invalidAddress } = service;
  if (invalidAddress !== undefined) {
    const message = `Its status holds "${invalidAddress}", which is not an IP address`;
    return refused(addresses, undefined, "invalidIP", message);
  }
  if (addresses.length === 0) {
    return refused(addresses, undefined, "noIPAllocated", "It has no address yet");
  }
  const current = policiesOf(input, addresses);
  const policies = current ?? heldPolicies(previous, addresses);
  if (policies === undefined) {
    const message = `Not all of ${addresses.join(", ")} are in one pool`;
    return refused(addresses, undefined, "ipNotAllowed", message);
  }
  const { servingNodes, electorate } = input;
  return {
    addresses,
    pool: policies.bgp.pool.name,
    policies,
    poolGone: current === undefined,
    bgp: decideBgp(input, service, policies.bgp),
    l2: decideLayer2({ service, servingNodes, policy: policies.l2, electorate }),
  };
}

/** Whether this node announces it by any protocol, or may have to do so for a moment yet. */
export function isAnnounced({ bgp, l2 }: Decision): boolean {
  return bgp.kind === "announced" || l2.kind !== "refused";
}

function refused(
  addresses: readonly Address[],
  pool: string | undefined,
  reason: RefusalReason,
  message: string,
): Decision {
  const bgp = refusal(reason, message);
  const l2 = { ...bgp, excludedOnly: undefined, successor: undefined };
  return { addresses, pool, policies: undefined, poolGone: false, bgp, l2 };
}

function refusal(
  reason: RefusalReason,
  message: string,
): Extract<BgpDecision, { readonly kind: "refused" }> {
  return { kind: "refused", refusal: { reason, message } };
}

function policiesOf(
  { policy, l2Policies }: DecisionInput,
  addresses: readonly Address[],
): PoolPolicies | undefined {
  const bgp = commonPool(policy, addresses);
  const l2 = bgp && l2Policies.get(bgp.pool.name);
  return bgp && l2 && { bgp, l2 };
}

function commonPool(policy: Policy, addresses: readonly Address[]): PoolPolicy | undefined {
  let common: PoolPolicy | undefined;
  for (const address of addresses) {
    const found = policy.poolOf(address);
    if (found === undefined || (common !== undefined && found !== common)) return undefined;
    common = found;
  }
  return common;
}

/** What the Service is announced by, if that is for the same set of addresses. */
function heldPolicies(
  previous: Decision | undefined,
  addresses: readonly Address[],
): PoolPolicies | undefined {
  if (previous === undefined || !isAnnounced(previous)) return undefined;
  const before = new Set(previous.addresses);
  const same = before.size === new Set(addresses).size && addresses.every((a) => before.has(a));
  return same ? previous.policies : undefined;
}

function decideBgp(input: DecisionInput, service: ServiceFacts, policy: PoolPolicy): BgpDecision {
  const { node, servingNodes } = input;
  const { pool, advertisements } = policy;
  if (advertisements.length === 0) {
    return refusal("notOwner", `No BGPAdvertisement of pool "${pool.name}" includes this node`);
  }
  const matching = advertisements.filter(({ advertisement: { serviceSelectors } }) => {
    return serviceSelectors.length === 0 || matchesAny(serviceSelectors, service.labels);
  });
  if (matching.length === 0) {
    const names = namesOf(advertisements);
    return refusal(
      "noMatchingAdvertisement",
      `Its labels match the serviceSelectors of none of the BGPAdvertisements ${names}`,
    );
  }
  const conflict = findConflict(policy, matching);
  if (conflict !== undefined) {
    return refusal(
      "conflictingAdvertisements",
      `BGPAdvertisements ${namesOf(conflict)} give it different local preferences for one peer`,
    );
  }
  if (node.networkUnavailable) {
    return refusal("nodeNetworkUnavailable", "The node has the condition NetworkUnavailable");
  }
  if (!input.ignoreExcludeLabel && node.labels[EXCLUDE_LABEL] !== undefined) {
    return refusal("nodeLabeledExcludeBalancers", `The node has the label ${EXCLUDE_LABEL}`);
  }
  if (service.isLocal && !servingNodes.has(node.name)) {
    return refusal(
      "noLocalEndpoints",
      "externalTrafficPolicy is Local and no endpoint on this node is serving",
    );
  }
  if (servingNodes.size === 0) return refusal("noEndpoints", "No endpoint is serving");
  return {
    kind: "announced",
    announcements: announcementsOf(service.addresses, matching),
    peers: [...new Set(matching.flatMap(({ hearers }) => hearers))].sort(),
  };
}

function findConflict(
  { pool }: PoolPolicy,
  matching: readonly PolicyAdvertisement[],
): readonly PolicyAdvertisement[] | undefined {
  for (const [index, a] of matching.entries()) {
    for (const b of matching.slice(index + 1)) {
      if (conflictingLocalPreferences(a.advertisement, b.advertisement, pool)) return [a, b];
    }
  }
  return undefined;
}

function namesOf(advertisements: readonly PolicyAdvertisement[]): string {
  return advertisements.map(({ advertisement }) => `"${advertisement.name}"`).join(", ");
}

/** An advertisement that no peer of this node hears is left out: FRR need not know the prefix. */
function announcementsOf(
  addresses: readonly Address[],
  matching: readonly PolicyAdvertisement[],
): readonly Announcement[] {
  const announcements: Announcement[] = [];
  for (const address of addresses) {
    for (const { advertisement, entry, entryKey, hearers } of matching) {
      if (hearers.length === 0) continue;
      const length = aggregationLengthOf(advertisement, familyOf(address));
      announcements.push({ prefix: prefixOf(address, length), entry, entryKey });
    }
  }
  return announcements;
}
