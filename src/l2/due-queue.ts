// A queue of keys by the time they are due, and those of one time in the order they were set: a
// binary heap that knows where each key is, so that one can be moved or removed in O(log n). Pure.

type Entry<Key> = { readonly key: Key; readonly atMs: number; readonly turn: number };

export class DueQueue<Key> {
  /** Each entry comes before those at 2i + 1 and 2i + 2. */
  readonly #heap: Entry<Key>[] = [];
  readonly #indexes = new Map<Key, number>();
  #turn = 0;

  has(key: Key): boolean {
    return this.#indexes.has(key);
  }

  /** Puts the key in, or moves it. */
  set(key: Key, atMs: number): void {
    const index = this.#indexes.get(key) ?? this.#heap.length;
    this.#turn += 1;
    this.#settle(index, { key, atMs, turn: this.#turn });
  }

  delete(key: Key): void {
    const index = this.#indexes.get(key);
    if (index === undefined) return;
    this.#indexes.delete(key);
    const last = this.#heap.pop();
    if (last !== undefined && index < this.#heap.length) this.#settle(index, last);
  }

  /** When the first key is due; undefined: the queue is empty. */
  firstAtMs(): number | undefined {
    return this.#heap[0]?.atMs;
  }

  /** Takes the first key out if it is due. */
  take(nowMs: number): Key | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.atMs > nowMs) return undefined;
    this.delete(first.key);
    return first.key;
  }

  /** Puts the entry at the index, or at the place above or below where it belongs. */
  #settle(start: number, entry: Entry<Key>): void {
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent];
      if (above === undefined || isBefore(above, entry)) break;
      this.#place(index, above);
      index = parent;
    }
    for (;;) {
      const [left, right] = [this.#heap[2 * index + 1], this.#heap[2 * index + 2]];
      const isRight = left !== undefined && right !== undefined && isBefore(right, left);
      const below = isRight ? right : left;
      if (below === undefined || isBefore(entry, below)) break;
      this.#place(index, below);
      index = 2 * index + (isRight ? 2 : 1);
    }
    this.#place(index, entry);
  }

  #place(index: number, entry: Entry<Key>): void {
    this.#heap[index] = entry;
    this.#indexes.set(entry.key, index);
  }
}

function isBefore(a: Entry<unknown>, b: Entry<unknown>): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.turn < b.turn);
}
