// What Services may have: assign(), allocate(), the ledger they work on, and laws that hold after any steps.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { address, pool, poolMap } from "../../test/controller-samples.ts";
import type { Pool } from "../config/pool.ts";
import { type Address, type Family, familyOf } from "../net/address.ts";
import {
  type AllocationResult,
  allocate,
  allocateFromPool,
  allocateOtherFamily,
  assign,
  type FamilyDemand,
  formatRefusal,
} from "./allocate.ts";
import { Allocations, type Requester } from "./allocation.ts";

const IPV4: FamilyDemand = { kind: "single", family: "ipv4" };
const IPV6: FamilyDemand = { kind: "single", family: "ipv6" };
const BOTH: FamilyDemand = { kind: "both" };
const PREFER: FamilyDemand = { kind: "prefer-both", primary: "ipv4" };
const PREFER_V6: FamilyDemand = { kind: "prefer-both", primary: "ipv6" };

function requester(key: string, more: Partial<Requester> = {}): Requester {
  return {
    key,
    namespace: key.slice(0, key.indexOf("/")),
    labels: {},
    ports: ["tcp/80"],
    sharingKey: "",
    backendKey: "",
    ...more,
  };
}

/** "pool: addresses", or the reason why not. */
function outcome(result: AllocationResult): string {
  if (result.kind === "refused") return result.refusal.reason;
  return `${result.allocation.pool}: ${result.allocation.addresses.join(" ")}`;
}

/** Takes addresses that must be free, for a Service named after its number. */
function taking(
  allocations: Allocations,
  ...requests: readonly [Requester, string][]
): Allocations {
  for (const [who, text] of requests) {
    const result = assign(allocations, who, text.split(" ").map(address));
    assert(result.kind === "granted", `${who.key} ${text}: ${outcome(result)}`);
    allocations.hold(who.key, result.allocation);
  }
  return allocations;
}

describe("assign()", () => {
  const pools = poolMap(
    pool("a", ["1.2.3.0/28", "1000::/126"]),
    pool("b", ["1.2.4.0/28", "2000::/126"], { avoidBuggyIps: true, autoAssign: false }),
    pool("c", ["1.2.5.0/28"], { serviceAllocation: { namespaces: new Set(["team"]) } }),
    pool("d", ["1.2.6.0/28"], {
      serviceAllocation: { serviceSelectors: [[{ key: "app", operator: "In", values: ["web"] }]] },
    }),
    pool("e", ["1.2.7.0/28"], { serviceAllocation: { namespaces: new Set() } }),
  );
  for (const [why, more, addresses, expected] of [
    ["one address", {}, "1.2.3.5", "a: 1.2.3.5"],
    ["an address of each family, in the order asked", {}, "1000::1 1.2.3.5", "a: 1000::1 1.2.3.5"],
    ["an address in no pool", {}, "9.9.9.9", "not-in-any-pool"],
    ["addresses of two pools", {}, "1.2.3.5 2000::1", "not-in-any-pool"],
    ["two addresses of one family", {}, "1.2.3.5 1.2.3.6", "address-families"],
    ["three addresses", {}, "1.2.3.5 1.2.3.6 1000::1", "address-families"],
    ["a pool that is not assigned automatically", {}, "1.2.4.5", "b: 1.2.4.5"],
    [".0 where the pool avoids it", {}, "1.2.4.0", "not-in-any-pool"],
    ["another namespace's pool", {}, "1.2.5.5", "pool-incompatible"],
    ["its namespace's pool", { namespace: "team" }, "1.2.5.5", "c: 1.2.5.5"],
    ["a pool that selects other labels", { labels: { app: "db" } }, "1.2.6.5", "pool-incompatible"],
    ["a pool that selects its labels", { labels: { app: "web" } }, "1.2.6.5", "d: 1.2.6.5"],
    ["a pool whose namespace selectors match nothing", {}, "1.2.7.5", "pool-incompatible"],
  ] as const) {
    test(`assign() of ${why} gives ${expected}`, () => {
      const allocations = new Allocations(pools);
      const addresses_ = addresses.split(" ").map(address);
      assert.equal(outcome(assign(allocations, requester("ns/s", more), addresses_)), expected);
    });
  }

  const shared = { sharingKey: "k" };
  for (const [why, first, second, expected] of [
    ["no sharing key on either", {}, { ports: ["tcp/81"] }, "other-sharing-key"],
    ["a key on the first only", shared, { ports: ["tcp/81"] }, "other-sharing-key"],
    ["a key on the second only", {}, { ...shared, ports: ["tcp/81"] }, "other-sharing-key"],
    ["different keys", shared, { sharingKey: "l", ports: ["tcp/81"] }, "other-sharing-key"],
    ["equal keys and ports apart", shared, { ...shared, ports: ["tcp/81"] }, "a: 1.2.3.5"],
    [
      "equal keys, one number, two protocols",
      shared,
      { ...shared, ports: ["udp/80"] },
      "a: 1.2.3.5",
    ],
    [
      "equal keys and a port in common",
      shared,
      { ...shared, ports: ["udp/1", "tcp/80"] },
      "port-in-use",
    ],
    [
      "equal keys and different backends",
      { ...shared, backendKey: "app=web" },
      { ...shared, ports: ["tcp/81"] },
      "other-sharing-key",
    ],
    [
      "equal keys and equal backends",
      { ...shared, backendKey: "app=web" },
      { ...shared, backendKey: "app=web", ports: ["tcp/81"] },
      "a: 1.2.3.5",
    ],
    [
      "equal keys in two namespaces",
      shared,
      { ...shared, namespace: "other", ports: ["tcp/81"] },
      "a: 1.2.3.5",
    ],
  ] as const) {
    test(`assign() of a used address with ${why} gives ${expected}`, () => {
      const allocations = taking(new Allocations(pools), [requester("ns/1", first), "1.2.3.5"]);
      const result = assign(allocations, requester("ns/2", second), [address("1.2.3.5")]);
      assert.equal(outcome(result), expected);
    });
  }

  test("assign() lets the only user of an address change keys, ports and addresses at once", () => {
    const allocations = taking(
      new Allocations(pools),
      [requester("ns/1", { sharingKey: "k" }), "1.2.3.5"],
      [requester("ns/1", { sharingKey: "l", ports: ["tcp/443"] }), "1.2.3.5 1000::1"],
      [requester("ns/2", { sharingKey: "l" }), "1.2.3.5"],
    );
    const result = assign(allocations, requester("ns/1", { sharingKey: "m" }), [
      address("1.2.3.5"),
    ]);
    assert.equal(outcome(result), "other-sharing-key");
  });

  test("assign() forgets the keys and the ports of a user that left", () => {
    const allocations = taking(
      new Allocations(pools),
      [requester("ns/1", { sharingKey: "k" }), "1.2.3.5"],
      [requester("ns/2", { sharingKey: "k", ports: ["tcp/443"] }), "1.2.3.5"],
    );
    allocations.release("ns/1");
    taking(allocations, [requester("ns/3", { sharingKey: "k" }), "1.2.3.5"]);
    allocations.release("ns/2");
    allocations.release("ns/3");
    allocations.release("ns/3");
    taking(allocations, [requester("ns/4"), "1.2.3.5"]);
  });
});

describe("allocate()", () => {
  test("allocate() takes the lowest address, .0 included, and a released one again", () => {
    const allocations = new Allocations(poolMap(pool("a", ["10.0.0.0/30"])));
    const taken: string[] = [];
    for (const name of ["1", "2", "3", "4", "5"]) {
      const result = allocate(allocations, requester(`ns/${name}`), IPV4);
      taken.push(outcome(result));
      if (result.kind === "granted") allocations.hold(`ns/${name}`, result.allocation);
    }
    assert.deepEqual(taken, [
      "a: 10.0.0.0",
      "a: 10.0.0.1",
      "a: 10.0.0.2",
      "a: 10.0.0.3",
      "no-available-addresses",
    ]);
    allocations.release("ns/3");
    allocations.release("ns/2");
    assert.equal(outcome(allocate(allocations, requester("ns/6"), IPV4)), "a: 10.0.0.1");
  });

  test("allocate() skips .0 and .255 where the pool avoids them", () => {
    const allocations = new Allocations(
      poolMap(pool("a", ["10.0.0.254-10.0.1.1"], { avoidBuggyIps: true })),
    );
    taking(allocations, [requester("ns/1"), "10.0.0.254"]);
    assert.equal(outcome(allocate(allocations, requester("ns/2"), IPV4)), "a: 10.0.1.1");
  });

  test("allocate() goes through the ranges in the order they are written", () => {
    const allocations = new Allocations(poolMap(pool("a", ["10.0.9.0/32", "10.0.0.0/32"])));
    taking(allocations, [requester("ns/1"), "10.0.9.0"]);
    assert.equal(outcome(allocate(allocations, requester("ns/2"), IPV4)), "a: 10.0.0.0");
  });

  test("allocate() shares the lowest shareable address unless a lower one is free", () => {
    const web = { sharingKey: "k", ports: ["tcp/80"] };
    const tls = { sharingKey: "k", ports: ["tcp/443"] };
    const allocations = taking(
      new Allocations(poolMap(pool("a", ["10.0.0.0/30"]))),
      [requester("ns/1", web), "10.0.0.2"],
      [requester("ns/2", web), "10.0.0.1"],
    );
    assert.equal(outcome(allocate(allocations, requester("ns/3", tls), IPV4)), "a: 10.0.0.0");
    taking(allocations, [requester("ns/4"), "10.0.0.0"]);
    assert.equal(outcome(allocate(allocations, requester("ns/3", tls), IPV4)), "a: 10.0.0.1");
    taking(allocations, [requester("ns/3", tls), "10.0.0.1"]);
    assert.equal(outcome(allocate(allocations, requester("ns/5", tls), IPV4)), "a: 10.0.0.2");
    assert.equal(outcome(allocate(allocations, requester("ns/6", web), IPV4)), "a: 10.0.0.3");
  });

  const general = pool("general", ["10.0.0.0/30", "1000::/126"]);
  const only4 = pool("only4", ["10.1.0.0/30"]);
  const only6 = pool("only6", ["2000::/126"]);
  const named = (name: string, priority: number, more: Partial<Pool["serviceAllocation"]>) =>
    pool(name, [`10.${name.length}.${name.charCodeAt(0)}.0/30`], {
      serviceAllocation: { priority, ...more },
    });
  const team = { namespaces: new Set(["team"]) };
  const web = { serviceSelectors: [[{ key: "app", operator: "Exists", values: [] } as const]] };
  for (const [why, pools, who, demand, expected] of [
    ["from the first pool by name", [only4, general], {}, IPV4, "general: 10.0.0.0"],
    ["from the first pool with the family", [only4, only6], {}, IPV6, "only6: 2000::"],
    ["both families from one pool", [only4, only6, general], {}, BOTH, "general: 10.0.0.0 1000::"],
    ["IPv4 first even where IPv6 is primary", [general], {}, PREFER_V6, "general: 10.0.0.0 1000::"],
    ["nothing where no pool has both", [only4, only6], {}, BOTH, "no-available-addresses"],
    ["the primary family where no pool has both", [only6, only4], {}, PREFER, "only4: 10.1.0.0"],
    ["the primary family IPv6", [only4, only6], {}, PREFER_V6, "only6: 2000::"],
    ["the other family where there is nothing else", [only6], {}, PREFER, "only6: 2000::"],
    [
      "nothing from a pool kept for requests",
      [{ ...only4, autoAssign: false }],
      {},
      IPV4,
      "no-available-addresses",
    ],
    [
      "from its namespace's pool",
      [only4, named("z", 0, team)],
      { namespace: "team" },
      IPV4,
      "z: 10.1.122.0",
    ],
    [
      "nothing from another namespace's pool",
      [named("z", 0, team)],
      {},
      IPV4,
      "no-available-addresses",
    ],
    ["from a pool that has only a priority", [only4, named("z", 5, {})], {}, IPV4, "z: 10.1.122.0"],
    [
      "from the lowest priority number",
      [named("a", 11, team), named("b", 10, team)],
      { namespace: "team" },
      IPV4,
      "b: 10.1.98.0",
    ],
    [
      "from a positive priority before none",
      [named("a", 0, team), named("b", 99, team)],
      { namespace: "team" },
      IPV4,
      "b: 10.1.98.0",
    ],
    [
      "by name among equal priorities",
      [named("b", 3, team), named("a", 3, team)],
      { namespace: "team" },
      IPV4,
      "a: 10.1.97.0",
    ],
    [
      "from the best of namespace and label pools",
      [named("a", 9, web), named("b", 8, web), named("c", 5, { ...web, ...team })],
      { namespace: "team", labels: { app: "x" } },
      IPV4,
      "c: 10.1.99.0",
    ],
    [
      "nothing where namespace or label does not match",
      [named("c", 5, { ...web, ...team })],
      { namespace: "team" },
      IPV4,
      "no-available-addresses",
    ],
    [
      "nothing where namespace selectors match nothing",
      [named("z", 0, { namespaces: new Set() })],
      {},
      IPV4,
      "no-available-addresses",
    ],
    [
      "nothing where they match nothing, labels or not",
      [named("z", 0, { ...web, namespaces: new Set() })],
      { labels: { app: "x" } },
      IPV4,
      "no-available-addresses",
    ],
    [
      "from pinned single-family before general dual",
      [general, named("z", 1, {})],
      {},
      PREFER,
      "z: 10.1.122.0",
    ],
  ] as readonly [string, readonly Pool[], Partial<Requester>, FamilyDemand, string][]) {
    test(`allocate() gives ${why}`, () => {
      const allocations = new Allocations(poolMap(...pools));
      assert.equal(outcome(allocate(allocations, requester("ns/s", who), demand)), expected);
    });
  }

  test("allocate() names every pool and why it was refused", () => {
    const allocations = taking(
      new Allocations(
        poolMap(
          pool("full", ["10.0.0.1/32"]),
          pool("kept", ["10.0.1.0/30"], { autoAssign: false }),
          pool("labels", ["10.0.2.0/30"], { serviceAllocation: web }),
          pool("six", ["1000::/126"]),
          pool("team", ["10.0.3.0/30"], { serviceAllocation: team }),
        ),
      ),
      [requester("ns/1"), "10.0.0.1"],
    );
    const result = allocate(allocations, requester("ns/2"), IPV4);
    assert(result.kind === "refused");
    assert.equal(
      formatRefusal(result.refusal),
      'no available IPs: pool "full" has no free IPv4 address; ' +
        'pool "kept" is not assigned automatically (autoAssign: false); ' +
        `pool "labels" does not select this service's labels (serviceAllocation); ` +
        'pool "six" has no IPv4 addresses; ' +
        'pool "team" does not serve this namespace (serviceAllocation)',
    );
  });
});

describe("allocateFromPool()", () => {
  const pools = poolMap(
    pool("kept", ["10.0.0.0/30"], { autoAssign: false }),
    pool("team", ["10.0.1.0/30"], { serviceAllocation: { namespaces: new Set(["team"]) } }),
  );
  for (const [name, demand, expected] of [
    ["kept", IPV4, "kept: 10.0.0.0"],
    ["team", IPV4, "pool-incompatible"],
    ["nowhere", IPV4, "unknown-pool"],
    ["kept", IPV6, "no-available-addresses"],
    ["kept", BOTH, "no-available-addresses"],
    ["kept", PREFER_V6, "kept: 10.0.0.0"],
  ] as const) {
    test(`allocateFromPool() of "${name}" for ${JSON.stringify(demand)} gives ${expected}`, () => {
      const allocations = new Allocations(pools);
      const result = allocateFromPool(allocations, requester("ns/s"), demand, name);
      assert.equal(outcome(result), expected);
    });
  }
});

describe("allocateOtherFamily()", () => {
  const pools = poolMap(pool("a", ["10.0.0.0/30"]), pool("b", ["10.0.1.0/30", "1000::/126"]));
  for (const [has, expected] of [
    ["10.0.1.2", "b: 10.0.1.2 1000::"],
    ["1000::2", "b: 1000::2 10.0.1.0"],
    ["10.0.0.2", "no-available-addresses"],
  ] as const) {
    test(`allocateOtherFamily() beside ${has} gives ${expected}`, () => {
      const allocations = taking(new Allocations(pools), [requester("ns/s"), has]);
      const result = allocateOtherFamily(allocations, requester("ns/s"), address(has));
      assert.equal(outcome(result), expected);
    });
  }
});

describe("Allocations", () => {
  const before = pool("a", ["1.2.3.0/24", "1000::/120"]);
  for (const [change, pools, expected, inUse] of [
    ["nothing changes", [before], "a", 1],
    ["the pool grows", [pool("a", ["1.2.0.0/16", "1000::/64"])], "a", 1],
    ["the pool shrinks around it", [pool("a", ["1.2.3.0/32", "1000::/127"])], "a", 1],
    ["the pool shrinks away from it", [pool("a", ["1.2.3.1/32", "1000::/120"])], "a", 0],
    ["the pool is renamed", [pool("b", ["1.2.3.0/24", "1000::/120"])], "b", 1],
    [
      "the pool is split between its addresses",
      [pool("a", ["1.2.3.0/24"]), pool("b", ["1000::/120"])],
      "a",
      1,
    ],
    ["buggy addresses are avoided", [{ ...before, avoidBuggyIps: true }], "a", 0],
    ["autoAssign is turned off", [{ ...before, autoAssign: false }], "a", 1],
    [
      "its namespace is shut out",
      [pool("a", ["1.2.3.0/24", "1000::/120"], { serviceAllocation: { namespaces: new Set() } })],
      "a",
      1,
    ],
    ["the pool is gone", [], "a", 0],
  ] as const) {
    test(`movedTo() holds on to a dual-stack allocation, in ${expected}, when ${change}`, () => {
      const allocations = taking(new Allocations(poolMap(before)), [
        requester("ns/s"),
        "1.2.3.0 1000::",
      ]);
      const moved = allocations.movedTo(poolMap(...pools));
      assert.equal(moved.get("ns/s")?.pool, expected);
      assert.deepEqual([...(moved.useOf(address("1.2.3.0"))?.users ?? [])], ["ns/s"]);
      assert.equal(moved.inUse(expected).ipv4, inUse);
      moved.release("ns/s");
      assert.equal(moved.inUse(expected).ipv4, 0);
      assert.equal(moved.useOf(address("1.2.3.0")), undefined);
    });
  }

  test("movedTo() splits a pool: each Service follows its address", () => {
    const allocations = taking(
      new Allocations(poolMap(before)),
      [requester("ns/1"), "1.2.3.1"],
      [requester("ns/2"), "1.2.3.200"],
    ).movedTo(poolMap(pool("low", ["1.2.3.0/25"]), pool("high", ["1.2.3.128/25"])));
    assert.equal(allocations.get("ns/1")?.pool, "low");
    assert.equal(allocations.get("ns/2")?.pool, "high");
    assert.deepEqual(allocations.inUse("low"), { ipv4: 1, ipv6: 0 });
  });

  test("release() tells what became free and what became shareable", () => {
    const allocations = taking(
      new Allocations(poolMap(before)),
      [requester("ns/1", { sharingKey: "k" }), "1.2.3.1 1000::1"],
      [requester("ns/2", { sharingKey: "k", ports: ["tcp/81"] }), "1.2.3.1"],
    );
    assert.deepEqual(allocations.release("ns/1"), {
      addresses: [{ pool: "a", family: "ipv6", address: "1000::1" }],
      eased: ["1.2.3.1"],
      sharingKeys: ["k"],
    });
    assert.deepEqual(allocations.inUse("a"), { ipv4: 1, ipv6: 0 });
  });
});

describe("allocator laws", () => {
  const pools = poolMap(
    pool("a", ["10.0.0.0/29", "1000::/126"]),
    pool("b", ["10.0.1.0-10.0.1.4"], { avoidBuggyIps: true }),
    pool("c", ["10.0.2.0/30"], { serviceAllocation: { namespaces: new Set(["n1"]), priority: 3 } }),
  );
  const who = fc.record({
    name: fc.integer({ min: 1, max: 14 }),
    namespace: fc.constantFrom("n1", "n2"),
    sharingKey: fc.constantFrom("", "k", "l"),
    backendKey: fc.constantFrom("", "app=web"),
    ports: fc.subarray(["tcp/80", "udp/80", "tcp/443"], { minLength: 1 }),
  });
  const demand = fc.constantFrom(IPV4, IPV6, BOTH, PREFER, PREFER_V6);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant("allocate" as const), who, demand }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("release" as const), who }) },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("assign" as const),
        who,
        address: fc.constantFrom("10.0.0.3", "10.0.1.2", "10.0.2.1", "1000::1", "10.0.0.0"),
      }),
    },
  );

  type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

  function run(steps: readonly Step[]): Map<string, Requester> {
    const requesters = new Map<string, Requester>();
    const allocations = new Allocations(pools);
    for (const each of steps) {
      const key = `${each.who.namespace}/${each.who.name}`;
      if (each.kind === "release") {
        allocations.release(key);
        requesters.delete(key);
        continue;
      }
      const asking = requester(key, each.who);
      const result =
        each.kind === "allocate"
          ? allocate(allocations, asking, each.demand)
          : assign(allocations, asking, [address(each.address)]);
      if (result.kind === "granted") {
        allocations.hold(key, result.allocation);
        requesters.set(key, asking);
      }
      check(allocations);
    }
    adoptionIsOrderFree(allocations, requesters);
    return requesters;
  }

  function check(allocations: Allocations): void {
    const users = new Map<Address, string[]>();
    const inUse: Record<string, Record<Family, Set<Address>>> = {};
    for (const [key, { addresses, pool: name }] of allocations.entries()) {
      inUse[name] ??= { ipv4: new Set(), ipv6: new Set() };
      for (const each of addresses) {
        users.set(each, [...(users.get(each) ?? []), key]);
        inUse[name][familyOf(each)].add(each);
      }
    }
    for (const [where, keys] of users) {
      const all = keys.flatMap((key) => allocations.get(key) ?? []);
      const ports = all.flatMap((each) => each.ports);
      assert.equal(new Set(ports).size, ports.length, `a port twice on ${where}`);
      const groups = new Set(all.map((each) => `${each.sharingKey} ${each.backendKey}`));
      assert(keys.length === 1 || (groups.size === 1 && all[0]?.sharingKey !== ""), where);
    }
    for (const name of pools.keys()) {
      const counts = { ipv4: inUse[name]?.ipv4.size ?? 0, ipv6: inUse[name]?.ipv6.size ?? 0 };
      assert.deepEqual(allocations.inUse(name), counts);
    }
  }

  function adoptionIsOrderFree(allocations: Allocations, requesters: Map<string, Requester>): void {
    const again = new Allocations(pools);
    for (const [key, asking] of [...requesters].reverse()) {
      const allocation = allocations.get(key);
      assert(allocation !== undefined);
      const result = assign(again, asking, allocation.addresses);
      assert.equal(outcome(result), `${allocation.pool}: ${allocation.addresses.join(" ")}`);
      if (result.kind === "granted") again.hold(key, result.allocation);
    }
    assert.deepEqual(
      [...again.entries()].sort(([a], [b]) => (a < b ? -1 : 1)),
      [...allocations.entries()].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }

  test("no port of an address has two owners, keys agree, and a restart re-adopts the same", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        run(steps);
      }),
      { numRuns: 300 },
    );
  });

  test("what one Service releases, the next finds", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 7 }), { maxLength: 40 }), (order) => {
        const allocations = new Allocations(poolMap(pool("a", ["10.0.0.0/29"])));
        for (let index = 0; index < 8; index += 1) {
          taking(allocations, [requester(`ns/${index}`), `10.0.0.${index}`]);
        }
        for (const index of order) {
          assert.equal(allocate(allocations, requester("ns/new"), IPV4).kind, "refused");
          allocations.release(`ns/${index}`);
          const result = allocate(allocations, requester(`ns/${index}`), IPV4);
          assert.equal(outcome(result), `a: 10.0.0.${index}`);
          if (result.kind === "granted") allocations.hold(`ns/${index}`, result.allocation);
        }
      }),
    );
  });
});

describe("cost", () => {
  for (const range of ["10.0.0.0/8", "1000::/64", "10.0.0.0/16"]) {
    test(`10000 allocations from ${range} visit each address at most once`, () => {
      const family = range.includes(":") ? "ipv6" : "ipv4";
      const allocations = new Allocations(poolMap(pool("a", [range])));
      const started = process.cpuUsage();
      for (let index = 0; index < 10_000; index += 1) {
        const result = allocate(allocations, requester(`ns/${index}`), { kind: "single", family });
        assert(result.kind === "granted");
        allocations.hold(`ns/${index}`, result.allocation);
      }
      const { user, system } = process.cpuUsage(started);
      // A scan from the first address would take 50 million steps, several seconds.
      assert(user + system < 2_000_000, `${user + system} µs`);
    });
  }
});
