import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { l2AdvertisementsOf, nodesOf } from "../../test/l2-config.ts";
import { compileL2Policies } from "./l2-policy.ts";

const NODES = nodesOf({
  a: { labels: { rack: "1", disk: "ssd" } },
  b: { labels: { rack: "2", disk: "ssd" } },
  c: { labels: { rack: "2" } },
});
const RACK1 = { matchLabels: { rack: "1" } };
const RACK2 = { matchLabels: { rack: "2" } };
const SSD = { matchLabels: { disk: "ssd" } };

function compile(specs: Readonly<Record<string, object>>) {
  const advertisements = l2AdvertisementsOf(specs, ["pool", "other"]);
  return compileL2Policies(advertisements, ["pool", "other"], NODES);
}

describe("compileL2Policies() tells the nodes of an advertisement and their preferences", () => {
  const rows: readonly (readonly [string, object, Readonly<Record<string, number>>])[] = [
    ["all nodes without selectors", {}, { a: 0, b: 0, c: 0 }],
    ["those that match", { nodeSelectors: [RACK2] }, { b: 0, c: 0 }],
    ["those that match any", { nodeSelectors: [RACK1, RACK2] }, { a: 0, b: 0, c: 0 }],
    ["none", { nodeSelectors: [{ matchLabels: { rack: "3" } }] }, {}],
    [
      "a preference",
      { preferredNodeSelectors: [{ weight: 10, preference: RACK1 }] },
      { a: 10, b: 0, c: 0 },
    ],
    [
      "preferences that add up",
      {
        preferredNodeSelectors: [
          { weight: 100, preference: RACK2 },
          { weight: 7, preference: SSD },
        ],
      },
      { a: 7, b: 107, c: 100 },
    ],
    [
      "an empty preference, which all match",
      { preferredNodeSelectors: [{ weight: 1, preference: {} }] },
      { a: 1, b: 1, c: 1 },
    ],
    [
      "preferences of included nodes only",
      { nodeSelectors: [RACK2], preferredNodeSelectors: [{ weight: 5, preference: SSD }] },
      { b: 5, c: 0 },
    ],
  ];
  for (const [name, spec, expected] of rows) {
    it(name, () => {
      const [advertisement] = compile({ ad: spec }).get("pool")?.advertisements ?? [];
      assert.deepEqual(Object.fromEntries(advertisement?.preferences ?? []), expected);
    });
  }
});

describe("compileL2Policies()", () => {
  const names = (specs: Readonly<Record<string, object>>, pool = "pool") =>
    compile(specs)
      .get(pool)
      ?.advertisements.map(({ advertisement }) => advertisement.name);

  it("sorts advertisements by pool, a pool without any too", () => {
    const specs = {
      one: { ipAddressPools: ["pool"] },
      two: { ipAddressPools: ["pool"], interfaces: ["eth1"] },
    };
    assert.deepEqual(names(specs), ["one", "two"]);
    assert.deepEqual(names(specs, "other"), []);
  });

  const rows: readonly (readonly [string, object, object, number])[] = [
    ["says twice what is equal once", { interfaces: ["eth1"] }, { interfaces: ["eth1"] }, 1],
    ["keeps other interfaces", { interfaces: ["eth1"] }, {}, 2],
    ["keeps other nodes", { nodeSelectors: [RACK1] }, { nodeSelectors: [RACK2] }, 2],
    ["keeps other Services", { serviceSelectors: [RACK1] }, {}, 2],
    ["keeps another delay", { failbackDelay: "never" }, {}, 2],
    [
      "counts equal preferences each time",
      { preferredNodeSelectors: [{ weight: 1, preference: {} }] },
      { preferredNodeSelectors: [{ weight: 1, preference: {} }] },
      2,
    ],
  ];
  for (const [name, one, two, expected] of rows) {
    it(name, () => assert.equal(names({ one, two })?.length, expected));
  }
});
