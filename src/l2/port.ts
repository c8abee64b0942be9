// One interface while it answers: its packet sockets and when its unsolicited frames are due.

import type { PacketProtocol } from "../kernel/packet-filter.ts";
import { PacketSocket } from "../kernel/packet-socket.ts";
import type { Poller } from "../kernel/poller.ts";
import type { Family } from "../net/address.ts";
import { carries, type L2Interface } from "./interfaces.ts";
import { ADDRESSES_PER_SECOND, Schedule } from "./schedule.ts";

export type PortOptions = {
  readonly poller: Poller;
  readonly refreshIntervalMs: number;
  /** The frame stays as it is only during the call. */
  readonly onFrame: (frame: Uint8Array) => void;
  /** The interface went down or away; the port should be closed. */
  readonly onDown: () => void;
};

type OpenSocket = { readonly socket: PacketSocket; readonly unwatch: () => void };

export const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

const PROTOCOL: Readonly<Record<Family, PacketProtocol>> = { ipv4: "arp", ipv6: "ndp" };

/** Frames read before other descriptors and timers have their turn. */
const FRAMES_AT_ONCE = 64;

export class Port {
  readonly schedule: Schedule;
  readonly #options: PortOptions;
  readonly #sockets = new Map<Family, OpenSocket>();
  #interface: L2Interface;

  constructor(at: L2Interface, options: PortOptions) {
    const { refreshIntervalMs } = options;
    this.#interface = at;
    this.#options = options;
    this.schedule = new Schedule({ refreshIntervalMs, addressesPerSecond: ADDRESSES_PER_SECOND });
  }

  /** The interface as it was last seen. */
  get interface(): L2Interface {
    return this.#interface;
  }

  /** Takes what changed of the same interface; closes the socket of a family that ended. */
  update(to: L2Interface): void {
    this.#interface = to;
    for (const family of this.#sockets.keys()) if (!carries(to, family)) this.#close(family);
  }

  /** Families that the interface carries and whose socket is not open. */
  get missing(): readonly Family[] {
    return FAMILIES.filter(
      (family) => carries(this.#interface, family) && !this.#sockets.has(family),
    );
  }

  /** Opens a missing socket; throws a SystemError. */
  open(family: Family): void {
    const protocol = PROTOCOL[family];
    const socket = PacketSocket.open({ protocol, interfaceIndex: this.#interface.index });
    const unwatch = this.#options.poller.watch(socket.fd, () => this.#read(family, socket));
    this.#sockets.set(family, { socket, unwatch });
  }

  /** False: not sent, for example because the interface is down. */
  send(family: Family, frame: Uint8Array): boolean {
    return this.#sockets.get(family)?.socket.send(frame) ?? false;
  }

  close(): void {
    for (const family of this.#sockets.keys()) this.#close(family);
  }

  #close(family: Family): void {
    const open = this.#sockets.get(family);
    this.#sockets.delete(family);
    open?.unwatch();
    open?.socket.close();
  }

  #read(family: Family, socket: PacketSocket): void {
    for (let frames = 0; frames < FRAMES_AT_ONCE; frames++) {
      // A frame may have ended it.
      if (this.#sockets.get(family)?.socket !== socket) return;
      const frame = socket.receive();
      if (frame === undefined) return;
      if (frame === "down") {
        this.#options.onDown();
        return;
      }
      this.#options.onFrame(frame);
    }
  }
}
