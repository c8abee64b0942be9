// What is logged, and what becomes an Event: each thing once.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { livingMembers } from "../../test/fakes/recorded-wire.ts";
import { address, basisOf, configOf, facts } from "../../test/speaker-config.ts";
import { objectRef, type Problem } from "../config/problem.ts";
import type { FrrEvent } from "../frr/status.ts";
import type { Event } from "../kube/event.ts";
import { createLogger } from "../log.ts";
import { parseMac } from "../net/mac.ts";
import { decideService } from "./announce.ts";
import type { L2State, SilenceReason } from "./l2-state.ts";
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
    ...basisOf(),
    service,
    servingNodes: new Set(nodes),
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

  it("makes an Event on the Node, which is in no namespace", () => {
    const object = objectRef("Node", { name: "node1" });
    const message = "Cannot use metallb.io/l2-weight";
    reporter.problems([{ object, field: "metadata.annotations", message, transient: false }], []);
    assert.deepEqual(
      events.map((event) => event.object),
      [{ apiVersion: "v1", kind: "Node", namespace: undefined, name: "node1", uid: undefined }],
    );
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

describe("assigned() is MetalLB's Event", () => {
  for (const protocol of ["bgp", "layer2"] as const) {
    it(`with protocol ${protocol}`, () => {
      reporter.assigned("default/web", "uid-web", protocol);
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
          message: `announcing from node "node1" with protocol "${protocol}"`,
        },
      ]);
    });
  }
});

describe("l2Transition()", () => {
  const announced: L2State = {
    announced: true,
    interfaces: [],
    preferred: undefined,
    why: "the only candidate",
  };
  const silent = (reason: SilenceReason, message = "words"): L2State => ({
    announced: false,
    reason,
    message,
  });
  const asking = silent("takingOver");
  const absent = silent("noInterface", "none of eth1");
  const decision = decisionOf(facts());

  /** Lets a Service stand so one after the other; undefined: it is not there. */
  function pass(...states: readonly (L2State | undefined)[]): void {
    let before: L2State | undefined;
    for (const after of states) {
      const uid = after === undefined ? "" : "uid-web";
      const known = after === undefined ? undefined : decision;
      reporter.l2Transition({ key: "default/web", uid, decision: known, before, after });
      before = after;
    }
  }

  const assigned = 'Normal nodeAssigned announcing from node "node1" with protocol "layer2"';
  const failed =
    'Warning announceFailed cannot announce from node "node1" with protocol "layer2": none of eth1';
  const rows: readonly (readonly [string, readonly (L2State | undefined)[], string[], string[]])[] =
    [
      ["an address that is gained", [asking, announced], ["serviceAnnounced"], [assigned]],
      [
        "no change while it is announced",
        [announced, { ...announced, interfaces: ["eth0"] }, { ...announced, preferred: "node2" }],
        ["serviceAnnounced"],
        [assigned],
      ],
      [
        "each gain anew",
        [announced, silent("notOwner"), asking, announced],
        ["serviceAnnounced", "serviceWithdrawn notOwner: words", "serviceAnnounced"],
        [assigned, assigned],
      ],
      [
        "a loss with its reason",
        [announced, silent("fenced", "cut off")],
        ["serviceAnnounced", "serviceWithdrawn fenced: cut off"],
        [assigned],
      ],
      [
        "a Service that is deleted",
        [announced, undefined],
        [
          "serviceAnnounced",
          "serviceWithdrawn serviceDeleted: The Service is gone, or no longer of type LoadBalancer",
        ],
        [assigned],
      ],
      [
        "nothing of a Service that was never announced",
        [silent("noEndpoints"), silent("notOwner"), asking, silent("heldByOther"), undefined],
        [],
        [],
      ],
      [
        "once that interfaces are absent",
        [asking, absent, silent("noInterface", "none of eth1 any more")],
        ["announceFailed"],
        [failed],
      ],
      [
        "that they went, and came back",
        [announced, absent, announced],
        [
          "serviceAnnounced",
          "announceFailed",
          "serviceWithdrawn noInterface: none of eth1",
          "serviceAnnounced",
        ],
        [assigned, failed, assigned],
      ],
      [
        "again that they are absent after something else",
        [absent, asking, absent],
        ["announceFailed", "announceFailed"],
        [failed, failed],
      ],
    ];
  for (const [name, states, logged, told] of rows) {
    it(`tells ${name}`, () => {
      pass(...states);
      assert.deepEqual(
        lines.map(({ event, reason, message }) =>
          reason === undefined ? event : `${event} ${reason}: ${message}`,
        ),
        logged,
      );
      assert.deepEqual(
        events.map(({ type, reason, message }) => `${type} ${reason} ${message}`),
        told,
      );
    });
  }

  it("names Service, addresses and pool in the log, and the Service in the Event", () => {
    pass(announced);
    const [{ service, protocol, ips, pool }] = lines;
    assert.deepEqual(
      [service, protocol, ips, pool],
      ["default/web", "layer2", ["192.0.2.1"], "pool"],
    );
    const { apiVersion, kind, namespace, name, uid } = events[0]?.object ?? {};
    assert.deepEqual(
      [apiVersion, kind, namespace, name, uid],
      ["v1", "Service", "default", "web", "uid-web"],
    );
  });
});

describe("wireEvent()", () => {
  const WEB = address("192.0.2.1");

  it("logs what the wire has done", () => {
    reporter.wireEvent({ kind: "gained", address: WEB, from: "node2", durationMs: 2.345 });
    reporter.wireEvent({ kind: "lost", address: WEB, why: "handedOver", to: "node2" });
    assert.deepEqual(
      lines.map(({ level, event, ip, from, ms, why, to }) => [level, event, ip, from, ms, why, to]),
      [
        ["info", "addressGained", WEB, "node2", 2.3, undefined, undefined],
        ["info", "addressLost", WEB, undefined, undefined, "handedOver", "node2"],
      ],
    );
  });

  it("is loud about another host with the address", () => {
    const mac = parseMac("02:00:00:00:00:09");
    assert(mac !== undefined);
    reporter.wireEvent({ kind: "conflict", address: WEB, mac, role: "answering" });
    assert.deepEqual(
      lines.map(({ level, event, ip, mac: by, role }) => [level, event, ip, by, role]),
      [["error", "addressConflict", WEB, "02:00:00:00:00:09", "answering"]],
    );
  });
});

describe("members()", () => {
  it("logs who comes, dies, and is not known any more, each once", () => {
    const both = livingMembers("node1", "node2");
    const members = both.members.map((member) =>
      member.name === "node2" ? { ...member, state: "dead" as const } : member,
    );
    for (const snapshot of [undefined, both, both, { ...both, members }, livingMembers("node1")]) {
      reporter.members(snapshot);
    }
    assert.deepEqual(
      lines.map(({ event, member, was, state, msg }) => [event, member, was, state, msg]),
      [
        ["memberState", "node1", undefined, "alive", "speaker is alive"],
        ["memberState", "node2", undefined, "alive", "speaker is alive"],
        ["memberState", "node2", "alive", "dead", "speaker is dead"],
        ["memberState", "node2", undefined, undefined, "speaker is no longer known"],
      ],
    );
  });
});

describe("fence()", () => {
  it("says why this node answers for nothing, and when it may again, each once", () => {
    for (const why of [undefined, "starting", "starting", "cut off", undefined, undefined]) {
      reporter.fence(why);
    }
    assert.deepEqual(
      lines.map(({ level, event, why, msg }) => [level, event, why, msg]),
      [
        ["warn", "fenced", "starting", "answering for nothing"],
        ["warn", "fenced", "cut off", "answering for nothing"],
        ["info", "fenced", undefined, "may answer for addresses"],
      ],
    );
  });
});

describe("l2Problems()", () => {
  it("tells what is new on the node's ConfigurationState, and the end of it in the log", () => {
    reporter.l2Problems([], ["one", "two"]);
    reporter.l2Problems(["one", "two"], ["two", "three"]);
    assert.deepEqual(
      lines.map(({ level, msg }) => `${level} ${msg}`),
      ["error one", "error two", "error three", "info no longer a problem: one"],
    );
    const told = (problem: string) =>
      `Warning layer2Problem metallb.io/v1beta1 ConfigurationState speaker-node1 node "node1": ${problem}`;
    assert.deepEqual(eventTexts(), ["one", "two", "three"].map(told));
  });
});
