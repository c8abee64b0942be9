// Pauses that something ends early: a signal, or work that is done. Knows nothing else.

/** Waits so long or until the signal fires. */
export function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal.addEventListener("abort", end);
    if (signal.aborted) end();
  });
}

/** Waits for the work, but only so long; returns whether it is done. */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<boolean> {
  const enough = new AbortController();
  try {
    return await Promise.race([
      work.then(() => true),
      sleep(milliseconds, enough.signal).then(() => false),
    ]);
  } finally {
    enough.abort();
  }
}
