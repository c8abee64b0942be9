// Every refusal by its reason and every kind of announcement, on configurations as users write them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { address, type ConfigText, facts, nodeState, policyOf } from "../../test/speaker-config.ts";
import { type Decision, type DecisionInput, decideService } from "./announce.ts";
import type { RefusalReason } from "./refusal.ts";

type Input = Partial<Omit<DecisionInput, "policy">> & { readonly config?: ConfigText };

function decide({ config, ...more }: Input = {}): Decision {
  return decideService({
    service: facts(),
    servingNodes: new Set(["node2"]),
    node: nodeState(),
    policy: policyOf(config),
    ignoreExcludeLabel: false,
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
      { node: nodeState({ labels: EXCLUDED }), ignoreExcludeLabel: true },
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
      { node: nodeState({ networkUnavailable: true }) },
    ],
    [
      "a node with the exclude label, whatever its value",
      "nodeLabeledExcludeBalancers",
      { node: nodeState({ labels: EXCLUDED }) },
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
      { node: nodeState({ networkUnavailable: true, labels: EXCLUDED }) },
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

describe("decideService() when the pool is gone", () => {
  const config = { pools: { other: ["198.51.100.0/24"] } };
  const previous = decide();

  it("goes on announcing the same addresses", () => {
    const { bgp, pool } = decide({ config, previous });
    assert(bgp.kind === "announced");
    assert.equal(bgp.poolGone, true);
    assert.equal(pool, "pool");
    const again = decide({ config, previous: decide({ config, previous }) });
    assert.equal(again.bgp.kind, "announced");
  });

  it("stops when the addresses change", () => {
    const service = facts({ addresses: [address("192.0.2.2")] });
    const { bgp } = decide({ config, previous, service });
    assert.equal(bgp.kind === "refused" && bgp.refusal.reason, "ipNotAllowed");
  });

  it("stops when the last endpoint goes", () => {
    const { bgp } = decide({ config, previous, servingNodes: new Set() });
    assert.equal(bgp.kind === "refused" && bgp.refusal.reason, "noEndpoints");
  });

  it("does not begin", () => {
    const { bgp } = decide({ config });
    assert.equal(bgp.kind === "refused" && bgp.refusal.reason, "ipNotAllowed");
  });

  it("is over when a pool covers them again", () => {
    const { bgp, pool } = decide({ config: { pools: { new: ["192.0.2.0/30"] } }, previous });
    assert(bgp.kind === "announced");
    assert.deepEqual([bgp.poolGone, pool], [false, "new"]);
  });
});
