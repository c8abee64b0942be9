// Every refusal by its reason and every kind of announcement, on configurations as users write them.
// What Layer 2 makes of a Service is the matter of layer2.test.ts: here, that it is asked.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { address, type BasisText, basisOf, facts } from "../../test/speaker-config.ts";
import { type Decision, type DecisionInput, decideService } from "./announce.ts";
import type { RefusalReason } from "./refusal.ts";

type Input = Partial<Pick<DecisionInput, "service" | "servingNodes" | "previous">> & {
  readonly config?: BasisText;
};

function decide({ config, ...more }: Input = {}): Decision {
  return decideService({
    ...basisOf(config),
    service: facts(),
    servingNodes: new Set(["node2"]),
    previous: undefined,
    ...more,
  });
}

/** Prefixes with what tells the classes in a test apart. */
function announcedBy(decision: Decision): string[] {
  assert(decision.bgp.kind === "announced");
  return decision.bgp.announcements.map(
    ({ prefix, entry: { localPreference, communities, peers } }) =>
      [prefix, localPreference ?? "", communities.join("+"), peers.join("+")].join(" ").trim(),
  );
}

/** What became of it by BGP and by Layer 2: the kind, or the reason of the refusal. */
function wordsOf({ bgp, l2 }: Decision): readonly [string, string] {
  const word = (one: Decision["bgp"] | Decision["l2"]) =>
    one.kind === "refused" ? one.refusal.reason : one.kind;
  return [word(bgp), word(l2)];
}

const BOTH_NOT_ALLOWED = ["ipNotAllowed", "ipNotAllowed"];
const PLAIN = ["192.0.2.1/32"];
const EXCLUDED = { "node.kubernetes.io/exclude-from-external-load-balancers": "" };
const BLUE = { serviceSelectors: [{ matchLabels: { color: "blue" } }] };
const RED = { serviceSelectors: [{ matchLabels: { color: "red" } }] };
const blue = facts({ labels: { color: "blue" } });
const local = facts({ isLocal: true });
const dual = facts({ addresses: [address("192.0.2.1"), address("2001:db8::1")] });
const twoPools = { a: ["192.0.2.0/25"], b: ["192.0.2.128/25"] };

describe("decideService() announces", () => {
  const rows: readonly (readonly [string, Input, readonly string[]])[] = [
    ["an address as a host route", {}, PLAIN],
    ["both families", { service: dual }, [...PLAIN, "2001:db8::1/128"]],
    [
      "aggregates per family",
      {
        service: dual,
        config: { advertisements: { wide: { aggregationLength: 26, aggregationLengthV6: 96 } } },
      },
      ["192.0.2.0/26", "2001:db8::/96"],
    ],
    [
      "once for each advertisement that matches its labels",
      {
        service: blue,
        config: {
          advertisements: {
            blue: { ...BLUE, communities: ["65000:1"] },
            plain: { communities: ["65000:2"] },
            red: { ...RED, communities: ["65000:3"] },
          },
        },
      },
      ["192.0.2.1/32  65000:1", "192.0.2.1/32  65000:2"],
    ],
    [
      "with two local preferences to two peers",
      {
        config: {
          peers: { leaf1: {}, leaf2: {} },
          advertisements: {
            one: { localPref: 100, peers: ["leaf1"] },
            two: { localPref: 200, peers: ["leaf2"] },
          },
        },
      },
      ["192.0.2.1/32 100  leaf1", "192.0.2.1/32 200  leaf2"],
    ],
    [
      "not what no peer of this node hears",
      { config: { advertisements: { all: {}, other: { peers: ["elsewhere"] } } } },
      PLAIN,
    ],
    [
      "from a node with an endpoint, externalTrafficPolicy Local",
      { service: local, servingNodes: new Set(["node1"]) },
      PLAIN,
    ],
    [
      "when the only serving endpoint is on an unknown node",
      { servingNodes: new Set([""]) },
      PLAIN,
    ],
    [
      "despite the exclude label when told to",
      { config: { node: { labels: EXCLUDED }, ignoreExcludeLabel: true } },
      PLAIN,
    ],
    [
      "several addresses of one pool",
      { service: facts({ addresses: [address("192.0.2.1"), address("192.0.2.2")] }) },
      [...PLAIN, "192.0.2.2/32"],
    ],
  ];
  for (const [name, input, expected] of rows) {
    it(name, () => assert.deepEqual(announcedBy(decide(input)), expected));
  }

  it("to the peers that hear any of it, sorted", () => {
    const config = {
      peers: { b: {}, a: {}, c: {} },
      advertisements: { one: { peers: ["c"] }, two: { peers: ["a", "nobody"], localPref: 5 } },
    };
    const { bgp } = decide({ config });
    assert.deepEqual(bgp.kind === "announced" && bgp.peers, ["a", "c"]);
  });
});

describe("decideService() refuses", () => {
  const rows: readonly (readonly [string, RefusalReason, Input])[] = [
    ["a Service that is gone", "serviceDeleted", { service: undefined }],
    ["one without address", "noIPAllocated", { service: facts({ addresses: [] }) }],
    [
      "a host name in the status",
      "invalidIP",
      { service: facts({ invalidAddress: "lb.example.com" }) },
    ],
    [
      "a host name even as the only entry",
      "invalidIP",
      { service: facts({ addresses: [], invalidAddress: "lb.example.com" }) },
    ],
    [
      "an address of no pool",
      "ipNotAllowed",
      { service: facts({ addresses: [address("198.51.100.1")] }) },
    ],
    [
      "addresses of two pools",
      "ipNotAllowed",
      {
        service: facts({ addresses: [address("192.0.2.1"), address("192.0.2.200")] }),
        config: { pools: twoPools },
      },
    ],
    [
      "a pool of no advertisement",
      "notOwner",
      { config: { pools: twoPools, advertisements: { b: { ipAddressPools: ["b"] } } } },
    ],
    [
      "when every advertisement is for other nodes",
      "notOwner",
      {
        config: {
          advertisements: { all: { nodeSelectors: [{ matchLabels: { rack: "elsewhere" } }] } },
        },
      },
    ],
    ["other labels", "noMatchingAdvertisement", { config: { advertisements: { red: RED } } }],
    [
      "two local preferences for one peer",
      "conflictingAdvertisements",
      {
        service: blue,
        config: {
          advertisements: { one: { ...BLUE, localPref: 100 }, two: { localPref: 200 } },
        },
      },
    ],
    [
      "a node whose network is not set up",
      "nodeNetworkUnavailable",
      { config: { node: { networkUnavailable: true } } },
    ],
    [
      "a node with the exclude label, whatever its value",
      "nodeLabeledExcludeBalancers",
      { config: { node: { labels: EXCLUDED } } },
    ],
    ["endpoints elsewhere only, policy Local", "noLocalEndpoints", { service: local }],
    [
      "endpoints on an unknown node, policy Local",
      "noLocalEndpoints",
      { service: local, servingNodes: new Set([""]) },
    ],
    ["no endpoint", "noEndpoints", { servingNodes: new Set<string>() }],
    [
      "policy Local before no endpoint at all",
      "noLocalEndpoints",
      { service: local, servingNodes: new Set<string>() },
    ],
    [
      "the network before the label",
      "nodeNetworkUnavailable",
      { config: { node: { networkUnavailable: true, labels: EXCLUDED } } },
    ],
  ];
  for (const [name, reason, input] of rows) {
    it(`${name}: ${reason}`, () => {
      const { bgp } = decide(input);
      assert.equal(bgp.kind, "refused");
      assert(bgp.kind === "refused");
      assert.equal(bgp.refusal.reason, reason);
      assert.notEqual(bgp.refusal.message, "");
    });
  }
});

describe("decideService() decides for each protocol", () => {
  const l2Advertisements = { all: {} };
  const rows: readonly (readonly [string, Input, string, string])[] = [
    ["both", { config: { l2Advertisements } }, "announced", "elected"],
    ["BGP alone", {}, "announced", "noMatchingAdvertisement"],
    ["Layer 2 alone", { config: { l2Advertisements, advertisements: {} } }, "notOwner", "elected"],
    [
      "Layer 2 of another pool",
      {
        config: {
          pools: twoPools,
          advertisements: {},
          l2Advertisements: { b: { ipAddressPools: ["b"] } },
        },
      },
      "notOwner",
      "noMatchingAdvertisement",
    ],
    [
      "one node of those that announce by BGP",
      { config: { l2Advertisements, others: { node2: { l2Weight: 1 } } } },
      "announced",
      "standby",
    ],
    [
      "the endpoints, policy Local",
      { service: local, config: { l2Advertisements, others: { node2: {} } } },
      "noLocalEndpoints",
      "notOwner",
    ],
    [
      "a shared address, which BGP does not mind",
      {
        service: facts({ labels: { color: "blue" }, hasSharingKey: true }),
        config: { l2Advertisements: { blue: BLUE } },
      },
      "announced",
      "sharedIPWithServiceSelector",
    ],
    [
      "no endpoint",
      { config: { l2Advertisements }, servingNodes: new Set() },
      "noEndpoints",
      "notOwner",
    ],
    [
      "neither for a Service without address",
      { config: { l2Advertisements }, service: facts({ addresses: [] }) },
      "noIPAllocated",
      "noIPAllocated",
    ],
    [
      "neither for a Service that is gone",
      { config: { l2Advertisements }, service: undefined },
      "serviceDeleted",
      "serviceDeleted",
    ],
    [
      "neither for addresses of no pool",
      { config: { l2Advertisements, pools: twoPools }, service: dual },
      "ipNotAllowed",
      "ipNotAllowed",
    ],
  ];
  for (const [name, input, bgp, l2] of rows) {
    it(name, () => assert.deepEqual(wordsOf(decide(input)), [bgp, l2]));
  }
});

describe("decideService() when the pool is gone", () => {
  const config = { pools: { other: ["198.51.100.0/24"] } };
  const previous = decide();

  it("goes on announcing the same addresses", () => {
    const { bgp, pool, poolGone } = decide({ config, previous });
    assert.deepEqual([bgp.kind, poolGone, pool], ["announced", true, "pool"]);
    const again = decide({ config, previous: decide({ config, previous }) });
    assert.equal(again.bgp.kind, "announced");
  });

  it("goes on announcing by Layer 2, from the node that comes first now", () => {
    const l2 = { advertisements: {}, l2Advertisements: { all: {} } };
    const nodes = { others: { node2: { l2Weight: 1 } } };
    const before = decide({ config: { ...l2, ...nodes } });
    assert.deepEqual(wordsOf(before), ["notOwner", "standby"]);
    const withoutPool = { ...l2, ...config };
    const held = decide({ config: { ...withoutPool, ...nodes }, previous: before });
    assert.deepEqual([held.poolGone, ...wordsOf(held)], [true, "notOwner", "standby"]);
    const alone = decide({
      config: { ...withoutPool, ...nodes, members: ["node1"] },
      previous: held,
    });
    assert.deepEqual([alone.poolGone, ...wordsOf(alone)], [true, "notOwner", "elected"]);
  });

  it("stops when the addresses change", () => {
    const service = facts({ addresses: [address("192.0.2.2")] });
    assert.deepEqual(wordsOf(decide({ config, previous, service })), BOTH_NOT_ALLOWED);
  });

  it("stops when the last endpoint goes", () => {
    const { bgp } = decide({ config, previous, servingNodes: new Set() });
    assert.equal(bgp.kind === "refused" && bgp.refusal.reason, "noEndpoints");
  });

  it("does not begin", () => {
    assert.deepEqual(wordsOf(decide({ config })), BOTH_NOT_ALLOWED);
    const refused = decide({ servingNodes: new Set() });
    assert.deepEqual(wordsOf(decide({ config, previous: refused })), BOTH_NOT_ALLOWED);
  });

  it("is over when a pool covers them again", () => {
    const { bgp, pool, poolGone } = decide({
      config: { pools: { new: ["192.0.2.0/30"] } },
      previous,
    });
    assert.deepEqual([bgp.kind, poolGone, pool], ["announced", false, "new"]);
  });
});
