// Decides for all Services, one after the other, in memory: who is to be looked at now, what each is
// to hold, what is to be written. Synchronous; sends nothing. Two rules keep addresses apart: what a
// Service is given is held before anything is written, and what is taken from it is given to nobody
// until the API server has accepted that.

import type { Pool } from "../config/pool.ts";
import type { ServiceResource } from "../config/resources.ts";
import { Allocations, type Freed, type ServiceKey } from "./allocation.ts";
import { statusAddresses } from "./request.ts";
import {
  adopt,
  decideService,
  isServed,
  type ServiceDecision,
  type ServicePatch,
  type ServiceSnapshot,
} from "./service.ts";
import { Waiting } from "./waiting.ts";

export type ReconcilerOptions = {
  readonly loadBalancerClass: string;
  /** The time as RFC 3339. */
  readonly now: () => string;
  /** There is something to write for this Service. */
  readonly onWrite: (key: ServiceKey) => void;
};

/** What is to be written of one Service, as of the object with that version. */
export type Write = Pick<ServiceDecision, "allocation" | "events" | "cleared"> & {
  readonly patch: ServicePatch;
  readonly service: ServiceResource;
};

export class Reconciler {
  readonly #options: ReconcilerOptions;
  /** The newest object of each that we know, from the watch or from an answer. */
  readonly #services = new Map<ServiceKey, ServiceResource>();
  /** Those whose newest object came as an answer: the watch may still bring older ones. */
  readonly #ahead = new Set<ServiceKey>();
  #allocations = new Allocations(new Map());
  #refusedPools: ReadonlySet<string> = new Set();
  readonly #waiting = new Waiting();
  /** To be decided. */
  readonly #due = new Set<ServiceKey>();
  /** Decided, to be written. */
  readonly #writes = new Map<ServiceKey, Write>();
  /** Being written: not decided anew until it is known what came of it. */
  readonly #underWay = new Map<ServiceKey, Write>();
  readonly #freed: Freed[] = [];
  #isStarted = false;
  #decisions = 0;

  constructor(options: ReconcilerOptions) {
    this.#options = options;
  }

  get allocations(): Allocations {
    return this.#allocations;
  }

  get refusedPools(): ReadonlySet<string> {
    return this.#refusedPools;
  }

  get size(): number {
    return this.#services.size;
  }

  /** Services that have no address, or less than they want, until something is freed. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** How many decisions were taken since the start. */
  get decisions(): number {
    return this.#decisions;
  }

  /** Takes note of an object from the watch. */
  see(key: ServiceKey, service: ServiceResource): void {
    const known = this.#services.get(key);
    if (known !== undefined && this.#ahead.has(key) && !isNewer(service, known)) return;
    this.#ahead.delete(key);
    this.#services.set(key, service);
    this.#due.add(key);
  }

  /** Takes note that an object is gone; `last` is what was seen of it. */
  gone(key: ServiceKey, last: ServiceResource): void {
    const known = this.#services.get(key);
    // Another of the same name is there already.
    if (known !== undefined && known.metadata.uid !== last.metadata.uid) return;
    this.#forget(key);
  }

  #forget(key: ServiceKey): void {
    this.#services.delete(key);
    this.#ahead.delete(key);
    this.#due.delete(key);
    this.#writes.delete(key);
    this.#waiting.set(key, undefined);
    this.#freed.push(this.#allocations.release(key));
  }

  /**
   * Takes over the pools; the first time it adopts what the Services have, oldest first, before
   * anything is given. Until then nothing is decided.
   */
  setPools(pools: ReadonlyMap<string, Pool>, refusedPools: ReadonlySet<string>): void {
    this.#allocations = this.#allocations.movedTo(pools);
    this.#refusedPools = refusedPools;
    const keys = this.#inOrder(this.#services.keys());
    if (!this.#isStarted) {
      this.#isStarted = true;
      for (const key of keys) this.#adopt(key);
    }
    for (const key of keys) this.#due.add(key);
  }

  #adopt(key: ServiceKey): void {
    const snapshot = this.#snapshot(key);
    const allocation = snapshot && adopt(snapshot);
    if (allocation !== undefined) this.#allocations.hold(key, allocation);
  }

  /** Decides all that is due, and for those who wait whatever that frees. */
  settle(): void {
    if (!this.#isStarted) return;
    for (;;) {
      const freed = this.#freed.shift();
      if (freed !== undefined) {
        this.#wake(freed);
        continue;
      }
      const ready = [...this.#due].filter((key) => !this.#underWay.has(key));
      if (ready.length === 0) return;
      for (const key of this.#inOrder(ready)) {
        if (this.#due.delete(key)) this.#decide(key);
        for (let next = this.#freed.shift(); next !== undefined; next = this.#freed.shift()) {
          this.#wake(next);
        }
      }
    }
  }

  /** First those who have addresses, then the older; equally old ones as they came. */
  #inOrder(keys: Iterable<ServiceKey>): readonly ServiceKey[] {
    const entries = [...keys].map((key) => {
      const service = this.#services.get(key);
      const has = (service?.status?.loadBalancer?.ingress ?? []).length > 0;
      return { key, rank: `${has ? 0 : 1} ${service?.metadata.creationTimestamp ?? "~"}` };
    });
    entries.sort((a, b) => (a.rank < b.rank ? -1 : a.rank > b.rank ? 1 : 0));
    return entries.map(({ key }) => key);
  }

  #decide(key: ServiceKey): void {
    const snapshot = this.#snapshot(key);
    if (snapshot === undefined) return;
    const { service } = snapshot;
    const { allocation, patch, waits, events, cleared } = decideService(snapshot);
    this.#decisions++;
    this.#hold(service, key, allocation);
    this.#waiting.set(key, waits);
    if (patch === undefined) {
      this.#writes.delete(key);
      return;
    }
    this.#writes.set(key, { allocation, patch, events, cleared, service });
    this.#options.onWrite(key);
  }

  #snapshot(key: ServiceKey): ServiceSnapshot | undefined {
    const service = this.#services.get(key);
    if (service === undefined) return undefined;
    return {
      key,
      service,
      allocations: this.#allocations,
      refusedPools: this.#refusedPools,
      loadBalancerClass: this.#options.loadBalancerClass,
      now: this.#options.now(),
    };
  }

  /** Holds what was given, and what the status still shows. */
  #hold(service: ServiceResource, key: ServiceKey, next: ServiceDecision["allocation"]): void {
    const held = this.#allocations.get(key);
    const shown = isServed(service, this.#options.loadBalancerClass)
      ? statusAddresses(service)
      : undefined;
    const leaving =
      held === undefined || shown?.kind !== "addresses"
        ? []
        : shown.addresses.filter(
            (address) =>
              held.addresses.includes(address) &&
              !next?.addresses.includes(address) &&
              this.#allocations.useOf(address)?.users.size === 1,
          );
    if (held !== undefined && leaving.length > 0) {
      const addresses = [...(next?.addresses ?? []), ...leaving];
      this.#freed.push(this.#allocations.hold(key, { ...(next ?? held), addresses }));
      return;
    }
    this.#freed.push(
      next === undefined ? this.#allocations.release(key) : this.#allocations.hold(key, next),
    );
  }

  /** Decides again for those who may now have what they could not have, as long as it lasts. */
  #wake({ addresses, eased, sharingKeys }: Freed): void {
    for (const { pool, family, address } of addresses) {
      for (const key of this.#waiting.forAddress(address)) {
        if (this.#allocations.useOf(address)?.sharingKey === "") break;
        this.#decideAgain(key);
      }
      for (const key of this.#waiting.forPool(pool, family)) {
        if (!this.#allocations.hasFree(pool, family)) break;
        this.#decideAgain(key);
      }
    }
    for (const address of eased) {
      for (const key of this.#waiting.forAddress(address)) this.#decideAgain(key);
    }
    for (const sharingKey of sharingKeys) {
      for (const key of this.#waiting.forSharingKey(sharingKey)) {
        const sharing = this.#waiting.get(key)?.sharing;
        if (sharing !== undefined && this.#allocations.mayShare(sharing)) this.#decideAgain(key);
      }
    }
  }

  #decideAgain(key: ServiceKey): void {
    if (this.#underWay.has(key)) this.#due.add(key);
    else this.#decide(key);
  }

  /** What is to be written of the Service now; it is left alone until it is known what came of it. */
  begin(key: ServiceKey): Write | undefined {
    const write = this.#writes.get(key);
    if (write === undefined) return undefined;
    this.#writes.delete(key);
    this.#underWay.set(key, write);
    return write;
  }

  /** The write was accepted, and this is the object now; undefined: it concerns us no more. */
  accepted(key: ServiceKey, service: ServiceResource | undefined): void {
    const write = this.#underWay.get(key);
    this.#underWay.delete(key);
    // Deleted meanwhile, or changed once more, as the watch said: it knows better.
    const known = this.#services.get(key);
    if (known === undefined || write === undefined) return;
    if (service === undefined) {
      if (known === write.service) this.#forget(key);
      return;
    }
    if (isNewer(service, known)) this.#learn(key, service);
    if (versionOf(service) !== versionOf(write.service)) {
      this.#due.add(key);
      return;
    }
    // Nothing changed by what we wrote: the API server does not keep it. Not again and again.
    const { allocation } = write;
    this.#freed.push(
      allocation === undefined
        ? this.#allocations.release(key)
        : this.#allocations.hold(key, allocation),
    );
  }

  /** Nobody knows what came of the write, but this is the object now; undefined: it is gone. */
  found(key: ServiceKey, service: ServiceResource | undefined): void {
    const write = this.#underWay.get(key);
    this.#underWay.delete(key);
    const known = this.#services.get(key);
    if (known === undefined) return;
    // What the watch brought meanwhile may be newer. Else it counts whatever its version: an API
    // server restored from a backup begins with an older one.
    const isNews = known === write?.service || (service !== undefined && isNewer(service, known));
    if (isNews && service === undefined) {
      this.#forget(key);
      return;
    }
    if (isNews && service !== undefined) this.#learn(key, service);
    this.#due.add(key);
  }

  #learn(key: ServiceKey, service: ServiceResource): void {
    this.#services.set(key, service);
    this.#ahead.add(key);
  }

  /** The write was refused; it is the next thing to write unless something changed. */
  failed(key: ServiceKey): void {
    const write = this.#underWay.get(key);
    this.#underWay.delete(key);
    if (write === undefined || this.#due.has(key) || !this.#services.has(key)) return;
    this.#writes.set(key, write);
  }
}

/**
 * Whether an object is of a later version. Versions are opaque by the letter of the API, ordered
 * numbers in fact, and by contract since Kubernetes 1.35; of others any difference is news.
 */
function isNewer(a: ServiceResource, b: ServiceResource): boolean {
  const [one, other] = [versionOf(a), versionOf(b)];
  if (!/^\d+$/.test(one) || !/^\d+$/.test(other)) return one !== other;
  if (one.length !== other.length) return one.length > other.length;
  return one > other;
}

function versionOf(service: ServiceResource): string {
  return service.metadata.resourceVersion ?? "";
}
