// A prefix: an address with a length, host bits zero. Pure.

import {
  ADDRESS_BITS,
  type Address,
  addressAt,
  addressNumber,
  type Family,
  familyOf,
  parseAddress,
} from "./address.ts";

/** A prefix in canonical text such as "10.0.0.0/24" or "2001:db8::/64"; host bits are zero. */
export type Prefix = string & { readonly brand: "Prefix" };

/**
 * Parses CIDR text as Go's `net.ParseCIDR` does: host bits are dropped, blanks are refused.
 *
 * Returns undefined for anything else.
 */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  if (slash < 0) return undefined;
  const address = parseAddress(text.slice(0, slash));
  const length = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9][0-9]{0,2})$/.test(length)) return undefined;
  if (Number(length) > ADDRESS_BITS[familyOf(address)]) return undefined;
  return prefixOf(address, Number(length));
}

/** The prefix of the given length that holds the address. */
export function prefixOf(address: Address, length: number): Prefix {
  const family = familyOf(address);
  const hostBits = ADDRESS_BITS[family] - length;
  if (hostBits === 0) return `${address}/${length}` as Prefix;
  const network = (addressNumber(address) >> BigInt(hostBits)) << BigInt(hostBits);
  return `${addressAt(family, network)}/${length}` as Prefix;
}

/** The first address of a prefix. */
export function prefixAddress(prefix: Prefix): Address {
  return prefix.slice(0, prefix.indexOf("/")) as Address;
}

/** The length of a prefix, in bits. */
export function prefixLength(prefix: Prefix): number {
  return Number(prefix.slice(prefix.indexOf("/") + 1));
}

export function prefixFamily(prefix: Prefix): Family {
  return prefix.includes(":") ? "ipv6" : "ipv4";
}
