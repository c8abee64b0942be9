// Every node of a cluster decides for one Service: who is elected, who stands by, who refuses and
// why, on configurations as users write them.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { l2AdvertisementsOf, nodesOf } from "../../test/l2-config.ts";
import { address, facts } from "../../test/speaker-config.ts";
import { type ElectionNode, Elections } from "./election.ts";
import { Electorate } from "./electorate.ts";
import { Endpoints, pruneSlice } from "./endpoints.ts";
import { compileL2Policies } from "./l2-policy.ts";
import { decideLayer2, type L2Decision } from "./layer2.ts";
import type { RefusalReason } from "./refusal.ts";
import type { ServiceFacts } from "./service.ts";

/** [node, conditions of an endpoint there]. */
type EndpointText = readonly [
  node: string,
  conditions?: { readonly ready?: boolean; readonly serving?: boolean },
];

type Setting = {
  /** Default: a, b and c. */
  readonly nodes?: Readonly<Record<string, Partial<ElectionNode>>>;
  /** Default: membership is off. */
  readonly members?: readonly string[];
  /** Specs by name; default one that says nothing. */
  readonly advertisements?: Readonly<Record<string, object>>;
  readonly service?: Partial<ServiceFacts>;
  /** By slice; default one endpoint on every node. */
  readonly slices?: readonly (readonly EndpointText[])[];
  readonly ignoreExcludeLabel?: boolean;
};

const WEB = "192.0.2.1";

/** What each node decides. */
function decisionsOf(setting: Setting = {}): Readonly<Record<string, L2Decision>> {
  const nodes = nodesOf(setting.nodes ?? { a: {}, b: {}, c: {} });
  const advertisements = l2AdvertisementsOf(setting.advertisements ?? { all: {} }, ["pool"]);
  const policy = compileL2Policies(advertisements, ["pool"], nodes).get("pool");
  assert(policy !== undefined);
  const members = setting.members && new Set(setting.members);
  const slices = setting.slices ?? [[...nodes.keys()].map((name): EndpointText => [name])];
  const decisions: Record<string, L2Decision> = {};
  for (const self of nodes.keys()) {
    const electorate = new Electorate({
      self,
      nodes,
      members,
      ignoreExcludeLabel: setting.ignoreExcludeLabel ?? false,
      elections: new Elections(),
    });
    decisions[self] = decideLayer2({
      service: facts({ addresses: [address(WEB)], ...setting.service }),
      servingNodes: servingNodesOf(slices),
      policy,
      electorate,
    });
  }
  return decisions;
}

function servingNodesOf(slices: readonly (readonly EndpointText[])[]): ReadonlySet<string> {
  const endpoints = new Endpoints();
  for (const [index, texts] of slices.entries()) {
    const slice = pruneSlice({
      metadata: {
        name: `web-${index}`,
        namespace: "default",
        labels: { "kubernetes.io/service-name": "web" },
      },
      endpoints: texts.map(([nodeName, conditions = {}]) => ({
        addresses: ["10.244.0.1"],
        nodeName,
        conditions,
      })),
    });
    assert(slice !== undefined);
    endpoints.set(`default/web-${index}`, slice, undefined);
  }
  return endpoints.nodesOf("default/web");
}

/** The one whose hash comes first. */
function winnerOf(names: readonly string[], ip = WEB): string | undefined {
  const digest = (name: string) => createHash("sha256").update(`${name}#${ip}`).digest("hex");
  return names.toSorted((a, b) => (digest(a) < digest(b) ? -1 : 1))[0];
}

/** "elected", "standby: owner" or the reason of the refusal. */
function textOf(decision: L2Decision): string {
  switch (decision.kind) {
    case "elected":
      return "elected";
    case "standby":
      return `standby: ${decision.owner}`;
    case "refused":
      return decision.refusal.reason;
  }
}

function messageOf(decision: L2Decision | undefined): string {
  assert(decision?.kind === "refused");
  return decision.refusal.message;
}

/** Asserts that the winner of `among` is elected, that the other candidates stand by, and what the rest says. */
function assertElected(setting: Setting, expected: Elected): void {
  const { among, behind = [], refused = {} } = expected;
  const owner = winnerOf(among, setting.service?.addresses?.[0] ?? WEB);
  const wanted: Record<string, string> = { ...refused };
  for (const name of [...among, ...behind]) {
    wanted[name] = name === owner ? "elected" : `standby: ${owner}`;
  }
  const decisions = decisionsOf(setting);
  const found = Object.entries(decisions).map(([name, decision]) => [name, textOf(decision)]);
  assert.deepEqual(Object.fromEntries(found), wanted);
  for (const decision of Object.values(decisions)) {
    if (decision.kind === "refused") assert.notEqual(decision.refusal.message, "");
    else {
      const candidates = [...among, ...behind].sort();
      assert.deepEqual(decision.announcement.candidates.toSorted(), candidates);
    }
  }
}

type Elected = {
  /** The candidates with the highest score. */
  readonly among: readonly string[];
  /** Candidates with less. */
  readonly behind?: readonly string[];
  /** Everybody else. */
  readonly refused?: Readonly<Record<string, RefusalReason>>;
};

/** Asserts what every node refuses with. */
function assertRefused(setting: Setting, reason: RefusalReason): void {
  for (const [name, decision] of Object.entries(decisionsOf(setting))) {
    assert.equal(textOf(decision), reason, name);
    assert.notEqual(messageOf(decision), "");
  }
}

const LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";
const EXCLUDED = { labels: { [LABEL]: "" } };
const ON_A = { nodeSelectors: [{ matchLabels: { name: "a" } }] };
const ON_B = { nodeSelectors: [{ matchLabels: { name: "b" } }] };
const ON_AB = {
  nodeSelectors: [{ matchExpressions: [{ key: "name", operator: "In", values: ["a", "b"] }] }],
};
const NAMED = {
  a: { labels: { name: "a" } },
  b: { labels: { name: "b" } },
  c: { labels: { name: "c" } },
};
const BLUE = { serviceSelectors: [{ matchLabels: { color: "blue" } }] };
const RED = { serviceSelectors: [{ matchLabels: { color: "red" } }] };
const blue = { labels: { color: "blue" } };
const local = { isLocal: true };
const notReady = { ready: false };
const terminating = { ready: false, serving: true };
const notServing = { ready: true, serving: false };
const ALL = ["a", "b", "c"];

type Row = readonly [name: string, setting: Setting, expected: Elected];

function table(rows: readonly Row[]): void {
  for (const [name, setting, expected] of rows) {
    it(name, () => assertElected(setting, expected));
  }
}

describe("decideLayer2() by endpoints", () => {
  table([
    ["any node, policy Cluster", { slices: [[["a"]]] }, { among: ALL }],
    ["any node when endpoints are on unknown nodes", { slices: [[[""]]] }, { among: ALL }],
    [
      "one that serves while it terminates",
      {
        slices: [
          [
            ["a", notReady],
            ["b", terminating],
          ],
        ],
      },
      { among: ALL },
    ],
    ["one that is ready but not serving", { slices: [[["a", notServing]]] }, { among: ALL }],
    [
      "on different hosts, policy Local",
      { service: local, slices: [[["a"], ["b"]]] },
      { among: ["a", "b"], refused: { c: "notOwner" } },
    ],
    [
      "in several slices, policy Local",
      { service: local, slices: [[["a"]], [["c"]]] },
      { among: ["a", "c"], refused: { b: "notOwner" } },
    ],
    [
      "twice on one host, policy Local",
      { service: local, slices: [[["a"], ["a"]]] },
      { among: ["a"], refused: { b: "notOwner", c: "notOwner" } },
    ],
    [
      "twice on one host, one not ready, policy Local",
      { service: local, slices: [[["a", notReady], ["a"]]] },
      { among: ["a"], refused: { b: "notOwner", c: "notOwner" } },
    ],
    [
      "two on one host, one on another, policy Local",
      { service: local, slices: [[["a"], ["a"], ["b"]]] },
      { among: ["a", "b"], refused: { c: "notOwner" } },
    ],
    [
      "one host not ready, policy Local",
      { service: local, slices: [[["a", notReady], ["b"]]] },
      { among: ["b"], refused: { a: "notOwner", c: "notOwner" } },
    ],
    [
      "one host not ready but serving, policy Local",
      {
        service: local,
        slices: [
          [
            ["a", terminating],
            ["b", notReady],
          ],
        ],
      },
      { among: ["a"], refused: { b: "notOwner", c: "notOwner" } },
    ],
    [
      "a dead host with an endpoint, policy Local",
      { service: local, members: ["b", "c"], slices: [[["a"], ["b"]]] },
      { among: ["b"], refused: { a: "notOwner", c: "notOwner" } },
    ],
  ]);
  const refusals: readonly (readonly [string, Setting])[] = [
    ["no endpoint", { slices: [] }],
    [
      "none ready",
      {
        slices: [
          [
            ["a", notReady],
            ["a", notReady],
          ],
        ],
      },
    ],
    ["none ready on two hosts", { slices: [[["a", notReady]], [["b", notReady]]] }],
    [
      "none ready, policy Local",
      {
        service: local,
        slices: [
          [
            ["a", notReady],
            ["b", notReady],
          ],
        ],
      },
    ],
    ["endpoints on unknown nodes only, policy Local", { service: local, slices: [[[""]]] }],
  ];
  for (const [name, setting] of refusals) {
    it(`refuses ${name}`, () => assertRefused(setting, "notOwner"));
  }
});

describe("decideLayer2() by nodes", () => {
  table([
    ["all that are known, membership off", {}, { among: ALL }],
    [
      "those that are alive",
      { members: ["a", "c"] },
      { among: ["a", "c"], refused: { b: "notOwner" } },
    ],
    [
      "not a member the API server does not know",
      { members: ["a", "b", "c", "stranger"] },
      { among: ALL },
    ],
    [
      "not one whose network is not set up",
      { nodes: { a: { networkUnavailable: true }, b: {} } },
      { among: ["b"], refused: { a: "notOwner" } },
    ],
    [
      "not one with the exclude label",
      { nodes: { a: EXCLUDED, b: {} } },
      { among: ["b"], refused: { a: "notOwner" } },
    ],
    [
      "the same, the other way round",
      { nodes: { a: {}, b: { labels: { [LABEL]: "false" } } } },
      { among: ["a"], refused: { b: "notOwner" } },
    ],
    [
      "despite the exclude label when told to",
      { nodes: { a: EXCLUDED, b: EXCLUDED }, ignoreExcludeLabel: true },
      { among: ["a", "b"] },
    ],
    [
      "those an advertisement includes",
      { nodes: NAMED, advertisements: { ab: ON_AB } },
      { among: ["a", "b"], refused: { c: "noMatchingAdvertisement" } },
    ],
    [
      "those any advertisement includes",
      { nodes: NAMED, advertisements: { a: ON_A, b: ON_B } },
      { among: ["a", "b"], refused: { c: "noMatchingAdvertisement" } },
    ],
    [
      "one without endpoint, policy Cluster",
      { nodes: NAMED, advertisements: { a: ON_A }, slices: [[["b"]]] },
      {
        among: ["a"],
        refused: { b: "noMatchingAdvertisement", c: "noMatchingAdvertisement" },
      },
    ],
    [
      "one advertisement for each node as one for both, policy Local",
      {
        nodes: NAMED,
        advertisements: { a: ON_A, b: ON_B },
        service: local,
        slices: [[["b"], ["c"]]],
      },
      { among: ["b"], refused: { a: "notOwner", c: "noMatchingAdvertisement" } },
    ],
  ]);

  it("elects nobody when the only endpoint is on a node outside the advertisement, policy Local", () => {
    const setting = {
      nodes: NAMED,
      advertisements: { a: ON_A },
      service: local,
    };
    const decisions = decisionsOf({ ...setting, slices: [[["b"]]] });
    assert.deepEqual(Object.values(decisions).map(textOf), [
      "notOwner",
      "noMatchingAdvertisement",
      "noMatchingAdvertisement",
    ]);
    assert.equal(
      messageOf(decisions["a"]),
      'No node can announce it: "a" has no serving endpoint, with externalTrafficPolicy Local',
    );
  });

  it("elects nobody without members", () => assertRefused({ members: [] }, "notOwner"));

  it("knows nothing of a node that is not in the API", () => {
    const electorate = new Electorate({
      self: "new",
      nodes: nodesOf({ a: {} }),
      members: undefined,
      ignoreExcludeLabel: false,
      elections: new Elections(),
    });
    const advertisements = l2AdvertisementsOf({ all: {} }, ["pool"]);
    const policy = compileL2Policies(advertisements, ["pool"], nodesOf({ a: {} })).get("pool");
    assert(policy !== undefined);
    const servingNodes = new Set(["a"]);
    const decision = decideLayer2({ service: facts(), servingNodes, policy, electorate });
    assert.equal(textOf(decision), "noMatchingAdvertisement");
  });

  it("goes by the nodes of now with a policy of before", () => {
    const advertisements = l2AdvertisementsOf({ all: {} }, ["pool"]);
    const before = nodesOf({ a: {}, b: {} });
    const policy = compileL2Policies(advertisements, ["pool"], before).get("pool");
    assert(policy !== undefined);
    const electorate = new Electorate({
      self: "b",
      nodes: nodesOf({ b: {} }),
      members: undefined,
      ignoreExcludeLabel: false,
      elections: new Elections(),
    });
    const servingNodes = new Set(["b"]);
    const decision = decideLayer2({ service: facts(), servingNodes, policy, electorate });
    assert.equal(textOf(decision), "elected");
  });
});

describe("decideLayer2() by Service", () => {
  table([
    ["matching labels", { advertisements: { blue: BLUE }, service: blue }, { among: ALL }],
    [
      "the advertisement that matches of several",
      {
        nodes: NAMED,
        advertisements: { blue: { ...BLUE, ...ON_A }, red: { ...RED, ...ON_B } },
        service: blue,
      },
      {
        among: ["a"],
        refused: { b: "noMatchingAdvertisement", c: "noMatchingAdvertisement" },
      },
    ],
    [
      "one selector of several",
      {
        advertisements: {
          both: { serviceSelectors: [...RED.serviceSelectors, ...BLUE.serviceSelectors] },
        },
        service: blue,
      },
      { among: ALL },
    ],
    [
      "a shared address where no matching advertisement has selectors",
      {
        advertisements: { all: {}, red: RED },
        service: { ...blue, hasSharingKey: true },
      },
      { among: ALL },
    ],
    ["an IPv6 address", { service: { addresses: [address("2001:db8::1")] } }, { among: ALL }],
    [
      "both families by the first address",
      { service: { addresses: [address("2001:db8::9"), address("192.0.2.1")] } },
      { among: ALL },
    ],
  ]);
  const refusals: readonly (readonly [string, RefusalReason, Setting])[] = [
    ["no address", "noIPAllocated", { service: { addresses: [] } }],
    ["a pool of no advertisement", "noMatchingAdvertisement", { advertisements: {} }],
    ["other labels", "noMatchingAdvertisement", { advertisements: { red: RED }, service: blue }],
    [
      "a shared address with selectors",
      "sharedIPWithServiceSelector",
      { advertisements: { blue: BLUE }, service: { ...blue, hasSharingKey: true } },
    ],
    [
      "a shared address with selectors in one of two",
      "sharedIPWithServiceSelector",
      { advertisements: { all: {}, blue: BLUE }, service: { ...blue, hasSharingKey: true } },
    ],
    [
      "no endpoint before a shared address",
      "notOwner",
      {
        advertisements: { blue: BLUE },
        service: { ...blue, hasSharingKey: true },
        slices: [],
      },
    ],
    [
      "a shared address before nodes that are not included",
      "sharedIPWithServiceSelector",
      {
        advertisements: { blue: { ...BLUE, ...ON_A } },
        service: { ...blue, hasSharingKey: true },
      },
    ],
  ];
  for (const [name, reason, setting] of refusals) {
    it(`refuses ${name}: ${reason}`, () => assertRefused(setting, reason));
  }
});

describe("decideLayer2() by preference", () => {
  const prefer = (name: string, weight: number) => ({
    weight,
    preference: { matchLabels: { name } },
  });
  const preferring = (...preferredNodeSelectors: readonly object[]) => ({ preferredNodeSelectors });
  const preferA = { prefer: preferring(prefer("a", 10)) };
  table([
    ["an empty list", { nodes: NAMED, advertisements: { all: preferring() } }, { among: ALL }],
    ["one node", { nodes: NAMED, advertisements: preferA }, { among: ["a"], behind: ["b", "c"] }],
    [
      "the higher weight",
      { nodes: NAMED, advertisements: { p: preferring(prefer("a", 10), prefer("b", 20)) } },
      { among: ["b"], behind: ["a", "c"] },
    ],
    [
      "equal weights by hash",
      { nodes: NAMED, advertisements: { p: preferring(prefer("a", 9), prefer("c", 9)) } },
      { among: ["a", "c"], behind: ["b"] },
    ],
    [
      "the sum over advertisements",
      {
        nodes: NAMED,
        advertisements: {
          one: preferring(prefer("a", 60), prefer("b", 50)),
          two: preferring(prefer("b", 20)),
        },
      },
      { among: ["b"], behind: ["a", "c"] },
    ],
    [
      "equal advertisements twice",
      {
        nodes: NAMED,
        advertisements: {
          one: preferring(prefer("a", 60)),
          two: preferring(prefer("a", 60)),
          three: preferring(prefer("b", 100)),
        },
      },
      { among: ["a"], behind: ["b", "c"] },
    ],
    [
      "only where the advertisement includes the node",
      {
        nodes: NAMED,
        advertisements: { a: { ...ON_A, ...preferring(prefer("b", 99)) }, all: {} },
      },
      { among: ALL },
    ],
    [
      "only where the advertisement matches the Service",
      {
        nodes: NAMED,
        advertisements: { red: { ...RED, ...preferring(prefer("b", 99)) }, all: {} },
      },
      { among: ALL },
    ],
    [
      "the l2-weight of a node",
      { nodes: { a: {}, b: { l2Weight: 20 }, c: { l2Weight: 5 } } },
      { among: ["b"], behind: ["a", "c"] },
    ],
    [
      "the l2-weight added to preferences",
      {
        nodes: { ...NAMED, b: { labels: { name: "b" }, l2Weight: 11 } },
        advertisements: preferA,
      },
      { among: ["b"], behind: ["a", "c"] },
    ],
    [
      "not a preferred node without endpoint, policy Local",
      {
        nodes: NAMED,
        advertisements: preferA,
        service: local,
        slices: [[["b"], ["c"]]],
      },
      { among: ["b", "c"], refused: { a: "notOwner" } },
    ],
    [
      "the others when the preferred node is dead",
      { nodes: NAMED, advertisements: preferA, members: ["b", "c"] },
      { among: ["b", "c"], refused: { a: "notOwner" } },
    ],
  ]);
});

describe("decideLayer2() tells how to announce", () => {
  type Announced = {
    readonly interfaces: readonly string[];
    readonly failback: number | undefined;
  };
  const rows: readonly (readonly [string, Readonly<Record<string, object>>, Announced])[] = [
    ["on all interfaces, moving back at once", { all: {} }, { interfaces: [], failback: 0 }],
    [
      "on those of one advertisement, sorted, each once",
      { one: { interfaces: ["eth2", "eth1", "eth2"] } },
      { interfaces: ["eth1", "eth2"], failback: 0 },
    ],
    [
      "on those of several",
      { one: { interfaces: ["eth2"] }, two: { interfaces: ["eth0", "eth2"] } },
      { interfaces: ["eth0", "eth2"], failback: 0 },
    ],
    [
      "on all when one advertisement says so",
      { one: { interfaces: ["eth2"] }, all: {} },
      { interfaces: [], failback: 0 },
    ],
    [
      "not on those of advertisements for other nodes",
      { one: { interfaces: ["eth2"] }, other: { ...ON_B, interfaces: ["eth1"] } },
      { interfaces: ["eth2"], failback: 0 },
    ],
    [
      "not on those of advertisements for other Services",
      { one: { interfaces: ["eth2"] }, other: RED },
      { interfaces: ["eth2"], failback: 0 },
    ],
    ["with a delay", { one: { failbackDelay: "30s" } }, { interfaces: [], failback: 30_000 }],
    [
      "with the longest delay",
      { one: { failbackDelay: "30s" }, two: { failbackDelay: "5m" }, three: {} },
      { interfaces: [], failback: 300_000 },
    ],
    [
      "for ever before any delay",
      { one: { failbackDelay: "30s" }, two: { failbackDelay: "never" } },
      { interfaces: [], failback: undefined },
    ],
    [
      "with the delay of advertisements for other nodes, so that all nodes agree",
      { one: {}, other: { ...ON_B, failbackDelay: "1m" } },
      { interfaces: [], failback: 60_000 },
    ],
  ];
  for (const [name, advertisements, expected] of rows) {
    it(name, () => {
      const nodes = { a: { labels: { name: "a" }, l2Weight: 1 }, b: { labels: { name: "b" } } };
      const { a } = decisionsOf({ nodes, advertisements });
      assert(a?.kind === "elected");
      const { interfaces, failbackDelayMs: failback } = a.announcement;
      assert.deepEqual({ interfaces, failback }, expected);
    });
  }

  it("and why", () => {
    const { a, b } = decisionsOf({ nodes: { a: { l2Weight: 20 }, b: {} } });
    const why = "score 20 (l2-weight 20), the highest of 2 candidates";
    assert(a?.kind === "elected" && b?.kind === "standby");
    assert.deepEqual([a.announcement.why, b.announcement.why], [why, why]);
  });
});

describe("decideLayer2() when the exclude label leaves nobody", () => {
  it("says so, and who would announce", () => {
    const decisions = decisionsOf({ nodes: { a: EXCLUDED, b: EXCLUDED, c: EXCLUDED } });
    for (const decision of Object.values(decisions)) {
      assert(decision.kind === "refused");
      assert.equal(decision.refusal.reason, "nodeLabeledExcludeBalancers");
      const message = `No node can announce it: "a", "b", "c" have the label ${LABEL}`;
      assert.equal(decision.refusal.message, message);
      assert.equal(decision.excludedOnly, winnerOf(ALL));
    }
  });

  it("passes over nodes that could not announce without it", () => {
    const nodes = {
      a: { ...EXCLUDED, networkUnavailable: true },
      b: EXCLUDED,
      c: EXCLUDED,
      d: EXCLUDED,
    };
    const setting = { nodes, members: ["a", "b", "d"], service: local };
    const { b } = decisionsOf({ ...setting, slices: [[["a"], ["b"], ["c"]]] });
    assert(b?.kind === "refused");
    assert.equal(b.excludedOnly, "b");
    assert.equal(
      b.refusal.message,
      `No node can announce it: "b" has the label ${LABEL}; "d" has no serving endpoint, with externalTrafficPolicy Local; "a" has the condition NetworkUnavailable; "c" has no living speaker`,
    );
  });

  it("prefers by score", () => {
    const nodes = { a: EXCLUDED, b: { ...EXCLUDED, l2Weight: 1 }, c: EXCLUDED };
    const { a } = decisionsOf({ nodes });
    assert(a?.kind === "refused");
    assert.equal(a.excludedOnly, "b");
  });

  const others: readonly (readonly [string, Setting])[] = [
    ["another node announces", { nodes: { a: EXCLUDED, b: {} } }],
    ["no endpoint is serving", { nodes: { a: EXCLUDED }, slices: [] }],
    ["labelled nodes are dead", { nodes: { a: EXCLUDED, b: EXCLUDED }, members: [] }],
    [
      "labelled nodes have no endpoint, policy Local",
      { nodes: { a: EXCLUDED, b: EXCLUDED }, service: local, slices: [[["elsewhere"]]] },
    ],
  ];
  for (const [name, setting] of others) {
    it(`is not that when ${name}`, () => {
      const { a } = decisionsOf(setting);
      assert(a?.kind === "refused");
      assert.deepEqual([a.refusal.reason, a.excludedOnly], ["notOwner", undefined]);
    });
  }
});

describe("decideLayer2() says in words", () => {
  const rows: readonly (readonly [string, Setting, string])[] = [
    ["no endpoint", { slices: [] }, "No endpoint is serving"],
    [
      "who comes first, and why this node does not stand",
      { nodes: { a: EXCLUDED, b: {} } },
      `Node "b" comes first (the only candidate); this node is no candidate: it has the label ${LABEL}`,
    ],
    [
      "a missing endpoint",
      { nodes: { a: {}, b: {} }, service: local, slices: [[["b"]]] },
      'Node "b" comes first (the only candidate); this node is no candidate: it has no serving endpoint, with externalTrafficPolicy Local',
    ],
    [
      "many nodes, shortened",
      {
        nodes: Object.fromEntries(
          [..."abcdefgh"].map((name) => [name, { networkUnavailable: true }]),
        ),
      },
      'No node can announce it: "a", "b", "c", "d", "e" and 3 more have the condition NetworkUnavailable',
    ],
    [
      "a pool without advertisement",
      { advertisements: {} },
      'No L2Advertisement is for pool "pool"',
    ],
    [
      "labels that match nothing",
      { advertisements: { red: RED } },
      'Its labels match the serviceSelectors of none of the L2Advertisements "red"',
    ],
    [
      "a node that is not included",
      { advertisements: { b: ON_B, all: RED } },
      'The nodeSelectors of L2Advertisements "b" do not include this node',
    ],
  ];
  for (const [name, setting, expected] of rows) {
    it(name, () => assert.equal(messageOf(decisionsOf(setting)["a"]), expected));
  }
});

describe("decideLayer2() leaves it to a successor", () => {
  const rows: readonly (readonly [string, Setting, string | undefined])[] = [
    [
      "where the network of the node is not set up",
      { nodes: { a: { networkUnavailable: true }, b: {} } },
      "b",
    ],
    ["where the node has the exclude label", { nodes: { a: EXCLUDED, b: {} } }, "b"],
    ["where its speaker is not alive", { nodes: { a: {}, b: {} }, members: ["b"] }, "b"],
    [
      "where its last endpoint is gone, policy Local",
      { nodes: { a: {}, b: {} }, service: local, slices: [[["b"]]] },
      "b",
    ],
    ["where nodeSelectors do not include it", { nodes: NAMED, advertisements: { b: ON_B } }, "b"],
    [
      "of several the one that comes first",
      { nodes: { a: EXCLUDED, b: {}, c: { l2Weight: 1 } } },
      "c",
    ],
    ["none where no endpoint is serving", { nodes: { a: {}, b: {} }, slices: [] }, undefined],
    [
      "none where no advertisement is for the Service",
      { nodes: { a: {}, b: {} }, advertisements: { red: RED } },
      undefined,
    ],
    [
      "none where advertisements for other nodes are for other Services",
      { nodes: NAMED, advertisements: { b: { ...ON_B, ...RED } } },
      undefined,
    ],
    [
      "none where the nodes that are included cannot",
      { nodes: NAMED, advertisements: { b: ON_B }, members: ["a", "c"] },
      undefined,
    ],
    [
      "none where every node has the exclude label",
      { nodes: { a: EXCLUDED, b: EXCLUDED } },
      undefined,
    ],
    [
      "none where selectors forbid to share",
      {
        nodes: { a: {}, b: {} },
        advertisements: { blue: BLUE },
        service: { ...blue, hasSharingKey: true },
      },
      undefined,
    ],
  ];
  for (const [name, setting, expected] of rows) {
    it(name, () => {
      const { a } = decisionsOf(setting);
      assert(a?.kind === "refused");
      assert.equal(a.successor, expected);
    });
  }

  it("that is elected itself", () => {
    const decisions = decisionsOf({ nodes: NAMED, advertisements: { ab: ON_AB } });
    const { c } = decisions;
    assert(c?.kind === "refused" && c.successor !== undefined);
    assert.equal(decisions[c.successor]?.kind, "elected");
  });
});
