// The state that mirror-status prints.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { wireStatus } from "../../test/fakes/recorded-wire.ts";
import { address, type BasisText, basisOf, configOf, facts } from "../../test/speaker-config.ts";
import type { FrrProblem } from "../frr/status.ts";
import { DesiredState } from "./desired.ts";
import { sessionsOf } from "./sessions.ts";
import { connectionText, formatFrrProblem, type StateFacts, speakerState } from "./state.ts";

const TEXT = {
  peers: { leaf1: { password: "s3cret" } },
  advertisements: { all: { localPref: 7 } },
};
const NO_L2 = { announced: false, reason: "noMatchingAdvertisement", owner: null };
const WEB = address("192.0.2.1");

function factsWith(changes: Partial<StateFacts> = {}, text: BasisText = TEXT): StateFacts {
  const desired = new DesiredState();
  desired.setService(facts({ key: "default/web" }));
  desired.setService(facts({ key: "default/app", addresses: [address("198.51.100.1")] }));
  desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
  desired.setBasis(basisOf(text));
  desired.decide();
  const frr = frrStatus({
    neighbors: [neighbor("10.0.1.1", { establishedMs: 61_900, sentPrefixes: 1 })],
    appliedRoutes: 1,
  });
  return {
    node: "node1",
    waitingFor: [],
    decisions: desired.decisions,
    routes: desired.routes,
    sessions: sessionsOf(configOf(text).peers, frr),
    problems: [],
    frr,
    lastApply: null,
    wire: wireStatus(),
    l2Problems: [],
    ...changes,
  };
}

describe("speakerState()", () => {
  const state = speakerState(factsWith());

  it("tells each Service what became of it, in the order of their names", () => {
    assert.deepEqual(state.services, [
      {
        service: "default/app",
        addresses: ["198.51.100.1"],
        pool: null,
        bgp: {
          announced: false,
          reason: "ipNotAllowed",
          message: "Not all of 198.51.100.1 are in one pool",
        },
        l2: {
          announced: false,
          reason: "ipNotAllowed",
          message: "Not all of 198.51.100.1 are in one pool",
          owner: null,
        },
      },
      {
        service: "default/web",
        addresses: ["192.0.2.1"],
        pool: "pool",
        bgp: { announced: true, prefixes: ["192.0.2.1/32"], peers: ["leaf1"], warning: null },
        l2: { ...NO_L2, message: 'No L2Advertisement is for pool "pool"' },
      },
    ]);
  });

  it("tells routes, sessions and FRR", () => {
    const entry = { peers: [], localPreference: 7, communities: [], largeCommunities: [] };
    assert.deepEqual(state.routes, [{ prefix: "192.0.2.1/32", heardBy: [entry] }]);
    assert.deepEqual(state.sessions, [
      {
        peer: "leaf1",
        address: "10.0.1.1",
        vrf: null,
        remoteAs: 65100,
        state: "Established",
        establishedSeconds: 61,
        prefixesSent: 1,
        bfd: null,
        reason: null,
        pending: [],
      },
    ]);
    assert.deepEqual(state.frr, {
      connection: "connected",
      version: "8.4.4",
      lastApply: null,
      routesWanted: 1,
      routesApplied: 1,
      commands: 0,
      refusedCommands: 0,
      problems: [],
    });
  });

  it("holds no password, and survives JSON", () => {
    assert(!JSON.stringify(state).includes("s3cret"));
    assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
  });

  it("warns of a Service that no peer hears", () => {
    const { services, routes } = speakerState(factsWith({}, { peers: {} }));
    assert.deepEqual(services[1]?.bgp, {
      announced: true,
      prefixes: [],
      peers: [],
      warning: "No peer of this node hears it",
    });
    assert.deepEqual(routes, []);
  });
});

describe("speakerState() of Layer 2", () => {
  const ALONE: BasisText = { l2Advertisements: { all: { interfaces: ["eth0"] } } };
  const BEHIND: BasisText = { ...ALONE, others: { node2: { l2Weight: 1 } } };
  const answering = wireStatus({
    addresses: new Map([[WEB, { kind: "answering", sinceMs: 0, from: undefined }]]),
  });
  const webOf = (text: BasisText, wire: StateFacts["wire"]) =>
    speakerState(factsWith({ wire }, text)).services[1]?.l2;

  it("says where it answers and why", () => {
    assert.deepEqual(webOf(ALONE, answering), {
      announced: true,
      interfaces: ["eth0"],
      why: "the only candidate",
      warning: null,
    });
  });

  it("warns of what goes on until another node asks for it", () => {
    assert.deepEqual(webOf(BEHIND, answering), {
      announced: true,
      interfaces: ["eth0"],
      why: "score 1 (l2-weight 1), the highest of 2 candidates",
      warning: 'until node "node2" takes over',
    });
  });

  it("names the node that is elected", () => {
    assert.deepEqual(webOf(BEHIND, wireStatus()), {
      announced: false,
      reason: "notOwner",
      message: 'Node "node2" announces it: score 1 (l2-weight 1), the highest of 2 candidates',
      owner: "node2",
    });
    assert.deepEqual(webOf(ALONE, wireStatus()), {
      announced: false,
      reason: "takingOver",
      message: "Elected, and asking the others and the network whether it is free",
      owner: null,
    });
  });

  it("warns of a pool that is gone", () => {
    const desired = new DesiredState();
    desired.setService(facts());
    desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
    desired.setBasis(basisOf(ALONE));
    desired.decide();
    desired.setBasis(basisOf({ ...ALONE, pools: { other: ["198.51.100.0/24"] } }));
    desired.decide();
    const { decisions } = desired;
    const [web] = speakerState(factsWith({ decisions, wire: answering })).services;
    assert(web?.l2.announced === true && web.bgp.announced);
    assert.match(web.l2.warning ?? "", /^poolGone: /);
    assert.equal(web.bgp.warning, web.l2.warning);
  });

  it("has the state of the wire", () => {
    const { layer2 } = speakerState(factsWith({ wire: answering, l2Problems: ["odd"] }));
    assert.deepEqual(
      [layer2.addresses[0]?.address, layer2.problems, layer2.interfaces[0]?.name],
      ["192.0.2.1", ["odd"], "eth0"],
    );
  });
});

describe("words for FRR", () => {
  for (const [problem, text] of [
    [
      { kind: "refused-line", peerName: "leaf1", line: "bfd profile x", message: "no" },
      'BGPPeer "leaf1": FRR refused "bfd profile x": no',
    ],
    [
      { kind: "refused-line", peerName: undefined, line: "log x", message: "no" },
      'FRR refused "log x": no',
    ],
    [
      { kind: "refused-extra", lineNumber: 2, line: "x", message: "no" },
      'ConfigMap "bgpextras": line 2: FRR refused "x": no',
    ],
    [
      { kind: "next-session", peerName: "leaf1", line: "timers 3 9" },
      'BGPPeer "leaf1": "timers 3 9" takes effect with the next session',
    ],
    [{ kind: "file", message: "Cannot write x" }, "Cannot write x"],
  ] satisfies readonly (readonly [FrrProblem, string])[]) {
    it(`formatFrrProblem() of ${problem.kind}: ${text}`, () => {
      assert.equal(formatFrrProblem(problem), text);
    });
  }

  it("connectionText() of every state", () => {
    const textOf = (connection: StateFacts["frr"]["connection"]) =>
      connectionText(frrStatus({ connection }));
    assert.equal(textOf({ kind: "connected" }), "connected");
    assert.equal(textOf({ kind: "waiting", reason: "no bgpd" }), "waiting: no bgpd");
    assert.equal(textOf({ kind: "hung", reason: "bgpd silent" }), "hung: bgpd silent");
  });
});
