// Configurations for the tests of the speaker's decisions, compiled from objects as users write them.

import assert from "node:assert/strict";
import { type ConfigResources, parseConfig } from "../src/config/config.ts";
import { type Address, parseAddress } from "../src/net/address.ts";
import type { DecisionBasis } from "../src/speaker/desired.ts";
import { Elections } from "../src/speaker/election.ts";
import { Electorate } from "../src/speaker/electorate.ts";
import { compileL2Policies } from "../src/speaker/l2-policy.ts";
import { compilePolicy, type Policy } from "../src/speaker/policy.ts";
import type { NodeState, ServiceFacts } from "../src/speaker/service.ts";

type Values = Readonly<Record<string, unknown>>;

export type ConfigText = {
  /** Addresses by pool name; default one pool "pool" with 192.0.2.0/24 and 2001:db8::/64. */
  readonly pools?: Readonly<Record<string, readonly string[]>>;
  /** Specs by name; default one that says nothing, "all". */
  readonly advertisements?: Readonly<Record<string, Values>>;
  /** Specs by name; default none. */
  readonly l2Advertisements?: Readonly<Record<string, Values>>;
  /** Specs by name; default one peer "leaf1". */
  readonly peers?: Readonly<Record<string, Values>>;
  readonly bfdProfiles?: Readonly<Record<string, Values>>;
  readonly extras?: string;
};

/** A configuration, and the nodes it is looked at from. */
export type BasisText = ConfigText & {
  /** This node, "node1"; default an ordinary one. */
  readonly node?: Partial<NodeState>;
  /** The other Nodes by name; default none. */
  readonly others?: Readonly<Record<string, Partial<NodeState>>>;
  /** Nodes whose speaker is alive; default: membership is off. */
  readonly members?: readonly string[];
  readonly ignoreExcludeLabel?: boolean;
};

export function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

export function nodeState(changes: Partial<NodeState> = {}): NodeState {
  return {
    name: "node1",
    labels: {},
    networkUnavailable: false,
    internalIpv4: address("10.0.0.1"),
    l2Weight: 0,
    l2WeightProblem: undefined,
    ...changes,
  };
}

/** Compiles for a node with these labels; fails when there is any problem. */
export function configOf(text: ConfigText = {}, labels: Readonly<Record<string, string>> = {}) {
  const {
    pools = { pool: ["192.0.2.0/24", "2001:db8::/64"] },
    advertisements = { all: {} },
    l2Advertisements = {},
    peers = { leaf1: {} },
    bfdProfiles = {},
    extras = "",
  } = text;
  const resources = {
    pools: objects(pools, (addresses) => ({ addresses })),
    bgpAdvertisements: objects(advertisements, (spec) => spec),
    peers: objects(peers, (spec, index) => ({
      myASN: 65000,
      peerASN: 65100,
      peerAddress: spec["interface"] === undefined ? `10.0.1.${index + 1}` : undefined,
      ...spec,
    })),
    bfdProfiles: objects(bfdProfiles, (spec) => spec),
    l2Advertisements: objects(l2Advertisements, (spec) => spec),
    communities: [],
    namespaces: [],
    secrets: [],
    extras,
  };
  const { config, problems } = parseConfig(resources as ConfigResources, {
    node: { name: "node1", labels },
    accepted: new Map(),
  });
  assert.deepEqual(problems, []);
  return config;
}

export function policyOf(text: ConfigText = {}): Policy {
  return compilePolicy(configOf(text));
}

/** Everything decisions depend on besides Services and their endpoints. */
export function basisOf(text: BasisText = {}): DecisionBasis {
  const { others = {}, members, ignoreExcludeLabel = false } = text;
  const node = nodeState(text.node);
  const config = configOf(text, node.labels);
  const nodes = new Map([[node.name, node]]);
  for (const [name, changes] of Object.entries(others)) {
    nodes.set(name, nodeState({ name, ...changes }));
  }
  return {
    policy: compilePolicy(config),
    node,
    l2Policies: compileL2Policies(config.l2Advertisements, config.pools.keys(), nodes),
    electorate: new Electorate({
      self: node.name,
      nodes,
      members: members && new Set(members),
      ignoreExcludeLabel,
      elections: new Elections(),
    }),
    ignoreExcludeLabel,
  };
}

/** A Service "default/web" at 192.0.2.1. */
export function facts(changes: Partial<ServiceFacts> = {}): ServiceFacts {
  return {
    key: "default/web",
    uid: "uid-web",
    labels: {},
    isLocal: false,
    addresses: [address("192.0.2.1")],
    invalidAddress: undefined,
    hasSharingKey: false,
    l2Condition: undefined,
    ...changes,
  };
}

function objects<T>(
  specs: Readonly<Record<string, T>>,
  specOf: (value: T, index: number) => object,
): object[] {
  return Object.entries(specs).map(([name, value], index) => ({
    metadata: { name, namespace: "metallb-system" },
    // Without the keys that are undefined, as the API server sends it.
    spec: JSON.parse(JSON.stringify(specOf(value, index))),
  }));
}
