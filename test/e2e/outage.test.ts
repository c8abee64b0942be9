// The API server away for half a minute: nothing announced changes, and all goes on afterwards.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { routeAt } from "../../lab/demo/routers.ts";
import { NODES } from "../../lab/demo/stage.ts";
import { putService } from "../cluster/objects.ts";
import { Stand } from "./stand.ts";

/** The length of the outage is what is tested. */
const OUTAGE_MS = 30_000;

describe("an API server that is away", () => {
  let stand: Stand;
  before(async () => {
    stand = await Stand.start();
  });
  after(() => stand?.stop());

  it("for 30 s changes no route, is said, and what changed is followed when it is back", async () => {
    await putService(stand.cluster, { name: "web" });
    await stand.serveFrom("web", NODES);
    const prefix = `${await stand.address("web")}/32`;
    await stand.untilRoute("leaf1", prefix, NODES);

    await stand.cluster.stopApiServer();
    const back = Date.now() + OUTAGE_MS;
    let said = false;
    while (Date.now() < back) {
      const { nextHops } = await routeAt(stand.lab, "leaf1", prefix);
      assert.equal(nextHops.length, NODES.length);
      said ||= (await stand.state("node1")).waitingFor.length > 0;
      await sleep(500);
    }
    assert(said, "the speaker says that it waits for the API server");

    await stand.cluster.startApiServer();
    await stand.serveFrom("web", []);
    await stand.untilRoute("leaf1", prefix, []);
    await putService(stand.cluster, { name: "later" });
    await stand.serveFrom("later", ["node3"]);
    await stand.untilRoute("leaf1", `${await stand.address("later")}/32`, NODES);
  });
});
