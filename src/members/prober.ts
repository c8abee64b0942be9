// Membership on the wire: sockets and timers around view.ts, datagrams through channel.ts. Runs in
// the thread of its poller; decides nothing.

import type { Poller } from "../kernel/poller.ts";
import { type Datagram, UdpSocket } from "../kernel/udp-socket.ts";
import { type Address, type Family, familyOf } from "../net/address.ts";
import { Channel, REFUSALS } from "./channel.ts";
import type { Message } from "./message.ts";
import { type Contact, type MembershipSnapshot, type Peer, type Timings, View } from "./view.ts";
import { Rings } from "./watchers.ts";

export type ProberOptions = {
  readonly poller: Poller;
  /** Name of this node. */
  readonly self: string;
  /** One per family at most. */
  readonly bindAddresses: readonly Address[];
  readonly port: number;
  /** The text of the `memberlist` Secret; undefined: datagrams are not authenticated. */
  readonly secret: string | undefined;
  readonly timings: Timings;
  /** Called from the poller's loop when something in it changed, round trip times apart. */
  readonly onChange: (snapshot: MembershipSnapshot) => void;
  /** A payload that a fellow speaker sent with `send`: authentic, no replay; may get lost. */
  readonly onMessage: (from: string, payload: Uint8Array) => void;
};

export type Prober = {
  /** All speakers there should be; this node may be among them. Replaces the last list. */
  readonly setPeers: (peers: readonly Peer[]) => void;
  /** Sends once, at most 1150 octets to fit any path. False: not listed, or not sent. */
  readonly send: (to: string, payload: Uint8Array) => boolean;
  /** Says goodbye to all, again to who does not confirm; then only answers. */
  readonly leave: () => void;
  readonly snapshot: () => MembershipSnapshot;
  /** As in the snapshot, but cheap: to be asked before each answer to the network. */
  readonly alive: ReadonlySet<string>;
  readonly contact: Contact;
  /** Datagrams by what became of them: sent, unsent, received, or why they were refused. */
  readonly counters: () => Readonly<Record<string, number>>;
  readonly close: () => void;
};

/** Datagrams that are taken without looking at anything else: nobody can keep the thread busy. */
const MOST_AT_ONCE = 500;

/** An address from which nothing came for so long is not relied on. */
const IN_USE_MS = 3000;

/** Opens the sockets; throws a SystemError when that fails. Nobody is a member before `setPeers`. */
export function startProber(options: ProberOptions): Prober {
  return new WireProber(options);
}

class WireProber implements Prober {
  readonly #options: ProberOptions;
  readonly #sockets: ReadonlyMap<Family, UdpSocket>;
  readonly #unwatch: readonly (() => void)[];
  readonly #view: View;
  readonly #channel: Channel;
  readonly #addresses = new Map<string, readonly Address[]>();
  readonly #names = new Map<Address, string>();
  /** When something authentic came from that address. */
  readonly #heardAtMs = new Map<Address, number>();
  /** Of each node those addresses where nobody listens, since something came from it. */
  readonly #refused = new Map<string, Set<Address>>();
  readonly #counters = new Map<string, number>();
  #cancelTick = () => {};
  #cancelTell = () => {};
  #told = "";

  constructor(options: ProberOptions) {
    const { poller, self, timings, secret } = options;
    this.#options = options;
    // Later than any earlier life of this node, unless the clock has gone back; see view.ts.
    const incarnation = Date.now();
    const nowMs = performance.now();
    this.#view = new View({ self, nowMs, incarnation, random: randomNumber, timings });
    this.#channel = new Channel({ self, secret: secret ?? "", session: incarnation });
    for (const name of ["sent", "unsent", "received", ...REFUSALS]) this.#counters.set(name, 0);
    this.#sockets = openSockets(options.bindAddresses, options.port);
    this.#unwatch = [...this.#sockets.values()].map((socket) =>
      poller.watch(socket.fd, () => this.#serve()),
    );
    this.#told = this.#tellable();
    this.#schedule();
  }

  get alive(): ReadonlySet<string> {
    return this.#view.alive;
  }

  get contact(): Contact {
    return this.#view.contact;
  }

  setPeers(peers: readonly Peer[]): void {
    const { self } = this.#options;
    this.#addresses.clear();
    this.#names.clear();
    for (const { name, addresses } of peers) {
      if (name === self) continue;
      this.#addresses.set(name, addresses);
      for (const address of addresses) this.#names.set(address, name);
    }
    for (const address of this.#heardAtMs.keys()) {
      if (!this.#names.has(address)) this.#heardAtMs.delete(address);
    }
    this.#channel.setPeers(this.#addresses.keys());
    this.#view.setPeers(new Rings([self, ...this.#addresses.keys()]), performance.now());
    this.#flush();
  }

  send(to: string, payload: Uint8Array): boolean {
    return this.#transmit(to, { kind: "payload", bytes: payload });
  }

  leave(): void {
    this.#view.leave(performance.now());
    this.#flush();
  }

  snapshot(): MembershipSnapshot {
    const { alive, contact, isDeclaredDead } = this.#view;
    return {
      alive: [...alive].sort(),
      members: this.#view.members(),
      contact,
      isDeclaredDead,
      isAuthenticated: (this.#options.secret ?? "") !== "",
    };
  }

  counters(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#counters);
  }

  close(): void {
    this.#cancelTick();
    this.#cancelTell();
    for (const unwatch of this.#unwatch) unwatch();
    for (const socket of this.#sockets.values()) socket.close();
  }

  #serve(): void {
    this.#receive();
    this.#flush();
  }

  /** Takes what has come: after a pause of this process, the answers before the tick. */
  #receive(): void {
    for (const socket of this.#sockets.values()) {
      for (let left = MOST_AT_ONCE; left > 0; left--) {
        const datagram = socket.receive();
        if (datagram === undefined) break;
        this.#take(datagram);
      }
      for (const address of socket.takeRefused()) this.#noteRefused(address);
    }
  }

  #take(datagram: Datagram): void {
    this.#count("received");
    const nowMs = performance.now();
    const opened = this.#channel.open(datagram.bytes);
    if (opened.kind === "refused") {
      this.#count(opened.reason);
      // The other family's copy.
      if (opened.reason === "duplicate") this.#noteHeard(datagram.from, nowMs);
      return;
    }
    const { from, messages, isFresh } = opened;
    this.#noteHeard(datagram.from, nowMs);
    for (const message of messages) {
      this.#view.receive(from, message, nowMs, isFresh);
      if (message.kind === "payload") this.#options.onMessage(from, message.bytes);
    }
    if (isFresh) this.#refused.delete(from);
    else this.#view.challenge(from, nowMs);
  }

  #noteHeard(address: Address, nowMs: number): void {
    if (this.#names.has(address)) this.#heardAtMs.set(address, nowMs);
  }

  /** An address may be used no longer; that nobody is there is said by all that were heard lately. */
  #noteRefused(address: Address): void {
    const name = this.#names.get(address);
    if (name === undefined) return;
    const nowMs = performance.now();
    const refused = this.#refused.get(name) ?? new Set();
    this.#refused.set(name, refused.add(address));
    const isUsed = (other: Address) =>
      nowMs - (this.#heardAtMs.get(other) ?? Number.NEGATIVE_INFINITY) < IN_USE_MS;
    const used = (this.#addresses.get(name) ?? []).filter(isUsed);
    if (!used.every((other) => refused.has(other))) return;
    this.#refused.delete(name);
    this.#view.refused(name, nowMs);
  }

  #tick(): void {
    this.#receive();
    this.#view.tick(performance.now());
    this.#flush();
  }

  #flush(): void {
    for (const { to, message } of this.#view.takeOutput().sends) this.#transmit(to, message);
    this.#schedule();
    const { poller } = this.#options;
    if (this.#tellable() === this.#told) return;
    // In a turn of its own: our caller may be in the middle of something.
    this.#cancelTell();
    this.#cancelTell = poller.at(performance.now(), () => this.#tell());
  }

  #tell(): void {
    const tellable = this.#tellable();
    if (tellable === this.#told) return;
    this.#told = tellable;
    this.#options.onChange(this.snapshot());
  }

  #tellable(): string {
    return `${this.#view.version} ${this.#view.contact.kind}`;
  }

  #schedule(): void {
    this.#cancelTick();
    this.#cancelTick = this.#options.poller.at(this.#view.nextTickMs, () => this.#tick());
  }

  #transmit(to: string, message: Message): boolean {
    const datagram = this.#channel.seal(to, message);
    if (datagram === undefined) return false;
    const { port } = this.#options;
    let isSent = false;
    for (const address of this.#addresses.get(to) ?? []) {
      const socket = this.#sockets.get(familyOf(address));
      if (socket?.send(datagram, address, port)) isSent = true;
    }
    this.#count(isSent ? "sent" : "unsent");
    return isSent;
  }

  #count(what: string): void {
    this.#counters.set(what, (this.#counters.get(what) ?? 0) + 1);
  }
}

function openSockets(addresses: readonly Address[], port: number): ReadonlyMap<Family, UdpSocket> {
  const sockets = new Map<Family, UdpSocket>();
  try {
    for (const address of addresses) {
      sockets.set(familyOf(address), UdpSocket.open({ address, port }));
    }
  } catch (error) {
    for (const socket of sockets.values()) socket.close();
    throw error;
  }
  return sockets;
}

/** From 0 to below 1; 52 bits that nobody can guess. */
function randomNumber(): number {
  const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
  return (high * 2 ** 20 + (low >>> 12)) / 2 ** 52;
}
