// What one Service should hold and show: addresses, status, annotation, condition, events. Pure:
// a snapshot in, a decision out; MetalLB's rules (compatibility list) with addresses kept in
// place wherever the Service and the pools still allow them.

import type { ServiceResource } from "../config/resources.ts";
import { type Address, type Family, familyOf } from "../net/address.ts";
import {
  type AllocationRefusal,
  allocate,
  allocateFromPool,
  allocateOtherFamily,
  assign,
  type FamilyDemand,
  formatAddresses,
  formatRefusal,
} from "./allocate.ts";
import type { Allocation, Allocations, Requester, ServiceKey, Sharing } from "./allocation.ts";
import { type ConditionState, conditionOf, withCondition, withoutCondition } from "./condition.ts";
import type { ConditionReason } from "./condition-reasons.ts";
import { EVENT_REASONS, type EventReason } from "./event-reasons.ts";
import {
  type AddressList,
  clusterAddresses,
  deprecatedAnnotations,
  POOL_ANNOTATION,
  primaryFamily,
  requestedAddresses,
  requestedPool,
  requesterOf,
  statusAddresses,
} from "./request.ts";

/** Condition on every Service we serve: True with its pool, False with the reason why not. */
export const ALLOCATED_CONDITION = "metallb.io/AddressAllocated";

/** Everything a decision may look at. */
export type ServiceSnapshot = {
  readonly key: ServiceKey;
  readonly service: ServiceResource;
  readonly allocations: Allocations;
  /** Names of pools whose object exists but has no version in force. */
  readonly refusedPools: ReadonlySet<string>;
  /** `spec.loadBalancerClass` we serve; "": Services without one. */
  readonly loadBalancerClass: string;
  /** RFC 3339, for the condition. */
  readonly now: string;
};

export type ServiceEvent = {
  readonly type: "Normal" | "Warning";
  readonly reason: EventReason;
  readonly message: string;
};

/** What must change before asking again can help; the Service itself and the pools aside. */
export type Waits = {
  readonly pools: readonly { readonly pool: string; readonly family: Family }[];
  readonly addresses: readonly Address[];
  /** undefined: it shares with nobody. */
  readonly sharing: Sharing | undefined;
};

/** A JSON merge patch for the `status` subresource, without the precondition. */
export type ServicePatch = {
  readonly metadata?: { readonly annotations: Readonly<Record<string, string | null>> };
  readonly status?: {
    readonly loadBalancer?: { readonly ingress: readonly { readonly ip: Address }[] | null };
    readonly conditions?: readonly object[];
  };
};

export type ServiceDecision = {
  /** What the Service holds from now on. */
  readonly allocation: Allocation | undefined;
  /** undefined: the object is as it should be. */
  readonly patch: ServicePatch | undefined;
  /** To be sent once the patch is accepted; empty without one. */
  readonly events: readonly ServiceEvent[];
  readonly waits: Waits | undefined;
  /** Why an address was taken away, in MetalLB's words for the log. */
  readonly cleared: string | undefined;
};

/** Tells whether the Service is one we give addresses to. */
export function isServed(service: ServiceResource, loadBalancerClass: string): boolean {
  if (service.spec.type !== "LoadBalancer") return false;
  return (service.spec.loadBalancerClass ?? "") === loadBalancerClass;
}

/** Tells whether the Service carries what we write. */
export function carriesOurMarks(service: ServiceResource): boolean {
  return (
    service.metadata.annotations?.[POOL_ANNOTATION] !== undefined ||
    conditionOf(service.status?.conditions, ALLOCATED_CONDITION) !== undefined
  );
}

/**
 * What the Service holds already according to its status, as far as the pools in force allow it.
 * Called for every Service before anything new is granted, so that nobody is given an address
 * that another one has.
 */
export function adopt(snapshot: ServiceSnapshot): Allocation | undefined {
  const { service, loadBalancerClass } = snapshot;
  if (!isServed(service, loadBalancerClass)) return undefined;
  const current = statusAddresses(service);
  if (current.kind !== "addresses") return undefined;
  const cluster = clusterAddresses(service);
  if (cluster.kind === "none") return undefined;
  const retained = retain(snapshot, current.addresses, cluster);
  return retained.kind === "lost" ? undefined : retained.allocation;
}

export function decideService(snapshot: ServiceSnapshot): ServiceDecision {
  const { service } = snapshot;
  if (isServed(service, snapshot.loadBalancerClass)) {
    return decision(snapshot, converge(snapshot));
  }
  if (service.spec.type === "LoadBalancer") return NOTHING;
  const held = snapshot.allocations.get(snapshot.key) !== undefined;
  if (!held && !carriesOurMarks(service)) return NOTHING;
  const patch = patchFor(service, [], undefined, undefined, snapshot.now);
  const cleared = patch === undefined ? undefined : "notLoadBalancer";
  return { allocation: undefined, patch, events: [], waits: undefined, cleared };
}

const NOTHING: ServiceDecision = {
  allocation: undefined,
  patch: undefined,
  events: [],
  waits: undefined,
  cleared: undefined,
};

type AllocatedReason = ConditionReason<typeof ALLOCATED_CONDITION>;

/** Where the Service ends up. */
type Outcome = {
  readonly allocation: Allocation | undefined;
  readonly condition: Omit<ConditionState, "type" | "reason"> & {
    readonly reason: AllocatedReason;
  };
  /** Sent when the condition says something new. */
  readonly conditionEvent: ServiceEvent | undefined;
  /** Sent whenever the outcome is written. */
  readonly events: readonly ServiceEvent[];
  readonly waits: Waits | undefined;
  readonly cleared: string | undefined;
};

function converge(snapshot: ServiceSnapshot): Outcome {
  const { service, key, allocations, refusedPools } = snapshot;
  if (allocations.pools.size === 0 && refusedPools.size === 0) {
    return without("NoPools", "no IPAddressPool is configured", "noConfig");
  }
  const cluster = clusterAddresses(service);
  if (cluster.kind === "none") {
    return without("NoClusterIPs", "the service has no cluster IP yet", "noClusterIPs");
  }
  if (
    service.spec.ipFamilyPolicy === "RequireDualStack" &&
    !(cluster.kind === "addresses" && cluster.addresses.length === 2)
  ) {
    const message = `Service "${key}" requires dual-stack: want two cluster IPs of different families`;
    const event = serviceEvent("not enough clusterips", message);
    return { ...without("NotEnoughClusterIPs", message, "notEnoughClusterIPs", event) };
  }
  const current = statusAddresses(service);
  const events: ServiceEvent[] = [];
  if (current.kind === "invalid") {
    const text = `Cannot determine the IP family of the status of "${key}": ${current.message}`;
    events.push(serviceEvent("nolbIPsIPFamily", text));
  }
  const held = heldAddresses(snapshot, current);
  if (cluster.kind === "invalid") return keepOnly(snapshot, held, cluster, events);
  if (held.length === 0) {
    const cleared = current.kind === "invalid" ? "nolbIPsIPFamily" : undefined;
    return obtain(snapshot, cluster.addresses, events, cleared);
  }
  const retained = retain(snapshot, held, cluster);
  if (retained.refusal !== undefined) {
    const text = `current IP for "${key}" is not allowed by config, will attempt for new IP assignment: ${formatRefusal(retained.refusal)}`;
    events.push(serviceEvent("ClearAssignment", text));
  }
  if (retained.kind === "lost") {
    const cleared = retained.refusal === undefined ? "differentFamily" : "notAllowedByConfig";
    return obtain(snapshot, cluster.addresses, events, cleared);
  }
  const { allocation } = retained;
  const pool = requestedPool(service);
  if (pool !== "" && pool !== allocation.pool) {
    return obtain(snapshot, cluster.addresses, events, "differentPoolRequested");
  }
  const requested = requestedAddresses(service);
  if (requested.kind === "invalid") {
    const event = serviceEvent(
      "LoadBalancerFailed",
      `invalid requested loadbalancer IPs: ${requested.message}`,
    );
    const message = `${fromPool(allocation)}; the addresses asked for are not used: ${requested.message}`;
    return keep(allocation, { reason: "LoadBalancerFailed", message, event, events });
  }
  if (requested.kind === "addresses" && !sameSet(requested.addresses, allocation.addresses)) {
    return obtain(snapshot, cluster.addresses, events, "differentIPRequested");
  }
  if (retained.kind === "frozen") {
    const message = `${fromPool(allocation)}; the pool is refused for now, what it gave out is kept`;
    return keep(allocation, { reason: "PoolRefused", message, event: undefined, events });
  }
  return complete(snapshot, cluster.addresses, allocation, events, undefined);
}

/** Gets addresses for a Service that has none, or must give up the ones it has. */
function obtain(
  snapshot: ServiceSnapshot,
  clusterIps: readonly Address[],
  events: readonly ServiceEvent[],
  cleared: string | undefined,
): Outcome {
  const requester = requesterOf(snapshot.key, snapshot.service);
  const result = request(snapshot, requester, clusterIps);
  if (result.kind === "refused") {
    const message = formatServiceRefusal(withRefusedPools(snapshot, result.refusal));
    const event = serviceEvent(
      "AllocationFailed",
      `Failed to allocate IP for "${snapshot.key}": ${message}`,
    );
    return {
      ...without("AllocationFailed", message, cleared, event),
      events,
      waits: waitsOf(result.refusal, requester),
    };
  }
  return complete(snapshot, clusterIps, result.allocation, events, cleared);
}

type ServiceRefusal =
  | AllocationRefusal
  | { readonly reason: "request-invalid"; readonly message: string }
  | {
      readonly reason: "request-families";
      readonly requested: readonly Address[];
      readonly clusterIps: readonly Address[];
    }
  | { readonly reason: "other-pool"; readonly pool: string; readonly requestedPool: string };

type ServiceResult =
  | { readonly kind: "granted"; readonly allocation: Allocation }
  | { readonly kind: "refused"; readonly refusal: ServiceRefusal };

function request(
  { service, allocations }: ServiceSnapshot,
  requester: Requester,
  clusterIps: readonly Address[],
): ServiceResult {
  const requested = requestedAddresses(service);
  const pool = requestedPool(service);
  switch (requested.kind) {
    case "invalid":
      return {
        kind: "refused",
        refusal: { reason: "request-invalid", message: requested.message },
      };
    case "none": {
      const demand = familyDemand(service, clusterIps);
      return pool === ""
        ? allocate(allocations, requester, demand)
        : allocateFromPool(allocations, requester, demand, pool);
    }
    case "addresses": {
      const { addresses } = requested;
      if (!sameSet(addresses.map(familyOf), clusterIps.map(familyOf))) {
        const refusal = { reason: "request-families", requested: addresses, clusterIps } as const;
        return { kind: "refused", refusal };
      }
      const result = assign(allocations, requester, addresses);
      if (result.kind === "granted" && pool !== "" && result.allocation.pool !== pool) {
        const refusal = {
          reason: "other-pool",
          pool: result.allocation.pool,
          requestedPool: pool,
        } as const;
        return { kind: "refused", refusal };
      }
      return result;
    }
  }
}

/** The refusal with the pools in it that would count if they were not refused themselves. */
function withRefusedPools(
  { refusedPools }: ServiceSnapshot,
  refusal: ServiceRefusal,
): ServiceRefusal {
  if (refusal.reason === "unknown-pool" && refusedPools.has(refusal.pool)) {
    const { pool } = refusal;
    return { reason: "pool-incompatible", refusal: { pool, reason: "not-accepted" } };
  }
  if (refusal.reason !== "no-available-addresses") return refusal;
  const more = [...refusedPools].map((pool) => ({ pool, reason: "not-accepted" }) as const);
  return { ...refusal, pools: [...refusal.pools, ...more] };
}

/** Adds the second family where the Service wants two and has one. */
function complete(
  snapshot: ServiceSnapshot,
  clusterIps: readonly Address[],
  allocation: Allocation,
  events: readonly ServiceEvent[],
  cleared: string | undefined,
): Outcome {
  const { service, key, allocations } = snapshot;
  const current = statusAddresses(service);
  const before = current.kind === "addresses" ? current.addresses : [];
  const [address] = allocation.addresses;
  const wantsBoth = clusterIps.length === 2 && allocation.addresses.length === 1;
  if (!wantsBoth || address === undefined) return allocated(allocation, before, events, cleared);
  const optional = service.spec.ipFamilyPolicy === "PreferDualStack";
  if (requestedAddresses(service).kind === "addresses") {
    // Asked for by address: the Service has what its user named, and no more.
    if (optional) return allocated(allocation, before, events, cleared);
    return obtain(snapshot, clusterIps, events, "differentFamily");
  }
  const requester = requesterOf(key, service);
  const result = allocateOtherFamily(allocations, requester, address);
  if (result.kind === "granted") return allocated(result.allocation, before, events, cleared);
  if (!optional) return obtain(snapshot, clusterIps, events, "differentFamily");
  const why = formatRefusal(result.refusal);
  const event = serviceEvent(
    "AdditionalAssignFailed",
    `Failed to assign additional IP for "${key}": ${why}`,
  );
  return {
    ...allocated(allocation, before, events, cleared),
    condition: {
      status: "True",
      reason: "AdditionalAssignFailed",
      message: `${fromPool(allocation)}; no second IP family: ${why}`,
    },
    conditionEvent: event,
    waits: waitsOf(result.refusal, requester),
  };
}

function allocated(
  allocation: Allocation,
  before: readonly Address[],
  events: readonly ServiceEvent[],
  cleared: string | undefined,
): Outcome {
  const { addresses } = allocation;
  const added = addresses.filter((address) => !before.includes(address));
  const grown = added.length === 1 && addresses.length === 2 && before.length === 1;
  const message = grown
    ? `Assigned additional IP "${added.join("")}"`
    : `Assigned IP ${formatAddresses(addresses)}`;
  const event = serviceEvent("IPAllocated", message);
  return {
    allocation,
    condition: { status: "True", reason: "Allocated", message: fromPool(allocation) },
    conditionEvent: undefined,
    events: added.length === 0 ? events : [...events, event],
    waits: undefined,
    cleared,
  };
}

/** Keeps the addresses although something about the Service is wrong. */
function keep(
  allocation: Allocation,
  why: {
    readonly reason: AllocatedReason;
    readonly message: string;
    readonly event: ServiceEvent | undefined;
    readonly events: readonly ServiceEvent[];
  },
): Outcome {
  return {
    allocation,
    condition: { status: "True", reason: why.reason, message: why.message },
    conditionEvent: why.event,
    events: why.events,
    waits: undefined,
    cleared: undefined,
  };
}

/** Cluster IPs that make no sense: what the Service has stays, it gets nothing new. */
function keepOnly(
  snapshot: ServiceSnapshot,
  held: readonly Address[],
  cluster: AddressList & { readonly kind: "invalid" },
  events: readonly ServiceEvent[],
): Outcome {
  const { key } = snapshot;
  const retained = held.length === 0 ? undefined : retain(snapshot, held, cluster);
  if (retained === undefined || retained.kind === "lost") {
    const event = serviceEvent(
      "AllocationFailed",
      `Failed to allocate IP for "${key}": ${cluster.message}`,
    );
    const cleared = held.length === 0 ? undefined : "noclusterIPsIPFamily";
    return { ...without("AllocationFailed", cluster.message, cleared, event), events };
  }
  const text = `Cannot determine the IP family of the cluster IPs of "${key}": ${cluster.message}`;
  const message = `${fromPool(retained.allocation)}; ${cluster.message}`;
  const event = serviceEvent("noclusterIPsIPFamily", text);
  return keep(retained.allocation, { reason: "ClusterIPsInvalid", message, event, events });
}

function without(
  reason: AllocatedReason,
  message: string,
  cleared: string | undefined,
  event?: ServiceEvent,
): Outcome {
  return {
    allocation: undefined,
    condition: { status: "False", reason, message },
    conditionEvent: event,
    events: [],
    waits: undefined,
    cleared,
  };
}

/** The addresses of the status; where a write was never answered, those in memory. */
function heldAddresses(snapshot: ServiceSnapshot, current: AddressList): readonly Address[] {
  switch (current.kind) {
    case "addresses":
      return current.addresses;
    case "invalid":
      return [];
    case "none":
      return snapshot.allocations.get(snapshot.key)?.addresses ?? [];
  }
}

type Retained =
  | {
      readonly kind: "kept" | "frozen";
      readonly allocation: Allocation;
      /** Why one of two addresses had to go. */
      readonly refusal: AllocationRefusal | undefined;
    }
  /** Without a refusal: of the wrong family. */
  | { readonly kind: "lost"; readonly refusal: AllocationRefusal | undefined };

/** As much of the given addresses as the Service and the pools allow it to keep. */
function retain(
  snapshot: ServiceSnapshot,
  addresses: readonly Address[],
  cluster: AddressList,
): Retained {
  const { service, key, allocations } = snapshot;
  const wanted = wantedOf(addresses, cluster);
  if (wanted === undefined) return { kind: "lost", refusal: undefined };
  const requester = requesterOf(key, service);
  const result = assign(allocations, requester, wanted);
  if (result.kind === "granted") {
    return { kind: "kept", allocation: result.allocation, refusal: undefined };
  }
  const { refusal } = result;
  const pool = frozenPool(snapshot, refusal);
  if (pool !== undefined) {
    const { ports, sharingKey, backendKey } = requester;
    const allocation = { pool, addresses: wanted, ports, sharingKey, backendKey };
    return { kind: "frozen", allocation, refusal: undefined };
  }
  if (wanted.length < 2 || service.spec.ipFamilyPolicy !== "PreferDualStack") {
    return { kind: "lost", refusal };
  }
  // One of the two is better than none: an address that is still covered does not move.
  const primary = primaryFamily(service);
  const primaryFirst = wanted.toSorted(
    (a, b) => Number(familyOf(b) === primary) - Number(familyOf(a) === primary),
  );
  for (const address of primaryFirst) {
    const single = assign(allocations, requester, [address]);
    if (single.kind === "granted") return { kind: "kept", allocation: single.allocation, refusal };
  }
  return { kind: "lost", refusal };
}

/** Which of the addresses fit the families of the Service; undefined: none may stay. */
function wantedOf(
  addresses: readonly Address[],
  cluster: AddressList,
): readonly Address[] | undefined {
  if (cluster.kind !== "addresses") return addresses;
  const families = cluster.addresses.map(familyOf);
  const fitting = addresses.filter((address) => families.includes(familyOf(address)));
  if (fitting.length === families.length) return fitting;
  return fitting.length === 1 ? fitting : undefined;
}

/**
 * The pool that gave the address out, when its object is there but refused: nothing else can
 * give the address out meanwhile, and a mistake in a pool must not renumber its Services.
 */
function frozenPool(
  { service, refusedPools }: ServiceSnapshot,
  refusal: AllocationRefusal,
): string | undefined {
  if (refusal.reason !== "not-in-any-pool") return undefined;
  const pool = service.metadata.annotations?.[POOL_ANNOTATION];
  return pool !== undefined && refusedPools.has(pool) ? pool : undefined;
}

function familyDemand(service: ServiceResource, clusterIps: readonly Address[]): FamilyDemand {
  const [first, second] = clusterIps;
  if (first !== undefined && second === undefined) {
    return { kind: "single", family: familyOf(first) };
  }
  if (service.spec.ipFamilyPolicy !== "PreferDualStack") return { kind: "both" };
  return { kind: "prefer-both", primary: primaryFamily(service) };
}

function waitsOf(refusal: ServiceRefusal, requester: Requester): Waits | undefined {
  const { sharingKey, backendKey, ports } = requester;
  switch (refusal.reason) {
    case "no-available-addresses": {
      const pools = refusal.pools.flatMap((pool) =>
        pool.reason === "exhausted" || pool.reason === "nothing-to-share"
          ? [{ pool: pool.pool, family: pool.family }]
          : [],
      );
      const sharing = sharingKey === "" ? undefined : { sharingKey, backendKey, ports };
      return pools.length === 0 ? undefined : { pools, addresses: [], sharing };
    }
    case "other-sharing-key":
    case "port-in-use":
      return { pools: [], addresses: [refusal.address], sharing: undefined };
    case "unknown-pool":
    case "not-in-any-pool":
    case "pool-incompatible":
    case "address-families":
    case "request-invalid":
    case "request-families":
    case "other-pool":
      return undefined;
  }
}

function formatServiceRefusal(refusal: ServiceRefusal): string {
  switch (refusal.reason) {
    case "request-invalid":
      return refusal.message;
    case "request-families":
      return `requested loadBalancer IPs ${formatAddresses(refusal.requested)} do not match the IP families of the cluster IPs ${formatAddresses(refusal.clusterIps)}`;
    case "other-pool":
      return `the requested IP is in pool "${refusal.pool}", not compatible with requested address pool "${refusal.requestedPool}"`;
    case "no-available-addresses":
    case "unknown-pool":
    case "not-in-any-pool":
    case "pool-incompatible":
    case "address-families":
    case "other-sharing-key":
    case "port-in-use":
      return formatRefusal(refusal);
  }
}

function decision(snapshot: ServiceSnapshot, outcome: Outcome): ServiceDecision {
  const { service, now } = snapshot;
  const { allocation, waits } = outcome;
  const condition = { type: ALLOCATED_CONDITION, ...outcome.condition };
  const patch = patchFor(service, allocation?.addresses ?? [], allocation?.pool, condition, now);
  const lost = patch?.status?.loadBalancer !== undefined;
  const cleared = lost ? outcome.cleared : undefined;
  if (patch === undefined) return { allocation, patch, events: [], waits, cleared };
  const events = [...outcome.events];
  if (patch.status?.conditions !== undefined && outcome.conditionEvent !== undefined) {
    events.push(outcome.conditionEvent);
  }
  if (patch.status?.loadBalancer !== undefined || patch.metadata !== undefined) {
    for (const key of deprecatedAnnotations(service)) {
      events.push(
        serviceEvent("deprecatedAnnotation", `Service uses deprecated annotation "${key}"`),
      );
    }
  }
  return { allocation, patch, events, waits, cleared };
}

/**
 * Only the difference, and only of what is ours: the set of addresses (not their order, ipMode
 * or ports, which others may write), the annotation and the condition.
 */
function patchFor(
  service: ServiceResource,
  addresses: readonly Address[],
  pool: string | undefined,
  condition: ConditionState | undefined,
  now: string,
): ServicePatch | undefined {
  const current = statusAddresses(service);
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  const same =
    addresses.length === 0
      ? ingress.length === 0
      : current.kind === "addresses" && sameSet(current.addresses, addresses);
  const conditions =
    condition === undefined
      ? withoutCondition(service.status?.conditions, ALLOCATED_CONDITION)
      : withCondition(service.status?.conditions, condition, {
          now,
          observedGeneration: undefined,
        });
  const samePool = service.metadata.annotations?.[POOL_ANNOTATION] === pool;
  if (same && samePool && conditions === undefined) return undefined;
  const entries = addresses.map((ip) => ({ ip }));
  return {
    ...(samePool ? {} : { metadata: { annotations: { [POOL_ANNOTATION]: pool ?? null } } }),
    ...(same && conditions === undefined
      ? {}
      : {
          status: {
            ...(same ? {} : { loadBalancer: { ingress: entries.length === 0 ? null : entries } }),
            ...(conditions === undefined ? {} : { conditions }),
          },
        }),
  };
}

function fromPool(allocation: Allocation): string {
  return `Assigned from pool "${allocation.pool}"`;
}

function serviceEvent(reason: EventReason, message: string): ServiceEvent {
  const { type } = EVENT_REASONS[reason];
  return { type, reason, message: message.slice(0, EVENT_MESSAGE_LIMIT) };
}

/** What the API server takes in the message of an event. */
const EVENT_MESSAGE_LIMIT = 1024;

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
