// When unsolicited frames are due: at once when an address comes, then a burst, then a slow
// refresh; never above a rate. Time comes in; nothing is sent here.

import type { Address } from "../net/address.ts";
import { DueQueue } from "./due-queue.ts";

export type ScheduleOptions = {
  /** Mean time between refreshes of an address; 0: no refresh. */
  readonly refreshIntervalMs: number;
  /** Most addresses per second over time; up to that many at once. */
  readonly addressesPerSecond: number;
};

/** Limits a node that takes over thousands of addresses to what switches digest. */
export const ADDRESSES_PER_SECOND = 1000;

/**
 * Rounds after the first, counted from it. MetalLB sends every 1100 ms for 5 s (some switches take
 * one change per second); the two early ones make up for a lost first frame.
 */
const BURST_OFFSETS_MS = [100, 300, 1400, 2500, 3600, 4700] as const;

/** Refreshes of an address come every 0.9 to 1.1 intervals, so that many do not stay together. */
const JITTER = 0.1;
/** Fractions of its multiples are evenly spread however many are taken. */
const GOLDEN_RATIO = (1 + Math.sqrt(5)) / 2;

/** How long the rate must have been unused to be owed in full. */
const BUCKET_MS = 1000;

export class Schedule {
  readonly #refreshIntervalMs: number;
  readonly #costMs: number;
  /** When the first frames went out. */
  readonly #startedAtMs = new Map<Address, number>();
  readonly #gains = new DueQueue<Address>();
  readonly #bursts = new DueQueue<Address>();
  readonly #refreshes = new DueQueue<Address>();
  #refreshesPlanned = 0;
  /** The rate allows the next address from here on. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: ScheduleOptions) {
    this.#refreshIntervalMs = options.refreshIntervalMs;
    this.#costMs = 1000 / options.addressesPerSecond;
  }

  /** The address is to be announced: now, whatever was planned for it. */
  gained(address: Address, nowMs: number): void {
    // One that still waits for its first frame keeps its place.
    if (this.#gains.has(address)) return;
    this.lost(address);
    this.#gains.set(address, nowMs);
  }

  /** Nothing is due for the address from now on. */
  lost(address: Address): void {
    this.#startedAtMs.delete(address);
    this.#gains.delete(address);
    this.#bursts.delete(address);
    this.#refreshes.delete(address);
  }

  /**
   * The addresses to send frames for now, most urgent first: gains, then bursts, then refreshes.
   * They are taken as sent.
   */
  due(nowMs: number): readonly Address[] {
    const addresses: Address[] = [];
    while (nowMs >= this.#freeAtMs) {
      const address = this.#take(nowMs);
      if (address === undefined) break;
      addresses.push(address);
      this.#freeAtMs = Math.max(this.#freeAtMs, nowMs - BUCKET_MS + this.#costMs) + this.#costMs;
    }
    return addresses;
  }

  /** When `due` will give something next; undefined: not before something is gained. */
  nextAtMs(): number | undefined {
    const times = [this.#gains, this.#bursts, this.#refreshes].map((queue) => queue.firstAtMs());
    const known = times.filter((time) => time !== undefined);
    return known.length === 0 ? undefined : Math.max(Math.min(...known), this.#freeAtMs);
  }

  #take(nowMs: number): Address | undefined {
    const gained = this.#gains.take(nowMs);
    if (gained !== undefined) this.#startedAtMs.set(gained, nowMs);
    const address = gained ?? this.#bursts.take(nowMs);
    if (address === undefined) return this.#takeRefresh(nowMs);
    const startedAtMs = this.#startedAtMs.get(address) ?? nowMs;
    // Rounds that the rate has made late are left out, not made up for.
    const offsetMs = BURST_OFFSETS_MS.find((offset) => startedAtMs + offset > nowMs);
    if (offsetMs === undefined) {
      this.#planRefresh(address, nowMs);
    } else {
      this.#bursts.set(address, startedAtMs + offsetMs);
    }
    return address;
  }

  #takeRefresh(nowMs: number): Address | undefined {
    const address = this.#refreshes.take(nowMs);
    if (address !== undefined) this.#planRefresh(address, nowMs);
    return address;
  }

  #planRefresh(address: Address, nowMs: number): void {
    if (this.#refreshIntervalMs === 0) return;
    this.#refreshesPlanned += 1;
    const fraction = (this.#refreshesPlanned * GOLDEN_RATIO) % 1;
    const factor = 1 - JITTER + 2 * JITTER * fraction;
    this.#refreshes.set(address, nowMs + this.#refreshIntervalMs * factor);
  }
}
