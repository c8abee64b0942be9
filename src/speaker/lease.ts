// Whether this node may answer for addresses now: fencing. A node that nobody hears must not go on
// answering for what another took over meanwhile (docs/decisions/0009-one-owner.md). Reads no clock.

/** What is known of the node's ties to the others, in milliseconds of one monotonic clock. */
export type Ties = {
  /** Undefined: membership is off, and there is nobody to lose. */
  readonly membership: Membership | undefined;
  /** When the API server last answered. */
  readonly apiAnsweredAtMs: number;
  /** On its way out: it goes on until it is relieved. */
  readonly isDraining: boolean;
  /**
   * Since when the thread has not run. What waited for it meanwhile, the word of the watchers too,
   * is old.
   */
  readonly stalledMs: number;
};

export type Membership = {
  /** Counted among the living by the others, as far as this node knows. */
  readonly isAlive: boolean;
  /** How many living nodes watch this one. */
  readonly watchers: number;
  /** When most of them were last heard; of no meaning without watchers. */
  readonly quorumHeardAtMs: number;
  /** Between two probes of a watcher. */
  readonly probeIntervalMs: number;
  /** How many are alive in the eyes of this node, itself included. */
  readonly living: number;
  /** Since when each of those is silent that did not say goodbye, and may be at work out of reach. */
  readonly silentSinceMs: readonly number[];
};

/**
 * How many intervals the word of the watchers or of the API server is good for: no more than it
 * takes the others to believe this node dead (three missed probes, and a vote).
 */
const LEASE_PROBES = 3;

/** After so many intervals of silence the API server is asked. */
const ASK_API_PROBES = 1.25;

/**
 * How long most of the others must be silent, and the API server answer, until they count as dead
 * rather than as on the other side of a cut. A node that dies among living ones is noticed by these
 * within a second; this is for most of a cluster at once.
 */
export const CONFIRM_MS = 10_000;

/** One node's right to answer. */
export class Lease {
  readonly #isolated: "silent" | "answer";
  /** Since when it has been without; undefined: it is not. */
  #cutOffSinceMs: number | undefined;

  /** `isolated`: what a node does that hears neither its watchers nor the API server. */
  constructor(isolated: "silent" | "answer") {
    this.#isolated = isolated;
  }

  /** Why the node may not answer at `nowMs`; undefined: it may. */
  fence(ties: Ties, nowMs: number): string | undefined {
    const { membership, stalledMs, isDraining } = ties;
    if (membership === undefined) return undefined;
    const leaseMs = LEASE_PROBES * membership.probeIntervalMs;
    if (stalledMs >= leaseMs) return `the speaker was not run for ${Math.round(stalledMs)} ms`;
    if (isDraining) return undefined;
    if (!membership.isAlive) return "the other speakers do not count this node among the living";
    if (this.#isolated === "answer") return undefined;
    return this.#cutOff(membership, ties.apiAnsweredAtMs, nowMs);
  }

  #cutOff(membership: Membership, apiAnsweredAtMs: number, nowMs: number): string | undefined {
    const leaseMs = LEASE_PROBES * membership.probeIntervalMs;
    const isHeard = areWatchersHeard(membership, leaseMs, nowMs);
    const silent = countSilent(membership, apiAnsweredAtMs);
    if (isHeard && membership.living > silent) {
      this.#cutOffSinceMs = undefined;
      return undefined;
    }
    const isApiHeard = nowMs - apiAnsweredAtMs < leaseMs;
    // Without this node they are enough to give its addresses to others.
    const mayBeOutvoted = silent > membership.living || (!isHeard && membership.watchers > 1);
    if (isApiHeard && this.#cutOffSinceMs === undefined && !mayBeOutvoted) return undefined;
    this.#cutOffSinceMs ??= nowMs;
    if (isApiHeard && nowMs - this.#cutOffSinceMs >= CONFIRM_MS) return undefined;
    if (isApiHeard)
      return "cut off: most of the other speakers are silent, and may have taken over";
    return "cut off: neither enough of the other speakers nor the API server were heard";
  }
}

function areWatchersHeard(
  { watchers, quorumHeardAtMs }: Membership,
  withinMs: number,
  nowMs: number,
): boolean {
  return watchers === 0 || nowMs - quorumHeardAtMs < withinMs;
}

/** Those who fell silent long before the API server answered are dead, and count no more. */
function countSilent({ silentSinceMs }: Membership, apiAnsweredAtMs: number): number {
  return silentSinceMs.filter((sinceMs) => apiAnsweredAtMs < sinceMs + CONFIRM_MS).length;
}

/** Whether it is time to ask the API server, since others are silent. */
export function isApiDue(
  { membership, apiAnsweredAtMs, isDraining }: Omit<Ties, "stalledMs">,
  nowMs: number,
): boolean {
  if (membership === undefined || isDraining) return false;
  const patienceMs = ASK_API_PROBES * membership.probeIntervalMs;
  if (!areWatchersHeard(membership, patienceMs, nowMs)) return true;
  return membership.living <= countSilent(membership, apiAnsweredAtMs);
}
