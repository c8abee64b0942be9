// What the applier knows of FRR, for status objects, metrics, /readyz and people. Values only.

import type { BfdState, NeighborState } from "./neighbors.ts";

/** How things stand with one FRR. */
export type FrrStatus = {
  readonly connection: FrrConnection;
  /** FRR's version such as "8.4.4"; undefined until it was read once. */
  readonly version: string | undefined;
  /** Newest read-back; empty while FRR is away. */
  readonly neighbors: readonly NeighborState[];
  readonly bfd: readonly BfdState[];
  /** What of the desired state is not in force, and why. */
  readonly problems: readonly FrrProblem[];
  /** Prefixes in the newest desired state that bgpd has taken. */
  readonly appliedRoutes: number;
  /** True while something desired has not been applied yet (problems excepted). */
  readonly pending: boolean;
  /** Counted since the start. */
  readonly counters: FrrCounters;
};

export type FrrConnection =
  /** The daemons answer. */
  | { readonly kind: "connected" }
  /** Nothing answers yet, or no more; `reason` names the daemon and what was seen. */
  | { readonly kind: "waiting"; readonly reason: string }
  /** A daemon owes an answer for longer than the deadline: it must be restarted. */
  | { readonly kind: "hung"; readonly reason: string };

export type FrrCounters = {
  /** Configuration lines sent. */
  readonly commands: number;
  readonly refusedCommands: number;
  /** Times an established state with FRR was lost and taken up again. */
  readonly reconnects: number;
  /** Times the slow check found FRR's configuration changed by somebody else. */
  readonly drifts: number;
  /** Sessions reset by a change that cannot be made without. */
  readonly sessionResets: number;
};

export type FrrProblem =
  /** FRR refused a line of ours; `peerName` where it belongs to one neighbor. */
  | {
      readonly kind: "refused-line";
      readonly peerName: string | undefined;
      /** Without passwords. */
      readonly line: string;
      readonly message: string;
    }
  /** FRR refused a line of the user's extra text, or it cannot be sent; the others are in force. */
  | {
      readonly kind: "refused-extra";
      /** Line of the extra text, from 1. */
      readonly lineNumber: number;
      readonly line: string;
      readonly message: string;
    }
  /** In FRR's configuration, but the running session still has the old value. */
  | {
      readonly kind: "next-session";
      readonly peerName: string;
      /** Such as "timers 3 9". */
      readonly line: string;
    }
  /** frr.conf could not be written: a restarted FRR would start from an older one. */
  | { readonly kind: "file"; readonly message: string };

/** What happened, told once each. */
export type FrrEvent =
  | {
      readonly kind: "session";
      readonly neighbor: NeighborState;
      readonly oldState: string;
      readonly newState: string;
    }
  | {
      readonly kind: "bfd";
      readonly bfd: BfdState;
      readonly oldState: string;
      readonly newState: string;
    }
  | { readonly kind: "connected"; readonly version: string }
  | { readonly kind: "disconnected"; readonly reason: string; readonly hung: boolean }
  /** A configuration was applied and bgpd has taken all of it. */
  | { readonly kind: "applied"; readonly commands: number; readonly durationMs: number }
  /** A change that resets the session of a peer is about to be made. */
  | { readonly kind: "session-reset"; readonly peerName: string; readonly reason: string }
  /** Somebody else changed FRR's configuration; it is put back. */
  | { readonly kind: "drift"; readonly lines: readonly string[] }
  | { readonly kind: "problem"; readonly problem: FrrProblem }
  | { readonly kind: "problem-gone"; readonly problem: FrrProblem };
