// Chooses the addresses of one Service, or says why it cannot have any. MetalLB's rules; pools
// are tried in name order and addresses from the lowest. Pure: what is chosen takes effect when
// the caller hands it to Allocations.hold().

import type { Pool } from "../config/pool.ts";
import { matchesAny } from "../config/selector.ts";
import { type Address, type Family, familyOf } from "../net/address.ts";
import type { Allocation, Allocations, Requester, ServiceKey, ServicePort } from "./allocation.ts";

/** Which families a Service must have, taken from its cluster IPs and its family policy. */
export type FamilyDemand =
  | { readonly kind: "single"; readonly family: Family }
  | { readonly kind: "both" }
  | { readonly kind: "prefer-both"; readonly primary: Family };

/** Why one pool was not taken. */
export type PoolRefusal =
  /** Its object is refused and no earlier version of it is in force. */
  | { readonly pool: string; readonly reason: "not-accepted" }
  | { readonly pool: string; readonly reason: "not-auto-assigned" }
  | { readonly pool: string; readonly reason: "namespace" }
  | { readonly pool: string; readonly reason: "service-selectors" }
  | { readonly pool: string; readonly reason: "family-missing"; readonly family: Family }
  | { readonly pool: string; readonly reason: "exhausted"; readonly family: Family }
  | { readonly pool: string; readonly reason: "nothing-to-share"; readonly family: Family };

/** Why a Service gets no address. */
export type AllocationRefusal =
  | { readonly reason: "no-available-addresses"; readonly pools: readonly PoolRefusal[] }
  | { readonly reason: "unknown-pool"; readonly pool: string }
  | { readonly reason: "not-in-any-pool"; readonly addresses: readonly Address[] }
  | { readonly reason: "pool-incompatible"; readonly refusal: PoolRefusal }
  | { readonly reason: "address-families"; readonly addresses: readonly Address[] }
  | {
      readonly reason: "other-sharing-key";
      readonly address: Address;
      readonly users: readonly ServiceKey[];
    }
  | {
      readonly reason: "port-in-use";
      readonly address: Address;
      readonly port: ServicePort;
      readonly user: ServiceKey;
    };

export type AllocationResult =
  | { readonly kind: "granted"; readonly allocation: Allocation }
  | { readonly kind: "refused"; readonly refusal: AllocationRefusal };

/**
 * Takes exactly the given addresses. What the Service holds already does not stand in its way;
 * `autoAssign` is not asked, so turning it off evicts nobody.
 */
export function assign(
  allocations: Allocations,
  requester: Requester,
  addresses: readonly Address[],
): AllocationResult {
  const pool = allocations.poolOf(addresses);
  if (pool === undefined) return refused({ reason: "not-in-any-pool", addresses });
  const incompatible = incompatibility(pool, requester);
  if (incompatible !== undefined) {
    return refused({ reason: "pool-incompatible", refusal: incompatible });
  }
  const families = new Set(addresses.map(familyOf));
  if (families.size !== addresses.length) return refused({ reason: "address-families", addresses });
  for (const address of addresses) {
    const clash = sharingClash(allocations, requester, address);
    if (clash !== undefined) return refused(clash);
  }
  return granted(requester, pool, addresses);
}

/** Chooses from the pools that give addresses out unasked: pinned ones first, then general ones. */
export function allocate(
  allocations: Allocations,
  requester: Requester,
  demand: FamilyDemand,
): AllocationResult {
  const refusals: PoolRefusal[] = [];
  const pinned: Pool[] = [];
  const general: Pool[] = [];
  for (const pool of allocations.pools.values()) {
    const incompatible = incompatibility(pool, requester);
    if (incompatible !== undefined) refusals.push(incompatible);
    else if (!pool.autoAssign) refusals.push({ pool: pool.name, reason: "not-auto-assigned" });
    else if (pool.serviceAllocation === undefined) general.push(pool);
    else pinned.push(pool);
  }
  pinned.sort((a, b) => priorityRank(a) - priorityRank(b));
  for (const pools of [pinned, general]) {
    const choice = choose(allocations, requester, demand, pools, refusals);
    if (choice !== undefined) return granted(requester, choice.pool, choice.addresses);
  }
  refusals.sort((a, b) => (a.pool < b.pool ? -1 : a.pool > b.pool ? 1 : 0));
  return refused({ reason: "no-available-addresses", pools: refusals });
}

/** Chooses from the pool the user named; `autoAssign` and priorities are not asked. */
export function allocateFromPool(
  allocations: Allocations,
  requester: Requester,
  demand: FamilyDemand,
  poolName: string,
): AllocationResult {
  const pool = allocations.pools.get(poolName);
  if (pool === undefined) return refused({ reason: "unknown-pool", pool: poolName });
  const incompatible = incompatibility(pool, requester);
  if (incompatible !== undefined) {
    return refused({ reason: "pool-incompatible", refusal: incompatible });
  }
  const refusals: PoolRefusal[] = [];
  const choice = choose(allocations, requester, demand, [pool], refusals);
  if (choice !== undefined) return granted(requester, choice.pool, choice.addresses);
  return refused({ reason: "no-available-addresses", pools: refusals });
}

/** Adds an address of the other family to the one the Service has, from the same pool. */
export function allocateOtherFamily(
  allocations: Allocations,
  requester: Requester,
  address: Address,
): AllocationResult {
  const pool = allocations.poolOf([address]);
  if (pool === undefined) return refused({ reason: "not-in-any-pool", addresses: [address] });
  const family = familyOf(address) === "ipv4" ? "ipv6" : "ipv4";
  const other = allocations.candidate(pool.name, family, requester);
  if (other === undefined) {
    const pools = [whyNoCandidate(pool, family, requester)];
    return refused({ reason: "no-available-addresses", pools });
  }
  return assign(allocations, requester, [address, other]);
}

type Choice = { readonly pool: Pool; readonly addresses: readonly Address[] };

function choose(
  allocations: Allocations,
  requester: Requester,
  demand: FamilyDemand,
  pools: readonly Pool[],
  refusals: PoolRefusal[],
): Choice | undefined {
  const offers: { pool: Pool; offer: Record<Family, Address | undefined> }[] = [];
  for (const pool of pools) {
    const find = (family: Family) => allocations.candidate(pool.name, family, requester);
    const wanted: readonly Family[] = demand.kind === "single" ? [demand.family] : FAMILIES;
    const offer = {
      ipv4: wanted.includes("ipv4") ? find("ipv4") : undefined,
      ipv6: wanted.includes("ipv6") ? find("ipv6") : undefined,
    };
    const missing = wanted.filter((family) => offer[family] === undefined);
    // IPv4 comes first even where IPv6 is primary, as in MetalLB.
    if (missing.length === 0) {
      return { pool, addresses: wanted.flatMap((family) => offer[family] ?? []) };
    }
    for (const family of missing) refusals.push(whyNoCandidate(pool, family, requester));
    offers.push({ pool, offer });
  }
  if (demand.kind !== "prefer-both") return undefined;
  const secondary = demand.primary === "ipv4" ? "ipv6" : "ipv4";
  for (const family of [demand.primary, secondary] as const) {
    for (const { pool, offer } of offers) {
      const address = offer[family];
      if (address !== undefined) return { pool, addresses: [address] };
    }
  }
  return undefined;
}

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

function whyNoCandidate(pool: Pool, family: Family, requester: Requester): PoolRefusal {
  if (!pool.ranges.some((range) => range.family === family)) {
    return { pool: pool.name, reason: "family-missing", family };
  }
  const reason = requester.sharingKey === "" ? "exhausted" : "nothing-to-share";
  return { pool: pool.name, reason, family };
}

/** Why the pool does not serve this Service at all. */
function incompatibility(pool: Pool, requester: Requester): PoolRefusal | undefined {
  const { serviceAllocation, name } = pool;
  if (serviceAllocation === undefined) return undefined;
  const { namespaces, serviceSelectors } = serviceAllocation;
  if (namespaces !== undefined && !namespaces.has(requester.namespace)) {
    return { pool: name, reason: "namespace" };
  }
  if (serviceSelectors.length > 0 && !matchesAny(serviceSelectors, requester.labels)) {
    return { pool: name, reason: "service-selectors" };
  }
  return undefined;
}

function sharingClash(
  allocations: Allocations,
  requester: Requester,
  address: Address,
): AllocationRefusal | undefined {
  const use = allocations.useOf(address);
  if (use === undefined) return undefined;
  const { key, sharingKey, backendKey, ports } = requester;
  const sameKeys =
    sharingKey !== "" && use.sharingKey === sharingKey && use.backendKey === backendKey;
  const alone = use.users.size === 1 && use.users.has(key);
  if (!sameKeys && !alone) {
    const users = [...use.users].filter((user) => user !== key).sort();
    return { reason: "other-sharing-key", address, users };
  }
  for (const port of ports) {
    const user = use.ports.get(port) ?? key;
    if (user !== key) return { reason: "port-in-use", address, port, user };
  }
  return undefined;
}

/** Positive priorities ascending, then everything else. */
function priorityRank(pool: Pool): number {
  const priority = pool.serviceAllocation?.priority ?? 0;
  return priority > 0 ? priority : Number.MAX_SAFE_INTEGER;
}

function granted(
  requester: Requester,
  pool: Pool,
  addresses: readonly Address[],
): AllocationResult {
  const { ports, sharingKey, backendKey } = requester;
  return {
    kind: "granted",
    allocation: { pool: pool.name, addresses, ports, sharingKey, backendKey },
  };
}

function refused(refusal: AllocationRefusal): AllocationResult {
  return { kind: "refused", refusal };
}

/** The refusal as text for events, conditions and logs. */
export function formatRefusal(refusal: AllocationRefusal): string {
  switch (refusal.reason) {
    case "no-available-addresses": {
      if (refusal.pools.length === 0) return "no available IPs";
      return `no available IPs: ${refusal.pools.map(formatPoolRefusal).join("; ")}`;
    }
    case "unknown-pool":
      return `unknown pool "${refusal.pool}"`;
    case "not-in-any-pool":
      return `${formatAddresses(refusal.addresses)} is not allowed in config: no pool has it`;
    case "pool-incompatible":
      return `pool not compatible with the service: ${formatPoolRefusal(refusal.refusal)}`;
    case "address-families":
      return `${formatAddresses(refusal.addresses)}: want one address, or one of each IP family`;
    case "other-sharing-key": {
      const users = refusal.users.map((user) => `"${user}"`).join(", ");
      return `can't share "${refusal.address}": address also in use by ${users} with another sharing key, selector or traffic policy`;
    }
    case "port-in-use":
      return `port ${refusal.port} is already in use on "${refusal.address}" by "${refusal.user}"`;
  }
}

/** A list as MetalLB prints it: ["192.0.2.1" "2001:db8::1"]. */
export function formatAddresses(addresses: readonly Address[]): string {
  return `[${addresses.map((address) => `"${address}"`).join(" ")}]`;
}

function formatPoolRefusal(refusal: PoolRefusal): string {
  return `pool "${refusal.pool}" ${describe(refusal)}`;
}

function describe(refusal: PoolRefusal): string {
  switch (refusal.reason) {
    case "not-accepted":
      return "is refused: see its conditions";
    case "not-auto-assigned":
      return "is not assigned automatically (autoAssign: false)";
    case "namespace":
      return "does not serve this namespace (serviceAllocation)";
    case "service-selectors":
      return "does not select this service's labels (serviceAllocation)";
    case "family-missing":
      return `has no ${FAMILY_NAME[refusal.family]} addresses`;
    case "exhausted":
      return `has no free ${FAMILY_NAME[refusal.family]} address`;
    case "nothing-to-share":
      return `has no free ${FAMILY_NAME[refusal.family]} address and none whose sharing key and ports allow sharing`;
  }
}

const FAMILY_NAME: Readonly<Record<Family, string>> = { ipv4: "IPv4", ipv6: "IPv6" };
