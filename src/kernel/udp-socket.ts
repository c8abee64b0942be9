// One bound UDP socket of one family that never blocks: datagrams in and out, and who refused ours.

import { constants } from "node:os";
import type { Address } from "../net/address.ts";
import { ErrorQueue } from "./error-queue.ts";
import { intValue, type Libc, libc } from "./libc.ts";
import {
  AF_INET6,
  addressFamily,
  decodeSocketAddress,
  encodeSocketAddress,
  SOCKET_ADDRESS_LENGTH,
} from "./socket-address.ts";
import { checked } from "./system-error.ts";

export type Datagram = {
  readonly from: Address;
  readonly port: number;
  /** The receiver's own copy. */
  readonly bytes: Uint8Array;
};

export type UdpSocketOptions = {
  /** What to bind to; it gives the family, and an unspecified one ("::") is one family only. */
  readonly address: Address;
  /** 0: any that is free. */
  readonly port: number;
};

const { EAGAIN } = constants.errno;

const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const IP_RECVERR = 11;
const IPV6_RECVERR = 25;
const IPV6_V6ONLY = 26;

/** Asked for; the kernel gives at most its net.core.rmem_max. */
const RECEIVE_BUFFER_OCTETS = 1 << 20;
/** No UDP datagram is longer. */
const LONGEST_DATAGRAM = 65_535;
/** Errors of earlier datagrams that one call passes over before it leaves the rest to the next. */
const ERRORS_AT_ONCE = 64;

export class UdpSocket {
  readonly fd: number;
  /** What it is bound to. */
  readonly port: number;
  readonly #libc: Libc;
  readonly #buffer = new Uint8Array(LONGEST_DATAGRAM);
  readonly #from = new Uint8Array(SOCKET_ADDRESS_LENGTH);
  readonly #errors: ErrorQueue;
  #refused = new Set<Address>();

  /** Opens and binds; throws a SystemError. */
  static open(options: UdpSocketOptions): UdpSocket {
    const system = libc();
    const family = addressFamily(options.address);
    const opened = system.socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const fd = checked(opened, "socket", "open a UDP socket");
    try {
      return new UdpSocket(system, fd, options);
    } catch (error) {
      system.close(fd);
      throw error;
    }
  }

  private constructor(system: Libc, fd: number, { address, port }: UdpSocketOptions) {
    this.#libc = system;
    this.fd = fd;
    this.#errors = new ErrorQueue(system, fd);
    const set = (level: number, name: number, value: number): void => {
      const result = system.setsockopt(fd, level, name, intValue(value));
      checked(result, "setsockopt", `set option ${name} of level ${level} of a UDP socket`);
    };
    if (addressFamily(address) === AF_INET6) {
      set(IPPROTO_IPV6, IPV6_V6ONLY, 1);
      set(IPPROTO_IPV6, IPV6_RECVERR, 1);
    } else {
      set(IPPROTO_IP, IP_RECVERR, 1);
    }
    set(SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_OCTETS);
    const bound = system.bind(fd, encodeSocketAddress(address, port));
    checked(bound, "bind", `bind a UDP socket to ${address} port ${port}`, {
      EADDRINUSE: "a port that no other process uses",
      EADDRNOTAVAIL: "an address of this host",
    });
    const name = new Uint8Array(SOCKET_ADDRESS_LENGTH);
    checked(system.getsockname(fd, name), "getsockname", "read the port of a UDP socket");
    this.port = decodeSocketAddress(name)?.port ?? port;
  }

  /** The next datagram; undefined: nothing more now. */
  receive(): Datagram | undefined {
    for (let tries = 0; tries < ERRORS_AT_ONCE; tries++) {
      const length = this.#libc.recvfrom(this.fd, this.#buffer, 0, this.#from);
      if (length >= 0) {
        const from = decodeSocketAddress(this.#from);
        if (from === undefined) continue;
        const bytes = this.#buffer.slice(0, length);
        return { from: from.address, port: from.port, bytes };
      }
      if (length === -EAGAIN) break;
      // The error of a datagram sent earlier, told once and now gone; the queue has the details.
    }
    // A full queue of errors makes the socket readable for ever, so it is read here too.
    this.#readErrors();
    return undefined;
  }

  /** Sends now or not at all. False: the kernel did not take it, for example without a route. */
  send(bytes: Uint8Array, to: Address, port: number): boolean {
    const address = encodeSocketAddress(to, port);
    const sent = this.#libc.sendto(this.fd, bytes, 0, address);
    if (sent >= 0) return true;
    if (sent === -EAGAIN) return false;
    // It may have been the error of an earlier datagram to somebody else, which is gone now.
    return this.#libc.sendto(this.fd, bytes, 0, address) >= 0;
  }

  /**
   * Addresses whose host said since the last call that nobody listens there ("port unreachable").
   */
  takeRefused(): readonly Address[] {
    this.#readErrors();
    const refused = [...this.#refused];
    this.#refused = new Set();
    return refused;
  }

  close(): void {
    this.#libc.close(this.fd);
  }

  #readErrors(): void {
    for (let count = 0; count < ERRORS_AT_ONCE; count++) {
      const error = this.#errors.take();
      if (error === undefined) return;
      if (error.isPortUnreachable && error.sentTo !== undefined) this.#refused.add(error.sentTo);
    }
  }
}
