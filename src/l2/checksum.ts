// The Internet checksum (RFC 1071) of ICMPv6, which covers a pseudo-header (RFC 8200 section 8.1).

const PROTOCOL_ICMPV6 = 58;

/**
 * The checksum over `addresses` (source and destination, 32 octets) and an ICMPv6 message.
 * Of a message that holds its right checksum it is 0.
 */
export function icmpv6Checksum(addresses: Uint8Array, message: Uint8Array): number {
  let sum = wordSum(addresses) + wordSum(message) + message.length + PROTOCOL_ICMPV6;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The sum of 16-bit words; an odd last octet counts as followed by a zero. */
function wordSum(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2) {
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  }
  return sum;
}
