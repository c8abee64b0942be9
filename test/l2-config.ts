// L2Advertisements and nodes for the tests of Layer 2 decisions, from objects as users write them.

import assert from "node:assert/strict";
import type { L2Advertisement } from "../src/config/advertisement.ts";
import { type ConfigResources, parseConfig } from "../src/config/config.ts";
import type { ElectionNode } from "../src/speaker/election.ts";

/** Parses specs by name; fails when there is any problem. */
export function l2AdvertisementsOf(
  specs: Readonly<Record<string, object>>,
  poolNames: readonly string[],
): readonly L2Advertisement[] {
  const metadataOf = (name: string) => ({ name, namespace: "metallb-system" });
  const resources = {
    pools: poolNames.map((name, index) => ({
      metadata: metadataOf(name),
      spec: { addresses: [`198.18.${index}.0/24`] },
    })),
    l2Advertisements: Object.entries(specs).map(([name, spec]) => ({
      metadata: metadataOf(name),
      spec,
    })),
    bgpAdvertisements: [],
    peers: [],
    bfdProfiles: [],
    communities: [],
    namespaces: [],
    secrets: [],
    extras: "",
  };
  const { config, problems } = parseConfig(resources as ConfigResources, {
    node: undefined,
    accepted: new Map(),
  });
  assert.deepEqual(problems, []);
  return config.l2Advertisements;
}

/** Nodes by name; what is not said of them is ordinary. */
export function nodesOf(
  changes: Readonly<Record<string, Partial<ElectionNode>>>,
): ReadonlyMap<string, ElectionNode> {
  return new Map(
    Object.entries(changes).map(([name, change]) => [
      name,
      { name, labels: {}, networkUnavailable: false, l2Weight: 0, ...change },
    ]),
  );
}
