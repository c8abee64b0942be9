// L2Advertisements -> which nodes may announce the addresses of a pool by Layer 2, and which of
// them rather than others. Pure.

import type { L2Advertisement } from "../config/advertisement.ts";
import { matchesAny, matchesSelector } from "../config/selector.ts";
import type { ElectionNode } from "./election.ts";

/** How one pool is announced by Layer 2. */
export type L2PoolPolicy = {
  readonly poolName: string;
  /** Without those that say the same as another. */
  readonly advertisements: readonly PolicyL2Advertisement[];
};

/** An L2Advertisement, looked at from the nodes. */
export type PolicyL2Advertisement = {
  readonly advertisement: L2Advertisement;
  /**
   * The nodes it includes, and for each the weights of its preferences that match the node, added
   * up; 0: none matches.
   */
  readonly preferences: ReadonlyMap<string, number>;
};

/** Compiles for all nodes that are known, by pool name; a pool of no advertisement is there too. */
export function compileL2Policies(
  advertisements: readonly L2Advertisement[],
  poolNames: Iterable<string>,
  nodes: ReadonlyMap<string, ElectionNode>,
): ReadonlyMap<string, L2PoolPolicy> {
  const compiled = advertisements.map((advertisement) => ({
    advertisement,
    preferences: preferencesOf(advertisement, nodes),
    key: keyOf(advertisement),
  }));
  const policies = new Map<string, L2PoolPolicy>();
  for (const poolName of poolNames) {
    const ofPool = compiled.filter(({ advertisement }) => advertisement.pools.has(poolName));
    policies.set(poolName, { poolName, advertisements: withoutRepetition(ofPool) });
  }
  return policies;
}

function preferencesOf(
  { nodeSelectors, preferredNodes }: L2Advertisement,
  nodes: ReadonlyMap<string, ElectionNode>,
): ReadonlyMap<string, number> {
  const preferences = new Map<string, number>();
  for (const { name, labels } of nodes.values()) {
    if (nodeSelectors.length > 0 && !matchesAny(nodeSelectors, labels)) continue;
    let sum = 0;
    for (const { weight, preference } of preferredNodes) {
      if (matchesSelector(preference, labels)) sum += weight;
    }
    preferences.set(name, sum);
  }
  return preferences;
}

/** Equal for advertisements that say the same; undefined: it counts each time it is said. */
function keyOf(advertisement: L2Advertisement): string | undefined {
  const { nodeSelectors, serviceSelectors, interfaces, preferredNodes, failbackDelayMs } =
    advertisement;
  if (preferredNodes.length > 0) return undefined;
  const delay = failbackDelayMs ?? "never";
  return JSON.stringify([nodeSelectors, serviceSelectors, interfaces, delay]);
}

function withoutRepetition<Compiled extends { readonly key: string | undefined }>(
  compiled: readonly Compiled[],
): readonly Compiled[] {
  const seen = new Set<string>();
  return compiled.filter(({ key }) => {
    if (key === undefined) return true;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
