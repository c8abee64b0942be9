// struct sockaddr_in, sockaddr_in6 and sockaddr_ll as octets, on little-endian Linux. Pure.

import {
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
} from "../net/address.ts";

/** Address families of socket(2). */
export const AF_INET = 2;
export const AF_INET6 = 10;
export const AF_PACKET = 17;

/** Octets that hold the socket address of either family. */
export const SOCKET_ADDRESS_LENGTH = 28;

/** Octets of a struct sockaddr_ll. */
export const LINK_ADDRESS_LENGTH = 20;

const LENGTH: Readonly<Record<Family, number>> = { ipv4: 16, ipv6: SOCKET_ADDRESS_LENGTH };

/** The family of the address as socket(2) knows it. */
export function addressFamily(address: Address): number {
  return familyOf(address) === "ipv4" ? AF_INET : AF_INET6;
}

/** A struct sockaddr_in or sockaddr_in6 without scope. */
export function encodeSocketAddress(address: Address, port: number): Uint8Array {
  const family = familyOf(address);
  const bytes = new Uint8Array(LENGTH[family]);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, addressFamily(address), true);
  view.setUint16(2, port);
  bytes.set(addressBytes(address), family === "ipv4" ? 4 : 8);
  return bytes;
}

/** The inverse; undefined for a family that is neither, such as what the kernel left empty. */
export function decodeSocketAddress(
  bytes: Uint8Array,
): { readonly address: Address; readonly port: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const port = view.getUint16(2);
  switch (view.getUint16(0, true)) {
    case AF_INET:
      return { address: addressFromBytes(bytes, 4, "ipv4"), port };
    case AF_INET6:
      return { address: addressFromBytes(bytes, 8, "ipv6"), port };
    default:
      return undefined;
  }
}

/** A struct sockaddr_ll to bind a packet socket to one interface. */
export function encodeLinkAddress(protocol: number, interfaceIndex: number): Uint8Array {
  const bytes = new Uint8Array(LINK_ADDRESS_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol);
  view.setInt32(4, interfaceIndex, true);
  return bytes;
}
