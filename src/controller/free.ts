// Which addresses of one range are free, lowest first, at a cost that depends neither on the
// size of the range nor on how many of its addresses are taken. Knows numbers only.

import type { AddressRange } from "../net/range.ts";

/** Tells whether an IPv4 address ends in .0 or .255, which some old equipment drops. */
export function isBuggy(number: bigint): boolean {
  const octet = number & 255n;
  return octet === 0n || octet === 255n;
}

/** The taken addresses of one range, and the lowest that is not taken. */
export class FreeAddresses {
  readonly range: AddressRange;
  readonly #avoidBuggyIps: boolean;
  readonly #taken = new Set<bigint>();
  /** Nothing below it is free except what `#released` holds. */
  #next: bigint;
  readonly #released = new MinHeap();

  constructor(range: AddressRange, avoidBuggyIps: boolean) {
    this.range = range;
    this.#avoidBuggyIps = avoidBuggyIps && range.family === "ipv4";
    this.#next = range.first;
  }

  /** Tells whether the address may be given out at all, taken or not. */
  offers(number: bigint): boolean {
    if (number < this.range.first || number > this.range.last) return false;
    return !(this.#avoidBuggyIps && isBuggy(number));
  }

  take(number: bigint): void {
    this.#taken.add(number);
  }

  giveBack(number: bigint): void {
    if (this.#taken.delete(number) && number < this.#next) this.#released.push(number);
  }

  /** Amortised O(log n) in the number of addresses ever given back. */
  lowest(): bigint | undefined {
    for (;;) {
      const released = this.#released.lowest;
      if (released === undefined) break;
      if (!this.#taken.has(released)) return released;
      this.#released.pop();
    }
    while (this.#next <= this.range.last) {
      if (this.offers(this.#next) && !this.#taken.has(this.#next)) return this.#next;
      this.#next += 1n;
    }
    return undefined;
  }
}

/** A binary heap of distinct numbers. */
class MinHeap {
  readonly #items: bigint[] = [];
  readonly #members = new Set<bigint>();

  get lowest(): bigint | undefined {
    return this.#items[0];
  }

  push(item: bigint): void {
    if (this.#members.has(item)) return;
    this.#members.add(item);
    const items = this.#items;
    let index = items.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = items[parentIndex];
      if (parent === undefined || parent <= item) break;
      items[index] = parent;
      index = parentIndex;
    }
    items[index] = item;
  }

  pop(): void {
    const items = this.#items;
    const [lowest] = items;
    const last = items.pop();
    if (lowest === undefined || last === undefined) return;
    this.#members.delete(lowest);
    if (items.length === 0) return;
    let index = 0;
    for (;;) {
      const left = items[2 * index + 1];
      const right = items[2 * index + 2];
      const [child, childIndex] =
        right !== undefined && left !== undefined && right < left
          ? [right, 2 * index + 2]
          : [left, 2 * index + 1];
      if (child === undefined || child >= last) break;
      items[index] = child;
      index = childIndex;
    }
    items[index] = last;
  }
}
