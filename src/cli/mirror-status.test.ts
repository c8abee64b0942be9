// The text of mirror-status, whole.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { SpeakerState } from "../speaker/state.ts";
import { formatSeconds, formatStatus } from "./mirror-status.ts";

const NOW = Date.parse("2026-11-01T00:01:05Z");

const EMPTY: SpeakerState = {
  node: "node1",
  waitingFor: ["FRR: waiting: bgpd.vty: no such file", "The list of Services is not complete yet"],
  services: [],
  routes: [],
  sessions: [],
  problems: [],
  frr: {
    connection: "waiting: bgpd.vty: no such file",
    version: null,
    lastApply: null,
    routesWanted: 0,
    routesApplied: 0,
    commands: 0,
    refusedCommands: 0,
    problems: [],
  },
};

const FULL: SpeakerState = {
  ...EMPTY,
  waitingFor: [],
  services: [
    {
      service: "default/api",
      addresses: [],
      pool: null,
      bgp: { announced: false, reason: "noIPAllocated", message: "It has no address yet" },
    },
    {
      service: "default/web",
      addresses: ["192.0.2.1", "2001:db8::1"],
      pool: "public",
      bgp: {
        announced: true,
        prefixes: ["192.0.2.1/32", "2001:db8::1/128"],
        peers: ["leaf1", "leaf2"],
        warning: "poolGone: odd",
      },
    },
  ],
  routes: [
    {
      prefix: "192.0.2.1/32",
      heardBy: [
        {
          peers: ["leaf1"],
          localPreference: 200,
          communities: ["65000:1"],
          largeCommunities: ["65000:1:2"],
        },
        { peers: [], localPreference: null, communities: [], largeCommunities: [] },
      ],
    },
  ],
  sessions: [
    {
      peer: "leaf1",
      address: "10.0.0.2",
      vrf: null,
      remoteAs: 65100,
      state: "Established",
      establishedSeconds: 3723,
      prefixesSent: 2,
      bfd: "up",
      reason: null,
      pending: ['"timers 3 9" takes effect with the next session'],
    },
    {
      peer: "leaf2",
      address: "10.0.0.3",
      vrf: "red",
      remoteAs: "external",
      state: "Active",
      establishedSeconds: null,
      prefixesSent: 0,
      bfd: null,
      reason: "Bad peer AS",
      pending: [],
    },
  ],
  problems: ['BGPPeer "bad": spec.peerASN: Cannot use 0'],
  frr: {
    connection: "connected",
    version: "8.4.4",
    lastApply: { at: "2026-11-01T00:00:00Z", durationMs: 1.234, commands: 3 },
    routesWanted: 1,
    routesApplied: 1,
    commands: 40,
    refusedCommands: 0,
    problems: ['ConfigMap "bgpextras": line 1: FRR refused "x": no'],
  },
};

describe("formatStatus()", () => {
  it("prints everything in aligned tables", () => {
    assert.equal(
      formatStatus(FULL, NOW),
      `Node node1: ready

Services
  SERVICE      ADDRESSES              POOL    BGP        DETAIL
  default/api  -                      -       refused    noIPAllocated: It has no address yet
  default/web  192.0.2.1,2001:db8::1  public  announced  192.0.2.1/32, 2001:db8::1/128 to leaf1, leaf2; poolGone: odd

Sessions
  PEER   ADDRESS   VRF  AS        STATE        UP    SENT  BFD  DETAIL
  leaf1  10.0.0.2  -    65100     Established  1h2m  2     up   "timers 3 9" takes effect with the next session
  leaf2  10.0.0.3  red  external  Active       -     0     -    Bad peer AS

Routes
  PREFIX        HEARD BY  LOCAL PREFERENCE  COMMUNITIES
  192.0.2.1/32  leaf1     200               65000:1 65000:1:2
                all       -                 -

FRR
  connection   connected, FRR 8.4.4
  routes       1 applied, 1 wanted
  commands     40 sent, 0 refused
  last change  1m5s ago, 3 commands in 1.2 ms

Problems
  BGPPeer "bad": spec.peerASN: Cannot use 0
  ConfigMap "bgpextras": line 1: FRR refused "x": no
`,
    );
  });

  it("says what is waited for, and that there is nothing else", () => {
    assert.equal(
      formatStatus(EMPTY, NOW),
      `Node node1: not ready
  FRR: waiting: bgpd.vty: no such file
  The list of Services is not complete yet

Services: none

Sessions: none

Routes: none

FRR
  connection   waiting: bgpd.vty: no such file
  routes       0 applied, 0 wanted
  commands     0 sent, 0 refused
  last change  none since the speaker started

Problems: none
`,
    );
  });
});

for (const [seconds, text] of [
  [0, "0s"],
  [59, "59s"],
  [60, "1m"],
  [65, "1m5s"],
  [3600, "1h"],
  [3605, "1h"],
  [7325, "2h2m"],
  [90_000, "1d1h"],
] as const) {
  it(`formatSeconds() writes ${seconds} as ${text}`, () => {
    assert.equal(formatSeconds(seconds), text);
  });
}
