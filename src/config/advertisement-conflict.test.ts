import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BgpAdvertisement, parseBgpAdvertisement } from "./advertisement.ts";
import {
  aggregationComplaint,
  conflictingLocalPreferences,
  narrowestEntries,
} from "./advertisement-conflict.ts";
import { type Pool, parsePool } from "./pool.ts";

const V4 = ["10.0.0.0/8"];
const V6 = ["2001:db8::/32"];

describe("conflictingLocalPreferences()", () => {
  for (const [why, addresses, a, b, expected] of [
    ["different preferences", V4, { localPref: 100 }, { localPref: 200 }, true],
    ["equal preferences", V4, { localPref: 100 }, { localPref: 100 }, false],
    ["one preference unset", V4, { localPref: 100 }, {}, true],
    [
      "other IPv4 lengths, IPv4 pool",
      V4,
      { localPref: 1, aggregationLength: 24 },
      { localPref: 2 },
      false,
    ],
    [
      "other IPv6 lengths, IPv4 pool",
      V4,
      { localPref: 1, aggregationLengthV6: 64 },
      { localPref: 2 },
      true,
    ],
    [
      "other IPv6 lengths, IPv6 pool",
      V6,
      { localPref: 1, aggregationLengthV6: 64 },
      { localPref: 2 },
      false,
    ],
    [
      "other IPv4 lengths, IPv6 pool",
      V6,
      { localPref: 1, aggregationLength: 24 },
      { localPref: 2 },
      true,
    ],
    [
      "other IPv4 lengths, dual pool",
      [...V4, ...V6],
      { localPref: 1, aggregationLength: 24 },
      { localPref: 2 },
      true,
    ],
    [
      "other lengths in both, dual pool",
      [...V4, ...V6],
      { localPref: 1, aggregationLength: 24, aggregationLengthV6: 64 },
      { localPref: 2 },
      false,
    ],
    ["other peers", V4, { localPref: 1, peers: ["a"] }, { localPref: 2, peers: ["b"] }, false],
    [
      "some equal peers",
      V4,
      { localPref: 1, peers: ["a", "c"] },
      { localPref: 2, peers: ["b", "c"] },
      true,
    ],
    ["all peers and one", V4, { localPref: 1 }, { localPref: 2, peers: ["b"] }, true],
  ] as const) {
    it(`says ${expected} for ${why}`, () => {
      const pool = poolOf(addresses);
      assert.equal(conflictingLocalPreferences(adOf(a), adOf(b), pool), expected);
      assert.equal(conflictingLocalPreferences(adOf(b), adOf(a), pool), expected);
    });
  }
});

describe("aggregationComplaint()", () => {
  for (const [why, addresses, spec, expected] of [
    ["the full lengths", ["1.1.1.1/32", "::1/128"], {}, undefined],
    ["a prefix as long", ["1.1.1.0/26"], { aggregationLength: 26 }, undefined],
    ["a shorter prefix", ["1.1.1.0/24"], { aggregationLength: 26 }, undefined],
    [
      "a longer prefix after a shorter one",
      ["10.20.30.40/24", "1.2.3.0/28"],
      { aggregationLength: 26 },
      /invalid aggregation length 26: prefix 28 in this pool is more specific than the aggregation length for addresses 1.2.3.0\/28/,
    ],
    [
      "a longer prefix",
      ["1.1.1.0/28"],
      { aggregationLength: 26 },
      /invalid aggregation length 26: prefix 28/,
    ],
    [
      "a range that holds such a prefix",
      ["3.3.3.2-3.3.3.254"],
      { aggregationLength: 26 },
      undefined,
    ],
    [
      "a range that holds none",
      ["3.3.3.2-3.3.3.254"],
      { aggregationLength: 24 },
      /invalid aggregation length 24: prefix 26/,
    ],
    [
      "a longer IPv6 prefix",
      ["2001:db8::/120"],
      { aggregationLengthV6: 64 },
      /invalid aggregation length 64: prefix 120/,
    ],
    ["an IPv6 prefix and an IPv4 length", ["2001:db8::/120"], { aggregationLength: 8 }, undefined],
  ] as const) {
    it(`finds ${expected === undefined ? "nothing wrong with" : "wrong"} ${why}`, () => {
      const pool = poolOf(addresses);
      const complaint = aggregationComplaint(adOf(spec), pool, narrowestEntries(pool));
      if (expected === undefined) assert.equal(complaint, undefined);
      else assert.match(complaint?.message ?? "", expected);
    });
  }
});

function adOf(spec: object): BgpAdvertisement {
  const references = { pools: new Map(), poolNames: new Set<string>(), findAlias: () => undefined };
  const result = parseBgpAdvertisement({ metadata: { name: "ad" }, spec }, references);
  assert.equal(result.kind, "value");
  return result.value;
}

function poolOf(addresses: readonly string[]): Pool {
  const result = parsePool({ metadata: { name: "pool" }, spec: { addresses } }, {}, []);
  assert.equal(result.kind, "value");
  return result.value;
}
