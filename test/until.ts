// Waits for a condition without a timer of its own, so that mocked timers do not stop it.

/** Resolves when the condition holds; looks at every turn of the event loop, for 20 s. */
export async function until(what: string, condition: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 20_000;
  while (!condition()) {
    if (performance.now() > deadlineMs) throw new Error(`Waited 20 s for ${what}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}
