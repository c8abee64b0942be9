// By sockets and by vtysh: the same result, the same refusals.

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { parseConfiguration } from "../../src/frr/tree.ts";
import { eventually } from "../cluster/eventually.ts";
import { DESIRED_SAMPLES, PLAIN, routesWith, settingsWith } from "../frr-samples.ts";
import { FrrRouter } from "./daemons.ts";
import { keep } from "./session.ts";

const DAEMONS = ["zebra", "bgpd", "bfdd"] as const;

let bySockets: FrrRouter;
let byVtysh: FrrRouter;

before(async () => {
  bySockets = await FrrRouter.create("sockets");
  byVtysh = await FrrRouter.create("vtysh");
});

after(async () => {
  await bySockets?.close();
  await byVtysh?.close();
});

/** Without the host name, which vtysh keeps to itself, and without comments. */
async function running(router: FrrRouter): Promise<string[]> {
  const texts = await Promise.all(DAEMONS.map((name) => router.show(name, "show running-config")));
  return texts.map((text) => text.replace(/^(hostname|!).*\n/gm, ""));
}

it("both wait for an FRR that is not up yet, and configure it alike", async () => {
  const pairs = [
    [bySockets, keep(bySockets)],
    [byVtysh, keep(byVtysh, { transport: "vtysh" })],
  ] as const;
  try {
    const first = DESIRED_SAMPLES["dual stack"] ?? assert.fail();
    for (const [, frr] of pairs) frr.apply({ ...first, changed: undefined });
    await eventually(
      () => pairs.every(([, frr]) => /Cannot reach bgpd/.test(reasonOf(frr.status()))),
      { describe: "both to miss bgpd" },
    );
    await Promise.all(pairs.map(([router]) => router.start(...DAEMONS)));
    for (const name of ["dual stack", "communities", "bfd", "multihop", "extras", "no route"]) {
      const desired = DESIRED_SAMPLES[name] ?? assert.fail();
      for (const [, frr] of pairs) {
        frr.apply({ ...desired, changed: undefined });
        await frr.settled();
        assert.deepEqual(frr.status().problems, [], name);
      }
      assert.deepEqual(await running(byVtysh), await running(bySockets), name);
    }
  } finally {
    for (const [, frr] of pairs) await frr.close();
  }
});

it("both name the same refused lines", async () => {
  const extras =
    "ip prefix-list a permitt any\nrouter bgp 65000\n neighbor 10.88.0.2 descriptoin x\n";
  const refused: unknown[] = [];
  for (const [router, transport] of [
    [bySockets, "sockets"],
    [byVtysh, "vtysh"],
  ] as const) {
    const frr = keep(router, { transport });
    try {
      const routes = routesWith({ "192.0.2.1/32": PLAIN });
      frr.apply({ settings: settingsWith({ extras }), routes, changed: undefined });
      await frr.settled();
      const lines = frr
        .status()
        .problems.map((problem) => (problem.kind === "refused-extra" ? problem.line : problem));
      refused.push(lines);
      const { networks } = parseConfiguration(await router.show("bgpd", "show running-config"));
      assert.equal(networks.get("router bgp ipv4")?.size, 1);
    } finally {
      await frr.close();
    }
  }
  assert.deepEqual(refused, [
    ["ip prefix-list a permitt any", "neighbor 10.88.0.2 descriptoin x"],
    ["ip prefix-list a permitt any", "neighbor 10.88.0.2 descriptoin x"],
  ]);
});

function reasonOf({ connection }: ReturnType<ReturnType<typeof keep>["status"]>): string {
  return connection.kind === "connected" ? "" : connection.reason;
}
