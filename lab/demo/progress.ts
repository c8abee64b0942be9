// Tells a person who waits what is going on and for how long.

/** How often a step that takes long says that it is still under way. */
const REMINDER_MS = 3_000;

export class Progress {
  readonly #startedAt = performance.now();
  readonly #signal: AbortSignal;

  /** The signal ends every step. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  get seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  /** Writes a line with the time that has passed. */
  say(text: string): void {
    console.log(`[${this.seconds.toFixed(1).padStart(5)} s] ${text}`);
  }

  /** Says what is being done, again and again while it takes long, then what came of it. */
  async step<T>(what: string, act: () => Promise<T>, done?: (result: T) => string): Promise<T> {
    this.#signal.throwIfAborted();
    this.say(what);
    const reminder = setInterval(() => this.say(`  ... still at it: ${what}`), REMINDER_MS);
    const { promise: ended, reject } = Promise.withResolvers<never>();
    const end = () => reject(this.#signal.reason);
    this.#signal.addEventListener("abort", end, { once: true });
    try {
      const result = await Promise.race([act(), ended]);
      if (done !== undefined) this.say(`  ${done(result)}`);
      return result;
    } finally {
      clearInterval(reminder);
      this.#signal.removeEventListener("abort", end);
    }
  }
}
