// ARP for IPv4 over Ethernet, RFC 826. Bytes in, values out; opens nothing.

import { type Address, addressBytes, addressFromBytes } from "../net/address.ts";
import { type Mac, macAt, writeMac } from "../net/mac.ts";

// Offset 0: hardware type (2), 2: protocol type (2), 4: hardware address length (1), 5: protocol
// address length (1), 6: operation (2), 8: sender hardware (6), 14: sender protocol (4),
// 18: target hardware (6), 24: target protocol (4).
export type ArpPacket = {
  readonly operation: ArpOperation;
  readonly senderMac: Mac;
  /** 0.0.0.0 in a probe (RFC 5227 section 1.1). */
  readonly senderIp: Address;
  /** Means nothing in a request: it is what the sender asks for. */
  readonly targetMac: Mac;
  readonly targetIp: Address;
};

export type ArpOperation = "request" | "reply";

/** Octets in an ARP packet for IPv4 over Ethernet. */
export const ARP_LENGTH = 28;
/** Offsets of the fields in a packet that has an operation. */
export const ARP_SENDER_MAC = 8;
export const ARP_SENDER_IP = 14;
export const ARP_TARGET_IP = 24;
const TARGET_MAC = 18;

/** Hardware type Ethernet, protocol type IPv4, lengths 6 and 4. */
const PREAMBLE = [0x00, 0x01, 0x08, 0x00, 6, 4, 0x00] as const;
const OPERATION = 7;
const REQUEST = 1;
const REPLY = 2;

/**
 * Decodes the payload of an Ethernet frame of type 0x0806.
 *
 * Returns undefined for anything but a request or reply for IPv4 over Ethernet: a frame that is
 * not for us is not an error. Octets past the 28th are Ethernet padding.
 */
export function decodeArp(bytes: Uint8Array): ArpPacket | undefined {
  const operation = arpOperation(bytes, 0);
  if (operation === "malformed" || operation === "foreign") return undefined;
  return {
    operation,
    senderMac: macAt(bytes, ARP_SENDER_MAC),
    senderIp: addressFromBytes(bytes, ARP_SENDER_IP, "ipv4"),
    targetMac: macAt(bytes, TARGET_MAC),
    targetIp: addressFromBytes(bytes, ARP_TARGET_IP, "ipv4"),
  };
}

/**
 * The operation of the packet that starts at `offset`, or why it has none that `decodeArp` takes:
 * "malformed" is cut short, "foreign" is another protocol's. Makes no text.
 */
export function arpOperation(
  bytes: Uint8Array,
  offset: number,
): ArpOperation | "malformed" | "foreign" {
  if (bytes.length < offset + ARP_LENGTH) return "malformed";
  for (let index = 0; index < PREAMBLE.length; index += 1) {
    if (bytes[offset + index] !== PREAMBLE[index]) return "foreign";
  }
  const operation = bytes[offset + OPERATION];
  if (operation === REQUEST) return "request";
  return operation === REPLY ? "reply" : "foreign";
}

export function encodeArp(packet: ArpPacket): Uint8Array {
  const bytes = new Uint8Array(ARP_LENGTH);
  bytes.set(PREAMBLE);
  bytes[OPERATION] = packet.operation === "request" ? REQUEST : REPLY;
  writeMac(bytes, ARP_SENDER_MAC, packet.senderMac);
  bytes.set(addressBytes(packet.senderIp), ARP_SENDER_IP);
  writeMac(bytes, TARGET_MAC, packet.targetMac);
  bytes.set(addressBytes(packet.targetIp), ARP_TARGET_IP);
  return bytes;
}
