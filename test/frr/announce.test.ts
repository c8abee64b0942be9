// A prefix from startFrr() to a second FRR and back.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { eventually } from "../cluster/eventually.ts";
import { classWith, routesWith, settingsWith } from "../frr-samples.ts";
import type { FrrRouter } from "./daemons.ts";
import { createPair, established, type KeptFrr, keep, LEAF, pathsOf } from "./session.ts";

let node: FrrRouter;
let leaf: FrrRouter;
let frr: KeptFrr;

before(async () => {
  ({ node, leaf } = await createPair());
  await leaf.configure(LEAF);
  frr = keep(node);
});

after(async () => {
  await frr?.close();
  await node?.close();
  await leaf?.close();
});

it("announces a prefix with its attributes and withdraws it", async () => {
  const settings = settingsWith();
  const coloured = classWith({ communities: ["65000:1"], largeCommunities: ["65000:1:2"] });
  frr.apply({ settings, routes: routesWith({ "192.0.2.1/32": coloured }), changed: undefined });
  await frr.settled();
  await established(frr, "10.88.0.2");
  const [path] = await eventually(
    async () => {
      const paths = await pathsOf(leaf, "192.0.2.1/32");
      return paths.length > 0 && paths;
    },
    { describe: "192.0.2.1/32 at the leaf" },
  );
  assert.deepEqual(path, {
    localPreference: undefined,
    asPath: "65000",
    communities: "65000:1",
    largeCommunities: "65000:1:2",
  });
  frr.apply({ settings, routes: new Map(), changed: undefined });
  await eventually(async () => (await pathsOf(leaf, "192.0.2.1/32")).length === 0, {
    describe: "192.0.2.1/32 to go from the leaf",
  });
});
