// helm upgrade from a chart of another version, and helm rollback, while a Service is announced: its
// addresses stay, and there is a route at any time.

import assert from "node:assert/strict";
import { cp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { LEAVES } from "../e2e/leaves.ts";
import { RouteWatch } from "../migration/route-watch.ts";
import { CHART, ClusterStand, frrGroups, NAMESPACE, NODES } from "./cluster-stand.ts";

/** Nothing was released before the version here: this is made of the same files. */
const OTHER_VERSION = "0.1.9";

describe("helm upgrade and rollback", () => {
  let stand: ClusterStand;
  let prefixes: readonly string[];
  let given: readonly string[];

  before(async () => {
    stand = await ClusterStand.start();
    const chart = await otherChart(join(stand.lab.folder, "chart"));
    await stand.cluster.helm([
      ...["install", "metallb", chart, "--namespace", NAMESPACE, "--create-namespace"],
      ...["--set", `speaker.frr.groups={${frrGroups().join()}}`],
    ]);
    await stand.applyDemo("metallb.yaml");
    await stand.untilSessions();
    await stand.applyDemo("web.yaml");
    given = await stand.addresses("web");
    prefixes = given.map((address) => `${address}/${address.includes(":") ? 128 : 32}`);
    await stand.untilRolledOut();
    await untilRoutes();
  });
  after(() => stand?.stop());

  const untilRoutes = async () => {
    for (const leaf of LEAVES) {
      for (const prefix of prefixes) await stand.untilRoute(leaf, prefix, NODES);
    }
  };
  const versions = async (): Promise<readonly string[]> => {
    const pods = [...(await stand.pods("controller")), ...(await stand.pods("speaker"))];
    return pods.map(({ metadata }) => metadata.labels["app.kubernetes.io/version"]);
  };
  /** Lets it happen node by node, and looks at both families' routes meanwhile. */
  const watch = async (t: TestContext, what: string, act: () => Promise<unknown>) => {
    const watches = prefixes.map((prefix) => new RouteWatch(stand.lab, prefix));
    await act();
    await stand.untilRolledOut();
    await untilRoutes();
    for (const [index, one] of watches.entries()) {
      const { lostMs, fewest, losses } = await one.stop();
      const perNode = [...losses].map(([node, count]) => `${node} ${count}`).sort();
      const prefix = prefixes[index];
      t.diagnostic(
        `${what}: ${prefix} for ${lostMs.toFixed(0)} ms without a route, at least ${fewest} next hops, lost ${perNode.join(", ")}`,
      );
      assert.ok(fewest >= NODES.length - 1, `${prefix}: ${fewest} next hops`);
      assert.equal(losses.size, NODES.length);
      assert.ok(
        [...losses.values()].every((count) => count === 1),
        perNode.join(),
      );
    }
    assert.deepEqual(await stand.addresses("web"), given);
  };

  it("upgrade: one node after the other, addresses stay", async (t) => {
    assert.deepEqual(new Set(await versions()), new Set([OTHER_VERSION]));
    await watch(t, "upgrade", () => stand.helm("upgrade"));
    assert.ok(!(await versions()).includes(OTHER_VERSION));
  });

  it("rollback: the same", async (t) => {
    await watch(t, "rollback", () =>
      stand.cluster.helm(["rollback", "metallb", "1", "--namespace", NAMESPACE]),
    );
    assert.deepEqual(new Set(await versions()), new Set([OTHER_VERSION]));
  });
});

/** A copy of our chart that says it is another version. */
async function otherChart(folder: string): Promise<string> {
  await cp(CHART, folder, { recursive: true });
  const path = join(folder, "Chart.yaml");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/^((?:appV|v)ersion): .*$/gm, `$1: ${OTHER_VERSION}`));
  return folder;
}
