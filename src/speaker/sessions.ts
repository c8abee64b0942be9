// Configured peers and FRR's neighbors -> sessions, and what is worth telling about them. Pure:
// time comes in as `nowMs`.

import type { Peer } from "../config/peer.ts";
import type { BfdState, NeighborState } from "../frr/neighbors.ts";
import type { FrrStatus } from "../frr/status.ts";

/** A peer of this node and the session to it as FRR last told. */
export type Session = {
  readonly peer: Peer;
  /** Undefined: FRR does not know the neighbor, or is away. */
  readonly neighbor: NeighborState | undefined;
  readonly bfd: BfdState | undefined;
  /** What of the configuration of this session is not in force, in words. */
  readonly notInForce: readonly string[];
};

/** Joins peers and FRR's read-back; in the order of the peers. */
export function sessionsOf(peers: readonly Peer[], status: FrrStatus): readonly Session[] {
  return peers.map((peer) => ({
    peer,
    neighbor: status.neighbors.find(
      ({ name, vrf }) => name === nameOf(peer) && vrf === vrfOf(peer),
    ),
    bfd: peer.bfdProfile === undefined ? undefined : findBfd(peer, status.bfd),
    notInForce: status.problems.flatMap((problem) => {
      if (problem.kind === "next-session" && problem.peerName === peer.name) {
        return [`"${problem.line}" takes effect with the next session`];
      }
      if (problem.kind === "refused-line" && problem.peerName === peer.name) {
        return [`FRR refused "${problem.line}": ${problem.message}`];
      }
      return [];
    }),
  }));
}

/** The peer a neighbor or BFD session of FRR belongs to. */
export function findPeer(
  peers: readonly Peer[],
  neighbor: { readonly name: string; readonly vrf: string },
): Peer | undefined {
  return peers.find((peer) => nameOf(peer) === neighbor.name && vrfOf(peer) === neighbor.vrf);
}

export function isEstablished(session: Session): boolean {
  return session.neighbor?.sessionState === "Established";
}

function nameOf(peer: Peer): string {
  return peer.address ?? peer.interfaceName ?? "";
}

function vrfOf(peer: Peer): string {
  return peer.vrf ?? "default";
}

/** bfdd knows an unnumbered peer by its link-local address, and the interface beside it. */
function findBfd(peer: Peer, states: readonly BfdState[]): BfdState | undefined {
  return states.find(
    (state) =>
      state.vrf === vrfOf(peer) &&
      (peer.address === undefined
        ? state.interfaceName === peer.interfaceName
        : state.peer === peer.address),
  );
}

/** What was last told about a session. */
export type SessionWatch = {
  /** When it was first seen down; undefined: it is up. */
  readonly downSinceMs: number | undefined;
  /** The warning that stands; undefined: none does. */
  readonly warned: { readonly reason: string; readonly atMs: number } | undefined;
};

export type SessionReport =
  | {
      readonly kind: "failing";
      readonly peer: Peer;
      readonly reason: string;
      readonly downMs: number;
    }
  | { readonly kind: "recovered"; readonly peer: Peer };

/** A session gets so long to come up before anybody is told. */
const PATIENCE_MS = 10_000;
/** Another reason is told only so long after the last one. */
const WARNING_PAUSE_MS = 60_000;

/**
 * Tells once that a session does not come up, again when the reason changes, and once that it is
 * up after all. `watches` is by peer name; returns its successor.
 */
export function watchSessions(
  watches: ReadonlyMap<string, SessionWatch>,
  sessions: readonly Session[],
  nowMs: number,
): {
  readonly watches: ReadonlyMap<string, SessionWatch>;
  readonly reports: readonly SessionReport[];
} {
  const next = new Map<string, SessionWatch>();
  const reports: SessionReport[] = [];
  for (const session of sessions) {
    const { peer } = session;
    const watch = watches.get(peer.name);
    if (isEstablished(session)) {
      if (watch?.warned !== undefined) reports.push({ kind: "recovered", peer });
      next.set(peer.name, { downSinceMs: undefined, warned: undefined });
      continue;
    }
    const downSinceMs = watch?.downSinceMs ?? nowMs;
    const downMs = nowMs - downSinceMs;
    const reason = failureOf(session);
    let warned = watch?.warned;
    const isNews =
      warned === undefined || (reason !== warned.reason && nowMs - warned.atMs >= WARNING_PAUSE_MS);
    if (downMs >= PATIENCE_MS && isNews) {
      reports.push({ kind: "failing", peer, reason, downMs });
      warned = { reason, atMs: nowMs };
    }
    next.set(peer.name, { downSinceMs, warned });
  }
  return { watches: next, reports };
}

/** Why a session is not up, without anything that changes from second to second. */
export function failureOf({ neighbor, notInForce }: Session): string {
  if (neighbor === undefined)
    return ["FRR does not know this neighbor yet", ...notInForce].join("; ");
  const reason = neighbor.reason ?? "No answer yet: check address, port, password and route";
  return [reason, ...notInForce].join("; ");
}
