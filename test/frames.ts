// Values and generators for tests of frames, and the frames of test/corpus.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import fc from "fast-check";
import { type Address, addressFromBytes, parseAddress } from "../src/net/address.ts";
import { type Mac, macAt, parseMac } from "../src/net/mac.ts";

/** The address of a text that is known to be one. */
export function ip(text: string): Address {
  const address = parseAddress(text);
  assert(address !== undefined, text);
  return address;
}

/** The hardware address of a text that is known to be one. */
export function hardware(text: string): Mac {
  const mac = parseMac(text);
  assert(mac !== undefined, text);
  return mac;
}

/** The octets of hexadecimal text; white space and what follows a "#" in a line do not count. */
export function octets(text: string): Uint8Array {
  const digits = text.replace(/#.*$/gm, "").replace(/\s/g, "");
  assert.match(digits, /^([0-9a-f]{2})*$/);
  return new Uint8Array(Buffer.from(digits, "hex"));
}

function octetsOf(length: number): fc.Arbitrary<Uint8Array> {
  return fc.uint8Array({ minLength: length, maxLength: length });
}

export const macs = octetsOf(6).map((bytes) => macAt(bytes, 0));
export const ipv4s = octetsOf(4).map((bytes) => addressFromBytes(bytes, 0, "ipv4"));
export const ipv6s = octetsOf(16).map((bytes) => addressFromBytes(bytes, 0, "ipv6"));

export type CorpusFrame = {
  readonly name: string;
  /** The second line of the file: the kind of the answer and its details. */
  readonly expected: string;
  readonly frame: Uint8Array;
};

/** Every frame that was once worth keeping, by name. */
export function corpus(): readonly CorpusFrame[] {
  const paths = globSync(join(import.meta.dirname, "corpus/*.hex")).sort();
  assert.notEqual(paths.length, 0);
  return paths.map((path) => {
    const text = readFileSync(path, "utf8");
    const [, expected] = /^# .+\n# expected: (.+)\n/.exec(text) ?? [];
    assert(expected !== undefined, `${path}: want "# expected: ..." in the second line`);
    return { name: basename(path, ".hex"), expected, frame: octets(text) };
  });
}
