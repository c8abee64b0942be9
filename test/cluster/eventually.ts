// Waits for conditions instead of for time. Knows nothing of clusters.

import { setTimeout as sleep } from "node:timers/promises";

export type EventuallyOptions = {
  /** What is waited for, to end the sentence "Waited 30 s for …". */
  readonly describe: string;
  /** Generous, for a busy machine; default 30 000. A test that passes never waits that long. */
  readonly timeoutMs?: number;
};

const INTERVAL_MS = 50;

/**
 * Calls `look` again and again until it returns something other than undefined and false, and
 * returns that. A look that throws is one that has not seen it yet; the last such error becomes the
 * cause when time is up.
 */
export async function eventually<T>(
  look: () => T | undefined | false | Promise<T | undefined | false>,
  { describe, timeoutMs = 30_000 }: EventuallyOptions,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    let cause: unknown;
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (error) {
      if (error instanceof GiveUp) throw error;
      cause = error;
    }
    if (performance.now() > deadline) {
      const last = cause === undefined ? "" : `: ${cause instanceof Error ? cause.message : cause}`;
      throw new Error(`Waited ${timeoutMs / 1000} s for ${describe}${last}`, { cause });
    }
    await sleep(INTERVAL_MS);
  }
}

/** Thrown by a look that knows the condition can no longer come true: ends the wait at once. */
export class GiveUp extends Error {}
