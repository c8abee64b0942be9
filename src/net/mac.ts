// One hardware address of Ethernet: canonical text, and its octets in a frame. Pure.

/** A hardware address in canonical text such as "02:00:5e:10:00:0a". Made only by this file. */
export type Mac = string & { readonly brand: "Mac" };

/** Octets in a hardware address. */
export const MAC_LENGTH = 6;

export const BROADCAST_MAC = "ff:ff:ff:ff:ff:ff" as Mac;
export const ZERO_MAC = "00:00:00:00:00:00" as Mac;

const HEX = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, "0"));

/** Parses six octets of two hexadecimal digits, parted by colons; undefined for anything else. */
export function parseMac(text: string): Mac | undefined {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return text.toLowerCase() as Mac;
}

/** The hardware address whose first octet is at `offset`; the caller has checked the length. */
export function macAt(bytes: Uint8Array, offset: number): Mac {
  const hex = (index: number): string => HEX[bytes[offset + index] ?? 0] ?? "";
  return `${hex(0)}:${hex(1)}:${hex(2)}:${hex(3)}:${hex(4)}:${hex(5)}` as Mac;
}

/** Tells whether these six octets are that hardware address; makes no text. */
export function isMacAt(bytes: Uint8Array, offset: number, mac: Mac): boolean {
  for (let index = 0; index < MAC_LENGTH; index += 1) {
    if (bytes[offset + index] !== octetOf(mac, index)) return false;
  }
  return true;
}

/** Writes the six octets of a hardware address. */
export function writeMac(bytes: Uint8Array, offset: number, mac: Mac): void {
  for (let index = 0; index < MAC_LENGTH; index += 1) bytes[offset + index] = octetOf(mac, index);
}

/** The hardware address of one host: not a group's, not all zero. */
export function isUnicastMac(mac: Mac): boolean {
  return (octetOf(mac, 0) & 1) === 0 && mac !== ZERO_MAC;
}

function octetOf(mac: Mac, index: number): number {
  return digit(mac.charCodeAt(index * 3)) * 16 + digit(mac.charCodeAt(index * 3 + 1));
}

/** The value of a lower-case hexadecimal digit. */
function digit(code: number): number {
  return code < 97 ? code - 48 : code - 87;
}
