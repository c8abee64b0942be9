// Everything this node wants, kept as a whole and changed by the piece: Services, endpoints, nodes
// and policies in, decisions, routes and wishes for addresses out. Knows no API server and no FRR; reads no clock.

import { isDeepStrictEqual } from "node:util";
import type { Routes } from "../frr/model.ts";
import type { Want } from "../l2/handover.ts";
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import { type Decision, type DecisionInput, decideService } from "./announce.ts";
import { Endpoints, type ServingSlice } from "./endpoints.ts";
import { L2Table } from "./l2-table.ts";
import { RouteTable } from "./routes.ts";
import type { ServiceFacts } from "./service.ts";

/** What became of one Service when it was decided anew. */
export type Transition = {
  /** "namespace/name". */
  readonly key: string;
  /** Undefined: deleted. */
  readonly service: ServiceFacts | undefined;
  /** Undefined: never decided before. */
  readonly before: Decision | undefined;
  readonly after: Decision;
};

export type Decided = {
  readonly transitions: readonly Transition[];
  readonly changedPrefixes: ReadonlySet<Prefix>;
  /** What Layer 2 is to do otherwise than before; undefined: nothing any more. */
  readonly changedWants: ReadonlyMap<Address, Want | undefined>;
};

/** What all decisions depend on. */
export type DecisionBasis = Pick<
  DecisionInput,
  "policy" | "node" | "l2Policies" | "electorate" | "ignoreExcludeLabel"
>;

export class DesiredState {
  readonly #services = new Map<string, ServiceFacts>();
  readonly #byAddress = new Map<Address, Set<string>>();
  readonly #endpoints = new Endpoints();
  readonly #decisions = new Map<string, Decision>();
  readonly #table = new RouteTable();
  readonly #l2Table = new L2Table();
  /** Services whose decision may be another now. */
  readonly #dirty = new Set<string>();
  #basis: DecisionBasis | undefined;

  get routes(): Routes {
    return this.#table.routes;
  }

  get services(): ReadonlyMap<string, ServiceFacts> {
    return this.#services;
  }

  get decisions(): ReadonlyMap<string, Decision> {
    return this.#decisions;
  }

  /** Whether `decide` has anything to do. */
  get isDirty(): boolean {
    return this.#basis !== undefined && this.#dirty.size > 0;
  }

  /** The Services that have the address in their status. */
  servicesAt(address: Address): Iterable<string> {
    return this.#byAddress.get(address) ?? [];
  }

  setService(service: ServiceFacts): void {
    this.#forgetAddresses(service.key);
    for (const address of service.addresses) {
      const keys = this.#byAddress.get(address);
      if (keys === undefined) this.#byAddress.set(address, new Set([service.key]));
      else keys.add(service.key);
    }
    this.#services.set(service.key, service);
    this.#dirty.add(service.key);
  }

  deleteService(key: string): void {
    this.#forgetAddresses(key);
    this.#services.delete(key);
    this.#dirty.add(key);
  }

  #forgetAddresses(key: string): void {
    for (const address of this.#services.get(key)?.addresses ?? []) {
      const keys = this.#byAddress.get(address);
      keys?.delete(key);
      if (keys?.size === 0) this.#byAddress.delete(address);
    }
  }

  /** `key` names the slice, "namespace/name"; `previous` is its older version, if there was one. */
  setSlice(key: string, slice: ServingSlice, previous: ServingSlice | undefined): void {
    this.#markKnown(this.#endpoints.set(key, slice, previous));
  }

  deleteSlice(key: string, previous: ServingSlice): void {
    this.#markKnown(this.#endpoints.delete(key, previous));
  }

  /** Every Service is decided anew; before the first call none is. */
  setBasis(basis: DecisionBasis): void {
    this.#basis = basis;
    for (const key of this.#services.keys()) this.#dirty.add(key);
  }

  /** Decides what is due and brings the routes in line. */
  decide(): Decided {
    const transitions: Transition[] = [];
    const changedPrefixes = new Set<Prefix>();
    const touched = new Map<Address, Want | undefined>();
    if (this.#basis === undefined) {
      return { transitions, changedPrefixes, changedWants: new Map() };
    }
    for (const key of this.#dirty) {
      const before = this.#decisions.get(key);
      const service = this.#services.get(key);
      if (service === undefined && before === undefined) continue;
      const after = decideService({
        ...this.#basis,
        service,
        servingNodes: this.#endpoints.nodesOf(key),
        previous: before,
      });
      if (service === undefined) this.#decisions.delete(key);
      else this.#decisions.set(key, after);
      const announcements = after.bgp.kind === "announced" ? after.bgp.announcements : [];
      for (const prefix of this.#table.set(key, announcements)) changedPrefixes.add(prefix);
      for (const address of [...(before?.addresses ?? []), ...after.addresses]) {
        if (!touched.has(address)) touched.set(address, this.#l2Table.get(address));
      }
      this.#l2Table.set(key, after.addresses, after.l2);
      transitions.push({ key, service, before, after });
    }
    this.#dirty.clear();
    return { transitions, changedPrefixes, changedWants: this.#changedWants(touched) };
  }

  /** Of the addresses whose wish before is given, those whose wish is another now. */
  #changedWants(
    before: ReadonlyMap<Address, Want | undefined>,
  ): ReadonlyMap<Address, Want | undefined> {
    const changed = new Map<Address, Want | undefined>();
    for (const [address, old] of before) {
      const want = this.#l2Table.get(address);
      if (!isDeepStrictEqual(old, want)) changed.set(address, want);
    }
    return changed;
  }

  /** Endpoints of what is no Service of ours decide nothing. */
  #markKnown(services: readonly string[]): void {
    for (const key of services) if (this.#services.has(key)) this.#dirty.add(key);
  }
}
