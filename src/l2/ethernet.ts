// The Ethernet header (IEEE 802.3, type field). Bytes in, values out; opens nothing.

import { MAC_LENGTH, type Mac, macAt, writeMac } from "../net/mac.ts";

// Offset 0: destination (6), 6: source (6), 12: type (2), 14: payload.
export type EthernetHeader = {
  readonly destination: Mac;
  readonly source: Mac;
  /** At least 0x0600, and not that of a VLAN tag. */
  readonly type: number;
};

/** Octets in an Ethernet header. */
export const ETHERNET_LENGTH = 14;
/** Offset of the source in a frame. */
export const ETHERNET_SOURCE = MAC_LENGTH;

export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_IPV6 = 0x86dd;

const TYPE = 12;
const ETHERTYPE_VLAN = 0x8100;
const ETHERTYPE_SERVICE_VLAN = 0x88a8;
/** Below it the field is a length: IEEE 802.3 with LLC. */
const LOWEST_TYPE = 0x0600;

/**
 * Decodes the header of a frame.
 *
 * Returns undefined for a frame that is cut short, tagged (802.1Q, 802.1ad: it is for the VLAN's
 * own interface) or has a length instead of a type.
 */
export function decodeEthernet(frame: Uint8Array): EthernetHeader | undefined {
  const type = etherType(frame);
  if (type === undefined) return undefined;
  return { destination: macAt(frame, 0), source: macAt(frame, ETHERNET_SOURCE), type };
}

/** The type of a frame that `decodeEthernet` takes, else undefined; makes no text. */
export function etherType(frame: Uint8Array): number | undefined {
  if (frame.length < ETHERNET_LENGTH) return undefined;
  const type = ((frame[TYPE] ?? 0) << 8) | (frame[TYPE + 1] ?? 0);
  if (type === ETHERTYPE_VLAN || type === ETHERTYPE_SERVICE_VLAN) return undefined;
  return type < LOWEST_TYPE ? undefined : type;
}

/** A frame without padding to 60 octets, which network cards add, and without check sum. */
export function encodeEthernet(header: EthernetHeader, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(ETHERNET_LENGTH + payload.length);
  writeMac(frame, 0, header.destination);
  writeMac(frame, ETHERNET_SOURCE, header.source);
  frame[TYPE] = header.type >> 8;
  frame[TYPE + 1] = header.type;
  frame.set(payload, ETHERNET_LENGTH);
  return frame;
}
