// Values of ASN.1 in their distinguished encoding (X.690), as far as a certificate is made of them. Pure.

/** One value: tag, length, content. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.from([tag]), lengthOf(content.length), content]);
}

/** Below 128 in one octet; else the number of octets, and these. */
function lengthOf(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const hex = length.toString(16);
  const octets = Buffer.from(hex.padStart(hex.length + (hex.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([0x80 | octets.length]), octets]);
}

export function sequence(...items: readonly Uint8Array[]): Buffer {
  return der(0x30, ...items);
}

export function set(...items: readonly Uint8Array[]): Buffer {
  return der(0x31, ...items);
}

/** A number of 0 or more, its octets from the highest. */
export function integer(octets: Uint8Array): Buffer {
  const first = octets.findIndex((octet) => octet !== 0);
  const shortest = first === -1 ? Uint8Array.of(0) : octets.subarray(first);
  // The highest bit is the sign.
  const isNegative = ((shortest[0] ?? 0) & 0x80) !== 0;
  return der(0x02, isNegative ? Uint8Array.of(0) : Uint8Array.of(), shortest);
}

export function bool(value: boolean): Buffer {
  return der(0x01, Uint8Array.of(value ? 0xff : 0));
}

/** `unused`: bits at the end of the last octet that do not count. */
export function bitString(octets: Uint8Array, unused = 0): Buffer {
  return der(0x03, Uint8Array.of(unused), octets);
}

export function octetString(octets: Uint8Array): Buffer {
  return der(0x04, octets);
}

export function utf8String(text: string): Buffer {
  return der(0x0c, Buffer.from(text, "utf8"));
}

/** As "1.2.840.10045.4.3.2". */
export function objectIdentifier(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split(".").map(Number);
  return der(0x06, ...[40 * first + second, ...rest].map(base128));
}

/** Seven bits an octet, the highest first; all but the last are marked. */
function base128(value: number): Buffer {
  const octets = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) octets.unshift((rest & 0x7f) | 0x80);
  return Buffer.from(octets);
}

/** Two digits of the year until 2049, four from then on (RFC 5280 section 4.1.2.5). */
export function time(date: Date): Buffer {
  const text = date.toISOString().replace(/[-:T]|\.\d+/g, "");
  return date.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(text.slice(2), "ascii"))
    : der(0x18, Buffer.from(text, "ascii"));
}
