// From MetalLB's manifest to ours and back by the steps of docs/migrate.md, both running as Pods: what the
// routers, the wire and a client see meanwhile.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Scene } from "../migration/scene.ts";
import { frrGroups, NAMESPACE, NODES } from "./cluster-stand.ts";

const OURS = fileURLToPath(new URL("../../config/manifests/metallb.yaml", import.meta.url));

/** With the groups of the lab's FRR instead of those of the stock image. */
async function ourManifest(): Promise<string> {
  const text = await readFile(OURS, "utf8");
  const groups = /supplementalGroups:(\s+- \d+)+/;
  assert.match(text, groups);
  return text.replace(groups, `supplementalGroups: [${frrGroups().join()}]`);
}

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
    await scene.watchAll(t, "MetalLB's", "back", async () => {
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
    await scene.watchAll(t, "ours", "all at once", async () => {
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
