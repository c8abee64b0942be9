// Pools found by address, and advertisements as entries of classes.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { address, policyOf } from "../../test/speaker-config.ts";
import { addressAt, addressNumber } from "../net/address.ts";
import { rangeContains } from "../net/range.ts";

describe("compilePolicy() finds the pool of an address", () => {
  const policy = policyOf({
    pools: {
      low: ["192.0.2.0/28", "2001:db8::/120"],
      high: ["192.0.2.32-192.0.2.40", "2001:db8::200-2001:db8::2ff"],
    },
  });
  for (const [text, expected] of [
    ["192.0.1.255", undefined],
    ["192.0.2.0", "low"],
    ["192.0.2.15", "low"],
    ["192.0.2.16", undefined],
    ["192.0.2.32", "high"],
    ["192.0.2.40", "high"],
    ["192.0.2.41", undefined],
    ["255.255.255.255", undefined],
    ["::", undefined],
    ["2001:db8::ff", "low"],
    ["2001:db8::100", undefined],
    ["2001:db8::200", "high"],
    ["ffff::", undefined],
    // The same numbers as IPv4 addresses of the pools.
    ["::c000:200", undefined],
  ] as const) {
    it(`${text}: ${expected ?? "none"}`, () => {
      assert.equal(policy.poolOf(address(text))?.pool.name, expected);
    });
  }

  it("as a search of all ranges does", () => {
    const pools = [...policy.pools.values()];
    const around = fc.bigInt({ min: -0x400n, max: 0x400n });
    for (const [family, text] of [
      ["ipv4", "192.0.2.16"],
      ["ipv6", "2001:db8::180"],
    ] as const) {
      const middle = addressNumber(address(text));
      fc.assert(
        fc.property(around, (offset) => {
          const one = addressAt(family, middle + offset);
          const found = pools.find(({ pool }) =>
            pool.ranges.some((each) => rangeContains(each, one)),
          );
          assert.equal(policy.poolOf(one), found);
        }),
      );
    }
  });
});

describe("compilePolicy() makes one entry of an advertisement", () => {
  it("whatever order it is written in", () => {
    const spec = { peers: ["b", "a"], communities: ["65000:2", "large:1:2:3", "65000:1"] };
    const turned = { peers: ["a", "b"], communities: ["65000:1", "65000:2", "large:1:2:3"] };
    const { pools } = policyOf({ advertisements: { one: spec, two: turned } });
    const [one, two] = pools.get("pool")?.advertisements ?? [];
    assert.deepEqual(one?.entry, {
      peers: ["a", "b"],
      localPreference: null,
      communities: ["65000:1", "65000:2"],
      largeCommunities: ["1:2:3"],
    });
    assert.deepEqual(two?.entry, one?.entry);
    assert.equal(two?.entryKey, one?.entryKey);
  });

  it("heard by the peers it names that this node has; by all when it names none", () => {
    const { pools } = policyOf({
      peers: { b: {}, a: {} },
      advertisements: { all: {}, some: { peers: ["b", "elsewhere"] }, none: { peers: ["x"] } },
    });
    const hearers = pools.get("pool")?.advertisements.map(({ hearers }) => hearers);
    assert.deepEqual(hearers, [["a", "b"], [], ["b"]]);
  });
});
