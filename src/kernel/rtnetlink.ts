// Links and their link-local addresses as the kernel tells them (rtnetlink(7)): requests out,
// messages in. Pure; other messages and attributes are passed over.

import { type Address, addressFromBytes } from "../net/address.ts";
import { type Mac, macAt } from "../net/mac.ts";

/** What the kernel says about one interface, without its addresses. */
export type LinkFacts = {
  readonly index: number;
  readonly name: string;
  /** Undefined: not Ethernet, for example a tunnel or the loopback. */
  readonly mac: Mac | undefined;
  /** Switched on by the administrator. */
  readonly isUp: boolean;
  /** Up and with a carrier. */
  readonly isRunning: boolean;
  readonly isBroadcast: boolean;
  readonly isLoopback: boolean;
  readonly noArp: boolean;
  /** The bridge, bond or VRF that it is a part of; 0: none. */
  readonly masterIndex: number;
};

export type LinkEvent =
  | { readonly kind: "link"; readonly link: LinkFacts }
  | { readonly kind: "linkGone"; readonly index: number }
  | {
      readonly kind: "linkLocal";
      readonly index: number;
      readonly address: Address;
      /** Not to be used yet, or a duplicate. */
      readonly isTentative: boolean;
    }
  | { readonly kind: "linkLocalGone"; readonly index: number; readonly address: Address }
  /** The kernel's list changed while it was told: it may not be complete. */
  | { readonly kind: "interrupted" }
  /** The end of what was asked for. */
  | { readonly kind: "done" }
  /** It will not be told. */
  | { readonly kind: "refused"; readonly errno: number };

// struct nlmsghdr, offset 0: length (4), 4: type (2), 6: flags (2), 8: sequence (4), 12: port (4).
const HEADER_LENGTH = 16;
const FLAG_REQUEST = 0x1;
const FLAG_DUMP = 0x300;
const FLAG_DUMP_INTERRUPTED = 0x10;
const TYPE_ERROR = 2;
const TYPE_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_GETADDR = 22;

// struct ifinfomsg, offset 0: family (1), 2: hardware type (2), 4: index (4), 8: flags (4).
const IFINFO_LENGTH = 16;
const AF_UNSPEC = 0;
const AF_INET6 = 10;
const ARPHRD_ETHER = 1;
const IFF_UP = 0x1;
const IFF_BROADCAST = 0x2;
const IFF_LOOPBACK = 0x8;
const IFF_RUNNING = 0x40;
const IFF_NOARP = 0x80;
const IFLA_ADDRESS = 1;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;

// struct ifaddrmsg, offset 0: family (1), 2: flags (1), 3: scope (1), 4: index (4).
const IFADDR_LENGTH = 8;
const RT_SCOPE_LINK = 253;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_FLAGS = 8;
const IFA_F_DADFAILED = 0x08;
const IFA_F_TENTATIVE = 0x40;

// struct rtattr, offset 0: length (2), 2: type (2), 4: value.
const ATTRIBUTE_HEADER_LENGTH = 4;
/** The two highest bits are flags. */
const ATTRIBUTE_TYPE = 0x3fff;

/** Asks for all links, or for all IPv6 addresses. */
export function encodeDump(what: "links" | "addresses"): Uint8Array {
  const bytes = new Uint8Array(HEADER_LENGTH + IFINFO_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(4, what === "links" ? RTM_GETLINK : RTM_GETADDR, true);
  view.setUint16(6, FLAG_REQUEST | FLAG_DUMP, true);
  view.setUint8(HEADER_LENGTH, what === "links" ? AF_UNSPEC : AF_INET6);
  return bytes;
}

/** Decodes what one read gave; stops at a message that is cut short. */
export function decodeLinkEvents(bytes: Uint8Array): LinkEvent[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const events: LinkEvent[] = [];
  let offset = 0;
  while (offset + HEADER_LENGTH <= bytes.length) {
    const length = view.getUint32(offset, true);
    if (length < HEADER_LENGTH || offset + length > bytes.length) break;
    const type = view.getUint16(offset + 4, true);
    const flags = view.getUint16(offset + 6, true);
    const body = bytes.subarray(offset + HEADER_LENGTH, offset + length);
    if ((flags & FLAG_DUMP_INTERRUPTED) !== 0) events.push({ kind: "interrupted" });
    const event = decodeMessage(type, body);
    if (event !== undefined) events.push(event);
    offset += aligned(length);
  }
  return events;
}

function decodeMessage(type: number, body: Uint8Array): LinkEvent | undefined {
  switch (type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return decodeLink(type === RTM_NEWLINK, body);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return decodeLinkLocal(type === RTM_NEWADDR, body);
    case TYPE_DONE:
      return { kind: "done" };
    case TYPE_ERROR:
      return body.length < 4
        ? undefined
        : { kind: "refused", errno: -viewOf(body).getInt32(0, true) };
    default:
      return undefined;
  }
}

function decodeLink(isThere: boolean, body: Uint8Array): LinkEvent | undefined {
  if (body.length < IFINFO_LENGTH) return undefined;
  const view = viewOf(body);
  // A bridge tells of its ports by the same types: that a port left it, not that it is gone.
  if (view.getUint8(0) !== AF_UNSPEC) return undefined;
  const index = view.getInt32(4, true);
  if (!isThere) return { kind: "linkGone", index };
  const isEthernet = view.getUint16(2, true) === ARPHRD_ETHER;
  const flags = view.getUint32(8, true);
  let name = "";
  let mac: Mac | undefined;
  let masterIndex = 0;
  for (const { type, value } of attributesOf(body.subarray(IFINFO_LENGTH))) {
    if (type === IFLA_IFNAME) name = textOf(value);
    if (type === IFLA_ADDRESS && isEthernet && value.length === 6) mac = macAt(value, 0);
    if (type === IFLA_MASTER && value.length === 4) masterIndex = viewOf(value).getUint32(0, true);
  }
  const link: LinkFacts = {
    index,
    name,
    mac,
    isUp: (flags & IFF_UP) !== 0,
    isRunning: (flags & IFF_RUNNING) !== 0,
    isBroadcast: (flags & IFF_BROADCAST) !== 0,
    isLoopback: (flags & IFF_LOOPBACK) !== 0,
    noArp: (flags & IFF_NOARP) !== 0,
    masterIndex,
  };
  return { kind: "link", link };
}

/** Others than link-local ones are passed over: kube-proxy's IPVS mode gives a node thousands. */
function decodeLinkLocal(isThere: boolean, body: Uint8Array): LinkEvent | undefined {
  if (body.length < IFADDR_LENGTH) return undefined;
  const view = viewOf(body);
  if (view.getUint8(0) !== AF_INET6 || view.getUint8(3) !== RT_SCOPE_LINK) return undefined;
  const index = view.getUint32(4, true);
  let flags = view.getUint8(2);
  let address: Address | undefined;
  for (const { type, value } of attributesOf(body.subarray(IFADDR_LENGTH))) {
    if (type === IFA_FLAGS && value.length === 4) flags = viewOf(value).getUint32(0, true);
    if (value.length !== 16) continue;
    // On a link with two ends IFA_ADDRESS is the other one's.
    if (type === IFA_LOCAL) address = addressFromBytes(value, 0, "ipv6");
    if (type === IFA_ADDRESS) address ??= addressFromBytes(value, 0, "ipv6");
  }
  if (address === undefined) return undefined;
  if (!isThere) return { kind: "linkLocalGone", index, address };
  const isTentative = (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) !== 0;
  return { kind: "linkLocal", index, address, isTentative };
}

function* attributesOf(
  bytes: Uint8Array,
): Generator<{ readonly type: number; readonly value: Uint8Array }> {
  const view = viewOf(bytes);
  let offset = 0;
  while (offset + ATTRIBUTE_HEADER_LENGTH <= bytes.length) {
    const length = view.getUint16(offset, true);
    if (length < ATTRIBUTE_HEADER_LENGTH || offset + length > bytes.length) return;
    const type = view.getUint16(offset + 2, true) & ATTRIBUTE_TYPE;
    yield { type, value: bytes.subarray(offset + ATTRIBUTE_HEADER_LENGTH, offset + length) };
    offset += aligned(length);
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function aligned(length: number): number {
  return (length + 3) & ~3;
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end)).toString("utf8");
}
