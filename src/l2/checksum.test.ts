import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { octets } from "../../test/frames.ts";
import { icmpv6Checksum } from "./checksum.ts";

// A router solicitation, as Linux sent it.
const addresses = octets(`
  fe 80 00 00 00 00 00 00 00 00 00 ff fe 00 00 0b # source
  ff 02 00 00 00 00 00 00 00 00 00 00 00 00 00 02 # destination
`);
const message = octets(`
  85 00                   # type, code
  7b 18                   # checksum
  00 00 00 00             # reserved
  01 01 02 00 00 00 00 0b # source link-layer address
`);

describe("icmpv6Checksum()", () => {
  it("is that of Linux", () => {
    assert.equal(icmpv6Checksum(addresses, message.with(2, 0).with(3, 0)), 0x7b18);
  });

  it("is 0 of a message that holds its checksum", () => {
    assert.equal(icmpv6Checksum(addresses, message), 0);
  });

  it("takes an odd last octet as the high one", () => {
    const even = icmpv6Checksum(addresses, Uint8Array.of(1, 2, 3, 0));
    const odd = icmpv6Checksum(addresses, Uint8Array.of(1, 2, 3));
    // Only the length in the pseudo-header differs.
    assert.equal(odd, even + 1);
  });

  it("carries over as often as it takes", () => {
    const ones = new Uint8Array(32).fill(0xff);
    // All words 0xffff are zero in one's complement, so length and protocol are left.
    const message = new Uint8Array(65_000).fill(0xff);
    assert.equal(icmpv6Checksum(ones, message), 0xffff - 65_000 - 58);
  });

  it("sees any one bit that differs", () => {
    fc.assert(
      fc.property(fc.nat(message.length * 8 - 1), (bit) => {
        const index = bit >> 3;
        const flipped = message.with(index, (message[index] ?? 0) ^ (1 << (bit & 7)));
        assert.notEqual(icmpv6Checksum(addresses, flipped), 0);
      }),
    );
  });
});
