import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  type BgpAdvertisement,
  parseBgpAdvertisement,
  parseL2Advertisement,
} from "./advertisement.ts";
import type { CommunityValue } from "./community.ts";
import { type Pool, parsePool } from "./pool.ts";
import type { BGPAdvertisementResource, L2AdvertisementResource } from "./resources.ts";

const POOLS = new Map(
  [poolOf("bronze", { tier: "bronze" }), poolOf("gold", { tier: "gold" }), poolOf("plain", {})].map(
    (pool) => [pool.name, pool],
  ),
);
const ALIASES: ReadonlyMap<string, CommunityValue> = new Map([
  ["blue", { kind: "standard", text: "65000:7" }],
  ["wide", { kind: "large", text: "1:2:3" }],
  ["65001:1", { kind: "standard", text: "9:9" }],
]);
const REFERENCES = {
  pools: POOLS,
  poolNames: new Set(POOLS.keys()),
  findAlias: (name: string) => ALIASES.get(name),
};
const TWICE = [{ matchLabels: { a: "b" } }, { matchLabels: { a: "b" } }];

describe("parseBgpAdvertisement()", () => {
  it("fills in what the schema would: every pool, peer, node and Service", () => {
    assert.deepEqual(bgpOf(undefined), {
      name: "ad",
      pools: new Set(["bronze", "gold", "plain"]),
      nodeSelectors: [],
      serviceSelectors: [],
      peers: [],
      aggregationLength: 32,
      aggregationLengthV6: 128,
      localPreference: undefined,
      communities: [],
    } satisfies BgpAdvertisement);
  });

  for (const [why, spec, pools] of [
    ["names", { ipAddressPools: ["plain", "gold"] }, ["gold", "plain"]],
    ["unknown names", { ipAddressPools: ["absent"] }, []],
    ["a selector", { ipAddressPoolSelectors: [{ matchLabels: { tier: "gold" } }] }, ["gold"]],
    [
      "several selectors",
      {
        ipAddressPoolSelectors: [
          { matchLabels: { tier: "gold" } },
          { matchLabels: { tier: "bronze" } },
        ],
      },
      ["bronze", "gold"],
    ],
    [
      "a name and a selector, each pool once",
      {
        ipAddressPools: ["gold", "plain"],
        ipAddressPoolSelectors: [{ matchLabels: { tier: "gold" } }],
      },
      ["gold", "plain"],
    ],
    [
      "a selector that matches nothing",
      { ipAddressPoolSelectors: [{ matchLabels: { tier: "none" } }] },
      [],
    ],
    ["an empty selector", { ipAddressPoolSelectors: [{}] }, ["bronze", "gold", "plain"]],
    [
      "empty lists",
      { ipAddressPools: [], ipAddressPoolSelectors: [] },
      ["bronze", "gold", "plain"],
    ],
  ] as const) {
    it(`finds the pools of ${why}`, () => {
      assert.deepEqual([...bgpOf(spec).pools].sort(), pools);
      const l2 = parseL2Advertisement(resourceOf<L2AdvertisementResource>(spec), REFERENCES);
      assert.equal(l2.kind, "value");
      assert.deepEqual([...l2.value.pools].sort(), pools);
    });
  }

  for (const [why, spec, expected] of [
    [
      "lengths",
      { aggregationLength: 24, aggregationLengthV6: 64 },
      { aggregationLength: 24, aggregationLengthV6: 64 },
    ],
    ["local preference 0 as unset", { localPref: 0 }, { localPreference: undefined }],
    ["the highest local preference", { localPref: 4294967295 }, { localPreference: 4294967295 }],
    ["peers that may not exist", { peers: ["b", "a"] }, { peers: ["b", "a"] }],
    [
      "communities and aliases, sorted, each once",
      { communities: ["wide", "65000:8", "blue", "65000:7", "large:0:0:1", "65001:1"] },
      {
        communities: [
          { kind: "standard", text: "9:9" },
          { kind: "standard", text: "65000:7" },
          { kind: "standard", text: "65000:8" },
          { kind: "large", text: "0:0:1" },
          { kind: "large", text: "1:2:3" },
        ],
      },
    ],
    [
      "service selectors with the full lengths",
      { serviceSelectors: [{}], aggregationLength: 32, aggregationLengthV6: 128 },
      { serviceSelectors: [[]] },
    ],
  ] as const) {
    it(`takes ${why}`, () => {
      assert.deepEqual(bgpOf(spec), { ...bgpOf({}), ...expected });
    });
  }

  for (const [why, spec, field, message] of [
    [
      "length 33",
      { aggregationLength: 33 },
      "aggregationLength",
      /invalid aggregation length, want 1 to 32/,
    ],
    ["length 0", { aggregationLength: 0 }, "aggregationLength", /invalid aggregation length/],
    [
      "IPv6 length 129",
      { aggregationLengthV6: 129 },
      "aggregationLengthV6",
      /invalid aggregation length, want 1 to 128/,
    ],
    [
      "a length that is text",
      { aggregationLength: "24" },
      "aggregationLength",
      /invalid aggregation length/,
    ],
    ["local preference above 32 bits", { localPref: 4294967296 }, "localPref", /want an integer/],
    ["a negative local preference", { localPref: -1 }, "localPref", /want an integer/],
    ["a pool twice", { ipAddressPools: ["a", "a"] }, "ipAddressPools", /duplicate definition/],
    ["a peer twice", { peers: ["a", "a"] }, "peers", /duplicate definition/],
    ["a community twice", { communities: ["1:1", "1:1"] }, "communities", /duplicate definition/],
    [
      "a pool selector twice",
      { ipAddressPoolSelectors: TWICE },
      "ipAddressPoolSelectors[1]",
      /duplicate definition/,
    ],
    ["a node selector twice", { nodeSelectors: TWICE }, "nodeSelectors[1]", /duplicate definition/],
    [
      "a service selector twice",
      { serviceSelectors: TWICE },
      "serviceSelectors[1]",
      /duplicate definition/,
    ],
    [
      "a service selector and a length",
      { serviceSelectors: [{}], aggregationLength: 24 },
      "aggregationLength",
      /serviceSelectors and aggregationLength are mutually exclusive/,
    ],
    [
      "a service selector and an IPv6 length",
      { serviceSelectors: [{}], aggregationLengthV6: 64 },
      "aggregationLengthV6",
      /serviceSelectors and aggregationLength are mutually exclusive/,
    ],
    [
      "a community above 16 bits",
      { communities: ["1:65536"] },
      "communities[0]",
      /invalid community "1:65536" in BGP advertisement "ad"/,
    ],
    ["a wrong marker", { communities: ["1:1", "larg:1:2:3"] }, "communities[1]", /invalid marker/],
    ["a community that is a number", { communities: [1] }, "communities[0]", /want a text/],
    ["a peer with a line break", { peers: ["a\nb"] }, "peers[0]", /control characters/],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = parseBgpAdvertisement(resourceOf<BGPAdvertisementResource>(spec), REFERENCES);
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => [finding.field, finding.transient]),
        [[`spec.${field}`, false]],
      );
      assert.match(result.findings[0]?.message ?? "", message);
    });
  }

  it("waits for an alias that does not exist", () => {
    const spec = { communities: ["blue", "green"] };
    const result = parseBgpAdvertisement(resourceOf<BGPAdvertisementResource>(spec), REFERENCES);
    assert.equal(result.kind, "invalid");
    assert.deepEqual(
      result.findings.map((finding) => [finding.field, finding.transient]),
      [["spec.communities[1]", true]],
    );
    assert.match(
      result.findings[0]?.message ?? "",
      /community "green".*\ninvalid community "green" in BGP advertisement "ad"/,
    );
  });
});

describe("parseL2Advertisement()", () => {
  it("takes everything", () => {
    const spec = {
      ipAddressPools: ["gold"],
      nodeSelectors: [{ matchLabels: { rack: "1" } }],
      serviceSelectors: [{}],
      interfaces: ["eth0", "eth0"],
      preferredNodeSelectors: [
        { weight: 100, preference: { matchLabels: { rack: "1" } } },
        { weight: 1, preference: {} },
        { weight: 1, preference: {} },
      ],
    };
    const result = parseL2Advertisement(resourceOf<L2AdvertisementResource>(spec), REFERENCES);
    const rack = [{ key: "rack", operator: "In", values: ["1"] }];
    assert.deepEqual(result, {
      kind: "value",
      value: {
        name: "ad",
        pools: new Set(["gold"]),
        nodeSelectors: [rack],
        serviceSelectors: [[]],
        interfaces: ["eth0", "eth0"],
        preferredNodes: [
          { weight: 100, preference: rack },
          { weight: 1, preference: [] },
          { weight: 1, preference: [] },
        ],
        failbackDelayMs: 0,
      },
    });
  });

  for (const [failbackDelay, expected] of [
    [undefined, 0],
    ["", 0],
    ["0s", 0],
    ["30s", 30_000],
    ["1m30.5s", 90_500],
    ["1us", 1],
    ["never", undefined],
  ] as const) {
    it(`reads failbackDelay ${failbackDelay} as ${expected} ms`, () => {
      const resource = resourceOf<L2AdvertisementResource>({ failbackDelay });
      const result = parseL2Advertisement(resource, REFERENCES);
      assert(result.kind === "value");
      assert.equal(result.value.failbackDelayMs, expected);
    });
  }

  const preferred = (entry: unknown) => ({ preferredNodeSelectors: [entry] });
  for (const [why, spec, field] of [
    ["weight 0", preferred({ weight: 0, preference: {} }), "preferredNodeSelectors[0].weight"],
    ["weight 101", preferred({ weight: 101, preference: {} }), "preferredNodeSelectors[0].weight"],
    ["weight 1.5", preferred({ weight: 1.5, preference: {} }), "preferredNodeSelectors[0].weight"],
    ["no weight", preferred({ preference: {} }), "preferredNodeSelectors[0].weight"],
    ["no preference", preferred({ weight: 1 }), "preferredNodeSelectors[0].preference"],
    ["a pool twice", { ipAddressPools: ["a", "a"] }, "ipAddressPools"],
    ["a pool selector twice", { ipAddressPoolSelectors: TWICE }, "ipAddressPoolSelectors[1]"],
    ["a node selector twice", { nodeSelectors: TWICE }, "nodeSelectors[1]"],
    ["a service selector twice", { serviceSelectors: TWICE }, "serviceSelectors[1]"],
    ["an interface that is a number", { interfaces: [0] }, "interfaces[0]"],
    ["a text for a list", { interfaces: "eth0" }, "interfaces"],
    ["a failbackDelay without a unit", { failbackDelay: "30" }, "failbackDelay"],
    ["a negative failbackDelay", { failbackDelay: "-1s" }, "failbackDelay"],
    ["a failbackDelay nobody can wait for", { failbackDelay: "2562048h" }, "failbackDelay"],
    ["a failbackDelay that is a number", { failbackDelay: 30 }, "failbackDelay"],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = parseL2Advertisement(resourceOf<L2AdvertisementResource>(spec), REFERENCES);
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => finding.field),
        [`spec.${field}`],
      );
    });
  }
});

function bgpOf(spec: unknown): BgpAdvertisement {
  const result = parseBgpAdvertisement(resourceOf<BGPAdvertisementResource>(spec), REFERENCES);
  assert.ok(result.kind === "value", JSON.stringify(result));
  return result.value;
}

function resourceOf<Resource>(spec: unknown): Resource {
  return { metadata: { name: "ad" }, spec } as Resource;
}

function poolOf(name: string, labels: Readonly<Record<string, string>>): Pool {
  const spec = { addresses: ["10.0.0.0/24"] };
  const result = parsePool({ metadata: { name }, spec }, labels, []);
  assert.equal(result.kind, "value");
  return result.value;
}
