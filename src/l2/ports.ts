// The interfaces of this host that answer now, kept in line with what the kernel tells of links.

import { LinkWatch } from "../kernel/netlink.ts";
import { isInterfaceGone } from "../kernel/packet-socket.ts";
import type { Poller } from "../kernel/poller.ts";
import type { Family } from "../net/address.ts";
import type { Mac } from "../net/mac.ts";
import { carries, type L2Interface, l2Interfaces } from "./interfaces.ts";
import { FAMILIES, Port } from "./port.ts";

export type PortsOptions = {
  readonly poller: Poller;
  readonly excludedInterfaces: readonly RegExp[];
  readonly refreshIntervalMs: number;
  readonly events: PortEvents;
};

export type PortEvents = {
  /** The port carries addresses of the family from now on. */
  readonly begin: (port: Port, family: Family) => void;
  /** It does not any more. */
  readonly end: (port: Port, family: Family) => void;
  /** What was sent there before may have gone nowhere, or to another switch port. */
  readonly again: (port: Port, family: Family) => void;
  /** A round is over: `interfaces` and `problem` may have changed. */
  readonly settled: () => void;
  /** The frame stays as it is only during the call. */
  readonly frame: (port: Port, frame: Uint8Array) => void;
};

/** After a socket could not be opened or a group not be joined: the right to it may come. */
export const RETRY_MS = 2000;
/** After an interface went down: until the kernel has told what became of it. */
const SETTLE_MS = 20;

export class Ports {
  /** All whose names are not excluded, those that answer nothing too. */
  interfaces: readonly L2Interface[] = [];
  /** Why a socket could not be opened. */
  problem: string | undefined;
  readonly #options: PortsOptions;
  readonly #links = new LinkWatch();
  readonly #unwatchLinks: () => void;
  readonly #ports = new Map<number, Port>();
  /** Of all interfaces. */
  #macs: ReadonlySet<Mac> = new Set();
  #nextSyncMs = Number.POSITIVE_INFINITY;
  #cancelSync = () => {};

  /** Throws a SystemError where links cannot be followed. No event comes before the loop runs. */
  constructor(options: PortsOptions) {
    this.#options = options;
    this.#unwatchLinks = options.poller.watch(this.#links.fd, () => this.#sync());
  }

  [Symbol.iterator](): Iterator<Port> {
    return this.#ports.values();
  }

  /** Whether the hardware address is one of this host. */
  isOwn(mac: Mac): boolean {
    return this.#macs.has(mac);
  }

  /** Looks again at everything then at the latest. */
  syncAt(atMs: number): void {
    if (atMs >= this.#nextSyncMs) return;
    this.#cancelSync();
    this.#nextSyncMs = atMs;
    this.#cancelSync = this.#options.poller.at(atMs, () => this.#sync());
  }

  close(): void {
    this.#cancelSync();
    this.#unwatchLinks();
    this.#links.close();
    for (const port of this) port.close();
    this.#ports.clear();
  }

  #sync(): void {
    this.#cancelSync();
    this.#nextSyncMs = Number.POSITIVE_INFINITY;
    this.#links.read();
    if (this.#links.isUncertain) this.syncAt(performance.now() + RETRY_MS);
    const links = this.#links.links;
    if (links === undefined) return;
    this.interfaces = l2Interfaces(links, this.#options.excludedInterfaces);
    this.#macs = new Set(this.interfaces.map(({ mac }) => mac));
    const usable = new Map<number, L2Interface>();
    for (const at of this.interfaces) if (at.whyNot === undefined) usable.set(at.index, at);
    for (const port of [...this]) {
      const to = usable.get(port.interface.index);
      // With another name or hardware address it is like another interface.
      const isSame = to?.name === port.interface.name && to.mac === port.interface.mac;
      if (isSame) this.#update(port, to);
      else this.#remove(port);
    }
    for (const at of usable.values()) if (!this.#ports.has(at.index)) this.#add(at);
    this.#openSockets();
    this.#options.events.settled();
  }

  #add(at: L2Interface): void {
    const { poller, refreshIntervalMs, events } = this.#options;
    const port = new Port(at, {
      poller,
      refreshIntervalMs,
      onFrame: (frame) => events.frame(port, frame),
      onDown: () => {
        // Even if it is back already, its groups are not: it begins anew.
        this.#remove(port);
        this.syncAt(performance.now() + SETTLE_MS);
      },
    });
    this.#ports.set(at.index, port);
    for (const family of FAMILIES) if (carries(at, family)) events.begin(port, family);
  }

  #update(port: Port, to: L2Interface): void {
    const { begin, end, again } = this.#options.events;
    const from = port.interface;
    const changed = FAMILIES.filter((family) => carries(from, family) !== carries(to, family));
    for (const family of changed) if (carries(from, family)) end(port, family);
    port.update(to);
    for (const family of changed) if (carries(to, family)) begin(port, family);
    // The cable may be in another switch port now.
    const hasCarrier = !from.isRunning && to.isRunning;
    for (const family of FAMILIES) if (hasCarrier && carries(to, family)) again(port, family);
  }

  #remove(port: Port): void {
    for (const family of FAMILIES) {
      if (carries(port.interface, family)) this.#options.events.end(port, family);
    }
    this.#ports.delete(port.interface.index);
    port.close();
  }

  #openSockets(): void {
    this.problem = undefined;
    for (const port of this) {
      for (const family of port.missing) {
        try {
          port.open(family);
          this.#options.events.again(port, family);
        } catch (error) {
          this.syncAt(performance.now() + RETRY_MS);
          // The kernel tells of an interface that went, too.
          if (!isInterfaceGone(error)) this.problem ??= messageOf(error);
        }
      }
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
