// Follows the links of this host over one netlink socket (netlink(7)): asks for all of them, then
// hears what changes; asks again when the kernel had to drop news.

import { constants } from "node:os";
import { intValue, type Libc, libc } from "./libc.ts";
import { type Link, LinkTable } from "./links.ts";
import { decodeLinkEvents, encodeDump, type LinkEvent } from "./rtnetlink.ts";
import { checked } from "./system-error.ts";

const { EAGAIN } = constants.errno;

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_ROUTE = 0;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const RTMGRP_LINK = 0x1;
const RTMGRP_IPV6_IFADDR = 0x100;
/** Octets of a struct sockaddr_nl. */
const ADDRESS_LENGTH = 12;
/** More is left to the next call, so that others are served in between. */
const READS_AT_ONCE = 64;

/** Twice what the kernel puts into one read of a dump. */
const BUFFER_OCTETS = 64 << 10;
/** Asked for, so that a burst of new links fits; the kernel gives at most its rmem_max. */
const RECEIVE_BUFFER_OCTETS = 1 << 20;

/** What is being asked for: first all links, then all addresses. */
type Question = {
  readonly table: LinkTable;
  what: "links" | "addresses";
  /** News were lost since it was asked: the answer will not be right. */
  isStale: boolean;
};

export class LinkWatch {
  readonly fd: number;
  readonly #libc: Libc = libc();
  readonly #buffer = new Uint8Array(BUFFER_OCTETS);
  #question: Question | undefined;
  /** Undefined until all links were told once. */
  #known: LinkTable | undefined;
  #isRefused = false;

  /** Opens the socket and asks for all links; throws a SystemError. */
  constructor() {
    const type = SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC;
    const opened = this.#libc.socket(AF_NETLINK, type, NETLINK_ROUTE);
    this.fd = checked(opened, "socket", "open a netlink socket");
    const address = new DataView(new ArrayBuffer(ADDRESS_LENGTH));
    address.setUint16(0, AF_NETLINK, true);
    address.setUint32(8, RTMGRP_LINK | RTMGRP_IPV6_IFADDR, true);
    this.#libc.setsockopt(this.fd, SOL_SOCKET, SO_RCVBUF, intValue(RECEIVE_BUFFER_OCTETS));
    const bound = this.#libc.bind(this.fd, new Uint8Array(address.buffer));
    checked(bound, "bind", "hear of links over netlink");
    this.#ask();
  }

  /** The links of this host by index; undefined until all were told once. */
  get links(): readonly Link[] | undefined {
    return this.#known?.links();
  }

  /** The kernel would not answer: `read` should be called again later. */
  get isUncertain(): boolean {
    return this.#isRefused;
  }

  /** Reads what is there; to be called when the descriptor is readable. */
  read(): void {
    if (this.#isRefused) this.#ask();
    for (let reads = 0; reads < READS_AT_ONCE; reads++) {
      const length = this.#libc.recv(this.fd, this.#buffer, 0);
      if (length === -EAGAIN) return;
      // ENOBUFS: the kernel had more news than room.
      if (length < 0) this.#lostNews();
      for (const event of decodeLinkEvents(this.#buffer.subarray(0, Math.max(length, 0)))) {
        this.#take(event);
      }
    }
  }

  close(): void {
    this.#libc.close(this.fd);
  }

  #take(event: LinkEvent): void {
    switch (event.kind) {
      case "done":
        this.#answered();
        return;
      case "interrupted":
        this.#lostNews();
        return;
      case "refused":
        this.#refused();
        return;
      default:
        this.#known?.apply(event);
        this.#question?.table.apply(event);
    }
  }

  #answered(): void {
    const question = this.#question;
    if (question === undefined) return;
    if (question.what === "links") {
      question.what = "addresses";
      this.#send("addresses");
      return;
    }
    this.#question = undefined;
    if (question.isStale) this.#ask();
    else this.#known = question.table;
  }

  #lostNews(): void {
    if (this.#question === undefined) this.#ask();
    else this.#question.isStale = true;
  }

  /** A table of its own: what is gone meanwhile is not in the answer. */
  #ask(): void {
    this.#question = { table: new LinkTable(), what: "links", isStale: false };
    this.#send("links");
  }

  #send(what: "links" | "addresses"): void {
    this.#isRefused = false;
    if (this.#libc.send(this.fd, encodeDump(what), 0) < 0) this.#refused();
  }

  /** For want of memory, say. What is known stays. */
  #refused(): void {
    this.#question = undefined;
    this.#isRefused = true;
  }
}
