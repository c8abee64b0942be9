import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ADDRESS_BITS, addressAt, addressNumber, parseAddress } from "./address.ts";
import { parsePrefix, prefixAddress, prefixFamily, prefixLength, prefixOf } from "./prefix.ts";

describe("parsePrefix()", () => {
  for (const [text, expected] of [
    ["10.20.0.0/16", "10.20.0.0/16"],
    ["10.20.30.40/24", "10.20.30.0/24"],
    ["10.20.30.40/32", "10.20.30.40/32"],
    ["10.20.30.40/0", "0.0.0.0/0"],
    ["2001:db8::/64", "2001:db8::/64"],
    ["2001:DB8::1/64", "2001:db8::/64"],
    ["2001:db8::1/128", "2001:db8::1/128"],
    ["::1/0", "::/0"],
  ] as const) {
    it(`gives "${expected}" for "${text}"`, () => {
      assert.equal(parsePrefix(text), expected);
    });
  }

  for (const text of [
    "10.0.0.1",
    " 10.0.0.0/8",
    "10.0.0.0/8 ",
    "10.0.0.0/ 8",
    "100.200.300.400/24",
    "1.2.3.0/33",
    "::/129",
    "1.2.3.0/-1",
    "1.2.3.0/+8",
    "1.2.3.0/08",
    "1.2.3.0/",
    "/24",
    "1.2.3.0/24/24",
    "1.2.3.0/24.0",
    "",
  ]) {
    it(`refuses "${text}"`, () => {
      assert.equal(parsePrefix(text), undefined);
    });
  }
});

describe("prefixOf()", () => {
  it("clears the host bits and nothing else", () => {
    fc.assert(
      fc.property(
        fc.constantFrom("ipv4" as const, "ipv6" as const),
        fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
        fc.nat(128),
        (family, number, anyLength) => {
          const bits = ADDRESS_BITS[family];
          const length = anyLength % (bits + 1);
          // 2000::/3 is left of the mapped addresses, which have no IPv6 text.
          const value = family === "ipv4" ? number & 0xffff_ffffn : number | (1n << 125n);
          const prefix = prefixOf(addressAt(family, value), length);
          const hostBits = BigInt(bits - length);
          assert.equal(prefixLength(prefix), length);
          assert.equal(prefixFamily(prefix), family);
          assert.equal(addressNumber(prefixAddress(prefix)) >> hostBits, value >> hostBits);
          assert.equal(addressNumber(prefixAddress(prefix)) % (1n << hostBits), 0n);
          assert.equal(parsePrefix(prefix), prefix);
        },
      ),
    );
  });

  it("keeps an address that is its own prefix", () => {
    const address = parseAddress("2001:db8::5");
    assert.ok(address !== undefined);
    assert.equal(prefixOf(address, 128), "2001:db8::5/128");
  });
});
