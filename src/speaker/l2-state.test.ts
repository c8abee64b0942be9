// How a Service stands on Layer 2, by what was decided and what the wire has made of it.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wireStatus } from "../../test/fakes/recorded-wire.ts";
import { address, type BasisText, basisOf, facts } from "../../test/speaker-config.ts";
import type { AddressState } from "../l2/handover.ts";
import { decideService } from "./announce.ts";
import { type L2State, l2State } from "./l2-state.ts";
import type { ServiceFacts } from "./service.ts";
import type { WireStatus } from "./wire.ts";

const WEB = address("192.0.2.1");
const dual = facts({ addresses: [WEB, address("2001:db8::1")] });
const answering: AddressState = { kind: "answering", sinceMs: 0, from: undefined };
const asking: AddressState = { kind: "asking", sinceMs: 0 };
const probing: AddressState = { kind: "probing", sinceMs: 0 };
const waiting: AddressState = { kind: "waiting", sinceMs: 0, for: "node2" };

const ALONE: BasisText = { l2Advertisements: { all: {} } };
const BEHIND: BasisText = { ...ALONE, others: { node2: { l2Weight: 1 } } };
const ON_ETH1: BasisText = { l2Advertisements: { all: { interfaces: ["eth1", "eth2"] } } };
const ON_ETH0: BasisText = { l2Advertisements: { all: { interfaces: ["eth1", "eth0"] } } };

type Setting = {
  readonly basis: BasisText;
  /** Default one address, 192.0.2.1. */
  readonly service?: ServiceFacts;
  /** By address. */
  readonly addresses?: Readonly<Record<string, AddressState>>;
  readonly wire?: Partial<WireStatus>;
};

function stateOf({ basis, service = facts(), addresses = {}, wire = {} }: Setting): L2State {
  const decision = decideService({
    ...basisOf(basis),
    service,
    servingNodes: new Set(["node1"]),
    previous: undefined,
  });
  const entries = Object.entries(addresses).map(([ip, state]) => [address(ip), state] as const);
  return l2State(decision, wireStatus({ addresses: new Map(entries), ...wire }));
}

describe("l2State() of a Service that is answered for", () => {
  const why = "the only candidate";
  const rows: readonly (readonly [string, Setting, Partial<L2State>])[] = [
    [
      "on all interfaces",
      { basis: ALONE, addresses: { "192.0.2.1": answering } },
      { interfaces: [], preferred: undefined, why },
    ],
    [
      "on some, of which one is there",
      { basis: ON_ETH0, addresses: { "192.0.2.1": answering } },
      { interfaces: ["eth0", "eth1"], preferred: undefined, why },
    ],
    [
      "until the node that comes first asks for it",
      { basis: BEHIND, addresses: { "192.0.2.1": answering } },
      {
        interfaces: [],
        preferred: "node2",
        why: "score 1 (l2-weight 1), the highest of 2 candidates",
      },
    ],
    [
      "by one of two addresses",
      {
        basis: ALONE,
        service: dual,
        addresses: { "192.0.2.1": asking, "2001:db8::1": answering },
      },
      { interfaces: [], preferred: undefined, why },
    ],
  ];
  for (const [name, setting, expected] of rows) {
    it(name, () => assert.deepEqual(stateOf(setting), { announced: true, ...expected }));
  }
});

describe("l2State() says why not", () => {
  const rows: readonly (readonly [string, Setting, string, string])[] = [
    [
      "of a refusal, whatever the wire does",
      { basis: {}, addresses: { "192.0.2.1": answering } },
      "noMatchingAdvertisement",
      'No L2Advertisement is for pool "pool"',
    ],
    [
      "another node comes first",
      { basis: BEHIND },
      "notOwner",
      'Node "node2" announces it: score 1 (l2-weight 1), the highest of 2 candidates',
    ],
    [
      "another node comes first, and this one is fenced",
      { basis: BEHIND, wire: { fence: "cut off" } },
      "notOwner",
      'Node "node2" announces it: score 1 (l2-weight 1), the highest of 2 candidates',
    ],
    [
      "it has just begun",
      { basis: ALONE },
      "takingOver",
      "Elected, and asking the others and the network whether it is free",
    ],
    [
      "the others are asked",
      { basis: ALONE, addresses: { "192.0.2.1": asking } },
      "takingOver",
      "Elected, and asking the others and the network whether it is free",
    ],
    [
      "the wire is asked",
      { basis: ALONE, addresses: { "192.0.2.1": probing } },
      "takingOver",
      "Elected, and asking the others and the network whether it is free",
    ],
    [
      "somebody else has it",
      { basis: ALONE, addresses: { "192.0.2.1": waiting } },
      "heldByOther",
      "Elected, but node2 answers for 192.0.2.1",
    ],
    [
      "somebody else has one of two",
      { basis: ALONE, service: dual, addresses: { "192.0.2.1": asking, "2001:db8::1": waiting } },
      "heldByOther",
      "Elected, but node2 answers for 2001:db8::1",
    ],
    [
      "the node is fenced",
      { basis: ALONE, wire: { fence: "cut off" } },
      "fenced",
      "Elected, but cut off",
    ],
    [
      "Layer 2 does not work",
      { basis: ALONE, wire: { problem: "Cannot open a packet socket", fence: "starting" } },
      "wireProblem",
      "Cannot open a packet socket",
    ],
    [
      "Layer 2 has ceased to work",
      { basis: ALONE, addresses: { "192.0.2.1": answering }, wire: { problem: "It has stopped" } },
      "wireProblem",
      "It has stopped",
    ],
    [
      "its interfaces are not there",
      { basis: ON_ETH1, addresses: { "192.0.2.1": answering } },
      "noInterface",
      "This node has none of the interfaces eth1, eth2, want one of eth0",
    ],
  ];
  for (const [name, setting, reason, message] of rows) {
    it(`${name}: ${reason}`, () => {
      assert.deepEqual(stateOf(setting), { announced: false, reason, message });
    });
  }
});
