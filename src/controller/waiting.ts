// Services that wait for something another Service holds, found by what they wait for. First come,
// first served: a Service that goes on waiting keeps its place.

import type { Address, Family } from "../net/address.ts";
import type { ServiceKey } from "./allocation.ts";
import type { Waits } from "./service.ts";

export class Waiting {
  readonly #waits = new Map<ServiceKey, Waits>();
  /** What is waited for -> who waits, in order of arrival. */
  readonly #queues = new Map<string, Set<ServiceKey>>();

  get size(): number {
    return this.#waits.size;
  }

  get(key: ServiceKey): Waits | undefined {
    return this.#waits.get(key);
  }

  /** undefined: waits no more. */
  set(key: ServiceKey, waits: Waits | undefined): void {
    const before = topics(this.#waits.get(key));
    const after = topics(waits);
    for (const topic of before) {
      if (!after.has(topic)) this.#remove(topic, key);
    }
    for (const topic of after) {
      const queue = this.#queues.get(topic) ?? new Set();
      this.#queues.set(topic, queue);
      queue.add(key);
    }
    if (waits === undefined) this.#waits.delete(key);
    else this.#waits.set(key, waits);
  }

  /** Live, like the others: who is taken off or added meanwhile is passed over or met. */
  forPool(pool: string, family: Family): Iterable<ServiceKey> {
    return this.#on(poolTopic(pool, family));
  }

  forAddress(address: Address): Iterable<ServiceKey> {
    return this.#on(addressTopic(address));
  }

  forSharingKey(sharingKey: string): Iterable<ServiceKey> {
    return this.#on(sharingTopic(sharingKey));
  }

  #on(topic: string): Iterable<ServiceKey> {
    return this.#queues.get(topic) ?? [];
  }

  #remove(topic: string, key: ServiceKey): void {
    const queue = this.#queues.get(topic);
    queue?.delete(key);
    if (queue?.size === 0) this.#queues.delete(topic);
  }
}

function topics(waits: Waits | undefined): ReadonlySet<string> {
  if (waits === undefined) return new Set();
  return new Set([
    ...waits.pools.map(({ pool, family }) => poolTopic(pool, family)),
    ...waits.addresses.map(addressTopic),
    ...(waits.sharing === undefined ? [] : [sharingTopic(waits.sharing.sharingKey)]),
  ]);
}

function poolTopic(pool: string, family: Family): string {
  return `pool ${family} ${pool}`;
}

function addressTopic(address: Address): string {
  return `address ${address}`;
}

function sharingTopic(sharingKey: string): string {
  return `sharing ${sharingKey}`;
}
