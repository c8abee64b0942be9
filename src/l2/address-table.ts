// The addresses that this node answers for or watches, and on which interfaces. Pure.

import { type Address, type Family, familyOf } from "../net/address.ts";
import type { Known } from "./answer.ts";

/** Names of interfaces; undefined: all. */
export type InterfaceNames = ReadonlySet<string> | undefined;

const NONE: ReadonlySet<string> = new Set();

export class AddressTable {
  readonly #answering = new Map<Address, InterfaceNames>();
  readonly #watched = new Map<Address, InterfaceNames>();

  /** Answers for the address from now on; returns where it did before. */
  set(address: Address, interfaces: InterfaceNames): InterfaceNames {
    const before = this.answersOn(address);
    this.#answering.set(address, interfaces);
    return before;
  }

  /** Ends what `set` began; returns where it did. */
  delete(address: Address): InterfaceNames {
    const before = this.answersOn(address);
    this.#answering.delete(address);
    return before;
  }

  watch(address: Address, interfaces: InterfaceNames): void {
    this.#watched.set(address, interfaces);
  }

  unwatch(address: Address): void {
    this.#watched.delete(address);
  }

  /** Where the address is answered for; the empty set when it is not. */
  answersOn(address: Address): InterfaceNames {
    return this.#answering.has(address) ? this.#answering.get(address) : NONE;
  }

  /** The addresses of one family that are answered for on the interface. */
  *answeredOn(interfaceName: string, family: Family): Generator<Address> {
    for (const [address, interfaces] of this.#answering) {
      if (familyOf(address) === family && includes(interfaces, interfaceName)) yield address;
    }
  }

  /** What a frame that came in on the interface may say about the address. */
  known(address: Address, interfaceName: string): Known | undefined {
    if (this.#answering.has(address)) {
      const allowed = includes(this.#answering.get(address), interfaceName);
      return { state: "answering", allowed };
    }
    if (!this.#watched.has(address)) return undefined;
    return { state: "watched", allowed: includes(this.#watched.get(address), interfaceName) };
  }
}

/** Whether the names include this one. */
export function includes(interfaces: InterfaceNames, interfaceName: string): boolean {
  return interfaces === undefined || interfaces.has(interfaceName);
}
