// A work queue of keys: one worker at a time per key, newest wins, back-off per key. Knows keys, not
// what is done with them.

import { KubeError } from "./error.ts";

export type Queue = {
  /** Work for this key is due now. Added while at work: it is done once more. */
  add(key: string): void;
  /** Work is due later; the earliest of several wins. */
  addAfter(key: string, delayMs: number): void;
  /** Keys that wait for a worker or have one; those due later do not count. */
  readonly size: number;
  /** Resolves when `size` is 0. */
  idle(): Promise<void>;
};

export type QueueOptions = {
  /** Keys at work at the same time. */
  readonly concurrency: number;
  readonly work: (key: string) => Promise<void>;
  /** Told before the key is tried again, by itself. */
  readonly onError: (key: string, error: unknown) => void;
  readonly signal: AbortSignal;
};

const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 30_000;
/** A conflict says that newer state is on its way to us: soon the work is another. */
const LONGEST_CONFLICT_PAUSE_MS = 100;

/** Starts a queue; when the signal fires, no work is begun any more and nothing is due later. */
export function startQueue({ concurrency, work, onError, signal }: QueueOptions): Queue {
  const waiting = new Set<string>();
  const working = new Set<string>();
  /** Added while at work. */
  const again = new Set<string>();
  const failures = new Map<string, number>();
  const timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly dueAtMs: number }>();
  let idleWaiters: (() => void)[] = [];
  let willStart = false;

  const size = () => waiting.size + working.size;

  const tellIdle = () => {
    if (size() > 0) return;
    for (const resolve of idleWaiters) resolve();
    idleWaiters = [];
  };

  const start = () => {
    willStart = false;
    for (const key of waiting) {
      if (working.size >= concurrency) return;
      waiting.delete(key);
      working.add(key);
      void run(key);
    }
  };

  const startSoon = () => {
    // Not at once: the caller may be in the middle of a change that the work wants to see whole.
    if (willStart) return;
    willStart = true;
    queueMicrotask(start);
  };

  const add = (key: string) => {
    if (signal.aborted) return;
    const later = timers.get(key);
    if (later !== undefined) {
      clearTimeout(later.timer);
      timers.delete(key);
    }
    if (working.has(key)) {
      again.add(key);
      return;
    }
    waiting.add(key);
    startSoon();
  };

  const addAfter = (key: string, delayMs: number) => {
    if (signal.aborted || waiting.has(key) || again.has(key)) return;
    const dueAtMs = Date.now() + delayMs;
    const later = timers.get(key);
    if (later !== undefined) {
      if (later.dueAtMs <= dueAtMs) return;
      clearTimeout(later.timer);
    }
    timers.set(key, { timer: setTimeout(add, delayMs, key), dueAtMs });
  };

  const run = async (key: string) => {
    try {
      await work(key);
      failures.delete(key);
    } catch (error) {
      if (!signal.aborted) {
        onError(key, error);
        const count = (failures.get(key) ?? 0) + 1;
        failures.set(key, count);
        addAfter(key, pauseAfter(count, error));
      }
    }
    working.delete(key);
    if (again.delete(key)) add(key);
    startSoon();
    tellIdle();
  };

  signal.addEventListener(
    "abort",
    () => {
      waiting.clear();
      again.clear();
      for (const { timer } of timers.values()) clearTimeout(timer);
      timers.clear();
      tellIdle();
    },
    { once: true },
  );

  return {
    add,
    addAfter,
    get size() {
      return size();
    },
    idle() {
      if (size() === 0) return Promise.resolve();
      return new Promise((resolve) => idleWaiters.push(resolve));
    },
  };
}

/** Between half of the step and the whole, so that keys that failed together do not come together. */
function pauseAfter(failures: number, error: unknown): number {
  const conflict = error instanceof KubeError && error.status === 409;
  const longest = conflict ? LONGEST_CONFLICT_PAUSE_MS : LONGEST_PAUSE_MS;
  const step = Math.min(FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 20), longest);
  const wish = error instanceof KubeError ? (error.retryAfterMs ?? 0) : 0;
  return Math.max(step * (0.5 + Math.random() / 2), wish);
}
