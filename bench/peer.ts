// The far end of a BGP session as the benchmarks see it: a measuring instrument, not a router.
// Knows when each IPv4 prefix was last announced and withdrawn.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { ListenerOptions, ListenerReport } from "./listener.ts";

type Waiter = { readonly isTrue: () => boolean; readonly resolve: () => void };

/** What the session was last told of a prefix, and when (clock.ts). */
export type Sighting = { readonly isAnnounced: boolean; readonly at: number };

export class Peer {
  readonly address: string;
  readonly asn: number;
  /** Sessions that ended after they had been established, with the reason. */
  readonly ended: string[] = [];
  established = 0;
  readonly #worker: Worker;
  readonly #sightings = new Map<string, Sighting>();
  #announced = 0;
  #lastUpdate = 0;
  #waiters: Waiter[] = [];

  private constructor({ address, asn }: ListenerOptions, worker: Worker) {
    this.address = address;
    this.asn = asn;
    this.#worker = worker;
    worker.on("message", (report: ListenerReport) => this.#take(report));
  }

  /** Listens on port 179 of the address, which must be an address of this network namespace. */
  static async listen(options: ListenerOptions): Promise<Peer> {
    const worker = new Worker(new URL("./listener.ts", import.meta.url), { workerData: options });
    // Rejects when the worker fails.
    await once(worker, "message");
    return new Peer(options, worker);
  }

  /** Prefixes announced and not withdrawn. */
  get announced(): number {
    return this.#announced;
  }

  /** When the newest UPDATE came. */
  get lastUpdate(): number {
    return this.#lastUpdate;
  }

  sighting(prefix: string): Sighting | undefined {
    return this.#sightings.get(prefix);
  }

  /** Waits until the prefix is announced (or not), and returns when that was heard. */
  async heard(prefix: string, isAnnounced: boolean, timeoutMs: number): Promise<number> {
    const word = isAnnounced ? "UPDATE" : "WITHDRAW";
    const has = () => (this.#sightings.get(prefix)?.isAnnounced ?? false) === isAnnounced;
    await this.until(has, `${word} of ${prefix}`, timeoutMs);
    return this.#sightings.get(prefix)?.at ?? 0;
  }

  /** Waits until `isTrue`, which is asked after every message; `what` ends "Waited 5 s for …". */
  until(isTrue: () => boolean, what: string, timeoutMs: number): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(new TooLate(`Waited ${timeoutMs / 1000} s for ${what}`));
      }, timeoutMs);
      const waiter = {
        isTrue,
        resolve: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      this.#waiters.push(waiter);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }

  #take(report: ListenerReport): void {
    switch (report.kind) {
      case "listening":
        return;
      case "established":
        this.established += 1;
        break;
      case "ended":
        this.ended.push(report.reason);
        this.#sightings.clear();
        this.#announced = 0;
        break;
      case "update":
        this.#lastUpdate = report.at;
        for (const prefix of report.withdrawn) this.#see(prefix, false, report.at);
        for (const prefix of report.announced) this.#see(prefix, true, report.at);
        break;
    }
    const done = this.#waiters.filter(({ isTrue }) => isTrue());
    this.#waiters = this.#waiters.filter((waiter) => !done.includes(waiter));
    for (const { resolve } of done) resolve();
  }

  #see(prefix: string, isAnnounced: boolean, at: number): void {
    const before = this.#sightings.get(prefix)?.isAnnounced ?? false;
    // Sent again: what was heard first counts.
    if (before === isAnnounced) return;
    this.#announced += isAnnounced ? 1 : -1;
    this.#sightings.set(prefix, { isAnnounced, at });
  }
}

/** The peer heard nothing in time. */
export class TooLate extends Error {}
