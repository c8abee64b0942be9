// Membership of solicited-node groups (RFC 4291 section 2.7.1), so that this host hears
// solicitations and switches send them here: counted by interface and group.

import type { MulticastSocket } from "../kernel/multicast-socket.ts";
import { isInterfaceGone } from "../kernel/packet-socket.ts";
import type { Address } from "../net/address.ts";
import { solicitedNodeGroup } from "./ndp.ts";

export type GroupSocket = Pick<MulticastSocket, "join" | "leave" | "close">;

type Membership = {
  readonly interfaceIndex: number;
  readonly group: Address;
  /** Addresses that want it: several can share a group. */
  users: number;
  /** The socket that is a member; undefined: none is. */
  socket: GroupSocket | undefined;
  /** Nobody wanted it for a moment, in which the interface may have been away. */
  isStale: boolean;
};

/** What is wanted is noted at once; `settle` then brings the kernel in line. */
export class SolicitedNodeGroups {
  readonly #open: () => GroupSocket;
  readonly #memberships = new Map<string, Membership>();
  /** One socket has room for some hundred or thousand groups. */
  readonly #sockets: GroupSocket[] = [];
  readonly #full = new Set<GroupSocket>();
  /** Memberships to look at. */
  readonly #unsettled = new Set<Membership>();
  /** Those that could not be joined, with the problem if that is one. */
  readonly #failed = new Map<Membership, string | undefined>();

  constructor(open: () => GroupSocket) {
    this.#open = open;
  }

  /** Why a group could not be joined; undefined: nothing is in the way. */
  get problem(): string | undefined {
    for (const problem of this.#failed.values()) if (problem !== undefined) return problem;
    return undefined;
  }

  get isSettled(): boolean {
    return this.#unsettled.size === 0;
  }

  /** The address is announced on the interface. */
  join(interfaceIndex: number, address: Address): void {
    const group = solicitedNodeGroup(address);
    const key = keyOf(interfaceIndex, group);
    let membership = this.#memberships.get(key);
    if (membership === undefined) {
      membership = { interfaceIndex, group, users: 0, socket: undefined, isStale: false };
      this.#memberships.set(key, membership);
    }
    membership.users += 1;
    if (membership.users === 1) this.#unsettled.add(membership);
  }

  /** The inverse of one `join`. */
  leave(interfaceIndex: number, address: Address): void {
    const membership = this.#memberships.get(keyOf(interfaceIndex, solicitedNodeGroup(address)));
    if (membership === undefined || membership.users === 0) return;
    membership.users -= 1;
    if (membership.users > 0) return;
    membership.isStale = true;
    this.#unsettled.add(membership);
  }

  /** Looks again at what failed. */
  retry(): void {
    for (const membership of this.#failed.keys()) this.#unsettled.add(membership);
  }

  /**
   * Joins and leaves until all is settled or time is up: a change takes the kernel up to 0.1 ms
   * where there are thousands.
   */
  settle(untilMs: number): void {
    for (const membership of this.#unsettled) {
      this.#unsettled.delete(membership);
      this.#settle(membership);
      if (performance.now() >= untilMs) return;
    }
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.length = 0;
    this.#memberships.clear();
    this.#unsettled.clear();
    this.#failed.clear();
  }

  #settle(membership: Membership): void {
    this.#failed.delete(membership);
    if (membership.isStale) this.#leave(membership);
    if (membership.users === 0) {
      this.#memberships.delete(keyOf(membership.interfaceIndex, membership.group));
    } else if (membership.socket === undefined) {
      this.#join(membership);
    }
  }

  #leave(membership: Membership): void {
    const { interfaceIndex, group, socket } = membership;
    membership.isStale = false;
    membership.socket = undefined;
    if (socket === undefined) return;
    socket.leave(interfaceIndex, group);
    this.#full.delete(socket);
  }

  #join(membership: Membership): void {
    try {
      membership.socket = this.#joined(membership);
    } catch (error) {
      // The interface's going is told by others, and ends the membership.
      const isProblem = !isInterfaceGone(error);
      const message = error instanceof Error ? error.message : String(error);
      this.#failed.set(membership, isProblem ? message : undefined);
    }
  }

  #joined({ interfaceIndex, group }: Membership): GroupSocket {
    for (const socket of this.#sockets) {
      if (this.#full.has(socket)) continue;
      if (socket.join(interfaceIndex, group)) return socket;
      this.#full.add(socket);
    }
    const socket = this.#open();
    let joined = false;
    try {
      joined = socket.join(interfaceIndex, group);
    } finally {
      if (!joined) socket.close();
    }
    if (joined) {
      this.#sockets.push(socket);
      return socket;
    }
    throw new Error(`Cannot join group ${group}: want more memory for sockets (optmem_max)`);
  }
}

function keyOf(interfaceIndex: number, group: Address): string {
  return `${interfaceIndex} ${group}`;
}
