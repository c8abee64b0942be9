// Changes that close sessions go one peer at a time: the next one waits until the last is back.

import { peerKey } from "./desired.ts";
import type { Step } from "./plan.ts";
import type { Sessions } from "./sessions.ts";

/** Longest wait for one peer to come back before the next one is reset. */
const LONGEST_WAIT_MS = 15_000;

export class Resets {
  #awaited: { readonly peer: string; readonly until: number } | undefined;

  /** True while steps are left for later. */
  get isWaiting(): boolean {
    return this.#awaited !== undefined;
  }

  forget(): void {
    this.#awaited = undefined;
  }

  /** The steps that may go now; after these the caller waits for comesBack(). */
  next(steps: readonly Step[], sessions: Sessions): readonly Step[] {
    const awaited = this.#awaited;
    if (steps.length > 0 && awaited !== undefined && !this.#isBack(sessions)) return [];
    this.#awaited = undefined;
    let resetting: string | undefined;
    for (const [index, step] of steps.entries()) {
      if (sessions.establishedBy(step).length === 0) continue;
      const peer = step.neighbor === undefined ? "" : peerKey(step.vrf, step.neighbor);
      if (resetting !== undefined && resetting !== peer) {
        this.#awaited = { peer: resetting, until: performance.now() + LONGEST_WAIT_MS };
        return steps.slice(0, index);
      }
      resetting = peer;
    }
    return steps;
  }

  /** Whether the wait is over: the peer is back, or was given long enough. */
  comesBack(sessions: Sessions): boolean {
    return this.isWaiting && this.#isBack(sessions);
  }

  #isBack(sessions: Sessions): boolean {
    if (this.#awaited === undefined) return true;
    const { peer, until } = this.#awaited;
    const state = sessions.find(peer);
    // Up for longer than that: the look was before the reset.
    const isUp =
      state?.sessionState === "Established" && (state.establishedMs ?? 0) < LONGEST_WAIT_MS;
    return isUp || performance.now() >= until;
  }
}
