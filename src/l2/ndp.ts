// Neighbor solicitation and advertisement (RFC 4861 sections 4.3, 4.4) in ICMPv6 in IPv6, with the
// checks of section 7.1; and solicited-node groups. Bytes in, values out; opens nothing.

import { type Address, addressBytes, addressFromBytes } from "../net/address.ts";
import { type Mac, macAt, writeMac } from "../net/mac.ts";
import { icmpv6Checksum } from "./checksum.ts";

/** RFC 4861 section 4.3. */
export type NeighborSolicitation = {
  readonly kind: "solicitation";
  /** "::" while its sender looks for a duplicate of the target (RFC 4862 section 5.4.2). */
  readonly source: Address;
  readonly destination: Address;
  readonly target: Address;
  /** Source link-layer address option; undefined: not there. */
  readonly sourceMac: Mac | undefined;
};

/** RFC 4861 section 4.4. */
export type NeighborAdvertisement = {
  readonly kind: "advertisement";
  readonly source: Address;
  readonly destination: Address;
  readonly target: Address;
  readonly router: boolean;
  readonly solicited: boolean;
  readonly override: boolean;
  /** Target link-layer address option; undefined: not there. */
  readonly targetMac: Mac | undefined;
};

export type NdpMessage = NeighborSolicitation | NeighborAdvertisement;

/** Why a packet is no message of ours. Foreign: something else, which may well be in order. */
export type NdpRefusal = "foreign" | "malformed" | "hopLimit" | "checksum";

export type NdpResult = NdpMessage | { readonly kind: "refused"; readonly reason: NdpRefusal };

export const UNSPECIFIED = "::" as Address;
/** All nodes of the link (RFC 4291 section 2.7.1). */
export const ALL_NODES = "ff02::1" as Address;

/** What every message must have (RFC 4861 section 7.1): no router passed it on. */
const HOP_LIMIT = 255;

// IPv6, offset 0: version (4 bits), 4: payload length (2), 6: next header (1), 7: hop limit (1),
// 8: source (16), 24: destination (16), 40: payload.
const IPV6_LENGTH = 40;
const PAYLOAD_LENGTH = 4;
const NEXT_HEADER = 6;
const HOPS = 7;
const SOURCE = 8;
const DESTINATION = 24;
const NEXT_ICMPV6 = 58;

// ICMPv6, offset 0: type (1), 1: code (1), 2: checksum (2), 4: flags (1), 8: target (16),
// 24: options.
const MESSAGE_LENGTH = 24;
const CHECKSUM = 2;
const FLAGS = 4;
const TARGET = 8;
const SOLICITATION = 135;
const ADVERTISEMENT = 136;
const ROUTER = 0x80;
const SOLICITED = 0x40;
const OVERRIDE = 0x20;

// Option, offset 0: type (1), 1: length in units of 8 octets (1), 2: hardware address (6).
const OPTION_UNIT = 8;
const SOURCE_LINK_LAYER = 1;
const TARGET_LINK_LAYER = 2;

/**
 * Decodes the payload of an Ethernet frame of type 0x86dd.
 *
 * A message behind an extension header is foreign: nobody sends such, and RFC 6980 wants
 * fragmented ones ignored. Octets past the length in the IPv6 header are padding.
 */
export function decodeNdp(packet: Uint8Array): NdpResult {
  if (packet.length < IPV6_LENGTH || at(packet, 0) >> 4 !== 6) return refused("malformed");
  if (packet[NEXT_HEADER] !== NEXT_ICMPV6) return refused("foreign");
  const length = (at(packet, PAYLOAD_LENGTH) << 8) | at(packet, PAYLOAD_LENGTH + 1);
  if (length === 0 || packet.length < IPV6_LENGTH + length) return refused("malformed");
  const message = packet.subarray(IPV6_LENGTH, IPV6_LENGTH + length);
  const type = message[0];
  if (type !== SOLICITATION && type !== ADVERTISEMENT) return refused("foreign");
  if (packet[HOPS] !== HOP_LIMIT) return refused("hopLimit");
  if (icmpv6Checksum(packet.subarray(SOURCE, IPV6_LENGTH), message) !== 0) {
    return refused("checksum");
  }
  if (length < MESSAGE_LENGTH || message[1] !== 0) return refused("malformed");
  const solicits = type === SOLICITATION;
  const option = linkLayerOption(message, solicits ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER);
  if (option.kind === "malformed") return refused("malformed");
  if (at(packet, SOURCE) === 0xff || at(message, TARGET) === 0xff) return refused("malformed");
  const source = addressFromBytes(packet, SOURCE, "ipv6");
  const destination = addressFromBytes(packet, DESTINATION, "ipv6");
  const target = addressFromBytes(message, TARGET, "ipv6");
  if (solicits) {
    const detectsDuplicate = source === UNSPECIFIED;
    if (detectsDuplicate && option.mac !== undefined) return refused("malformed");
    if (detectsDuplicate && !isSolicitedNodeGroup(destination)) return refused("malformed");
    return { kind: "solicitation", source, destination, target, sourceMac: option.mac };
  }
  const flags = at(message, FLAGS);
  const solicited = (flags & SOLICITED) !== 0;
  if (solicited && isMulticast(destination)) return refused("malformed");
  return {
    kind: "advertisement",
    source,
    destination,
    target,
    router: (flags & ROUTER) !== 0,
    solicited,
    override: (flags & OVERRIDE) !== 0,
    targetMac: option.mac,
  };
}

/** The first option of the wanted type; other options are passed over (RFC 4861 section 7.1). */
function linkLayerOption(
  message: Uint8Array,
  wanted: number,
): { readonly kind: "found"; readonly mac: Mac | undefined } | { readonly kind: "malformed" } {
  let mac: Mac | undefined;
  for (let offset = MESSAGE_LENGTH; offset < message.length; ) {
    const length = at(message, offset + 1) * OPTION_UNIT;
    // An option of length zero must not be taken, and would never end.
    if (length === 0 || offset + length > message.length) return { kind: "malformed" };
    if (message[offset] === wanted && mac === undefined) {
      mac = macAt(message, offset + 2);
      // RFC 2464 section 6: one unit.
      if (length !== OPTION_UNIT) return { kind: "malformed" };
    }
    offset += length;
  }
  return { kind: "found", mac };
}

/** The IPv6 packet that carries the message. */
export function encodeNdp(message: NdpMessage): Uint8Array {
  const solicits = message.kind === "solicitation";
  const mac = solicits ? message.sourceMac : message.targetMac;
  const length = MESSAGE_LENGTH + (mac === undefined ? 0 : OPTION_UNIT);
  const packet = new Uint8Array(IPV6_LENGTH + length);
  packet[0] = 6 << 4;
  packet[PAYLOAD_LENGTH + 1] = length;
  packet[NEXT_HEADER] = NEXT_ICMPV6;
  packet[HOPS] = HOP_LIMIT;
  packet.set(addressBytes(message.source), SOURCE);
  packet.set(addressBytes(message.destination), DESTINATION);
  const body = packet.subarray(IPV6_LENGTH);
  body[0] = solicits ? SOLICITATION : ADVERTISEMENT;
  body[FLAGS] = solicits ? 0 : flagsOf(message);
  body.set(addressBytes(message.target), TARGET);
  if (mac !== undefined) {
    body[MESSAGE_LENGTH] = solicits ? SOURCE_LINK_LAYER : TARGET_LINK_LAYER;
    body[MESSAGE_LENGTH + 1] = 1;
    writeMac(body, MESSAGE_LENGTH + 2, mac);
  }
  const checksum = icmpv6Checksum(packet.subarray(SOURCE, IPV6_LENGTH), body);
  body[CHECKSUM] = checksum >> 8;
  body[CHECKSUM + 1] = checksum;
  return packet;
}

function flagsOf({ router, solicited, override }: NeighborAdvertisement): number {
  return (router ? ROUTER : 0) | (solicited ? SOLICITED : 0) | (override ? OVERRIDE : 0);
}

/** ff02::1:ff00:0/104 with the low 24 bits of the address (RFC 4291 section 2.7.1). */
export function solicitedNodeGroup(address: Address): Address {
  const bytes = addressBytes(address);
  bytes.set([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xff]);
  return addressFromBytes(bytes, 0, "ipv6");
}

/** The hardware address for an IPv6 group: 33:33 and its low 32 bits (RFC 2464 section 7). */
export function multicastMac(group: Address): Mac {
  const mac = addressBytes(group).slice(10);
  mac.set([0x33, 0x33]);
  return macAt(mac, 0);
}

export function isMulticast(address: Address): boolean {
  return address.startsWith("ff") && address.indexOf(":") === 4;
}

function isSolicitedNodeGroup(address: Address): boolean {
  return solicitedNodeGroup(address) === address;
}

function refused(reason: NdpRefusal): NdpResult {
  return { kind: "refused", reason };
}

function at(bytes: Uint8Array, offset: number): number {
  return bytes[offset] ?? 0;
}
