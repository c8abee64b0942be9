// From MetalLB's own release to ours and back by the steps of docs/migrate.md, both installed and running
// as Pods: what the routers, the wire and a client see meanwhile.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { Observer } from "../../lab/clients/observer.ts";
import { takeoverText } from "../../lab/clients/takeover.ts";
import type { Json } from "../cluster/request.ts";
import { metallbRelease } from "../migration/metallb-release.ts";
import { PodStand } from "../migration/pod-stand.ts";
import { RouteWatch } from "../migration/route-watch.ts";
import { frrGroups, NAMESPACE, NODES } from "./cluster-stand.ts";

const OURS = fileURLToPath(new URL("../../config/manifests/metallb.yaml", import.meta.url));
const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const NO_PREEMPTION = ["metallb-speaker", "--value=1000000", "--preemption-policy=Never"];

/**
 * From MetalLB's owner to the speaker that was first, and on to the one that is elected when all are there.
 * Two that answer at once show as a change with every question, which is every 5 ms.
 */
const MOST_STINTS = 4;

/** With the groups of the lab's FRR instead of those of the stock image. */
async function ourManifest(): Promise<string> {
  const text = await readFile(OURS, "utf8");
  const groups = /supplementalGroups:(\s+- \d+)+/;
  assert.match(text, groups);
  return text.replace(groups, `supplementalGroups: [${frrGroups().join()}]`);
}

/** Both Services, and what was to be seen of them. */
class Scene {
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
  async watchAll(t: TestContext, what: string, act: () => Promise<unknown>): Promise<void> {
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
          assert.ok(takeover.owners.length <= MOST_STINTS, takeoverText(takeover));
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

describe("migration from MetalLB's chart, all at once, and back", () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.start("installByChart");
  });
  after(() => scene?.stand.stop());

  it("to ours: each session resets once, and never do two nodes answer", async (t) => {
    const { stand } = scene;
    await stand.takeWebhooksAway();
    // The manager that Helm is, so that it may change what it finds.
    const how = ["--server-side", "--force-conflicts", "--field-manager=helm"];
    await stand.kubectl("apply", ...how, "-f", CRDS);
    await stand.makeMemberlist();
    await scene.watchAll(t, "to ours", async () => {
      await stand.stand.helm("upgrade", "--reset-values");
      await stand.untilImages(/^metallb-ts\//);
      await stand.stand.untilRolledOut();
    });
    await scene.assertNothingLost();
  });

  it("back to MetalLB by helm rollback", async (t) => {
    const { stand } = scene;
    await scene.watchAll(t, "back", async () => {
      await stand.kubectl("delete", "daemonset", "speaker");
      const where = ["--namespace", NAMESPACE, "--force-conflicts"];
      await stand.stand.cluster.helm(["rollback", "metallb", "1", ...where]);
      await stand.untilImages(/^quay\.io\/metallb\//);
      await stand.untilRoutes(scene.routed);
    });
    await scene.assertNothingLost();
  });
});

describe("migration from MetalLB's chart, node by node", () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.start("installByChart");
  });
  after(() => scene?.stand.stop());

  it("to ours: two nodes have a route at any time, each session resets once", async (t) => {
    const { stand } = scene;
    await stand.takeWebhooksAway();
    await stand.makeMemberlist();
    await stand.kubectl("delete", "l2advertisement", "lan");
    const { fewest } = await scene.watchRoutes(t, "to ours", async () => {
      await stand.kubectl("create", "priorityclass", ...NO_PREEMPTION);
      await stand.kubectl("delete", "daemonset", "metallb-speaker", "--cascade=orphan");
      const priority = "speaker.priorityClassName=metallb-speaker";
      await stand.stand.helm("upgrade", "--reset-values", "--set", priority);
      for (const node of NODES) await stand.replaceSpeaker(node, scene.routed);
    });
    assert.equal(fewest, NODES.length - 1);
  });
});

describe("migration from MetalLB's manifest, node by node, back, and all at once", () => {
  let scene: Scene;
  before(async () => {
    scene = await Scene.start("installByManifest");
  });
  after(() => scene?.stand.stop());

  const applyOurs = async () => {
    await scene.stand.stand.cluster.kubectl(["apply", "-f", "-"], { input: await ourManifest() });
    await scene.stand.stand.untilRolledOut();
  };

  it("to ours: two nodes have a route at any time, each session resets once", async (t) => {
    const { stand } = scene;
    await stand.takeWebhooksAway();
    await stand.kubectl("delete", "l2advertisement", "lan");
    await stand.untilSettled();
    const { fewest } = await scene.watchRoutes(t, "to ours", applyOurs);
    assert.equal(fewest, NODES.length - 1);
  });

  it("back: each session resets once, and never do two nodes answer", async (t) => {
    const { stand } = scene;
    await stand.announceOnTheLan();
    await stand.untilStatuses();
    await scene.watchAll(t, "back", async () => {
      await stand.kubectl("delete", "daemonset/speaker", "deployment/controller");
      const ours = ["poddisruptionbudget/controller", "configmap/frr-startup", "role/speaker"];
      await stand.kubectl("delete", ...ours, "rolebinding/speaker");
      await stand.untilImages(/^quay\.io\/metallb\//);
      await stand.kubectl("apply", "-f", stand.release.manifest);
      await stand.untilRoutes(scene.routed);
    });
    await scene.assertNothingLost();
  });

  it("to ours all at once: the same, and the Secret of the speakers stays", async (t) => {
    const { stand } = scene;
    await stand.takeWebhooksAway();
    const path = `/api/v1/namespaces/${NAMESPACE}/secrets/memberlist`;
    const { metadata } = await stand.stand.cluster.request("GET", path);
    await scene.watchAll(t, "all at once", async () => {
      await stand.kubectl("delete", "daemonset", "speaker");
      await stand.stand.until("MetalLB's speakers to be gone", async () => {
        return (await stand.stand.pods("speaker")).length === 0;
      });
      await applyOurs();
    });
    const leftovers = ["service/metallb-webhook-service", "secret/metallb-webhook-cert"];
    await stand.kubectl("delete", ...leftovers, "role/pod-lister", "rolebinding/pod-lister");
    await scene.assertNothingLost();
    const now = await stand.stand.cluster.request("GET", path);
    assert.equal(now.metadata.uid, metadata.uid);
  });
});
