// Names, labels and values of the metrics, as Prometheus sees them.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { Registry } from "prom-client";
import { frrStatus, neighbor } from "../../test/fakes/recorded-frr.ts";
import { address, configOf, facts, nodeState } from "../../test/speaker-config.ts";
import type { FrrStatus } from "../frr/status.ts";
import { DesiredState } from "./desired.ts";
import { registerMetrics, type SpeakerMetrics } from "./metrics.ts";
import { compilePolicy } from "./policy.ts";

const config = configOf({
  peers: {
    leaf1: { peerAddress: "10.0.0.2" },
    leaf6: { peerAddress: "2001:db8::2", peerPort: 1179, vrf: "red" },
    unnumbered: { interface: "eth0", peerAddress: undefined },
  },
});

let desired: DesiredState;
let status: FrrStatus;
let registry: Registry;
let metrics: SpeakerMetrics;

beforeEach(() => {
  desired = new DesiredState({ ignoreExcludeLabel: false });
  const addresses = [address("192.0.2.1"), address("2001:db8::1")];
  desired.setService(facts({ addresses }));
  desired.setService(facts({ key: "default/idle", addresses: [] }));
  desired.setSlice("default/web-1", { service: "default/web", nodes: ["node1"] }, undefined);
  desired.setBasis({ policy: compilePolicy(config), node: nodeState() });
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
  registry = new Registry();
  metrics = registerMetrics(registry, {
    node: "node1",
    decisions: () => desired.decisions,
    peers: () => config.peers,
    frr: () => status,
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
    it(`has MetalLB's ${name}`, async () => {
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
    status = frrStatus({ connection: { kind: "waiting", reason: "gone" } });
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
