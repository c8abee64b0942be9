// Whom this node is about to tell that it is there, and when it does so again. Pure.

/** Between two times that everybody is greeted; the last one for good. */
const PAUSES_MS = [1000, 2000, 4000, 5000];

export class Greetings {
  #queue: string[] = [];
  #count = 0;
  #againAtMs: number;

  constructor(nowMs: number) {
    this.#againAtMs = nowMs;
  }

  get hasMore(): boolean {
    return this.#queue.length > 0;
  }

  /** Everybody is to be greeted now. */
  isDue(nowMs: number): boolean {
    return nowMs >= this.#againAtMs;
  }

  /** Some in this order, then the others in any. */
  add(first: readonly string[], others: readonly string[], random: () => number): void {
    const rest = [...others];
    for (let i = rest.length - 1; i > 0; i--) {
      const j = Math.floor(random() * (i + 1));
      [rest[i], rest[j]] = [rest[j] ?? "", rest[i] ?? ""];
    }
    this.#queue.push(...first, ...rest);
  }

  /** Instead of who was left from the last time. */
  begin(nowMs: number): void {
    this.#queue = [];
    this.#againAtMs = nowMs + (PAUSES_MS[Math.min(this.#count, PAUSES_MS.length - 1)] ?? 0);
    this.#count += 1;
  }

  take(most: number): readonly string[] {
    return this.#queue.splice(0, most);
  }

  remove(name: string): void {
    this.#queue = this.#queue.filter((other) => other !== name);
  }

  /** Nobody any more; when it is needed again, with short pauses again. */
  reset(nowMs: number): void {
    this.#queue = [];
    this.#count = 0;
    this.#againAtMs = nowMs;
  }
}
