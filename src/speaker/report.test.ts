// What is logged, and what becomes an Event: each thing once.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { address, configOf, facts, nodeState, policyOf } from "../../test/speaker-config.ts";
import { objectRef, type Problem } from "../config/problem.ts";
import type { FrrEvent } from "../frr/status.ts";
import type { Event } from "../kube/event.ts";
import { createLogger } from "../log.ts";
import { decideService } from "./announce.ts";
import { createReporter, type Reporter } from "./report.ts";
import type { ServiceFacts } from "./service.ts";
import { sessionsOf } from "./sessions.ts";

// biome-ignore lint/suspicious/noExplicitAny: log lines have any keys
let lines: any[];
let events: Event[];
let reporter: Reporter;

beforeEach(() => {
  lines = [];
  events = [];
  reporter = createReporter({
    node: "node1",
    log: createLogger({
      level: "all",
      destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
    }),
    emit: (event) => events.push(event),
    objectOf: (kind, name) => objectRef(kind, { name, namespace: "metallb-system", uid: "uid" }),
  });
});

function eventTexts(): string[] {
  return events.map(({ object, type, reason, message }) =>
    [type, reason, object.apiVersion, object.kind, object.name, message].join(" "),
  );
}

function decisionOf(service: ServiceFacts | undefined, nodes: readonly string[] = ["node1"]) {
  return decideService({
    service,
    servingNodes: new Set(nodes),
    node: nodeState(),
    policy: policyOf(),
    ignoreExcludeLabel: false,
    previous: undefined,
  });
}

describe("transition()", () => {
  const key = "default/web";
  const announced = decisionOf(facts());
  const refused = decisionOf(facts(), []);

  it("logs a Service that is announced, and one that no longer is with the reason", () => {
    reporter.transition({ key, service: facts(), before: undefined, after: announced });
    reporter.transition({ key, service: facts(), before: announced, after: refused });
    assert.deepEqual(
      lines.map(({ event, service, protocol, ips, reason }) => [
        event,
        service,
        protocol,
        ips,
        reason,
      ]),
      [
        ["serviceAnnounced", key, "bgp", ["192.0.2.1"], undefined],
        ["serviceWithdrawn", key, "bgp", ["192.0.2.1"], "noEndpoints"],
      ],
    );
  });

  it("says nothing of what goes on as before", () => {
    reporter.transition({ key, service: facts(), before: undefined, after: refused });
    reporter.transition({ key, service: facts(), before: announced, after: announced });
    reporter.transition({ key, service: undefined, before: refused, after: decisionOf(undefined) });
    assert.deepEqual(lines, []);
  });

  it("logs another address", () => {
    const moved = decisionOf(facts({ addresses: [address("192.0.2.9")] }));
    reporter.transition({ key, service: facts(), before: announced, after: moved });
    assert.deepEqual(
      lines.map(({ event, ips }) => [event, ips]),
      [["serviceAnnounced", ["192.0.2.9"]]],
    );
  });
});

describe("problems()", () => {
  const problem = (kind: string, message: string): Problem => ({
    object: objectRef(kind, { name: "bad", namespace: "metallb-system", uid: "uid" }),
    field: "spec.x",
    message,
    transient: false,
  });

  it("tells each once, another one of the same object too, and the end of it", () => {
    reporter.problems([problem("BGPPeer", "one")], []);
    reporter.problems([problem("BGPPeer", "one")], []);
    reporter.problems([problem("BGPPeer", "two")], []);
    reporter.problems([], []);
    assert.deepEqual(
      lines.map(({ level, msg }) => `${level} ${msg}`),
      [
        'error BGPPeer "bad": spec.x: one',
        'error BGPPeer "bad": spec.x: two',
        'info no longer a problem: BGPPeer "bad": spec.x: one',
        'info no longer a problem: BGPPeer "bad": spec.x: two',
      ],
    );
    assert.deepEqual(eventTexts(), [
      'Warning ConfigurationError metallb.io/v1beta2 BGPPeer bad on node "node1": spec.x: one',
      'Warning ConfigurationError metallb.io/v1beta2 BGPPeer bad on node "node1": spec.x: two',
    ]);
  });

  it("leaves Events on what every node sees to the controller", () => {
    const everywhere = problem("BGPPeer", "one");
    reporter.problems([everywhere, problem("ConfigMap", "two")], [everywhere]);
    assert.equal(lines.length, 2);
    assert.deepEqual(eventTexts(), [
      'Warning ConfigurationError v1 ConfigMap bad on node "node1": spec.x: two',
    ]);
  });
});

describe("frrEvent()", () => {
  const { peers } = configOf({ pools: {}, peers: { leaf1: { peerAddress: "10.0.0.2" } } });
  const sessions = sessionsOf(peers, frrStatus());
  const tell = (event: FrrEvent) => reporter.frrEvent(event, sessions);

  it("names the peer of a session that comes up", () => {
    const up = neighbor("10.0.0.2");
    tell({ kind: "session", neighbor: up, oldState: "OpenConfirm", newState: "Established" });
    const [{ level, msg, peer, node, address: at }] = lines;
    assert.deepEqual(
      [level, msg, peer, node, at],
      ["info", "BGP session established", "leaf1", "node1", "10.0.0.2"],
    );
  });

  it("has the reason of a session that goes down, and is quiet about attempts", () => {
    const reason = "The peer closed it";
    const down = neighbor("10.0.0.2", { sessionState: "Idle", reason });
    tell({ kind: "session", neighbor: down, oldState: "Established", newState: "Idle" });
    tell({ kind: "session", neighbor: down, oldState: "Idle", newState: "Connect" });
    assert.deepEqual(
      lines.map(({ level, msg, reason: why }) => [level, msg, why]),
      [
        ["warn", "BGP session down", reason],
        ["debug", "BGP session", undefined],
      ],
    );
  });

  it("turns what concerns one object into an Event on it", () => {
    tell({ kind: "session-reset", peerName: "leaf1", reason: "AS changed" });
    for (const problem of [
      { kind: "refused-extra", lineNumber: 1, line: "x", message: "no" },
      { kind: "next-session", peerName: "leaf1", line: "timers 3 9" },
      { kind: "refused-line", peerName: "leaf1", line: "y", message: "no" },
      { kind: "refused-line", peerName: undefined, line: "z", message: "no" },
      { kind: "file", message: "Cannot write x" },
    ] as const) {
      tell({ kind: "problem", problem });
    }
    assert.deepEqual(
      events.map(({ reason, object: { kind, name } }) => [reason, kind, name]),
      [
        ["sessionReset", "BGPPeer", "leaf1"],
        ["frrRefused", "ConfigMap", "bgpextras"],
        ["nextSession", "BGPPeer", "leaf1"],
        ["frrRefused", "BGPPeer", "leaf1"],
      ],
    );
    assert.equal(lines.length, 6);
  });
});

describe("frrStatus()", () => {
  it("says once what it waits for, and again when that changed", () => {
    const waiting = (reason: string) => frrStatus({ connection: { kind: "waiting", reason } });
    for (const status of [waiting("a"), waiting("a"), waiting("b"), frrStatus(), waiting("b")]) {
      reporter.frrStatus(status);
    }
    assert.deepEqual(
      lines.map(({ msg }) => msg),
      ["a", "b", "b"].map((reason) => `waiting for FRR: waiting: ${reason}`),
    );
  });
});

describe("sessions()", () => {
  it("warns on the BGPPeer, and says when it is well again", () => {
    const { peers } = configOf({ pools: {}, peers: { leaf1: { peerAddress: "10.0.0.2" } } });
    const down = neighbor("10.0.0.2", { sessionState: "Idle", reason: "Bad peer AS" });
    const look = (state: typeof down, nowMs: number) =>
      reporter.sessions(sessionsOf(peers, frrStatus({ neighbors: [state] })), nowMs);
    look(down, 0);
    look(down, 10_000);
    look(down, 11_000);
    look(neighbor("10.0.0.2"), 12_000);
    assert.deepEqual(eventTexts(), [
      'Warning sessionFailed metallb.io/v1beta2 BGPPeer leaf1 session of node "node1" does not come up: Bad peer AS',
      'Normal sessionEstablished metallb.io/v1beta2 BGPPeer leaf1 session of node "node1" is established',
    ]);
  });
});

it("assigned() is MetalLB's Event", () => {
  reporter.assigned("default/web", "uid-web");
  assert.deepEqual(events, [
    {
      object: {
        apiVersion: "v1",
        kind: "Service",
        namespace: "default",
        name: "web",
        uid: "uid-web",
      },
      type: "Normal",
      reason: "nodeAssigned",
      message: 'announcing from node "node1" with protocol "bgp"',
    },
  ]);
});
