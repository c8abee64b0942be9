// What the lab's leaf routers have learnt from its nodes.

import { nodeSessionsAt, routeAt } from "../../lab/demo/routers.ts";
import type { Lab } from "../../lab/netns/lab.ts";

export const LEAVES = ["leaf1", "leaf2"] as const;

/** Whether each leaf has a session of each family with so many nodes. */
export async function haveSessions(lab: Lab, nodes: number): Promise<boolean> {
  const counts = await Promise.all(LEAVES.map((leaf) => nodeSessionsAt(lab, leaf)));
  return counts.every((count) => count === 2 * nodes);
}

/** Whether the router has the prefix from exactly these nodes. */
export async function hasRoute(
  lab: Lab,
  router: string,
  prefix: string,
  nodes: readonly string[],
): Promise<boolean> {
  const family = prefix.includes(":") ? 1 : 0;
  const wanted = nodes.map((name) => lab.node(name).addresses[family] ?? "").sort();
  const { nextHops } = await routeAt(lab, router, prefix);
  return nextHops.join() === wanted.join();
}
