// Answers ARP and neighbor solicitations for addresses that no interface has, announces them
// unasked, and hears who else claims them.

import { isDeepStrictEqual } from "node:util";
import { MulticastSocket } from "../kernel/multicast-socket.ts";
import type { Poller } from "../kernel/poller.ts";
import { type Address, type Family, familyOf } from "../net/address.ts";
import type { Mac } from "../net/mac.ts";
import { AddressTable, type InterfaceNames, includes } from "./address-table.ts";
import { answer } from "./answer.ts";
import { Counters, type ResponderCounters } from "./counters.ts";
import { SolicitedNodeGroups } from "./groups.ts";
import { carries, type L2Interface } from "./interfaces.ts";
import type { Port } from "./port.ts";
import { Ports, RETRY_MS } from "./ports.ts";
import { probeFrame, unsolicitedFrames } from "./unsolicited.ts";

export type ResponderOptions = {
  readonly poller: Poller;
  /** Patterns of interface names that never answer. */
  readonly excludedInterfaces: readonly RegExp[];
  /** Asked right before each answer and each unsolicited frame; false: stay silent. */
  readonly mayAnswer: () => boolean;
  /** Another host says that an address which is set or watched is its own. */
  readonly onClaim: (claim: Claim) => void;
  /** At start and whenever one of them changed. */
  readonly onInterfaces: (interfaces: readonly L2Interface[]) => void;
  /** Why not everything could be opened, at start and when that changed; undefined: it could. */
  readonly onProblem: (problem: string | undefined) => void;
  /** Mean time between refreshes of an address; 0: no refresh. */
  readonly refreshIntervalMs: number;
};

export type Claim = {
  readonly address: Address;
  readonly mac: Mac;
  readonly interfaceName: string;
};

/** To be called in the poller's thread. No callback comes before the loop runs. */
export type Responder = {
  /**
   * Answers for the address on these interfaces from now on, and announces it where it is new. A
   * second call with another set replaces the set.
   */
  readonly set: (address: Address, interfaces: InterfaceNames) => void;
  /** Stops at once. */
  readonly delete: (address: Address) => void;
  /** Asks the link once who has the address; claims are told until `unwatch`. */
  readonly probe: (address: Address, interfaces: InterfaceNames) => void;
  readonly unwatch: (address: Address) => void;
  /** Says once more, now, that an address that is set is ours (RFC 5227 section 2.4). */
  readonly defend: (address: Address) => void;
  /** See Counters: with ten thousand addresses copying all of them would be felt on the wire. */
  readonly takeCounters: () => ResponderCounters;
  /** Those whose name is not excluded; none until the kernel has told them. */
  readonly interfaces: () => readonly L2Interface[];
  readonly close: () => void;
};

export type { ResponderCounters } from "./counters.ts";

/** How long joining and leaving groups keeps frames and timers waiting at a time. */
const GROUPS_SLICE_MS = 2;

/** Starts at once; throws a SystemError where links cannot be followed at all. */
export function startResponder(options: ResponderOptions): Responder {
  const responder = new RunningResponder(options);
  return {
    set: (address, interfaces) => responder.set(address, interfaces),
    delete: (address) => responder.delete(address),
    probe: (address, interfaces) => responder.probe(address, interfaces),
    unwatch: (address) => responder.unwatch(address),
    defend: (address) => responder.defend(address),
    takeCounters: () => responder.counters.takeChanges(),
    interfaces: () => responder.interfaces,
    close: () => responder.close(),
  };
}

type Told = {
  readonly interfaces: readonly L2Interface[];
  readonly problem: string | undefined;
};

class RunningResponder {
  readonly counters = new Counters();
  readonly #options: ResponderOptions;
  readonly #table = new AddressTable();
  readonly #groups = new SolicitedNodeGroups(() => new MulticastSocket());
  readonly #ports: Ports;
  /** What was told last; undefined: nothing yet. */
  #told: Told | undefined;
  #cancelAnnounce = () => {};
  /** Undefined: no settling of groups is planned. */
  #cancelSettling: (() => void) | undefined;

  constructor(options: ResponderOptions) {
    this.#options = options;
    this.#ports = new Ports({
      ...options,
      events: {
        begin: (port, family) => this.#eachOn(port, family, (it) => this.#begin(port, it)),
        end: (port, family) => this.#eachOn(port, family, (it) => this.#end(port, it)),
        again: (port, family) => {
          const nowMs = performance.now();
          this.#eachOn(port, family, (it) => port.schedule.gained(it, nowMs));
        },
        settled: () => this.#settled(),
        frame: (port, frame) => this.#take(port, frame),
      },
    });
  }

  get interfaces(): readonly L2Interface[] {
    return this.#ports.interfaces;
  }

  set(address: Address, interfaces: InterfaceNames): void {
    const before = this.#table.set(address, interfaces);
    for (const port of this.#portsFor(address)) {
      const { name } = port.interface;
      const is = includes(interfaces, name);
      if (is === includes(before, name)) continue;
      if (is) this.#begin(port, address);
      else this.#end(port, address);
    }
    this.#announce();
    this.#settleGroupsSoon();
  }

  delete(address: Address): void {
    const before = this.#table.delete(address);
    for (const port of this.#portsFor(address)) {
      if (includes(before, port.interface.name)) this.#end(port, address);
    }
    this.#settleGroupsSoon();
  }

  probe(address: Address, interfaces: InterfaceNames): void {
    this.#table.watch(address, interfaces);
    for (const port of this.#portsFor(address)) {
      const { name, mac } = port.interface;
      if (includes(interfaces, name)) port.send(familyOf(address), probeFrame(address, mac));
    }
  }

  unwatch(address: Address): void {
    this.#table.unwatch(address);
  }

  defend(address: Address): void {
    const interfaces = this.#table.answersOn(address);
    for (const port of this.#portsFor(address)) {
      if (includes(interfaces, port.interface.name)) this.#sendUnsolicited(port, address);
    }
  }

  close(): void {
    this.#cancelAnnounce();
    this.#cancelSettling?.();
    this.#ports.close();
    this.#groups.close();
  }

  /** The ports that carry addresses of this one's family. */
  *#portsFor(address: Address): Generator<Port> {
    const family = familyOf(address);
    for (const port of this.#ports) if (carries(port.interface, family)) yield port;
  }

  #eachOn(port: Port, family: Family, act: (address: Address) => void): void {
    for (const address of this.#table.answeredOn(port.interface.name, family)) act(address);
  }

  #begin(port: Port, address: Address): void {
    if (familyOf(address) === "ipv6") this.#groups.join(port.interface.index, address);
    port.schedule.gained(address, performance.now());
  }

  #end(port: Port, address: Address): void {
    if (familyOf(address) === "ipv6") this.#groups.leave(port.interface.index, address);
    port.schedule.lost(address);
  }

  #settled(): void {
    this.#groups.retry();
    this.#tell();
    this.#announce();
    this.#settleGroupsSoon();
  }

  #tell(): void {
    const told = this.#told;
    const { interfaces } = this.#ports;
    const problem = this.#ports.problem ?? this.#groups.problem;
    this.#told = { interfaces, problem };
    if (!isDeepStrictEqual(interfaces, told?.interfaces)) this.#options.onInterfaces(interfaces);
    if (told === undefined || problem !== told.problem) this.#options.onProblem(problem);
  }

  #take(port: Port, frame: Uint8Array): void {
    const { onClaim, mayAnswer } = this.#options;
    const { name } = port.interface;
    const result = answer(frame, port.interface, (address) => this.#table.known(address, name));
    switch (result.kind) {
      case "silent":
        this.counters.countSilence(result.reason);
        return;
      case "claim": {
        const { address, mac } = result;
        if (this.#ports.isOwn(mac)) this.counters.countSilence("own");
        else onClaim({ address, mac, interfaceName: name });
        return;
      }
      case "reply":
        this.counters.count(result.address, "requestsReceived");
        if (!mayAnswer()) {
          this.counters.countSilence("fenced");
        } else if (port.send(familyOf(result.address), result.frame)) {
          this.counters.count(result.address, "responsesSent");
        }
        return;
    }
  }

  /** Sends what is due and sets the timer for what is due next. */
  #announce(): void {
    const nowMs = performance.now();
    let nextAtMs = Number.POSITIVE_INFINITY;
    for (const port of this.#ports) {
      for (const address of port.schedule.due(nowMs)) this.#sendUnsolicited(port, address);
      nextAtMs = Math.min(nextAtMs, port.schedule.nextAtMs() ?? nextAtMs);
    }
    this.#cancelAnnounce();
    if (nextAtMs === Number.POSITIVE_INFINITY) return;
    this.#cancelAnnounce = this.#options.poller.at(nextAtMs, () => this.#announce());
  }

  #sendUnsolicited(port: Port, address: Address): void {
    const { mac, linkLocal } = port.interface;
    for (const frame of unsolicitedFrames(address, mac, linkLocal)) {
      if (!this.#options.mayAnswer()) this.counters.countSilence("fenced");
      else if (port.send(familyOf(address), frame)) this.counters.count(address, "gratuitousSent");
    }
  }

  /** In the loop's next round, after all that may come with this change; a slice at a time. */
  #settleGroupsSoon(): void {
    if (this.#cancelSettling !== undefined || this.#groups.isSettled) return;
    this.#cancelSettling = this.#options.poller.at(performance.now(), () => {
      this.#cancelSettling = undefined;
      const nowMs = performance.now();
      this.#groups.settle(nowMs + GROUPS_SLICE_MS);
      if (this.#groups.problem !== undefined) this.#ports.syncAt(nowMs + RETRY_MS);
      this.#tell();
      this.#settleGroupsSoon();
    });
  }
}
