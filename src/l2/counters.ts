// What was received and sent, by address, and what was not answered, by reason. Pure.

import type { Address } from "../net/address.ts";
import type { SilenceReason } from "./answer.ts";

export type AddressCounters = {
  /** ARP requests and neighbor solicitations for the address on an interface that may answer. */
  readonly requestsReceived: number;
  readonly responsesSent: number;
  /** Gratuitous ARP frames and unsolicited neighbor advertisements. */
  readonly gratuitousSent: number;
};

export type ResponderCounters = {
  /** Never forgotten while the process runs: counts must not go back. */
  readonly addresses: ReadonlyMap<Address, AddressCounters>;
  readonly silences: ReadonlyMap<SilenceReason, number>;
};

export class Counters {
  readonly #addresses = new Map<Address, { -readonly [K in keyof AddressCounters]: number }>();
  readonly #silences = new Map<SilenceReason, number>();
  readonly #changed = new Set<Address>();

  count(address: Address, what: keyof AddressCounters): void {
    let counters = this.#addresses.get(address);
    if (counters === undefined) {
      counters = { requestsReceived: 0, responsesSent: 0, gratuitousSent: 0 };
      this.#addresses.set(address, counters);
    }
    counters[what] += 1;
    this.#changed.add(address);
  }

  /** All silences, and the counts of those addresses that have others since the last call. */
  takeChanges(): ResponderCounters {
    const addresses = new Map<Address, AddressCounters>();
    for (const address of this.#changed) {
      const counters = this.#addresses.get(address);
      if (counters !== undefined) addresses.set(address, { ...counters });
    }
    this.#changed.clear();
    return { addresses, silences: new Map(this.#silences) };
  }

  countSilence(reason: SilenceReason): void {
    this.#silences.set(reason, (this.#silences.get(reason) ?? 0) + 1);
  }
}
