import assert from "node:assert/strict";
import { isIPv6 } from "node:net";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Address6 } from "ip-address";
import {
  ADDRESS_BITS,
  addressAt,
  addressBytes,
  addressFromBytes,
  addressNumber,
  compareAddresses,
  type Family,
  familyOf,
  parseAddress,
} from "./address.ts";

const families = fc.constantFrom<Family>("ipv4", "ipv6");
const numbered = families.chain((family) =>
  fc.record({
    family: fc.constant(family),
    value: fc.bigInt({ min: 0n, max: (1n << BigInt(ADDRESS_BITS[family])) - 1n }),
  }),
);

describe("parseAddress()", () => {
  for (const [text, expected] of [
    ["10.0.0.1", "10.0.0.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["2001:DB8::A", "2001:db8::a"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1.2.3.4", "::102:304"],
    ["64:ff9b::10.0.0.1", "64:ff9b::a00:1"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
  ] as const) {
    it(`gives "${expected}" for "${text}"`, () => {
      assert.equal(parseAddress(text), expected);
    });
  }

  for (const [why, text] of [
    ["nothing", ""],
    ["three octets", "1.1.1"],
    ["an octet above 255", "1.2.3.400"],
    ["a leading zero in an octet", "1.2.3.04"],
    ["a leading zero in a mapped octet", "::ffff:1.2.3.04"],
    ["a zone", "fe80::1%eth0"],
    ["a blank before", " 10.0.0.1"],
    ["a blank after", "2001:db8::1 "],
    ["a line break after", "10.0.0.1\n"],
    ["two gaps", "1::2::3"],
    ["five digits in a group", "12345::"],
    ["a length", "10.0.0.1/32"],
    ["hexadecimal octets", "0x7f.0.0.1"],
    ["a bare number", "1"],
  ] as const) {
    it(`refuses ${why}`, () => {
      assert.equal(parseAddress(text), undefined);
    });
  }

  it("agrees with the library about every IPv6 text", () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        // The kernel's rules say what is a text of an address.
        fc.pre(isIPv6(text));
        const value = new Address6(text).bigInt();
        fc.pre(value >> 32n !== 0xffffn);
        const address = parseAddress(text);
        assert.equal(address, new Address6(text).correctForm());
        assert.equal(address && addressNumber(address), value);
      }),
    );
  });
});

describe("addressNumber() and addressAt()", () => {
  it("undo each other", () => {
    fc.assert(
      fc.property(numbered, ({ family, value }) => {
        // Numbers of IPv4-mapped addresses have no IPv6 text of ours: they are IPv4.
        fc.pre(family === "ipv4" || value >> 32n !== 0xffffn);
        const address = addressAt(family, value);
        assert.equal(familyOf(address), family);
        assert.equal(addressNumber(address), value);
        assert.equal(parseAddress(address), address);
      }),
    );
  });
});

describe("addressBytes() and addressFromBytes()", () => {
  for (const [text, expected] of [
    ["192.0.2.10", [192, 0, 2, 10]],
    ["::", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]],
    ["::1", [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["2001:db8:0:1:1:1:1:1", [0x20, 1, 0xd, 0xb8, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]],
    ["1:0:0:2::3", [0, 1, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]],
    ["1::2:0:0:3", [0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 3]],
    ["1:2:3:4:5:6::", [0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 0, 0, 0]],
  ] as const) {
    it(`agree about ${text}`, () => {
      const address = known(text);
      assert.equal(address, text);
      assert.deepEqual(addressBytes(address), Uint8Array.from(expected));
      assert.equal(addressFromBytes(addressBytes(address), 0, familyOf(address)), text);
    });
  }

  it("agree with the number of any address, wherever it stands", () => {
    fc.assert(
      fc.property(numbered, fc.nat(20), ({ family, value }, offset) => {
        const address = addressAt(family, value);
        const bytes = addressBytes(address);
        assert.equal(bytes.length, ADDRESS_BITS[family] / 8);
        assert.equal(BigInt(`0x${Buffer.from(bytes).toString("hex")}`), value);
        const frame = new Uint8Array(offset + bytes.length + 3).fill(0xee);
        frame.set(bytes, offset);
        assert.equal(addressFromBytes(frame, offset, family), address);
      }),
    );
  });

  it("agree with the library about every run of zeros", () => {
    for (let zeros = 0; zeros < 256; zeros += 1) {
      const bytes = Uint8Array.from({ length: 16 }, (_, i) => ((zeros >> (i >> 1)) & 1) * (i & 1));
      const value = BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
      assert.equal(addressFromBytes(bytes, 0, "ipv6"), addressAt("ipv6", value));
    }
  });
});

describe("compareAddresses()", () => {
  it("puts IPv4 before IPv6 and lower numbers first", () => {
    const sorted = ["2.0.0.0", "10.0.0.0", "::", "::2", "2001:db8::", "2001:db8::10"].map(known);
    assert.deepEqual(sorted.toReversed().sort(compareAddresses), sorted);
    assert.equal(compareAddresses(known("::2"), known("0::2")), 0);
  });
});

function known(text: string) {
  const address = parseAddress(text);
  assert.ok(address !== undefined);
  return address;
}
