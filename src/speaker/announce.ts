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
import type { Policy, PolicyAdvertisement, PoolPolicy } from "./policy.ts";
import type { Refusal, RefusalReason } from "./refusal.ts";
import type { NodeState, ServiceFacts } from "./service.ts";

/** What this node does for one Service. */
export type Decision = {
  readonly addresses: readonly Address[];
  /** Undefined: the addresses are in no pool, or not all in one. */
  readonly pool: string | undefined;
  readonly bgp: BgpDecision;
};

export type BgpDecision =
  | {
      readonly kind: "announced";
      readonly announcements: readonly Announcement[];
      /** Names of the peers of this node that hear it, sorted. */
      readonly peers: readonly string[];
      /** What it was decided by; see `poolGone`. */
      readonly policy: PoolPolicy;
      /**
       * The pool is gone, or no longer covers the addresses: announced as before until the
       * controller changes the Service.
       */
      readonly poolGone: boolean;
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
  /** Do not look at the label node.kubernetes.io/exclude-from-external-load-balancers. */
  readonly ignoreExcludeLabel: boolean;
  /** The last decision for this Service. */
  readonly previous: Decision | undefined;
};

const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** Decides for one Service. */
export function decideService(input: DecisionInput): Decision {
  const { service, policy, previous } = input;
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
  const current = commonPool(policy, addresses);
  const held = current ?? heldPolicy(previous, addresses);
  if (held === undefined) {
    const message = `Not all of ${addresses.join(", ")} are in one pool`;
    return refused(addresses, undefined, "ipNotAllowed", message);
  }
  const bgp = decideBgp(input, service, held, current === undefined);
  return { addresses, pool: held.pool.name, bgp };
}

function refused(
  addresses: readonly Address[],
  pool: string | undefined,
  reason: RefusalReason,
  message: string,
): Decision {
  return { addresses, pool, bgp: refusal(reason, message) };
}

function refusal(reason: RefusalReason, message: string): BgpDecision {
  return { kind: "refused", refusal: { reason, message } };
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
function heldPolicy(
  previous: Decision | undefined,
  addresses: readonly Address[],
): PoolPolicy | undefined {
  if (previous?.bgp.kind !== "announced") return undefined;
  const before = new Set(previous.addresses);
  const same = before.size === new Set(addresses).size && addresses.every((a) => before.has(a));
  return same ? previous.bgp.policy : undefined;
}

function decideBgp(
  input: DecisionInput,
  service: ServiceFacts,
  policy: PoolPolicy,
  poolGone: boolean,
): BgpDecision {
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
    policy,
    poolGone,
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
