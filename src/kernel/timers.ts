// What is to be called when: a heap of timers by time. Pure; whoever asks brings the clock.

export type Timer = {
  readonly atMs: number;
  readonly callback: () => void;
  /** Where it stands in the heap; negative: no longer in it. */
  index: number;
};

export class Timers {
  readonly #heap: Timer[] = [];

  /** When the next one is due; undefined: none is set. */
  get nextAtMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  get size(): number {
    return this.#heap.length;
  }

  add(atMs: number, callback: () => void): Timer {
    const timer = { atMs, callback, index: this.#heap.length };
    this.#heap.push(timer);
    this.#up(timer);
    return timer;
  }

  /** Does nothing with a timer that ran or was removed before. */
  remove(timer: Timer): void {
    const last = this.#heap.at(-1);
    if (timer.index < 0 || last === undefined) return;
    this.#heap.pop();
    if (last !== timer) {
      this.#place(last, timer.index);
      this.#up(last);
      this.#down(last);
    }
    timer.index = -1;
  }

  /** Takes the earliest timer whose time has come. */
  takeDue(nowMs: number): Timer | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.remove(first);
    return first;
  }

  #up(timer: Timer): void {
    while (timer.index > 0) {
      const parent = this.#heap[(timer.index - 1) >> 1];
      if (parent === undefined || parent.atMs <= timer.atMs) return;
      this.#swap(parent, timer);
    }
  }

  #down(timer: Timer): void {
    for (;;) {
      const left = this.#heap[2 * timer.index + 1];
      const right = this.#heap[2 * timer.index + 2];
      const child =
        right !== undefined && left !== undefined && right.atMs < left.atMs ? right : left;
      if (child === undefined || child.atMs >= timer.atMs) return;
      this.#swap(timer, child);
    }
  }

  #swap(above: Timer, below: Timer): void {
    const place = above.index;
    this.#place(above, below.index);
    this.#place(below, place);
  }

  #place(timer: Timer, index: number): void {
    this.#heap[index] = timer;
    timer.index = index;
  }
}
