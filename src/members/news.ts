// Rows on their way to everybody, sent again to who does not confirm. Pure.

import type { Row } from "./message.ts";

/** Pauses before each further attempt, in milliseconds. */
const PAUSES_MS = [25, 50, 100, 200, 400];

export class News {
  readonly id: number;
  readonly rows: readonly Row[];
  readonly #unconfirmed: Set<string>;
  #queue: string[];
  #attempts = 0;
  #againAtMs: number;

  constructor(id: number, rows: readonly Row[], targets: Iterable<string>, nowMs: number) {
    this.id = id;
    this.rows = rows;
    this.#unconfirmed = new Set(targets);
    this.#queue = [...this.#unconfirmed];
    this.#againAtMs = nowMs;
  }

  /** Everybody has confirmed, or was told often enough. */
  get isOver(): boolean {
    return this.#unconfirmed.size === 0 || this.#attempts > PAUSES_MS.length;
  }

  /** More is to be sent now, as soon as it may be. */
  get hasBacklog(): boolean {
    return this.#queue.length > 0;
  }

  confirm(name: string): void {
    this.#unconfirmed.delete(name);
  }

  /** Whom to send to now, at most so many. */
  take(most: number, nowMs: number): readonly string[] {
    if (this.#queue.length === 0 && nowMs >= this.#againAtMs) this.#queue = [...this.#unconfirmed];
    const targets = this.#queue.splice(0, most).filter((name) => this.#unconfirmed.has(name));
    if (this.#queue.length === 0 && nowMs >= this.#againAtMs) {
      this.#againAtMs = nowMs + (PAUSES_MS[this.#attempts] ?? 0);
      this.#attempts += 1;
    }
    return targets;
  }
}
