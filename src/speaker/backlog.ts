// Work of the wire thread that can wait for a moment, in the order it came: what is to be answered
// for and asked of the network. It is done by the piece, so that questions are answered between.
// What takes an address off the network never waits. Pure.

import type { Effect } from "../l2/handover.ts";
import type { Address } from "../net/address.ts";

export class Backlog {
  readonly #byAddress = new Map<Address, Effect[]>();

  get isEmpty(): boolean {
    return this.#byAddress.size === 0;
  }

  /** Returns what is to be done at once; the rest is kept. */
  add(effects: readonly Effect[]): readonly Effect[] {
    return effects.filter((effect) => !this.#keep(effect));
  }

  /** What is to be done next for one address, in order; empty: there is no more. */
  take(): readonly Effect[] {
    for (const [address, effects] of this.#byAddress) {
      this.#byAddress.delete(address);
      return effects;
    }
    return [];
  }

  #keep(effect: Effect): boolean {
    switch (effect.kind) {
      case "answer":
      case "probe":
      case "unwatch": {
        const kept = this.#byAddress.get(effect.address);
        if (kept === undefined) this.#byAddress.set(effect.address, [effect]);
        else kept.push(effect);
        return true;
      }
      case "silence":
        this.#keepWatchEnds(effect.address);
        return false;
      case "defend":
      case "send":
      case "tell":
        return false;
    }
  }

  /** Of what was to come before the address was taken off, only the end of a watch still counts. */
  #keepWatchEnds(address: Address): void {
    const ends = (this.#byAddress.get(address) ?? []).filter(({ kind }) => kind === "unwatch");
    if (ends.length === 0) this.#byAddress.delete(address);
    else this.#byAddress.set(address, ends);
  }
}
