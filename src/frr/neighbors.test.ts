import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type NeighborState, parseBfdPeers, parseNeighbors } from "./neighbors.ts";

/** An established IPv4 neighbor as FRR 8.4.4 shows it, without what is not read. */
const ESTABLISHED_8_4 = {
  remoteAs: 65100,
  localAs: 65000,
  nbrExternalLink: true,
  hostname: "leaf",
  bgpVersion: 4,
  remoteRouterId: "10.88.0.2",
  localRouterId: "10.88.0.1",
  bgpState: "Established",
  bgpTimerUpMsec: 61_000,
  bgpTimerUpString: "00:01:01",
  bgpTimerLastRead: 1000,
  bgpTimerHoldTimeMsecs: 9000,
  bgpTimerKeepAliveIntervalMsecs: 3000,
  neighborCapabilities: { gracefulRestartCapability: "received" },
  messageStats: {
    depthInq: 0,
    depthOutq: 0,
    opensSent: 2,
    opensRecv: 1,
    notificationsSent: 3,
    notificationsRecv: 4,
    updatesSent: 5,
    updatesRecv: 6,
    keepalivesSent: 7,
    keepalivesRecv: 8,
    routeRefreshSent: 9,
    routeRefreshRecv: 0,
    totalSent: 26,
    totalRecv: 19,
  },
  addressFamilyInfo: {
    ipv4Unicast: { sentPrefixCounter: 3, acceptedPrefixCounter: 0 },
    ipv6Unicast: { sentPrefixCounter: 2, acceptedPrefixCounter: 1 },
  },
  connectionsEstablished: 2,
  connectionsDropped: 1,
  lastReset: "never",
  hostLocal: "10.88.0.1",
  portForeign: 179,
};

/** The same from 10.x: keys came, one went (frr 10.7: gracefulRestartCapability). */
const ESTABLISHED_10 = {
  ...ESTABLISHED_8_4,
  neighborCapabilities: { gracefulRestart: "advertisedAndReceived" },
  softwareVersion: "FRRouting/10.3",
  bgpInUpdateElapsedTimeMsecs: 61_000,
  extendedOptionalParametersLength: false,
};

const ESTABLISHED: NeighborState = {
  name: "10.88.0.2",
  vrf: "default",
  remoteAs: 65100,
  sessionState: "Established",
  establishedMs: 61_000,
  establishedCount: 2,
  sentPrefixes: 5,
  receivedPrefixes: 1,
  reason: undefined,
  foreignPort: 179,
  holdTimeSeconds: 9,
  keepaliveSeconds: 3,
  messages: {
    opensSent: 2,
    opensReceived: 1,
    notificationsSent: 3,
    notificationsReceived: 4,
    updatesSent: 5,
    updatesReceived: 6,
    keepalivesSent: 7,
    keepalivesReceived: 8,
    routeRefreshesSent: 9,
    totalSent: 26,
    totalReceived: 19,
  },
};

function neighborsText(neighbor: object, name = "10.88.0.2", vrf = "default"): string {
  return JSON.stringify({ [vrf]: { vrfId: 0, vrfName: vrf, [name]: neighbor } });
}

describe("parseNeighbors()", () => {
  for (const [version, json] of [
    ["8.4", ESTABLISHED_8_4],
    ["10.x", ESTABLISHED_10],
  ] as const) {
    it(`reads an established neighbor of ${version}`, () => {
      assert.deepEqual(parseNeighbors(neighborsText(json)), [ESTABLISHED]);
    });
  }

  it("names an unnumbered neighbor by its interface, and keeps VRFs apart", () => {
    const text = JSON.stringify({
      default: { vrfId: 0, vrfName: "default", eth0: ESTABLISHED_8_4 },
      red: { vrfId: 5, vrfName: "red", "10.88.0.2": ESTABLISHED_8_4 },
    });
    const names = parseNeighbors(text).map(({ vrf, name }) => `${vrf} ${name}`);
    assert.deepEqual(names, ["default eth0", "red 10.88.0.2"]);
  });

  for (const text of ["", " \n", "{}", '{"default":{"vrfId":0,"vrfName":"default"}}']) {
    it(`finds nobody in ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseNeighbors(text), []);
    });
  }

  it("takes absent keys as unknown", () => {
    const [state] = parseNeighbors(neighborsText({ bgpState: "Idle" }));
    assert.equal(state?.remoteAs, undefined);
    assert.equal(state?.establishedMs, undefined);
    assert.equal(state?.sentPrefixes, 0);
    assert.equal(state?.messages.totalSent, 0);
  });

  it("throws for text that is not JSON", () => {
    assert.throws(() => parseNeighbors("% BGP instance not found"), SyntaxError);
  });
});

describe("parseNeighbors() says of a session that is down:", () => {
  const silent = { opensSent: 0, opensRecv: 0 };
  const answered = { opensSent: 3, opensRecv: 2 };
  // Seen on 8.4.4 against another FRR, except BFD (10.3).
  for (const [reason, json] of [
    [
      "refused: bad peer AS: the AS numbers of the two sides do not match (2/2)",
      {
        bgpState: "Idle",
        lastErrorCodeSubcode: "0202",
        lastResetDueTo: "BGP Notification send",
        messageStats: answered,
      },
    ],
    [
      "peer refused: bad peer AS: the AS numbers of the two sides do not match (2/2)",
      {
        bgpState: "Idle",
        lastErrorCodeSubcode: "0202",
        lastResetDueTo: "BGP Notification received",
        messageStats: answered,
      },
    ],
    [
      "peer closed: administrative shutdown (6/2)",
      {
        bgpState: "Active",
        lastErrorCodeSubcode: "0602",
        lastResetDueTo: "BGP Notification received",
        messageStats: answered,
      },
    ],
    [
      "closed: hold timer expired: nothing was heard for the hold time (4/0)",
      {
        bgpState: "OpenSent",
        lastErrorCodeSubcode: "0400",
        lastResetDueTo: "BGP Notification send",
        messageStats: answered,
      },
    ],
    [
      "closed: BFD down (6/10)",
      {
        bgpState: "Active",
        lastErrorCodeSubcode: "060A",
        lastResetDueTo: "BGP Notification send",
        messageStats: answered,
      },
    ],
    [
      "peer closed: notification 9/9 (9/9)",
      {
        bgpState: "Idle",
        lastErrorCodeSubcode: "0909",
        lastResetDueTo: "BGP Notification received",
        messageStats: answered,
      },
    ],
    [
      "peer closed the connection without a word: it may not know this address, or expect a password",
      {
        bgpState: "Active",
        lastResetDueTo: "Waiting for peer OPEN",
        messageStats: { opensSent: 4, opensRecv: 0 },
      },
    ],
    [
      "TCP is not answered: nobody listens, a filter drops it, or the peer expects a password",
      { bgpState: "Connect", lastResetDueTo: "Waiting for peer OPEN", messageStats: silent },
    ],
    [
      "TCP is not answered: nobody listens, a filter drops it, or the passwords differ",
      { bgpState: "Connect", authenticationEnabled: 1, messageStats: silent },
    ],
    [
      "TCP is not answered: nobody listens, a filter drops it, or the passwords differ",
      {
        bgpState: "Connect",
        authenticationEnabled: 1,
        lastErrorCodeSubcode: "0606",
        lastResetDueTo: "Password config change",
        messageStats: answered,
      },
    ],
    [
      "BFD is down: the session waits for it",
      { bgpState: "Idle", peerBfdInfo: { status: "Down" }, messageStats: silent },
    ],
    [
      "interface down",
      { bgpState: "Idle", lastResetDueTo: "Interface down", messageStats: silent },
    ],
    [
      undefined,
      {
        bgpState: "Idle",
        lastResetDueTo: "No AFI/SAFI activated for peer",
        messageStats: silent,
      },
    ],
  ] as const) {
    it(reason ?? "nothing, before it was tried", () => {
      assert.equal(parseNeighbors(neighborsText(json))[0]?.reason, reason);
    });
  }
});

describe("parseBfdPeers()", () => {
  const peer = {
    multihop: false,
    peer: "10.88.0.2",
    local: "10.88.0.1",
    vrf: "default",
    interface: "eth0",
    id: 1,
    "remote-id": 2,
    status: "down",
    diagnostic: "control detection time expired",
    "remote-diagnostic": "ok",
  };
  const counters = {
    multihop: false,
    peer: "10.88.0.2",
    local: "10.88.0.1",
    vrf: "default",
    interface: "eth0",
    "control-packet-input": 1,
    "control-packet-output": 2,
    "echo-packet-input": 3,
    "echo-packet-output": 4,
    "session-up": 5,
    "session-down": 6,
    "zebra-notifications": 7,
  };

  for (const [version, more] of [
    ["8.4", {}],
    ["10.7", { type: "dynamic", profile: "fast", "detection-timeout": 900 }],
  ] as const) {
    it(`joins sessions of ${version} with their counters`, () => {
      const text = JSON.stringify([{ ...peer, ...more }]);
      assert.deepEqual(parseBfdPeers(text, JSON.stringify([counters])), [
        {
          peer: "10.88.0.2",
          interfaceName: "eth0",
          vrf: "default",
          state: "down",
          diagnostic: "control detection time expired",
          remoteDiagnostic: undefined,
          counters: {
            controlPacketsIn: 1,
            controlPacketsOut: 2,
            echoPacketsIn: 3,
            echoPacketsOut: 4,
            upEvents: 5,
            downEvents: 6,
            zebraNotifications: 7,
          },
        },
      ]);
    });
  }

  it("does not take the counters of another session of the same peer", () => {
    const other = { ...counters, interface: "eth1" };
    const [state] = parseBfdPeers(JSON.stringify([peer]), JSON.stringify([other]));
    assert.equal(state?.counters.upEvents, 0);
  });

  it("finds nothing in empty answers", () => assert.deepEqual(parseBfdPeers("", " \n"), []));
});
