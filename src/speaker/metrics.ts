// Names and labels of the speaker's metrics: MetalLB's, those of its FRR exporter, and our own.
// Values are taken from what is there when somebody asks.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type ClientMetrics, registerClientMetrics } from "../client-metrics.ts";
import type { Peer } from "../config/peer.ts";
import type { FrrCounters, FrrStatus } from "../frr/status.ts";
import type { Decision } from "./announce.ts";
import { l2State } from "./l2-state.ts";
import { isEstablished, type Session, sessionsOf } from "./sessions.ts";
import type { WireStatus } from "./wire.ts";

export type MetricsSource = {
  readonly node: string;
  readonly decisions: () => ReadonlyMap<string, Decision>;
  readonly peers: () => readonly Peer[];
  readonly frr: () => FrrStatus;
  readonly wire: () => WireStatus;
};

/** What only the loop knows, told when it happens. */
export type SpeakerMetrics = ClientMetrics & {
  /** A Service, the configuration or the Node was looked at anew. */
  readonly updated: (count: number) => void;
  /** From the first watch event of a change until bgpd had taken all of it. */
  readonly applied: (durationMs: number) => void;
};

/** Registers the speaker's metrics. */
export function registerMetrics(registry: Registry, source: MetricsSource): SpeakerMetrics {
  const registers = [registry];
  registerAnnouncements(registers, source);
  registerBgp(registers, source);
  registerBfd(registers, source);
  registerFrr(registers, source);
  registerLayer2(registers, source);

  let updates = 0;
  const client = registerClientMetrics(registry, () => updates);
  const applied = new Histogram({
    name: "metallb_speaker_apply_duration_seconds",
    help: "Time from the first watch event of a change until bgpd had taken all of it.",
    buckets: [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.1, 0.25, 1, 5],
    registers,
  });
  return {
    ...client,
    updated: (count) => {
      updates += count;
    },
    applied: (durationMs) => applied.observe(durationMs / 1000),
  };
}

type Registers = Registry[];

function registerAnnouncements(
  registers: Registers,
  { node, decisions, wire }: MetricsSource,
): void {
  new Gauge({
    name: "metallb_speaker_announced",
    help: "Services being announced from this node. This is desired state, it does not guarantee that the routing protocols have converged.",
    labelNames: ["service", "protocol", "node", "ip"],
    registers,
    collect() {
      this.reset();
      for (const [service, decision] of decisions()) {
        const protocols = [
          ...(decision.bgp.kind === "announced" ? ["bgp"] : []),
          ...(l2State(decision, wire()).announced ? ["layer2"] : []),
        ];
        for (const protocol of protocols) {
          for (const ip of decision.addresses) this.set({ service, protocol, node, ip }, 1);
        }
      }
    },
  });
  new Gauge({
    name: "metallb_speaker_refused_services",
    help: "Services this node does not announce, by reason.",
    labelNames: ["protocol", "reason"],
    registers,
    collect() {
      this.reset();
      for (const decision of decisions().values()) {
        const { bgp } = decision;
        if (bgp.kind === "refused") this.inc({ protocol: "bgp", reason: bgp.refusal.reason });
        const l2 = l2State(decision, wire());
        if (!l2.announced) this.inc({ protocol: "layer2", reason: l2.reason });
      }
    },
  });
}

function registerBgp(registers: Registers, source: MetricsSource): void {
  const collected = (read: (session: Session) => number | undefined) => {
    return {
      labelNames: ["peer", "vrf"],
      registers,
      collect(this: Gauge | Counter) {
        this.reset();
        for (const session of sessionsOf(source.peers(), source.frr())) {
          const value = read(session);
          const { address, interfaceName, port, vrf } = session.peer;
          // The configured port: FRR's changes with the state of the session.
          const peer = `${address ?? interfaceName ?? ""}:${port}`;
          if (value !== undefined) this.inc({ peer, vrf: vrf ?? "default" }, value);
        }
      },
    };
  };
  new Gauge({
    name: "metallb_bgp_session_up",
    help: "BGP session state (1 is up, 0 is down).",
    ...collected((session) => (isEstablished(session) ? 1 : 0)),
  });
  new Gauge({
    name: "metallb_bgp_announced_prefixes_total",
    help: "Number of prefixes currently being advertised on the BGP session.",
    ...collected(({ neighbor }) => neighbor?.sentPrefixes),
  });
  new Counter({
    name: "metallb_bgp_sessions_established_total",
    help: "Times the BGP session came up, as FRR counts them since its start.",
    ...collected(({ neighbor }) => neighbor?.establishedCount),
  });
  for (const [name, help, key] of [
    ["opens_sent", "Number of BGP open messages sent.", "opensSent"],
    ["opens_received", "Number of BGP open messages received.", "opensReceived"],
    ["notifications_sent", "Number of BGP notification messages sent.", "notificationsSent"],
    ["updates_total", "Number of BGP UPDATE messages sent.", "updatesSent"],
    ["updates_total_received", "Number of BGP UPDATE messages received.", "updatesReceived"],
    ["keepalives_sent", "Number of BGP keepalive messages sent.", "keepalivesSent"],
    ["keepalives_received", "Number of BGP keepalive messages received.", "keepalivesReceived"],
    ["route_refresh_sent", "Number of BGP route refresh messages sent.", "routeRefreshesSent"],
    ["total_sent", "Number of total BGP messages sent.", "totalSent"],
    ["total_received", "Number of total BGP messages received.", "totalReceived"],
  ] as const) {
    new Counter({
      name: `metallb_bgp_${name}`,
      help,
      ...collected(({ neighbor }) => neighbor?.messages[key]),
    });
  }
  new Gauge({
    name: "metallb_bgp_pending_changes",
    help: "Settings of the BGP session that are configured but take effect with the next session only, or that FRR refused.",
    ...collected(({ notInForce }) => notInForce.length),
  });
}

function registerBfd(registers: Registers, { frr }: MetricsSource): void {
  const collected = (read: (state: FrrStatus["bfd"][number]) => number) => ({
    labelNames: ["peer", "vrf"],
    registers,
    collect(this: Gauge | Counter) {
      this.reset();
      for (const state of frr().bfd) {
        this.inc({ peer: state.peer, vrf: state.vrf }, read(state));
      }
    },
  });
  new Gauge({
    name: "metallb_bfd_session_up",
    help: "BFD session state (1 is up, 0 is down).",
    ...collected(({ state }) => (state === "up" ? 1 : 0)),
  });
  for (const [name, help, key] of [
    ["control_packet_input", "Number of received BFD control packets.", "controlPacketsIn"],
    ["control_packet_output", "Number of sent BFD control packets.", "controlPacketsOut"],
    ["echo_packet_input", "Number of received BFD echo packets.", "echoPacketsIn"],
    ["echo_packet_output", "Number of sent BFD echo packets.", "echoPacketsOut"],
    ["session_up_events", "Number of BFD session up events.", "upEvents"],
    ["session_down_events", "Number of BFD session down events.", "downEvents"],
    ["zebra_notifications", "Number of BFD zebra notifications.", "zebraNotifications"],
  ] as const) {
    new Counter({
      name: `metallb_bfd_${name}`,
      help,
      ...collected(({ counters }) => counters[key]),
    });
  }
}

function registerFrr(registers: Registers, { frr }: MetricsSource): void {
  new Gauge({
    name: "metallb_frr_connected",
    help: "1 if FRR answers.",
    registers,
    collect() {
      this.set(frr().connection.kind === "connected" ? 1 : 0);
    },
  });
  new Gauge({
    name: "metallb_frr_pending",
    help: "1 if something desired has not been applied to FRR yet.",
    registers,
    collect() {
      this.set(frr().pending ? 1 : 0);
    },
  });
  new Gauge({
    name: "metallb_frr_problems",
    help: "What of the desired FRR configuration is not in force, by kind.",
    labelNames: ["kind"],
    registers,
    collect() {
      this.reset();
      for (const { kind } of frr().problems) this.inc({ kind });
    },
  });
  const counters: readonly (readonly [string, string, keyof FrrCounters])[] = [
    ["commands_total", "Configuration lines sent to FRR.", "commands"],
    ["refused_commands_total", "Configuration lines that FRR refused.", "refusedCommands"],
    ["reconnects_total", "Times FRR was lost and taken up again.", "reconnects"],
    ["drift_repairs_total", "Times FRR's configuration was found changed and put back.", "drifts"],
    ["session_resets_total", "BGP sessions reset by a change of configuration.", "sessionResets"],
  ];
  for (const [name, help, key] of counters) {
    new Counter({
      name: `metallb_frr_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(frr().counters[key]);
      },
    });
  }
}

function registerLayer2(registers: Registers, { wire }: MetricsSource): void {
  for (const [name, help, key] of [
    ["requests_received", "Number of layer2 requests received for owned IPs.", "requestsReceived"],
    [
      "responses_sent",
      "Number of layer2 responses sent for owned IPs in response to requests.",
      "responsesSent",
    ],
    [
      "gratuitous_sent",
      "Number of gratuitous layer2 packets sent for owned IPs as a result of failovers.",
      "gratuitousSent",
    ],
  ] as const) {
    new Counter({
      name: `metallb_layer2_${name}`,
      help,
      labelNames: ["ip"],
      registers,
      collect() {
        this.reset();
        for (const [ip, counters] of wire().counters?.responder.addresses ?? []) {
          this.inc({ ip }, counters[key]);
        }
      },
    });
  }
  new Counter({
    name: "metallb_layer2_frames_not_answered_total",
    help: "ARP and NDP frames that were seen and not answered, by reason.",
    labelNames: ["reason"],
    registers,
    collect() {
      this.reset();
      for (const [reason, count] of wire().counters?.responder.silences ?? []) {
        this.inc({ reason }, count);
      }
    },
  });
  for (const [name, help, key] of [
    ["takeovers_total", "Times this node began to answer for an address.", "gained"],
    ["handovers_total", "Times this node ceased to answer for an address.", "lost"],
    [
      "conflicts_total",
      "Times another host said that an address of this node is its own.",
      "conflict",
    ],
  ] as const) {
    new Counter({
      name: `metallb_layer2_${name}`,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(wire().events[key]);
      },
    });
  }
  new Gauge({
    name: "metallb_layer2_fenced",
    help: "1 if this node answers for nothing, because it is cut off or not a member.",
    registers,
    collect() {
      this.set(wire().fence === undefined ? 0 : 1);
    },
  });
  new Gauge({
    name: "metallb_layer2_up",
    help: "1 if this node can answer ARP and NDP.",
    registers,
    collect() {
      this.set(wire().problem === undefined ? 1 : 0);
    },
  });
  new Gauge({
    name: "metallb_members",
    help: "Speakers this one knows of, by state.",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      for (const { state } of wire().members?.members ?? []) this.inc({ state });
    },
  });
  new Counter({
    name: "metallb_members_datagrams_total",
    help: "Datagrams between speakers, by what became of them.",
    labelNames: ["result"],
    registers,
    collect() {
      this.reset();
      for (const [result, count] of Object.entries(wire().counters?.datagrams ?? {})) {
        this.inc({ result }, count);
      }
    },
  });
}
