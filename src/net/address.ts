// One IP address: canonical text, family, number, octets and order. Pure; every other file of ours
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

/** The octets of an address, network byte order: 4 for IPv4, 16 for IPv6. */
export function addressBytes(address: Address): Uint8Array {
  if (familyOf(address) === "ipv6") return ipv6Bytes(address);
  const value = ipv4Number(address);
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/**
 * The address whose first octet is at `offset`; the caller has checked the length. The inverse
 * of `addressBytes`; called for every frame that comes in.
 */
export function addressFromBytes(bytes: Uint8Array, offset: number, family: Family): Address {
  if (family === "ipv6") return ipv6Text(bytes, offset) as Address;
  const [a, b] = [bytes[offset], bytes[offset + 1]];
  return `${a}.${b}.${bytes[offset + 2]}.${bytes[offset + 3]}` as Address;
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

// For canonical text, which holds no dotted decimal.
function ipv6Bytes(text: Address): Uint8Array {
  const bytes = new Uint8Array(16);
  const gap = text.indexOf("::");
  writeGroups(bytes, 0, gap < 0 ? text : text.slice(0, gap));
  if (gap >= 0) {
    const tail = text.slice(gap + 2);
    writeGroups(bytes, 16 - 2 * tail.split(":").length, tail);
  }
  return bytes;
}

function writeGroups(bytes: Uint8Array, offset: number, text: string): void {
  if (text === "") return;
  for (const [index, group] of text.split(":").entries()) {
    const value = Number.parseInt(group, 16);
    bytes[offset + index * 2] = value >> 8;
    bytes[offset + index * 2 + 1] = value;
  }
}

/** RFC 5952: no leading zeros; "::" for the first of the longest runs of two zeros or more. */
function ipv6Text(bytes: Uint8Array, offset: number): string {
  let [gapStart, gapLength, zeros] = [-1, 1, 0];
  for (let group = 0; group < 8; group += 1) {
    zeros = groupAt(bytes, offset, group) === 0 ? zeros + 1 : 0;
    if (zeros > gapLength) [gapStart, gapLength] = [group - zeros + 1, zeros];
  }
  if (gapStart < 0) return groupsText(bytes, offset, 0, 8);
  const head = groupsText(bytes, offset, 0, gapStart);
  return `${head}::${groupsText(bytes, offset, gapStart + gapLength, 8)}`;
}

function groupsText(bytes: Uint8Array, offset: number, start: number, end: number): string {
  let text = "";
  for (let group = start; group < end; group += 1) {
    text += (group === start ? "" : ":") + groupAt(bytes, offset, group).toString(16);
  }
  return text;
}

function groupAt(bytes: Uint8Array, offset: number, group: number): number {
  const at = offset + group * 2;
  return ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
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
