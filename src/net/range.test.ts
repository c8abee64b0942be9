import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { addressAt, parseAddress } from "./address.ts";
import { prefixLength } from "./prefix.ts";
import {
  type AddressRange,
  formatRange,
  parseRange,
  prefixRange,
  rangeContains,
  rangePrefixes,
  rangeSize,
  rangesOverlap,
} from "./range.ts";

describe("parseRange()", () => {
  for (const [text, prefixes] of [
    ["10.20.0.0/16", ["10.20.0.0/16"]],
    ["10.20.30.40/24", ["10.20.30.0/24"]],
    ["2001:db8::/64", ["2001:db8::/64"]],
    [
      "40.0.0.150-40.0.0.200",
      ["40.0.0.150/31", "40.0.0.152/29", "40.0.0.160/27", "40.0.0.192/29", "40.0.0.200/32"],
    ],
    [
      "40.0.0.210 - 40.0.0.240",
      ["40.0.0.210/31", "40.0.0.212/30", "40.0.0.216/29", "40.0.0.224/28", "40.0.0.240/32"],
    ],
    ["  40.0.0.250  -  40.0.0.250  ", ["40.0.0.250/32"]],
    [
      "3.3.3.2-3.3.3.254",
      [
        "3.3.3.2/31",
        "3.3.3.4/30",
        "3.3.3.8/29",
        "3.3.3.16/28",
        "3.3.3.32/27",
        "3.3.3.64/26",
        "3.3.3.128/26",
        "3.3.3.192/27",
        "3.3.3.224/28",
        "3.3.3.240/29",
        "3.3.3.248/30",
        "3.3.3.252/31",
        "3.3.3.254/32",
      ],
    ],
    ["0.0.0.0-255.255.255.255", ["0.0.0.0/0"]],
    ["2001:db8::-2001:db8::1:ffff", ["2001:db8::/111"]],
  ] as const) {
    it(`makes ${prefixes.length} prefixes of "${text}"`, () => {
      assert.deepEqual(rangePrefixes(range(text)), prefixes);
    });
  }

  for (const [text, detail] of [
    ["10.0.0.1", /invalid CIDR/],
    [" 10.0.0.0/8", /invalid CIDR/],
    ["100.200.300.400/24", /invalid CIDR/],
    ["1.2.3.0/33", /invalid CIDR/],
    ["", /invalid CIDR/],
    ["1.2.3.0/24-1.2.4.0", /invalid start IP/],
    ["1.2.3.0-1.2.4.0/24", /invalid end IP/],
    ["1.2.3.4-", /invalid end IP/],
    ["-1.2.3.4", /invalid start IP/],
    ["1.2.3.4-1.2.3.5-1.2.3.6", /invalid end IP/],
    ["1.2.3.10-1.2.3.1", /start IP is after end IP/],
    ["1.2.3.4-2001:db8::1", /one IP family/],
    ["::1-1.2.3.4", /one IP family/],
    ["fe80::1%eth0-fe80::2", /invalid start IP/],
  ] as const) {
    it(`refuses "${text}"`, () => {
      const result = parseRange(text);
      assert.equal(result.kind, "invalid");
      assert.match(result.message, detail);
      assert.ok(result.message.includes(JSON.stringify(text)));
    });
  }

  it("shows control characters escaped", () => {
    const result = parseRange("10.0.0.0/8\nfoo");
    assert.equal(result.kind, "invalid");
    assert.doesNotMatch(result.message, /\n/);
  });

  it("reads back what formatRange() writes", () => {
    fc.assert(
      fc.property(ranges, (value) => {
        assert.deepEqual(range(formatRange(value)), value);
      }),
    );
  });
});

describe("rangePrefixes()", () => {
  it("covers the range exactly, ascending", () => {
    fc.assert(
      fc.property(ranges, (value) => {
        let next = value.first;
        for (const prefix of rangePrefixes(value)) {
          const part = prefixRange(prefix);
          assert.equal(part.first, next);
          next = part.last + 1n;
        }
        assert.equal(next, value.last + 1n);
      }),
    );
  });

  it("makes the fewest prefixes: no two neighbors are halves of one", () => {
    fc.assert(
      fc.property(ranges, (value) => {
        const prefixes = rangePrefixes(value);
        for (const [index, prefix] of prefixes.entries()) {
          const next = prefixes[index + 1];
          if (next === undefined || prefixLength(next) !== prefixLength(prefix)) continue;
          const { first } = prefixRange(prefix);
          const size = rangeSize(prefixRange(prefix));
          assert.notEqual((first / size) % 2n, 0n);
        }
      }),
    );
  });
});

describe("rangeContains(), rangeSize() and rangesOverlap()", () => {
  it("agree with a list of the addresses", () => {
    const small = fc.tuple(fc.nat(40), fc.nat(40)).map(([a, b]): AddressRange => {
      const base = 0x0a000000n;
      return {
        family: "ipv4",
        first: base + BigInt(Math.min(a, b)),
        last: base + BigInt(Math.max(a, b)),
      };
    });
    fc.assert(
      fc.property(small, small, (a, b) => {
        const all = Array.from({ length: 42 }, (_, index) =>
          addressAt("ipv4", 0x0a000000n + BigInt(index)),
        );
        const inA = all.filter((address) => rangeContains(a, address));
        const inB = all.filter((address) => rangeContains(b, address));
        assert.equal(BigInt(inA.length), rangeSize(a));
        assert.equal(
          inA.some((address) => inB.includes(address)),
          rangesOverlap(a, b),
        );
      }),
    );
  });

  it("keep the families apart", () => {
    const all4 = range("0.0.0.0/0");
    const all6 = range("::/0");
    const one = parseAddress("::1");
    assert.ok(one !== undefined);
    assert.equal(rangesOverlap(all4, all6), false);
    assert.equal(rangeContains(all4, one), false);
    assert.equal(rangeContains(all6, one), true);
    assert.equal(rangeSize(all6), 1n << 128n);
  });
});

// IPv6 numbers stay above the IPv4-mapped ones, which have no IPv6 text.
const ranges: fc.Arbitrary<AddressRange> = fc
  .record({
    family: fc.constantFrom("ipv4" as const, "ipv6" as const),
    start: fc.bigInt({ min: 0n, max: 0xffff_ffffn }),
    size: fc.bigInt({ min: 0n, max: 1n << 90n }),
  })
  .map(({ family, start, size }) => {
    if (family === "ipv6") {
      const first = (0x20010db8n << 96n) + start;
      return { family, first, last: first + size };
    }
    const last = start + (size & 0xffff_ffffn);
    return { family, first: start, last: last > 0xffff_ffffn ? 0xffff_ffffn : last };
  });

function range(text: string): AddressRange {
  const result = parseRange(text);
  assert.equal(result.kind, "range", text);
  return result.range;
}
