// Who watches whom: pseudo-random rings (Rapid, USENIX ATC 2018, section 4). Pure.

/** Nodes that watch one node. */
const RINGS = 3;

/** Up to so many nodes everybody watches everybody. */
const ALL_WATCH_ALL = 6;

/**
 * All names in a few pseudo-random orders. The watchers of a node are those before it, one in each
 * ring: each node has so many, and watches as many (now and then a few more, where one was before it
 * in two rings); a change moves only its neighbors.
 */
export class Rings {
  readonly names: readonly string[];
  readonly #rings: readonly Ring[];
  readonly #indexes = new Map<string, number>();

  constructor(names: Iterable<string>) {
    this.names = [...new Set(names)].sort();
    for (const [index, name] of this.names.entries()) this.#indexes.set(name, index);
    this.#rings = Array.from({ length: RINGS }, (_, seed) => ringOf(this.names, seed));
  }

  has(name: string): boolean {
    return this.#indexes.has(name);
  }

  /**
   * The watchers of a node among those that count: distinct, in the order of the rings; fewer when
   * fewer count. The node itself need not count.
   */
  watchersOf(name: string, counts: (name: string) => boolean): readonly string[] {
    const self = this.#indexes.get(name);
    if (self === undefined) return [];
    if (this.names.length <= ALL_WATCH_ALL) {
      return this.names.filter((other) => other !== name && counts(other));
    }
    const watchers: string[] = [];
    for (const { order, places } of this.#rings) {
      const { length } = order;
      const place = places[self] ?? 0;
      for (let step = 1; step < length; step++) {
        const other = this.names[order[(place - step + length) % length] ?? 0] ?? "";
        if (watchers.includes(other) || !counts(other)) continue;
        watchers.push(other);
        break;
      }
    }
    return watchers;
  }

  /** The nodes, of those that are wanted, that `name` is a watcher of. */
  watchedBy(
    name: string,
    counts: (name: string) => boolean,
    isWanted: (name: string) => boolean,
  ): readonly string[] {
    const self = this.#indexes.get(name);
    if (self === undefined) return [];
    const isWatched = (other: string) =>
      isWanted(other) && this.watchersOf(other, counts).includes(name);
    if (this.names.length <= ALL_WATCH_ALL) {
      return this.names.filter((other) => other !== name && isWatched(other));
    }
    const watched = new Set<string>();
    for (const { order, places } of this.#rings) {
      const { length } = order;
      const place = places[self] ?? 0;
      // A node further on has as many others before it as there are rings.
      for (let step = 1, passed = 0; step < length && passed < RINGS; step++) {
        const other = this.names[order[(place + step) % length] ?? 0] ?? "";
        if (isWatched(other)) watched.add(other);
        if (counts(other)) passed += 1;
      }
    }
    return [...watched];
  }
}

/** Indexes of names in the ring's order, and the place of each index in it. */
type Ring = { readonly order: Uint32Array; readonly places: Uint32Array };

function ringOf(names: readonly string[], seed: number): Ring {
  const hashes = Uint32Array.from(names, (name) => hashText(name, seed));
  const order = Uint32Array.from(names.keys()).sort(
    (a, b) => (hashes[a] ?? 0) - (hashes[b] ?? 0) || a - b,
  );
  const places = new Uint32Array(names.length);
  for (const [place, index] of order.entries()) places[index] = place;
  return { order, places };
}

/** FNV-1a over UTF-16 units, then MurmurHash3's finish so that every bit counts. */
export function hashText(text: string, seed: number): number {
  let hash = 0x811c9dc5 ^ Math.imul(seed + 1, 0x9e3779b1);
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
