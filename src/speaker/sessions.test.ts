// Sessions joined from peers and read-back, and when somebody is told about them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { configOf } from "../../test/speaker-config.ts";
import type { BfdState } from "../frr/neighbors.ts";
import {
  failureOf,
  findPeer,
  isEstablished,
  type SessionReport,
  type SessionWatch,
  sessionsOf,
  watchSessions,
} from "./sessions.ts";

const { peers } = configOf({
  pools: {},
  bfdProfiles: { fast: {} },
  peers: {
    leaf1: { peerAddress: "10.0.0.2", bfdProfile: "fast" },
    red: { peerAddress: "10.0.0.2", vrf: "red" },
    unnumbered: { interface: "eth0", peerAddress: undefined, bfdProfile: "fast" },
  },
});

function bfd(changes: Partial<BfdState>): BfdState {
  return {
    peer: "10.0.0.2",
    interfaceName: undefined,
    vrf: "default",
    state: "up",
    diagnostic: undefined,
    remoteDiagnostic: undefined,
    counters: {
      controlPacketsIn: 0,
      controlPacketsOut: 0,
      echoPacketsIn: 0,
      echoPacketsOut: 0,
      upEvents: 0,
      downEvents: 0,
      zebraNotifications: 0,
    },
    ...changes,
  };
}

describe("sessionsOf()", () => {
  const sessions = sessionsOf(
    peers,
    frrStatus({
      neighbors: [neighbor("10.0.0.2", { vrf: "red", sessionState: "Idle" }), neighbor("eth0")],
      bfd: [bfd({}), bfd({ peer: "fe80::1", interfaceName: "eth0", state: "down" })],
      problems: [
        { kind: "next-session", peerName: "red", line: "timers 3 9" },
        { kind: "refused-line", peerName: "red", line: "bfd profile x", message: "no" },
        { kind: "refused-line", peerName: undefined, line: "log x", message: "no" },
      ],
    }),
  );

  it("joins by address or interface and VRF", () => {
    assert.deepEqual(
      sessions.map((one) => [one.peer.name, one.neighbor?.sessionState, one.bfd?.state]),
      [
        ["leaf1", undefined, "up"],
        ["red", "Idle", undefined],
        ["unnumbered", "Established", "down"],
      ],
    );
    assert.deepEqual(sessions.map(isEstablished), [false, false, true]);
  });

  it("says what of a session is not in force", () => {
    assert.deepEqual(
      sessions.map(({ notInForce }) => notInForce),
      [
        [],
        ['"timers 3 9" takes effect with the next session', 'FRR refused "bfd profile x": no'],
        [],
      ],
    );
  });

  it("findPeer() is the way back", () => {
    assert.equal(findPeer(peers, { name: "10.0.0.2", vrf: "red" })?.name, "red");
    assert.equal(findPeer(peers, { name: "eth0", vrf: "default" })?.name, "unnumbered");
    assert.equal(findPeer(peers, { name: "10.9.9.9", vrf: "default" }), undefined);
  });
});

describe("watchSessions()", () => {
  const [leaf1] = configOf({ pools: {}, peers: { leaf1: { peerAddress: "10.0.0.2" } } }).peers;
  assert(leaf1 !== undefined);
  const down = (reason?: string) =>
    sessionsOf(
      [leaf1],
      frrStatus({ neighbors: [neighbor("10.0.0.2", { sessionState: "Active", reason })] }),
    );
  const up = () => sessionsOf([leaf1], frrStatus({ neighbors: [neighbor("10.0.0.2")] }));

  /** Looks at the given times in seconds; returns what is told, with the time it is told at. */
  function tell(looks: readonly (readonly [number, ReturnType<typeof up>])[]): string[] {
    let watches: ReadonlyMap<string, SessionWatch> = new Map();
    const told: string[] = [];
    const textOf = (report: SessionReport) =>
      report.kind === "failing" ? `${report.reason} after ${report.downMs / 1000}` : "recovered";
    for (const [seconds, sessions] of looks) {
      const next = watchSessions(watches, sessions, seconds * 1000);
      watches = next.watches;
      told.push(...next.reports.map((report) => `${seconds}: ${textOf(report)}`));
    }
    return told;
  }

  it("is patient with a session that is coming up", () => {
    assert.deepEqual(
      tell([
        [0, down("a")],
        [9, down("a")],
        [9.5, up()],
        [30, up()],
      ]),
      [],
    );
  });

  it("tells once that it does not come up, and once that it is up after all", () => {
    assert.deepEqual(
      tell([
        [0, down("a")],
        [10, down("a")],
        [11, down("a")],
        [500, down("a")],
        [501, up()],
        [502, up()],
      ]),
      ["10: a after 10", "501: recovered"],
    );
  });

  it("tells another reason, but not each second", () => {
    assert.deepEqual(
      tell([
        [0, down("a")],
        [10, down("a")],
        [11, down("b")],
        [69, down("b")],
        [70, down("b")],
        [71, down("b")],
      ]),
      ["10: a after 10", "70: b after 70"],
    );
  });

  it("begins anew when it goes down again", () => {
    assert.deepEqual(
      tell([
        [0, up()],
        [1, down("a")],
        [10, down("a")],
        [11, down("a")],
      ]),
      ["11: a after 10"],
    );
  });

  it("forgets peers that are gone", () => {
    const { watches } = watchSessions(new Map(), down("a"), 0);
    assert.equal(watchSessions(watches, [], 1).watches.size, 0);
  });

  it("has words for every failure", () => {
    assert.match(
      failureOf(sessionsOf([leaf1], frrStatus({}))[0] ?? assert.fail()),
      /does not know/,
    );
    assert.match(failureOf(down()[0] ?? assert.fail()), /check address, port, password and route/);
    assert.equal(failureOf(down("Hold timer expired")[0] ?? assert.fail()), "Hold timer expired");
  });
});
