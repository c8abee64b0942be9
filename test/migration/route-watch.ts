// Looks at a route on both leaf routers again and again, and at how often their sessions with nodes came
// up, while something happens to the nodes.

import { now } from "../../bench/clock.ts";
import { routeAt } from "../../lab/demo/routers.ts";
import type { Lab } from "../../lab/netns/lab.ts";

const LEAVES = ["leaf1", "leaf2"] as const;

type Sample = {
  readonly atMs: number;
  readonly leaf: string;
  readonly nextHops: readonly string[];
};

export type RouteReport = {
  /** The longest time in which a leaf had no way to the address at all. */
  readonly lostMs: number;
  /** The fewest nodes at a time that a leaf had as next hops. */
  readonly fewest: number;
  /** By the address of a node: how often a leaf saw its route go, at most. */
  readonly losses: ReadonlyMap<string, number>;
};

export class RouteWatch {
  readonly #samples: Sample[] = [];
  readonly #loop: Promise<void>;
  #stopped = false;

  /** From now on, as often as the routers' shells answer. */
  constructor(lab: Lab, prefix: string) {
    const look = async (leaf: string) => {
      while (!this.#stopped) {
        const { nextHops } = await routeAt(lab, leaf, prefix);
        this.#samples.push({ atMs: now(), leaf, nextHops });
      }
    };
    this.#loop = Promise.all(LEAVES.map(look)).then(() => {});
    // Told by `stop`.
    this.#loop.catch(() => {});
  }

  /** What was seen so far; ends the watch. */
  async stop(): Promise<RouteReport> {
    this.#stopped = true;
    await this.#loop;
    const perLeaf = LEAVES.map((leaf) => this.#samples.filter((sample) => sample.leaf === leaf));
    const losses = new Map<string, number>();
    for (const samples of perLeaf) {
      for (const [node, count] of lossesIn(samples)) {
        losses.set(node, Math.max(count, losses.get(node) ?? 0));
      }
    }
    return {
      lostMs: Math.max(...perLeaf.map(longestLoss)),
      fewest: Math.min(...this.#samples.map(({ nextHops }) => nextHops.length)),
      losses,
    };
  }
}

function longestLoss(samples: readonly Sample[]): number {
  let longest = 0;
  let since: number | undefined;
  for (const { atMs, nextHops } of samples) {
    if (nextHops.length > 0) since = undefined;
    else since ??= atMs;
    if (since !== undefined) longest = Math.max(longest, atMs - since);
  }
  return longest;
}

function lossesIn(samples: readonly Sample[]): ReadonlyMap<string, number> {
  const losses = new Map<string, number>();
  for (const [index, { nextHops }] of samples.entries()) {
    for (const node of samples[index - 1]?.nextHops ?? []) {
      if (!nextHops.includes(node)) losses.set(node, (losses.get(node) ?? 0) + 1);
    }
  }
  return losses;
}
