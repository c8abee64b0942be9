// The state that mirror-status prints.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { address, configOf, facts, nodeState } from "../../test/speaker-config.ts";
import type { FrrProblem } from "../frr/status.ts";
import { DesiredState } from "./desired.ts";
import { compilePolicy } from "./policy.ts";
import { sessionsOf } from "./sessions.ts";
import { connectionText, formatFrrProblem, type StateFacts, speakerState } from "./state.ts";

const config = configOf({
  peers: { leaf1: { password: "s3cret" } },
  advertisements: { all: { localPref: 7 } },
});

function factsWith(changes: Partial<StateFacts> = {}): StateFacts {
  const desired = new DesiredState({ ignoreExcludeLabel: false });
  desired.setService(facts({ key: "default/web" }));
  desired.setService(facts({ key: "default/app", addresses: [address("198.51.100.1")] }));
  desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
  desired.setBasis({ policy: compilePolicy(config), node: nodeState() });
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
    sessions: sessionsOf(config.peers, frr),
    problems: [],
    frr,
    lastApply: null,
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
      },
      {
        service: "default/web",
        addresses: ["192.0.2.1"],
        pool: "pool",
        bgp: { announced: true, prefixes: ["192.0.2.1/32"], peers: ["leaf1"], warning: null },
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
    const nobody = configOf({ peers: {} });
    const desired = new DesiredState({ ignoreExcludeLabel: false });
    desired.setService(facts());
    desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
    desired.setBasis({ policy: compilePolicy(nobody), node: nodeState() });
    desired.decide();
    const { services, routes } = speakerState(
      factsWith({ decisions: desired.decisions, routes: desired.routes }),
    );
    assert.deepEqual(services[0]?.bgp, {
      announced: true,
      prefixes: [],
      peers: [],
      warning: "No peer of this node hears it",
    });
    assert.deepEqual(routes, []);
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
