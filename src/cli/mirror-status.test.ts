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
  layer2: {
    problems: [],
    fence: "starting",
    addresses: [],
    members: null,
    interfaces: [],
    lastTakeover: null,
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
      l2: {
        announced: false,
        reason: "noIPAllocated",
        message: "It has no address yet",
        owner: null,
      },
    },
    {
      service: "default/dns",
      addresses: ["192.0.2.53"],
      pool: "public",
      bgp: { announced: false, reason: "notOwner", message: "No BGPAdvertisement" },
      l2: {
        announced: true,
        interfaces: ["eth0", "eth1"],
        why: "first of 3 candidates by hash",
        warning: 'until node "node2" takes over',
      },
    },
    {
      service: "default/mail",
      addresses: ["192.0.2.25"],
      pool: "public",
      bgp: {
        announced: true,
        prefixes: [],
        peers: [],
        warning: "No peer of this node hears it",
      },
      l2: { announced: true, interfaces: [], why: "the only candidate", warning: null },
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
      l2: {
        announced: false,
        reason: "notOwner",
        message: 'Node "node3" announces it: first of 3 candidates by hash',
        owner: "node3",
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
  layer2: {
    problems: ["Cannot open a packet socket: EPERM"],
    fence: null,
    addresses: [
      { address: "192.0.2.25", state: "waiting", since: "2026-11-01T00:01:00Z", other: "node2" },
      { address: "192.0.2.53", state: "answering", since: "2026-11-01T00:00:00Z", other: null },
    ],
    members: [
      {
        name: "node1",
        state: "alive",
        since: "2026-11-01T00:00:00Z",
        why: "answers",
        rttMs: null,
      },
      { name: "node2", state: "dead", since: "2026-11-01T00:01:02Z", why: "silent", rttMs: 0.46 },
    ],
    interfaces: [
      { name: "br0", mac: "02:00:00:00:00:01", arp: true, ndp: true, whyNot: null },
      { name: "eth0", mac: "02:00:00:00:00:02", arp: false, ndp: false, whyNot: "enslaved" },
      { name: "eth1", mac: "02:00:00:00:00:03", arp: true, ndp: false, whyNot: null },
    ],
    lastTakeover: {
      at: "2026-11-01T00:00:00Z",
      address: "192.0.2.53",
      from: null,
      durationMs: 51.27,
    },
  },
};

describe("formatStatus()", () => {
  it("prints everything in aligned tables", () => {
    assert.equal(
      formatStatus(FULL, NOW),
      `Node node1: ready

Services
  SERVICE       ADDRESSES              POOL    PROTOCOL  STATE      DETAIL
  default/api   -                      -       -         refused    noIPAllocated: It has no address yet
  default/dns   192.0.2.53             public  bgp       refused    notOwner: No BGPAdvertisement
                                               layer2    announced  on eth0, eth1; first of 3 candidates by hash; until node "node2" takes over
  default/mail  192.0.2.25             public  bgp       announced  No peer of this node hears it
                                               layer2    announced  on all interfaces; the only candidate
  default/web   192.0.2.1,2001:db8::1  public  bgp       announced  192.0.2.1/32, 2001:db8::1/128 to leaf1, leaf2; poolGone: odd
                                               layer2    refused    notOwner: Node "node3" announces it: first of 3 candidates by hash

Layer 2 addresses
  ADDRESS     STATE      SINCE  OTHER NODE
  192.0.2.25  waiting    5s     node2
  192.0.2.53  answering  1m5s   -

Members
  NODE   STATE  SINCE  WHY      ROUND TRIP
  node1  alive  1m5s   answers  -
  node2  dead   3s     silent   0.5 ms

Interfaces
  INTERFACE  HARDWARE ADDRESS   ANSWERS  WHY NOT
  br0        02:00:00:00:00:01  ARP NDP  -
  eth0       02:00:00:00:00:02  -        enslaved
  eth1       02:00:00:00:00:03  ARP      -

Layer 2
  may answer      yes
  membership      on
  last take-over  1m5s ago, 2026-11-01T00:00:00Z: 192.0.2.53 from nobody in 51.3 ms

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
  Cannot open a packet socket: EPERM
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

Layer 2 addresses: none

Members: none

Interfaces: none

Layer 2
  may answer      no: starting
  membership      off: every Node counts as alive
  last take-over  none since the speaker started

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
