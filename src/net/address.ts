// One IP address: canonical text, family, number and order. Pure; every other file of ours
// takes an `Address` and never parses text itself.

import { isIPv4, isIPv6 } from "node:net";
import { Address6 } from "ip-address";

/**
 * An IP address in canonical text: dotted decimal for IPv4, RFC 5952 for IPv6.
 * Made only by this file, so `===` compares addresses and a Map can be keyed by them.
 */
export type Address = string & { readonly brand: "Address" };

export type Family = "ipv4" | "ipv6";

/** Bits in an address of the family. */
export const ADDRESS_BITS: Readonly<Record<Family, number>> = { ipv4: 32, ipv6: 128 };

const MAPPED_PREFIX = 0xffffn;

/**
 * Parses an address as Go's `net.ParseIP` does (MetalLB's rule): no leading zeros in IPv4
 * octets, no zone, no surrounding blanks; an IPv4-mapped IPv6 address is the IPv4 address.
 *
 * Returns undefined for anything else.
 */
export function parseAddress(text: string): Address | undefined {
  if (isIPv4(text)) return text as Address;
  if (text.includes("%") || !isIPv6(text)) return undefined;
  const value = ipv6Number(text);
  if (value >> 32n === MAPPED_PREFIX) return addressAt("ipv4", value & 0xffff_ffffn);
  return addressAt("ipv6", value);
}

/** Tells the family of an address. */
export function familyOf(address: Address): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** The address as a number, network byte order. */
export function addressNumber(address: Address): bigint {
  return familyOf(address) === "ipv6" ? ipv6Number(address) : BigInt(ipv4Number(address));
}

/** The address with the given number; the inverse of `addressNumber`. */
export function addressAt(family: Family, value: bigint): Address {
  if (family === "ipv6") return Address6.fromBigInt(value).correctForm() as Address;
  const bits = Number(value);
  return `${bits >>> 24}.${(bits >>> 16) & 255}.${(bits >>> 8) & 255}.${bits & 255}` as Address;
}

/** Orders addresses: every IPv4 address before every IPv6 address, then by number. */
export function compareAddresses(a: Address, b: Address): number {
  const family = familyOf(a);
  if (family !== familyOf(b)) return family === "ipv4" ? -1 : 1;
  const difference = addressNumber(a) - addressNumber(b);
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

function ipv4Number(text: string): number {
  let value = 0;
  for (const octet of text.split(".")) value = value * 256 + Number(octet);
  return value;
}

// For text that is known to be good; the library checks it again and takes four times as long.
function ipv6Number(text: string): bigint {
  const gap = text.indexOf("::");
  if (gap < 0) return BigInt(`0x${hexDigits(text)}`);
  const tail = hexDigits(text.slice(gap + 2));
  return BigInt(`0x${hexDigits(text.slice(0, gap)).padEnd(32 - tail.length, "0")}${tail}`);
}

/** Four digits for each group of an IPv6 text; the last two groups may be dotted decimal. */
function hexDigits(text: string): string {
  if (text === "") return "";
  let digits = "";
  for (const group of text.split(":")) {
    digits += group.includes(".")
      ? ipv4Number(group).toString(16).padStart(8, "0")
      : group.padStart(4, "0");
  }
  return digits;
}
