// From MetalLB's chart to ours and back by the steps of docs/migrate.md, both running as Pods: what the
// routers, the wire and a client see meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Scene } from "../migration/scene.ts";
import { NAMESPACE, NODES } from "./cluster-stand.ts";

const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const NO_PREEMPTION = ["metallb-speaker", "--value=1000000", "--preemption-policy=Never"];

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
    await scene.watchAll(t, "ours", "to ours", async () => {
      await stand.stand.helm("upgrade", "--reset-values");
      await stand.untilImages(/^metallb-ts\//);
      await stand.stand.untilRolledOut();
    });
    await scene.assertNothingLost();
  });

  it("back to MetalLB by helm rollback", async (t) => {
    const { stand } = scene;
    await scene.watchAll(t, "MetalLB's", "back", async () => {
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
