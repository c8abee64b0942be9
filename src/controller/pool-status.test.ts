// Counters of pools, exact at any size.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Pool } from "../config/pool.ts";
import type { Address } from "../net/address.ts";
import { parseRange } from "../net/range.ts";
import { Allocations } from "./allocation.ts";
import { poolCapacity, poolCounters } from "./pool-status.ts";

function poolOf(addresses: readonly string[], avoidBuggyIps = false): Pool {
  const ranges = addresses.map((text) => {
    const result = parseRange(text);
    assert.equal(result.kind, "range");
    return result.range;
  });
  return {
    name: "p",
    labels: {},
    ranges,
    autoAssign: true,
    avoidBuggyIps,
    serviceAllocation: undefined,
  };
}

const MAX_INT64 = 9223372036854775807n;

for (const [addresses, avoidBuggyIps, ipv4, ipv6] of [
  [["10.0.0.0/24"], false, 256n, 0n],
  [["10.0.0.0/24"], true, 254n, 0n],
  [["10.0.0.0/23"], true, 508n, 0n],
  [["10.0.0.0/25"], true, 127n, 0n],
  [["10.0.0.128/25"], true, 127n, 0n],
  [["10.0.0.0/32"], true, 0n, 0n],
  [["10.0.0.255/32"], true, 0n, 0n],
  [["10.0.0.7/32"], true, 1n, 0n],
  [["10.0.0.250-10.0.1.5"], true, 10n, 0n],
  [["0.0.0.0/0"], true, 2n ** 32n - 2n ** 25n, 0n],
  [["2001:db8::/126"], true, 0n, 4n],
  [["2001:db8::/66"], false, 0n, 2n ** 62n],
  [["2001:db8::/48", "2001:db9::/124", "10.0.0.0/31"], false, 2n, 2n ** 80n + 16n],
] as const) {
  test(`poolCapacity() of ${addresses.join(",")} avoidBuggyIPs=${avoidBuggyIps} is exact`, () => {
    assert.deepEqual(poolCapacity(poolOf(addresses, avoidBuggyIps)), { ipv4, ipv6 });
  });
}

test("poolCounters() saturates at the largest int64, whatever comes after a huge prefix", () => {
  const pool = poolOf(["2001:db8::/48", "2001:db9::/124", "10.0.0.0/31"]);
  const allocations = new Allocations(new Map([["p", pool]]));
  allocations.hold("a/a", {
    pool: "p",
    addresses: ["10.0.0.0" as Address, "2001:db8::" as Address],
    ports: ["tcp/80"],
    sharingKey: "k",
    backendKey: "",
  });
  allocations.hold("a/b", {
    pool: "p",
    addresses: ["10.0.0.0" as Address],
    ports: ["tcp/81"],
    sharingKey: "k",
    backendKey: "",
  });
  assert.deepEqual(poolCounters(allocations, "p"), {
    assignedIPv4: 1n,
    assignedIPv6: 1n,
    availableIPv4: 1n,
    availableIPv6: MAX_INT64,
  });
});

test("poolCounters() of a pool that is not in force are zero", () => {
  assert.deepEqual(poolCounters(new Allocations(new Map()), "gone"), {
    assignedIPv4: 0n,
    assignedIPv6: 0n,
    availableIPv4: 0n,
    availableIPv6: 0n,
  });
});
