// Who holds which address. A ledger in memory, changed only by hold() and release() and rebuilt
// from the status of the Services at every start: it chooses nothing and asks nobody.
// MetalLB's rules on sharing an address: an address has one sharing key and one backend key, and
// every port of it belongs to one Service.

import type { Pool } from "../config/pool.ts";
import type { Labels } from "../config/resources.ts";
import { type Address, addressAt, addressNumber, type Family, familyOf } from "../net/address.ts";
import { FreeAddresses } from "./free.ts";

/** "namespace/name" of a Service. */
export type ServiceKey = string;

/** A Service port such as "tcp/80"; the port clients use, not the node port. */
export type ServicePort = string;

/** What one Service holds. */
export type Allocation = {
  readonly pool: string;
  /** One address, or one of each family. */
  readonly addresses: readonly Address[];
  readonly ports: readonly ServicePort[];
  /** What Services must have in common to share an address; "": shares with nobody. */
  readonly sharingKey: string;
  /** What must then be equal too: the selector text of externalTrafficPolicy Local, else "". */
  readonly backendKey: string;
};

/** What decides whether a Service may share an address. */
export type Sharing = Pick<Allocation, "ports" | "sharingKey" | "backendKey">;

/** The Service that asks, as far as the rules of allocation look at it. */
export type Requester = {
  readonly key: ServiceKey;
  readonly namespace: string;
  readonly labels: Labels | undefined;
} & Sharing;

/** What others may now have that they could not have before a change. */
export type Freed = {
  /** Addresses nobody holds any more. */
  readonly addresses: readonly FreedAddress[];
  /** Addresses still held, on which a port or the keys changed hands. */
  readonly eased: readonly Address[];
  /** Sharing keys that gained an address or a port. */
  readonly sharingKeys: readonly string[];
};

export type FreedAddress = {
  readonly pool: string;
  readonly family: Family;
  readonly address: Address;
};

/** The use of one address; every user has the same keys once there is more than one. */
export type AddressUse = {
  readonly users: ReadonlySet<ServiceKey>;
  readonly ports: ReadonlyMap<ServicePort, ServiceKey>;
  readonly sharingKey: string;
  readonly backendKey: string;
};

type Use = {
  readonly address: Address;
  readonly number: bigint;
  /** undefined: in no pool that is in force (its pool object is refused for now). */
  readonly place: Place | undefined;
  readonly users: Set<ServiceKey>;
  readonly ports: Map<ServicePort, ServiceKey>;
  sharingKey: string;
  backendKey: string;
};

/** One range of one pool. */
type Place = { readonly pool: Pool; readonly free: FreeAddresses };

/** Addresses with one sharing key and one backend key. */
type Group = {
  readonly uses: Set<Use>;
  /** How many of the addresses have the port taken. */
  readonly portCounts: Map<ServicePort, number>;
};

const NOTHING_FREED: Freed = { addresses: [], eased: [], sharingKeys: [] };

export class Allocations {
  /** The pools in force, by name, in name order. */
  readonly pools: ReadonlyMap<string, Pool>;
  readonly #placesOf = new Map<string, readonly Place[]>();
  /** Ascending by first address; ranges never overlap. */
  readonly #places: Readonly<Record<Family, readonly Place[]>>;
  readonly #allocations = new Map<ServiceKey, Allocation>();
  readonly #uses = new Map<Address, Use>();
  readonly #groups = new Map<string, Group>();
  readonly #inUse = new Map<string, Record<Family, number>>();

  constructor(pools: ReadonlyMap<string, Pool>) {
    this.pools = new Map([...pools].sort(([a], [b]) => (a < b ? -1 : 1)));
    const places: Place[] = [];
    for (const pool of this.pools.values()) {
      const own = pool.ranges.map((range) => ({
        pool,
        free: new FreeAddresses(range, pool.avoidBuggyIps),
      }));
      this.#placesOf.set(pool.name, own);
      this.#inUse.set(pool.name, { ipv4: 0, ipv6: 0 });
      places.push(...own);
    }
    places.sort((a, b) => (a.free.range.first < b.free.range.first ? -1 : 1));
    this.#places = {
      ipv4: places.filter((place) => place.free.range.family === "ipv4"),
      ipv6: places.filter((place) => place.free.range.family === "ipv6"),
    };
  }

  /**
   * The same allocations in other pools: each follows its addresses to the pool that has them all
   * now. One that is in no pool any more is held on until its Service gives it up, which no pool
   * notices.
   */
  movedTo(pools: ReadonlyMap<string, Pool>): Allocations {
    const moved = new Allocations(pools);
    for (const [key, allocation] of this.#allocations) {
      const pool = moved.poolOf(allocation.addresses)?.name ?? allocation.pool;
      moved.hold(key, { ...allocation, pool });
    }
    return moved;
  }

  get(key: ServiceKey): Allocation | undefined {
    return this.#allocations.get(key);
  }

  get size(): number {
    return this.#allocations.size;
  }

  entries(): IterableIterator<[ServiceKey, Allocation]> {
    return this.#allocations.entries();
  }

  /** The one pool that offers all of the addresses, taken or not. */
  poolOf(addresses: readonly Address[]): Pool | undefined {
    let pool: Pool | undefined;
    for (const address of addresses) {
      const place = this.#placeOf(familyOf(address), addressNumber(address));
      if (place === undefined || (pool !== undefined && place.pool !== pool)) return undefined;
      pool = place.pool;
    }
    return pool;
  }

  useOf(address: Address): AddressUse | undefined {
    return this.#uses.get(address);
  }

  /** Distinct addresses in use; a shared one counts once. */
  inUse(pool: string): Readonly<Record<Family, number>> {
    return this.#inUse.get(pool) ?? { ipv4: 0, ipv6: 0 };
  }

  hasFree(pool: string, family: Family): boolean {
    const places = this.#placesOf.get(pool) ?? [];
    return places.some(({ free }) => free.range.family === family && free.lowest() !== undefined);
  }

  /** Tells whether some address of these keys may have all the ports free. */
  mayShare({ sharingKey, backendKey, ports }: Sharing): boolean {
    const group = this.#groups.get(groupKeyOf({ sharingKey, backendKey }));
    if (group === undefined) return false;
    return ports.every((port) => group.portCounts.get(port) !== group.uses.size);
  }

  /**
   * The address the Service of the given keys and ports would take from the pool: in the first
   * range that has one, the lowest that is free, that it may share, or that it holds already.
   */
  candidate(pool: string, family: Family, service: Requester): Address | undefined {
    for (const place of this.#placesOf.get(pool) ?? []) {
      if (place.free.range.family !== family) continue;
      let lowest = place.free.lowest();
      for (const use of this.#ownUses(service.key)) {
        if (use.place === place && this.#mayUse(use, service)) lowest = lower(lowest, use.number);
      }
      lowest = lower(lowest, this.#lowestShareable(place, service));
      if (lowest !== undefined) return addressAt(family, lowest);
    }
    return undefined;
  }

  /** Records what the Service holds from now on, instead of what it held. */
  hold(key: ServiceKey, allocation: Allocation): Freed {
    const previous = this.#allocations.get(key);
    if (previous !== undefined && sameAllocation(previous, allocation)) return NOTHING_FREED;
    if (previous !== undefined) this.#leave(key, previous);
    this.#allocations.set(key, allocation);
    for (const address of allocation.addresses) this.#join(key, address, allocation);
    return this.#freed(previous, allocation);
  }

  /** Forgets what the Service holds; a Service that holds nothing is left as it is. */
  release(key: ServiceKey): Freed {
    const previous = this.#allocations.get(key);
    if (previous === undefined) return NOTHING_FREED;
    this.#leave(key, previous);
    this.#allocations.delete(key);
    return this.#freed(previous, undefined);
  }

  #freed(previous: Allocation | undefined, next: Allocation | undefined): Freed {
    const addresses: FreedAddress[] = [];
    const eased: Address[] = [];
    const sharingKeys = new Set<string>();
    for (const address of previous?.addresses ?? []) {
      const use = this.#uses.get(address);
      if (use !== undefined) {
        eased.push(address);
        sharingKeys.add(use.sharingKey);
        continue;
      }
      const family = familyOf(address);
      const pool = this.#placeOf(family, addressNumber(address))?.pool.name;
      if (pool !== undefined) addresses.push({ pool, family, address });
    }
    if (next !== undefined) sharingKeys.add(next.sharingKey);
    sharingKeys.delete("");
    return { addresses, eased, sharingKeys: [...sharingKeys] };
  }

  #join(key: ServiceKey, address: Address, allocation: Allocation): void {
    const use = this.#uses.get(address) ?? this.#newUse(address, allocation);
    if (groupKeyOf(use) !== groupKeyOf(allocation)) {
      this.#leaveGroup(use);
      use.sharingKey = allocation.sharingKey;
      use.backendKey = allocation.backendKey;
      this.#joinGroup(use);
    }
    use.users.add(key);
    for (const port of allocation.ports) {
      if (!use.ports.has(port)) this.#countPort(use, port, 1);
      use.ports.set(port, key);
    }
  }

  #newUse(address: Address, { sharingKey, backendKey }: Allocation): Use {
    const number = addressNumber(address);
    const place = this.#placeOf(familyOf(address), number);
    const use = {
      address,
      number,
      place,
      users: new Set<ServiceKey>(),
      ports: new Map<ServicePort, ServiceKey>(),
      sharingKey,
      backendKey,
    };
    this.#uses.set(address, use);
    this.#joinGroup(use);
    place?.free.take(number);
    this.#count(use, 1);
    return use;
  }

  #leave(key: ServiceKey, allocation: Allocation): void {
    for (const address of allocation.addresses) {
      const use = this.#uses.get(address);
      if (use === undefined) continue;
      use.users.delete(key);
      for (const port of allocation.ports) {
        if (use.ports.get(port) !== key) continue;
        use.ports.delete(port);
        this.#countPort(use, port, -1);
      }
      if (use.users.size > 0) continue;
      this.#leaveGroup(use);
      this.#uses.delete(address);
      use.place?.free.giveBack(use.number);
      this.#count(use, -1);
    }
  }

  #count({ place, address }: Use, change: number): void {
    const counts = place && this.#inUse.get(place.pool.name);
    if (counts !== undefined) counts[familyOf(address)] += change;
  }

  #countPort(use: Use, port: ServicePort, change: number): void {
    const portCounts = this.#groups.get(groupKeyOf(use))?.portCounts;
    if (portCounts === undefined) return;
    const count = (portCounts.get(port) ?? 0) + change;
    if (count > 0) portCounts.set(port, count);
    else portCounts.delete(port);
  }

  #joinGroup(use: Use): void {
    if (use.sharingKey === "") return;
    const groupKey = groupKeyOf(use);
    const group = this.#groups.get(groupKey) ?? { uses: new Set(), portCounts: new Map() };
    this.#groups.set(groupKey, group);
    group.uses.add(use);
    for (const port of use.ports.keys()) this.#countPort(use, port, 1);
  }

  #leaveGroup(use: Use): void {
    const groupKey = groupKeyOf(use);
    const group = this.#groups.get(groupKey);
    if (!group?.uses.delete(use)) return;
    for (const port of use.ports.keys()) this.#countPort(use, port, -1);
    if (group.uses.size === 0) this.#groups.delete(groupKey);
  }

  *#ownUses(key: ServiceKey): Iterable<Use> {
    for (const address of this.#allocations.get(key)?.addresses ?? []) {
      const use = this.#uses.get(address);
      if (use !== undefined) yield use;
    }
  }

  #mayUse(use: Use, service: Requester): boolean {
    const alone = use.users.size === 1 && use.users.has(service.key);
    const sameKeys = service.sharingKey !== "" && groupKeyOf(use) === groupKeyOf(service);
    if (!alone && !sameKeys) return false;
    return service.ports.every((port) => (use.ports.get(port) ?? service.key) === service.key);
  }

  #lowestShareable(place: Place, service: Requester): bigint | undefined {
    if (service.sharingKey === "") return undefined;
    const group = this.#groups.get(groupKeyOf(service));
    if (group === undefined) return undefined;
    // The common case of many Services with one key and one port: nothing to search.
    if (!this.mayShare(service)) return undefined;
    let lowest: bigint | undefined;
    for (const use of group.uses) {
      if (use.place === place && this.#mayUse(use, service)) lowest = lower(lowest, use.number);
    }
    return lowest;
  }

  #placeOf(family: Family, number: bigint): Place | undefined {
    const places = this.#places[family];
    let low = 0;
    let high = places.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const place = places[middle];
      if (place === undefined || place.free.range.first > number) high = middle;
      else low = middle + 1;
    }
    const place = places[low - 1];
    return place?.free.offers(number) ? place : undefined;
  }
}

function groupKeyOf(keys: Pick<Allocation, "sharingKey" | "backendKey">): string {
  // A selector has no line break, so the two parts cannot run into each other.
  return `${keys.backendKey}\n${keys.sharingKey}`;
}

function lower(a: bigint | undefined, b: bigint | undefined): bigint | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a < b ? a : b;
}

function sameAllocation(a: Allocation, b: Allocation): boolean {
  return (
    a.pool === b.pool &&
    a.sharingKey === b.sharingKey &&
    a.backendKey === b.backendKey &&
    sameList(a.addresses, b.addresses) &&
    sameList(a.ports, b.ports)
  );
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
