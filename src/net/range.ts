// A range of addresses, from "first-last" or CIDR text: size, membership, overlap and the
// prefixes that make it up. Pure; a /8 or a /64 costs no more than a /32.

import {
  ADDRESS_BITS,
  type Address,
  addressAt,
  addressNumber,
  type Family,
  familyOf,
  parseAddress,
} from "./address.ts";
import { type Prefix, parsePrefix, prefixAddress, prefixLength } from "./prefix.ts";

/** All addresses of one family from `first` to `last`, both included, as numbers. */
export type AddressRange = {
  readonly family: Family;
  readonly first: bigint;
  readonly last: bigint;
};

export type RangeResult =
  | { readonly kind: "range"; readonly range: AddressRange }
  | { readonly kind: "invalid"; readonly message: string };

/**
 * Parses one entry of a pool's `spec.addresses`, by MetalLB's rules: anything with a "-" is an
 * inclusive range whose ends may be surrounded by blanks; everything else is CIDR text, whose
 * host bits are dropped. A range across families is refused (MetalLB takes it as empty).
 */
export function parseRange(text: string): RangeResult {
  const dash = text.indexOf("-");
  if (dash < 0) {
    const prefix = parsePrefix(text);
    if (prefix === undefined) {
      return invalid(text, 'invalid CIDR, want "address/length" or "first-last"');
    }
    return { kind: "range", range: prefixRange(prefix) };
  }
  const first = parseAddress(text.slice(0, dash).trim());
  const last = parseAddress(text.slice(dash + 1).trim());
  if (first === undefined)
    return invalid(text, `invalid start IP, want an IPv4 or IPv6 address before the "-"`);
  if (last === undefined)
    return invalid(text, `invalid end IP, want an IPv4 or IPv6 address after the "-"`);
  const family = familyOf(first);
  if (family !== familyOf(last)) return invalid(text, "want start and end of one IP family");
  const range = { family, first: addressNumber(first), last: addressNumber(last) };
  if (range.first > range.last)
    return invalid(text, "start IP is after end IP, want the lower one first");
  return { kind: "range", range };
}

function invalid(text: string, detail: string): RangeResult {
  return {
    kind: "invalid",
    message: `Cannot parse address range ${JSON.stringify(text)}: ${detail}`,
  };
}

/** The range a prefix covers. */
export function prefixRange(prefix: Prefix): AddressRange {
  const address = prefixAddress(prefix);
  const family = familyOf(address);
  const first = addressNumber(address);
  const hostBits = BigInt(ADDRESS_BITS[family] - prefixLength(prefix));
  return { family, first, last: first + (1n << hostBits) - 1n };
}

/** The number of addresses in a range. */
export function rangeSize(range: AddressRange): bigint {
  return range.last - range.first + 1n;
}

export function rangeContains(range: AddressRange, address: Address): boolean {
  if (familyOf(address) !== range.family) return false;
  const value = addressNumber(address);
  return value >= range.first && value <= range.last;
}

export function rangesOverlap(a: AddressRange, b: AddressRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last;
}

/** The text of a range: CIDR where it is one prefix, else "first-last". */
export function formatRange(range: AddressRange): string {
  const prefixes = rangePrefixes(range);
  const [only] = prefixes;
  if (only !== undefined && prefixes.length === 1) return only;
  return `${addressAt(range.family, range.first)}-${addressAt(range.family, range.last)}`;
}

/** The fewest prefixes that make up the range exactly, ascending. */
export function rangePrefixes(range: AddressRange): readonly Prefix[] {
  const bits = ADDRESS_BITS[range.family];
  const prefixes: Prefix[] = [];
  let next = range.first;
  while (next <= range.last) {
    let hostBits = next === 0n ? bits : trailingZeros(next);
    while (next + (1n << BigInt(hostBits)) - 1n > range.last) hostBits -= 1;
    prefixes.push(`${addressAt(range.family, next)}/${bits - hostBits}` as Prefix);
    next += 1n << BigInt(hostBits);
  }
  return prefixes;
}

function trailingZeros(value: bigint): number {
  let zeros = 0;
  while (((value >> BigInt(zeros)) & 1n) === 0n) zeros += 1;
  return zeros;
}
