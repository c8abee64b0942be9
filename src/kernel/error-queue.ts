// The error queue of a UDP socket (IP_RECVERR and IPV6_RECVERR, ip(7)): which datagrams of ours an
// ICMP message or this host itself gave back.

import { constants } from "node:os";
import type { Address } from "../net/address.ts";
import { type Libc, pinned } from "./libc.ts";
import { decodeSocketAddress, SOCKET_ADDRESS_LENGTH } from "./socket-address.ts";

export type QueuedError = {
  /** Where the datagram was sent to. */
  readonly sentTo: Address | undefined;
  /** An ICMP message said that nobody listens there. */
  readonly isPortUnreachable: boolean;
};

const { ECONNREFUSED } = constants.errno;

const MSG_DONTWAIT = 0x40;
const MSG_ERRQUEUE = 0x2000;
/** Octets of a struct msghdr, struct iovec, struct cmsghdr on a 64-bit machine. */
const MSGHDR_LENGTH = 56;
const IOVEC_LENGTH = 16;
const CMSGHDR_LENGTH = 16;
const CONTROL_LENGTH = 256;
/** Level and type of the control message that holds a struct sock_extended_err. */
const RECVERR: readonly (readonly [number, number])[] = [
  [0, 11],
  [41, 25],
];
const SO_EE_ORIGIN_ICMP = 2;
const SO_EE_ORIGIN_ICMP6 = 3;

export class ErrorQueue {
  readonly #libc: Libc;
  readonly #fd: number;
  readonly #name = pinned(SOCKET_ADDRESS_LENGTH);
  /** Kept because the header points to it; the datagram itself is not wanted. */
  readonly #payload = pinned(8);
  readonly #iovec = pinned(IOVEC_LENGTH);
  readonly #control = pinned(CONTROL_LENGTH);
  readonly #header = pinned(MSGHDR_LENGTH);

  constructor(system: Libc, fd: number) {
    this.#libc = system;
    this.#fd = fd;
    const iovec = new DataView(this.#iovec.buffer);
    iovec.setBigUint64(0, system.addressOf(this.#payload), true);
    iovec.setBigUint64(8, BigInt(this.#payload.length), true);
    const header = new DataView(this.#header.buffer);
    header.setBigUint64(0, system.addressOf(this.#name), true);
    header.setBigUint64(16, system.addressOf(this.#iovec), true);
    header.setBigUint64(24, 1n, true);
    header.setBigUint64(32, system.addressOf(this.#control), true);
  }

  /** The oldest error; undefined: there is none. */
  take(): QueuedError | undefined {
    const header = new DataView(this.#header.buffer);
    // The kernel writes back how much it used of each.
    header.setUint32(8, this.#name.length, true);
    header.setBigUint64(40, BigInt(CONTROL_LENGTH), true);
    this.#name.fill(0);
    const result = this.#libc.recvmsg(this.#fd, this.#header, MSG_ERRQUEUE | MSG_DONTWAIT);
    if (result < 0) return undefined;
    const control = this.#control.subarray(0, Number(header.getBigUint64(40, true)));
    return {
      sentTo: decodeSocketAddress(this.#name)?.address,
      isPortUnreachable: holdsPortUnreachable(control),
    };
  }
}

/** Whether control messages hold an ICMP error that means ECONNREFUSED. */
export function holdsPortUnreachable(control: Uint8Array): boolean {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  let offset = 0;
  while (offset + CMSGHDR_LENGTH + 8 <= view.byteLength) {
    const length = Number(view.getBigUint64(offset, true));
    const level = view.getInt32(offset + 8, true);
    const type = view.getInt32(offset + 12, true);
    if (RECVERR.some(([ofLevel, ofType]) => level === ofLevel && type === ofType)) {
      // struct sock_extended_err: error number, then one octet for who says so.
      const errno = view.getUint32(offset + CMSGHDR_LENGTH, true);
      const origin = view.getUint8(offset + CMSGHDR_LENGTH + 4);
      const isIcmp = origin === SO_EE_ORIGIN_ICMP || origin === SO_EE_ORIGIN_ICMP6;
      return isIcmp && errno === ECONNREFUSED;
    }
    if (length < CMSGHDR_LENGTH) return false;
    offset += (length + 7) & ~7;
  }
  return false;
}
