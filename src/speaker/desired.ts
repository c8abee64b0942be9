// Everything this node wants, kept as a whole and changed by the piece: Services, endpoints, node
// and policy in, decisions and routes out. Knows no API server and no FRR; reads no clock.

import type { Routes } from "../frr/model.ts";
import type { Prefix } from "../net/prefix.ts";
import { type Decision, decideService } from "./announce.ts";
import { Endpoints, type ServingSlice } from "./endpoints.ts";
import type { Policy } from "./policy.ts";
import { RouteTable } from "./routes.ts";
import type { NodeState, ServiceFacts } from "./service.ts";

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
};

/** What all decisions depend on. */
export type DecisionBasis = { readonly policy: Policy; readonly node: NodeState };

export class DesiredState {
  readonly #services = new Map<string, ServiceFacts>();
  readonly #endpoints = new Endpoints();
  readonly #decisions = new Map<string, Decision>();
  readonly #table = new RouteTable();
  readonly #ignoreExcludeLabel: boolean;
  /** Services whose decision may be another now. */
  readonly #dirty = new Set<string>();
  #basis: DecisionBasis | undefined;

  constructor(options: { readonly ignoreExcludeLabel: boolean }) {
    this.#ignoreExcludeLabel = options.ignoreExcludeLabel;
  }

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

  setService(service: ServiceFacts): void {
    this.#services.set(service.key, service);
    this.#dirty.add(service.key);
  }

  deleteService(key: string): void {
    this.#services.delete(key);
    this.#dirty.add(key);
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
    if (this.#basis === undefined) return { transitions, changedPrefixes };
    for (const key of this.#dirty) {
      const before = this.#decisions.get(key);
      const service = this.#services.get(key);
      if (service === undefined && before === undefined) continue;
      const after = decideService({
        ...this.#basis,
        service,
        servingNodes: this.#endpoints.nodesOf(key),
        ignoreExcludeLabel: this.#ignoreExcludeLabel,
        previous: before,
      });
      if (service === undefined) this.#decisions.delete(key);
      else this.#decisions.set(key, after);
      const announcements = after.bgp.kind === "announced" ? after.bgp.announcements : [];
      for (const prefix of this.#table.set(key, announcements)) changedPrefixes.add(prefix);
      transitions.push({ key, service, before, after });
    }
    this.#dirty.clear();
    return { transitions, changedPrefixes };
  }

  /** Endpoints of what is no Service of ours decide nothing. */
  #markKnown(services: readonly string[]): void {
    for (const key of services) if (this.#services.has(key)) this.#dirty.add(key);
  }
}
