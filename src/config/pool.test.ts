import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type AddressRange, formatRange, rangesOverlap } from "../net/range.ts";
import {
  findOverlap,
  type Pool,
  parsePool,
  poolFamilies,
  type TakenRanges,
  takeRange,
} from "./pool.ts";
import type { IPAddressPoolResource } from "./resources.ts";

const NAMESPACES = [
  { name: "red", labels: { team: "red" } },
  { name: "blue", labels: { team: "blue" } },
];

describe("parsePool()", () => {
  it("fills in what the schema would", () => {
    const pool = poolOf({ addresses: ["10.0.0.0/24"] }, { tier: "gold" });
    assert.deepEqual(
      { ...pool, ranges: pool.ranges.map(formatRange) },
      {
        name: "pool",
        labels: { tier: "gold" },
        ranges: ["10.0.0.0/24"],
        autoAssign: true,
        avoidBuggyIps: false,
        serviceAllocation: undefined,
      },
    );
  });

  it("keeps the order of the addresses, both families, host bits dropped", () => {
    const pool = poolOf({
      addresses: ["10.20.30.40/24", "2001:db8::/64", "10.0.0.9 - 10.0.0.10"],
      autoAssign: false,
      avoidBuggyIPs: true,
    });
    assert.deepEqual(pool.ranges.map(formatRange), [
      "10.20.30.0/24",
      "2001:db8::/64",
      "10.0.0.9-10.0.0.10",
    ]);
    assert.deepEqual([pool.autoAssign, pool.avoidBuggyIps], [false, true]);
    assert.deepEqual([...poolFamilies(pool)], ["ipv4", "ipv6"]);
  });

  for (const [why, spec, field, message] of [
    ["no spec", undefined, "addresses", /pool has no prefixes defined/],
    ["no addresses", {}, "addresses", /pool has no prefixes defined/],
    ["an empty list", { addresses: [] }, "addresses", /pool has no prefixes defined/],
    ["addresses as a text", { addresses: "10.0.0.0/8" }, "addresses", /want a list/],
    ["an address without a length", { addresses: ["10.0.0.1"] }, "addresses[0]", /invalid CIDR/],
    ["an address that is null", { addresses: [null] }, "addresses[0]", /want "address/],
    ["a number for an address", { addresses: [10] }, "addresses[0]", /want "address/],
    [
      "a range that ends before it starts",
      { addresses: ["10.0.0.0/24", "1.2.3.10-1.2.3.1"] },
      "addresses[1]",
      /start IP is after end IP/,
    ],
    [
      "a range across families",
      { addresses: ["1.2.3.4-2001:db8::1"] },
      "addresses[0]",
      /one IP family/,
    ],
    [
      "an address twice",
      { addresses: ["10.0.0.0/24", "10.0.0.0/24"] },
      "addresses[1]",
      /overlaps with already defined CIDR "10.0.0.0\/24" of the same pool/,
    ],
    [
      "a prefix inside another",
      { addresses: ["10.0.0.0/8", "10.1.0.0/16"] },
      "addresses[1]",
      /overlaps with already defined CIDR "10.0.0.0\/8"/,
    ],
    [
      "a range inside a prefix",
      { addresses: ["1.1.1.1-1.1.1.100", "1.1.1.0/24"] },
      "addresses[1]",
      /overlaps with already defined CIDR "1.1.1.1-1.1.1.100"/,
    ],
    ["a text for autoAssign", { ...one(), autoAssign: "no" }, "autoAssign", /want true or false/],
    ["a number for avoidBuggyIPs", { ...one(), avoidBuggyIPs: 1 }, "avoidBuggyIPs", /want true/],
    [
      "a list for serviceAllocation",
      { ...one(), serviceAllocation: [] },
      "serviceAllocation",
      /want an object/,
    ],
    [
      "a text for priority",
      { ...one(), serviceAllocation: { priority: "1" } },
      "serviceAllocation.priority",
      /want an integer/,
    ],
    [
      "a namespace twice",
      { ...one(), serviceAllocation: { namespaces: ["a", "b", "a"] } },
      "serviceAllocation.namespaces",
      /duplicate definition/,
    ],
    [
      "a namespace selector twice",
      { ...one(), serviceAllocation: { namespaceSelectors: [{}, {}] } },
      "serviceAllocation.namespaceSelectors[1]",
      /duplicate definition/,
    ],
    [
      "a service selector twice",
      {
        ...one(),
        serviceAllocation: {
          serviceSelectors: [{ matchLabels: { a: "b" } }, { matchLabels: { a: "b" } }],
        },
      },
      "serviceAllocation.serviceSelectors[1]",
      /duplicate definition/,
    ],
    [
      "a bad operator",
      {
        ...one(),
        serviceAllocation: {
          serviceSelectors: [{ matchExpressions: [{ key: "a", operator: "Is" }] }],
        },
      },
      "serviceAllocation.serviceSelectors[0].matchExpressions[0].operator",
      /want In, NotIn/,
    ],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = parse(spec);
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => finding.field),
        [`spec.${field}`],
      );
      assert.match(result.findings[0]?.message ?? "", message);
    });
  }

  it("reports everything that is wrong with one pool", () => {
    const result = parse({ addresses: ["x", "10.0.0.0/8", "y"], autoAssign: 1 });
    assert.equal(result.kind, "invalid");
    assert.deepEqual(
      result.findings.map(({ field }) => field),
      ["spec.addresses[0]", "spec.addresses[2]", "spec.autoAssign"],
    );
  });

  for (const [why, serviceAllocation, namespaces, selectors] of [
    ["nothing: open to everybody", {}, undefined, 0],
    ["a priority only: open to everybody", { priority: 5 }, undefined, 0],
    ["empty lists: open to everybody", { namespaces: [], namespaceSelectors: [] }, undefined, 0],
    ["namespaces", { namespaces: ["z", "a"] }, ["a", "z"], 0],
    [
      "namespaces and selectors: both",
      { namespaces: ["z"], namespaceSelectors: [{ matchLabels: { team: "blue" } }] },
      ["blue", "z"],
      0,
    ],
    [
      "several selectors: any",
      {
        namespaceSelectors: [{ matchLabels: { team: "blue" } }, { matchLabels: { team: "red" } }],
      },
      ["blue", "red"],
      0,
    ],
    ["an empty selector: every namespace", { namespaceSelectors: [{}] }, ["blue", "red"], 0],
    [
      "a selector of no namespace: nobody",
      { namespaceSelectors: [{ matchLabels: { team: "green" } }] },
      [],
      0,
    ],
    [
      "a selector of no namespace with service selectors: nobody",
      { namespaceSelectors: [{ matchLabels: { team: "green" } }], serviceSelectors: [{}] },
      [],
      1,
    ],
    ["service selectors: any namespace", { serviceSelectors: [{}] }, undefined, 1],
  ] as const) {
    it(`reads serviceAllocation with ${why}`, () => {
      const { serviceAllocation: allocation } = poolOf({ ...one(), serviceAllocation });
      assert.deepEqual(
        allocation?.namespaces === undefined ? undefined : [...allocation.namespaces],
        namespaces,
      );
      assert.equal(allocation?.serviceSelectors.length, selectors);
      assert.equal(allocation?.priority, "priority" in serviceAllocation ? 5 : 0);
    });
  }
});

describe("findOverlap() and takeRange()", () => {
  it("find exactly what rangesOverlap() finds one by one", () => {
    const small = fc.tuple(fc.nat(200), fc.nat(8)).map(
      ([first, size]): AddressRange => ({
        family: first % 2 === 0 ? "ipv4" : "ipv6",
        first: BigInt(first),
        last: BigInt(first + size),
      }),
    );
    fc.assert(
      fc.property(fc.array(small, { maxLength: 40 }), (ranges) => {
        const taken: TakenRanges = { ipv4: [], ipv6: [] };
        const kept: AddressRange[] = [];
        for (const range of ranges) {
          const overlapped = findOverlap(taken, range);
          assert.equal(
            overlapped !== undefined,
            kept.some((other) => rangesOverlap(other, range)),
          );
          if (overlapped !== undefined) {
            assert.ok(rangesOverlap(overlapped.range, range));
            continue;
          }
          takeRange(taken, range, "pool");
          kept.push(range);
        }
      }),
    );
  });
});

function one() {
  return { addresses: ["10.0.0.0/24"] };
}

function parse(spec: unknown, labels = {}) {
  const resource = { metadata: { name: "pool" }, spec } as IPAddressPoolResource;
  return parsePool(resource, labels, NAMESPACES);
}

function poolOf(spec: unknown, labels = {}): Pool {
  const result = parse(spec, labels);
  assert.equal(result.kind, "value");
  return result.value;
}
