// Names, labels and values of the metrics, as Prometheus sees them.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Registry } from "prom-client";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { livingMembers, wireStatus } from "../../test/fakes/recorded-wire.ts";
import { address, basisOf, configOf, facts } from "../../test/speaker-config.ts";
import type { FrrStatus } from "../frr/status.ts";
import { DesiredState } from "./desired.ts";
import { registerMetrics, type SpeakerMetrics } from "./metrics.ts";
import type { WireStatus } from "./wire.ts";

const TEXT = {
  peers: {
    leaf1: { peerAddress: "10.0.0.2" },
    leaf6: { peerAddress: "2001:db8::2", peerPort: 1179, vrf: "red" },
    unnumbered: { interface: "eth0", peerAddress: undefined },
  },
};
const config = configOf(TEXT);

let desired: DesiredState;
let status: FrrStatus;
let wire: WireStatus;
let registry: Registry;
let metrics: SpeakerMetrics;

beforeEach(() => {
  desired = new DesiredState();
  const addresses = [address("192.0.2.1"), address("2001:db8::1")];
  desired.setService(facts({ addresses }));
  desired.setService(facts({ key: "default/idle", addresses: [] }));
  desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
  desired.setBasis(basisOf(TEXT));
  desired.decide();
  status = frrStatus({
    neighbors: [
      // While it dials, FRR knows no port of the peer: the label must not follow that.
      neighbor("10.0.0.2", { sentPrefixes: 2, foreignPort: undefined }),
      neighbor("2001:db8::2", { vrf: "red", sessionState: "Active" }),
    ],
    bfd: [
      {
        peer: "10.0.0.2",
        interfaceName: undefined,
        vrf: "default",
        state: "up",
        diagnostic: undefined,
        remoteDiagnostic: undefined,
        counters: {
          controlPacketsIn: 11,
          controlPacketsOut: 12,
          echoPacketsIn: 13,
          echoPacketsOut: 14,
          upEvents: 15,
          downEvents: 16,
          zebraNotifications: 17,
        },
      },
    ],
    problems: [{ kind: "file", message: "Cannot write x" }],
    counters: { commands: 1, refusedCommands: 2, reconnects: 3, drifts: 4, sessionResets: 5 },
  });
  wire = wireStatus();
  registry = new Registry();
  metrics = registerMetrics(registry, {
    node: "node1",
    decisions: () => desired.decisions,
    peers: () => config.peers,
    frr: () => status,
    wire: () => wire,
  });
});

/** Lines of one metric without comments, sorted. */
async function samplesOf(name: string): Promise<string[]> {
  const lines = (await registry.metrics()).split("\n");
  return lines.filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `)).sort();
}

const LEAF1 = 'peer="10.0.0.2:179",vrf="default"';

describe("registerMetrics()", () => {
  it("counts announced addresses by Service, and takes them back", async () => {
    const labels = (ip: string) =>
      `metallb_speaker_announced{service="default/web",protocol="bgp",node="node1",ip="${ip}"} 1`;
    assert.deepEqual(await samplesOf("metallb_speaker_announced"), [
      labels("192.0.2.1"),
      labels("2001:db8::1"),
    ]);
    desired.deleteService("default/web");
    desired.decide();
    assert.deepEqual(await samplesOf("metallb_speaker_announced"), []);
  });

  it("counts refused Services by reason", async () => {
    assert.deepEqual(await samplesOf("metallb_speaker_refused_services"), [
      'metallb_speaker_refused_services{protocol="bgp",reason="noIPAllocated"} 1',
      'metallb_speaker_refused_services{protocol="layer2",reason="noIPAllocated"} 1',
      'metallb_speaker_refused_services{protocol="layer2",reason="noMatchingAdvertisement"} 1',
    ]);
  });

  it("has a session of every peer, whatever FRR knows of it", async () => {
    assert.deepEqual(await samplesOf("metallb_bgp_session_up"), [
      `metallb_bgp_session_up{${LEAF1}} 1`,
      'metallb_bgp_session_up{peer="2001:db8::2:1179",vrf="red"} 0',
      'metallb_bgp_session_up{peer="eth0:179",vrf="default"} 0',
    ]);
  });

  for (const [name, value] of [
    ["metallb_bgp_announced_prefixes_total", 2],
    ["metallb_bgp_sessions_established_total", 1],
    ["metallb_bgp_opens_sent", 1],
    ["metallb_bgp_opens_received", 1],
    ["metallb_bgp_notifications_sent", 0],
    ["metallb_bgp_updates_total", 7],
    ["metallb_bgp_updates_total_received", 0],
    ["metallb_bgp_keepalives_sent", 3],
    ["metallb_bgp_keepalives_received", 3],
    ["metallb_bgp_route_refresh_sent", 0],
    ["metallb_bgp_total_sent", 11],
    ["metallb_bgp_total_received", 4],
  ] as const) {
    it(`has ${name} by peer`, async () => {
      const [sample] = await samplesOf(name);
      assert.equal(sample, `${name}{${LEAF1}} ${value}`);
    });
  }

  for (const [name, value] of [
    ["metallb_bfd_session_up", 1],
    ["metallb_bfd_control_packet_input", 11],
    ["metallb_bfd_control_packet_output", 12],
    ["metallb_bfd_echo_packet_input", 13],
    ["metallb_bfd_echo_packet_output", 14],
    ["metallb_bfd_session_up_events", 15],
    ["metallb_bfd_session_down_events", 16],
    ["metallb_bfd_zebra_notifications", 17],
  ] as const) {
    it(`has MetalLB's ${name}`, async () => {
      assert.deepEqual(await samplesOf(name), [`${name}{peer="10.0.0.2",vrf="default"} ${value}`]);
    });
  }

  it("does not add up from scrape to scrape", async () => {
    const first = await registry.metrics();
    assert.equal(await registry.metrics(), first);
  });

  it("tells how FRR is kept", async () => {
    assert.deepEqual(await samplesOf("metallb_frr_connected"), ["metallb_frr_connected 1"]);
    assert.deepEqual(await samplesOf("metallb_frr_problems"), [
      'metallb_frr_problems{kind="file"} 1',
    ]);
    for (const [index, name] of [
      "commands",
      "refused_commands",
      "reconnects",
      "drift_repairs",
      "session_resets",
    ].entries()) {
      const full = `metallb_frr_${name}_total`;
      assert.deepEqual(await samplesOf(full), [`${full} ${index + 1}`]);
    }
    assert.deepEqual(await samplesOf("metallb_frr_pending"), ["metallb_frr_pending 0"]);
    status = frrStatus({ connection: { kind: "waiting", reason: "gone" }, pending: true });
    assert.deepEqual(await samplesOf("metallb_frr_pending"), ["metallb_frr_pending 1"]);
    assert.deepEqual(await samplesOf("metallb_frr_connected"), ["metallb_frr_connected 0"]);
    assert.deepEqual(await samplesOf("metallb_bfd_session_up"), []);
  });

  it("keeps MetalLB's counts of updates and the state of the configuration", async () => {
    const valuesOf = async () =>
      Promise.all(
        ["updates_total", "update_errors_total", "config_loaded_bool", "config_stale_bool"].map(
          async (name) => (await samplesOf(`metallb_k8s_client_${name}`)).join().split(" ")[1],
        ),
      );
    assert.deepEqual(await valuesOf(), ["0", "0", "0", "0"]);
    metrics.updated(3);
    metrics.updateFailed();
    metrics.configLoaded({ isStale: true });
    assert.deepEqual(await valuesOf(), ["3", "1", "1", "1"]);
    metrics.configLoaded({ isStale: false });
    assert.deepEqual(await valuesOf(), ["3", "1", "1", "0"]);
  });

  it("measures changes in seconds", async () => {
    metrics.applied(3);
    const name = "metallb_speaker_apply_duration_seconds";
    assert.deepEqual(await samplesOf(`${name}_sum`), [`${name}_sum 0.003`]);
    assert((await samplesOf(`${name}_bucket`)).includes(`${name}_bucket{le="0.004"} 1`));
    assert((await samplesOf(`${name}_bucket`)).includes(`${name}_bucket{le="0.002"} 0`));
  });
});

describe("registerMetrics() for Layer 2", () => {
  const [WEB, WEB6] = [address("192.0.2.1"), address("2001:db8::1")];

  it("counts what is answered for, not what is elected only", async () => {
    const layer2 = async () =>
      (await samplesOf("metallb_speaker_announced")).filter((line) => line.includes("layer2"));
    const refused = async () =>
      (await samplesOf("metallb_speaker_refused_services")).filter((line) =>
        line.includes('"layer2"'),
      );
    desired.setBasis(basisOf({ ...TEXT, l2Advertisements: { all: {} } }));
    desired.decide();
    assert.deepEqual(await layer2(), []);
    assert.deepEqual(await refused(), [
      'metallb_speaker_refused_services{protocol="layer2",reason="noIPAllocated"} 1',
      'metallb_speaker_refused_services{protocol="layer2",reason="takingOver"} 1',
    ]);
    const answering = { kind: "answering", sinceMs: 0, from: undefined } as const;
    wire = wireStatus({
      addresses: new Map([
        [WEB, answering],
        [WEB6, answering],
      ]),
    });
    const labels = (ip: string) =>
      `metallb_speaker_announced{service="default/web",protocol="layer2",node="node1",ip="${ip}"} 1`;
    assert.deepEqual(await layer2(), [labels("192.0.2.1"), labels("2001:db8::1")]);
    assert.deepEqual(await refused(), [
      'metallb_speaker_refused_services{protocol="layer2",reason="noIPAllocated"} 1',
    ]);
  });

  it("has MetalLB's counts by address, and the reasons of silence", async () => {
    for (const name of ["requests_received", "responses_sent", "gratuitous_sent"]) {
      assert.deepEqual(await samplesOf(`metallb_layer2_${name}`), []);
    }
    const counters = { requestsReceived: 3, responsesSent: 2, gratuitousSent: 1 };
    wire = wireStatus({
      counters: {
        responder: {
          addresses: new Map([
            [WEB, counters],
            [WEB6, { ...counters, gratuitousSent: 7 }],
          ]),
          silences: new Map([
            ["unknownAddress", 5],
            ["malformed", 1],
          ]),
        },
        datagrams: { accepted: 11, badKey: 2 },
      },
    });
    for (const [name, first, second] of [
      ["requests_received", 3, 3],
      ["responses_sent", 2, 2],
      ["gratuitous_sent", 1, 7],
    ] as const) {
      assert.deepEqual(await samplesOf(`metallb_layer2_${name}`), [
        `metallb_layer2_${name}{ip="192.0.2.1"} ${first}`,
        `metallb_layer2_${name}{ip="2001:db8::1"} ${second}`,
      ]);
    }
    assert.deepEqual(await samplesOf("metallb_layer2_frames_not_answered_total"), [
      'metallb_layer2_frames_not_answered_total{reason="malformed"} 1',
      'metallb_layer2_frames_not_answered_total{reason="unknownAddress"} 5',
    ]);
    assert.deepEqual(await samplesOf("metallb_members_datagrams_total"), [
      'metallb_members_datagrams_total{result="accepted"} 11',
      'metallb_members_datagrams_total{result="badKey"} 2',
    ]);
    assert.equal(await registry.metrics(), await registry.metrics());
  });

  for (const [name, value] of [
    ["takeovers", 1],
    ["handovers", 2],
    ["conflicts", 3],
  ] as const) {
    it(`counts ${name}`, async () => {
      wire = wireStatus({ events: { gained: 1, lost: 2, conflict: 3 } });
      const full = `metallb_layer2_${name}_total`;
      assert.deepEqual(await samplesOf(full), [`${full} ${value}`]);
    });
  }

  it("tells whether the node may answer and whether it can", async () => {
    const valuesOf = async () => [
      ...(await samplesOf("metallb_layer2_fenced")),
      ...(await samplesOf("metallb_layer2_up")),
    ];
    assert.deepEqual(await valuesOf(), ["metallb_layer2_fenced 0", "metallb_layer2_up 1"]);
    wire = wireStatus({ fence: "cut off", problem: "Cannot open a packet socket" });
    assert.deepEqual(await valuesOf(), ["metallb_layer2_fenced 1", "metallb_layer2_up 0"]);
  });

  it("counts members by state", async () => {
    assert.deepEqual(await samplesOf("metallb_members"), []);
    const snapshot = livingMembers("node1", "node2", "node3");
    const members = snapshot.members.map((member) => ({
      ...member,
      ...(member.name === "node3" && { state: "dead" as const }),
    }));
    wire = wireStatus({ members: { ...snapshot, members } });
    assert.deepEqual(await samplesOf("metallb_members"), [
      'metallb_members{state="alive"} 2',
      'metallb_members{state="dead"} 1',
    ]);
  });
});
