// One IPv6 socket that is a member of multicast groups per interface (ipv6(7)): the kernel then
// listens on the wire and tells switches (MLD). Carries nothing itself.

import { constants } from "node:os";
import { type Address, addressBytes } from "../net/address.ts";
import { type Libc, libc } from "./libc.ts";
import { AF_INET6 } from "./socket-address.ts";
import { checked } from "./system-error.ts";

const { ENOBUFS, ENOMEM } = constants.errno;

const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_JOIN_GROUP = 20;
const IPV6_LEAVE_GROUP = 21;
/** Octets of a struct ipv6_mreq. */
const MEMBERSHIP_LENGTH = 20;

export class MulticastSocket {
  readonly #libc: Libc = libc();
  readonly #fd: number;

  /** Throws a SystemError. */
  constructor() {
    const opened = this.#libc.socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    this.#fd = checked(opened, "socket", "open an IPv6 socket");
  }

  /**
   * Joins the group on the interface. False: this socket has no room for another membership
   * (net.core.optmem_max). Throws a SystemError for anything else.
   */
  join(interfaceIndex: number, group: Address): boolean {
    const membership = encodeMembership(interfaceIndex, group);
    const joined = this.#libc.setsockopt(this.#fd, IPPROTO_IPV6, IPV6_JOIN_GROUP, membership);
    if (joined === -ENOBUFS || joined === -ENOMEM) return false;
    checked(joined, "setsockopt", `join group ${group} on interface ${interfaceIndex}`);
    return true;
  }

  /** Leaves the group; also good for an interface that is gone. */
  leave(interfaceIndex: number, group: Address): void {
    const membership = encodeMembership(interfaceIndex, group);
    this.#libc.setsockopt(this.#fd, IPPROTO_IPV6, IPV6_LEAVE_GROUP, membership);
  }

  /** Leaves all groups. */
  close(): void {
    this.#libc.close(this.#fd);
  }
}

function encodeMembership(interfaceIndex: number, group: Address): Uint8Array {
  const bytes = new Uint8Array(MEMBERSHIP_LENGTH);
  bytes.set(addressBytes(group));
  new DataView(bytes.buffer).setInt32(16, interfaceIndex, true);
  return bytes;
}
