// One AF_PACKET socket for one protocol on one interface (packet(7)): frames in and out, never
// blocking. Knows nothing of what frames mean.

import { constants } from "node:os";
import { intValue, type Libc, libc, pinned } from "./libc.ts";
import { type PacketProtocol, packetFilter } from "./packet-filter.ts";
import { AF_PACKET, encodeLinkAddress } from "./socket-address.ts";
import { checked, SystemError } from "./system-error.ts";

export type PacketSocketOptions = {
  readonly protocol: PacketProtocol;
  readonly interfaceIndex: number;
};

const { EAGAIN, ENETDOWN, ENODEV, ENXIO } = constants.errno;

const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
/** Octets of a struct sock_fprog. */
const PROGRAM_LENGTH = 16;

/** Asked for, so that a burst waits while we are busy; the kernel gives at most its rmem_max. */
const RECEIVE_BUFFER_OCTETS = 2 << 20;
/** No frame that is worth reading is longer; the rest of one that is, is cut off. */
const LONGEST_FRAME = 2048;

/**
 * The types to bind to. One protocol each instead of all (ETH_P_ALL): then the kernel passes only
 * frames that it takes for itself, VLANs already sorted out, never those it sends, and the rest of
 * the node's traffic does not pass our filter.
 */
const ETHERTYPE: Readonly<Record<PacketProtocol, number>> = { arp: 0x0806, ndp: 0x86dd };

export class PacketSocket {
  readonly fd: number;
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(LONGEST_FRAME);

  /** Opens, filters and binds; throws a SystemError. */
  static open(options: PacketSocketOptions): PacketSocket {
    const system = libc();
    // Protocol 0: nothing is heard before the filter stands and one interface is chosen. Frames of
    // other interfaces would else be waiting in the socket already.
    const opened = system.socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const fd = checked(opened, "socket", "open a packet socket", {
      EPERM: "the capability NET_RAW",
      EACCES: "the capability NET_RAW",
    });
    try {
      return new PacketSocket(system, fd, options);
    } catch (error) {
      system.close(fd);
      throw error;
    }
  }

  private constructor(system: Libc, fd: number, { protocol, interfaceIndex }: PacketSocketOptions) {
    this.#libc = system;
    this.fd = fd;
    attachFilter(system, fd, protocol);
    const size = system.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, intValue(RECEIVE_BUFFER_OCTETS));
    checked(size, "setsockopt", "set the receive buffer of a packet socket");
    const bound = system.bind(fd, encodeLinkAddress(ETHERTYPE[protocol], interfaceIndex));
    checked(bound, "bind", `bind a packet socket to interface ${interfaceIndex}`);
  }

  /**
   * The next frame, which stays as it is until the next call. Undefined: nothing more now. "down":
   * told once when the interface goes down or away; the socket then hears again when the interface
   * comes up, but not another interface that got the same index.
   */
  receive(): Uint8Array | "down" | undefined {
    const length = this.#libc.recv(this.fd, this.#buffer, 0);
    if (length === -EAGAIN) return undefined;
    return length < 0 ? "down" : this.#buffer.subarray(0, length);
  }

  /** Sends a frame as it is. False: not sent, for example because the interface is down. */
  send(frame: Uint8Array): boolean {
    return this.#libc.send(this.fd, frame, 0) >= 0;
  }

  close(): void {
    this.#libc.close(this.fd);
  }
}

/** Whether the error means that the interface went away meanwhile. */
export function isInterfaceGone(error: unknown): boolean {
  return error instanceof SystemError && [ENETDOWN, ENODEV, ENXIO].includes(error.errno);
}

function attachFilter(system: Libc, fd: number, protocol: PacketProtocol): void {
  const { bytes, instructions } = packetFilter(protocol);
  const filter = pinned(bytes.length);
  filter.set(bytes);
  const program = new DataView(new ArrayBuffer(PROGRAM_LENGTH));
  program.setUint16(0, instructions, true);
  program.setBigUint64(8, system.addressOf(filter), true);
  const attached = system.setsockopt(
    fd,
    SOL_SOCKET,
    SO_ATTACH_FILTER,
    new Uint8Array(program.buffer),
  );
  // Also keeps the filter from the garbage collector until the call is done.
  checked(attached, "setsockopt", `attach a filter of ${filter.length} octets to a packet socket`);
}
