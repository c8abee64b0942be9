// What the speaker tells people about itself: the JSON behind `/state`, which `mirror-status`
// prints. No passwords in it. Pure.

import { formatProblem, type Problem } from "../config/problem.ts";
import type { RouteClass, Routes } from "../frr/model.ts";
import type { FrrProblem, FrrStatus } from "../frr/status.ts";
import type { Decision } from "./announce.ts";
import { l2State } from "./l2-state.ts";
import type { Session } from "./sessions.ts";
import type { WireStatus } from "./wire.ts";
import { type WireState, wireState } from "./wire-state.ts";

export type SpeakerState = {
  readonly node: string;
  /** Empty: ready. */
  readonly waitingFor: readonly string[];
  readonly services: readonly ServiceState[];
  readonly routes: readonly RouteState[];
  readonly sessions: readonly SessionState[];
  readonly problems: readonly string[];
  readonly frr: FrrState;
  readonly layer2: WireState;
};

export type ServiceState = {
  readonly service: string;
  readonly addresses: readonly string[];
  readonly pool: string | null;
  readonly bgp:
    | {
        readonly announced: true;
        readonly prefixes: readonly string[];
        readonly peers: readonly string[];
        /** Null, or what is odd about it, in words. */
        readonly warning: string | null;
      }
    | { readonly announced: false; readonly reason: string; readonly message: string };
  readonly l2: ServiceL2State;
};

export type ServiceL2State =
  | {
      readonly announced: true;
      /** Empty: all. */
      readonly interfaces: readonly string[];
      /** Why this node, or the one that is to take over. */
      readonly why: string;
      readonly warning: string | null;
    }
  | {
      readonly announced: false;
      readonly reason: string;
      readonly message: string;
      /** The node that is elected; null: nobody is, or it is this one. */
      readonly owner: string | null;
    };

export type RouteState = {
  readonly prefix: string;
  /** One entry per advertisement behind it; empty `peers`: all. */
  readonly heardBy: RouteClass;
};

export type SessionState = {
  readonly peer: string;
  readonly address: string;
  readonly vrf: string | null;
  readonly remoteAs: number | string;
  /** RFC 4271 section 8.2.2, or "Unknown" while FRR does not know it. */
  readonly state: string;
  readonly establishedSeconds: number | null;
  readonly prefixesSent: number;
  readonly bfd: string | null;
  /** Why it is down, or last went down. */
  readonly reason: string | null;
  readonly pending: readonly string[];
};

export type FrrState = {
  readonly connection: string;
  readonly version: string | null;
  /** Null: nothing was applied since the speaker started. */
  readonly lastApply: {
    readonly at: string;
    readonly durationMs: number;
    readonly commands: number;
  } | null;
  readonly routesWanted: number;
  readonly routesApplied: number;
  readonly commands: number;
  readonly refusedCommands: number;
  readonly problems: readonly string[];
};

export type StateFacts = {
  readonly node: string;
  readonly waitingFor: readonly string[];
  readonly decisions: ReadonlyMap<string, Decision>;
  readonly routes: Routes;
  readonly sessions: readonly Session[];
  readonly problems: readonly Problem[];
  readonly frr: FrrStatus;
  readonly lastApply: FrrState["lastApply"];
  readonly wire: WireStatus;
  /** What keeps Layer 2 from working as it should. */
  readonly l2Problems: readonly string[];
};

export function speakerState(facts: StateFacts): SpeakerState {
  const { decisions, routes, frr } = facts;
  return {
    node: facts.node,
    waitingFor: facts.waitingFor,
    services: sortedEntries(decisions).map(([service, decision]) =>
      serviceState(service, decision, facts.wire),
    ),
    routes: sortedEntries(routes).map(([prefix, heardBy]) => ({ prefix, heardBy })),
    sessions: facts.sessions.map(sessionState),
    problems: facts.problems.map(formatProblem),
    frr: {
      connection: connectionText(frr),
      version: frr.version ?? null,
      lastApply: facts.lastApply,
      routesWanted: routes.size,
      routesApplied: frr.appliedRoutes,
      commands: frr.counters.commands,
      refusedCommands: frr.counters.refusedCommands,
      problems: frr.problems.map(formatFrrProblem),
    },
    layer2: wireState(facts.wire, facts.l2Problems),
  };
}

const POOL_GONE =
  "poolGone: no pool covers its addresses any more; announced as before until the controller changes the Service";
const NO_PEER = "No peer of this node hears it";

function serviceState(service: string, decision: Decision, wire: WireStatus): ServiceState {
  const { addresses, pool } = decision;
  const bgp = serviceBgpState(decision);
  return { service, addresses, pool: pool ?? null, bgp, l2: serviceL2State(decision, wire) };
}

function serviceBgpState({ bgp, poolGone }: Decision): ServiceState["bgp"] {
  if (bgp.kind === "refused") return { announced: false, ...bgp.refusal };
  const warnings = [...(poolGone ? [POOL_GONE] : []), ...(bgp.peers.length === 0 ? [NO_PEER] : [])];
  return {
    announced: true,
    prefixes: [...new Set(bgp.announcements.map(({ prefix }) => prefix))],
    peers: bgp.peers,
    warning: warnings.length === 0 ? null : warnings.join("; "),
  };
}

function serviceL2State(decision: Decision, wire: WireStatus): ServiceL2State {
  const state = l2State(decision, wire);
  const { l2, poolGone } = decision;
  if (!state.announced) return { ...state, owner: l2.kind === "standby" ? l2.owner : null };
  const { interfaces, preferred, why } = state;
  const warnings = [
    ...(poolGone ? [POOL_GONE] : []),
    ...(preferred === undefined ? [] : [`until node "${preferred}" takes over`]),
  ];
  const warning = warnings.length === 0 ? null : warnings.join("; ");
  return { announced: true, interfaces, why, warning };
}

function sessionState({ peer, neighbor, bfd, notInForce }: Session): SessionState {
  return {
    peer: peer.name,
    address: peer.address ?? peer.interfaceName ?? "",
    vrf: peer.vrf ?? null,
    remoteAs: peer.remoteAs,
    state: neighbor?.sessionState ?? "Unknown",
    establishedSeconds:
      neighbor?.establishedMs === undefined ? null : Math.floor(neighbor.establishedMs / 1000),
    prefixesSent: neighbor?.sentPrefixes ?? 0,
    bfd: peer.bfdProfile === undefined ? null : (bfd?.state ?? "unknown"),
    reason: neighbor?.reason ?? null,
    pending: notInForce,
  };
}

/** The state of the connection to FRR in words. */
export function connectionText({ connection }: FrrStatus): string {
  switch (connection.kind) {
    case "connected":
      return "connected";
    case "waiting":
      return `waiting: ${connection.reason}`;
    case "hung":
      return `hung: ${connection.reason}`;
  }
}

/** A problem of FRR as one line of text. */
export function formatFrrProblem(problem: FrrProblem): string {
  switch (problem.kind) {
    case "refused-line": {
      const subject = problem.peerName === undefined ? "" : `BGPPeer "${problem.peerName}": `;
      return `${subject}FRR refused "${problem.line}": ${problem.message}`;
    }
    case "refused-extra":
      return `ConfigMap "bgpextras": line ${problem.lineNumber}: FRR refused "${problem.line}": ${problem.message}`;
    case "next-session":
      return `BGPPeer "${problem.peerName}": "${problem.line}" takes effect with the next session`;
    case "file":
      return problem.message;
  }
}

function sortedEntries<K extends string, V>(map: ReadonlyMap<K, V>): (readonly [K, V])[] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}
