// MetalLB's own release at work with two Services, and what the routers, the wire and a client see while
// something is done to it.

import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { Observer } from "../../lab/clients/observer.ts";
import { takeoverText } from "../../lab/clients/takeover.ts";
import type { Json } from "../cluster/request.ts";
import { NODES } from "../install/cluster-stand.ts";
import { metallbRelease } from "./metallb-release.ts";
import { PodStand } from "./pod-stand.ts";
import { RouteWatch } from "./route-watch.ts";

/**
 * How often the owner may change. To ours: from MetalLB's owner to the speaker that was first, and on to the
 * one that is elected when all are there. MetalLB's own elect anew as they find each other. Two that
 * answer at once show as a change with every question, which is every 5 ms: hundreds.
 */
const MOST_STINTS = { ours: 4, "MetalLB's": 12 } as const;

/** Both Services, and what was to be seen of them. */
export class Scene {
  readonly stand: PodStand;
  /** Announced by BGP. */
  readonly routed: string;
  /** Answered for on Layer 2. */
  readonly local: string;
  readonly #statuses: Json;

  private constructor(stand: PodStand, routed: string, local: string, statuses: Json) {
    this.stand = stand;
    this.routed = routed;
    this.local = local;
    this.#statuses = statuses;
  }

  static async start(install: "installByChart" | "installByManifest"): Promise<Scene> {
    const stand = await PodStand.start(await metallbRelease());
    try {
      await stand[install]();
      const routed = await stand.serve("routed", "routed");
      const local = await stand.serve("on-the-lan", "lan");
      await stand.untilRoutes(routed);
      await stand.untilStatuses();
      return new Scene(stand, routed, local, await stand.addresses());
    } catch (error) {
      await stand.stop();
      throw error;
    }
  }

  /** Lets it happen, and tells what both leaves saw. No node may be lost twice. */
  async watchRoutes(t: TestContext, what: string, act: () => Promise<unknown>) {
    const watch = new RouteWatch(this.stand.stand.lab, `${this.routed}/32`);
    await act();
    await this.stand.untilRoutes(this.routed);
    const { lostMs, fewest, losses } = await watch.stop();
    const perNode = [...losses].map(([node, count]) => `${node} ${count}`).sort();
    t.diagnostic(
      `${what}: no route for ${lostMs.toFixed(0)} ms, at least ${fewest} next hops, lost ${perNode.join(", ")}`,
    );
    assert.ok(
      [...losses.values()].every((count) => count === 1),
      perNode.join(),
    );
    assert.equal(losses.size, NODES.length);
    return { lostMs, fewest };
  }

  /** The same, and what a witness and a client on the nodes' network saw. Never may two nodes answer. */
  async watchAll(
    t: TestContext,
    to: keyof typeof MOST_STINTS,
    what: string,
    act: () => Promise<unknown>,
  ): Promise<void> {
    const { stand } = this.stand;
    const observer = await Observer.start({
      lab: stand.lab,
      nodes: NODES,
      addresses: [this.local],
      until: (describe, look) => stand.until(describe, look),
    });
    try {
      observer.startCallers();
      await observer.untilOwner((name) => name !== undefined);
      await this.watchRoutes(t, what, async () => {
        const takeovers = await observer.watchCalm(what, act);
        for (const takeover of takeovers) {
          t.diagnostic(`${what}: ${takeoverText(takeover)}`);
          assert.ok(takeover.owners.length <= MOST_STINTS[to], takeoverText(takeover));
        }
      });
    } finally {
      await observer.stop();
    }
  }

  async assertNothingLost(): Promise<void> {
    assert.deepEqual(await this.stand.addresses(), this.#statuses);
    await this.stand.untilStatuses();
  }
}
