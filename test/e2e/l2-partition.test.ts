// The network between the nodes is split while all of them live, and a client reaches every one of
// them: at no moment do two answer for an address. Everything real; each test tells its times.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ownersText, type Takeover } from "../../lab/clients/takeover.ts";
import { between, oneWay } from "../../lab/netns/faults.ts";
import { assertHandedOver, L2Stand, Scene, tell } from "./l2-stand.ts";

/** Several times what it takes to count a node as dead. */
const SPLIT_MS = 5_000;
const API = "control";

describe("a split network", () => {
  let l2: L2Stand;
  before(async () => {
    l2 = await L2Stand.start();
  });
  afterEach(() => l2.mend());
  after(() => l2?.stop());

  it("with the owner alone: it falls silent before another answers, and gets the address back", async (t) => {
    await using scene = await Scene.start(l2, { name: "alone", dualStack: true });
    const { owner, others } = scene;
    const rest = [...others, API];
    const split = await scene.moves(`${owner} against all`, () =>
      l2.loseFrames(between([owner], rest)),
    );
    const healed = await scene.comesBack("healed", () => l2.healNetwork());
    tell(t, split, healed);
    assertHandedOver(split, { from: owner });
    assertHandedOver(healed, { from: split[0]?.owners[1] ?? "", to: owner });
  });

  it("with the owner alone but for the API server: one node answers, whichever", async (t) => {
    await using scene = await Scene.start(l2, { name: "api-side" });
    const { owner, others } = scene;
    const split = await scene.observer.watchCalm(`${owner} against the other nodes`, async () => {
      await l2.loseFrames(between([owner], others));
      await sleep(SPLIT_MS);
    });
    const healed = await scene.observer.watchMove({
      what: "healed",
      act: () => l2.healNetwork(),
      isOwner: (name) => name === owner,
    });
    tell(t, split, healed);
    for (const takeover of [...split, ...healed]) assertOneAtATime(takeover);
  });

  it("with the owner on the larger side: the address stays, and the node alone does not answer", async (t) => {
    await using scene = await Scene.start(l2, { name: "larger", dualStack: true });
    const { owner, others } = scene;
    const [with_ = "", alone = ""] = others;
    const split = await scene.observer.watchCalm(`${alone} against all`, async () => {
      await l2.loseFrames(between([alone], [owner, with_, API]));
      await sleep(SPLIT_MS);
    });
    const healed = await scene.observer.watchCalm("healed", async () => {
      await l2.healNetwork();
      await l2.untilMembers();
    });
    tell(t, split, healed);
    for (const { owners } of [...split, ...healed]) assert.deepEqual(owners, [owner]);
  });

  it("with the API server on the smaller side: the address stays, and the node alone does not answer", async (t) => {
    await using scene = await Scene.start(l2, { name: "smaller", dualStack: true });
    const { owner, others } = scene;
    const [with_ = "", alone = ""] = others;
    const split = await scene.observer.watchCalm(
      `${alone} and ${API} against the rest`,
      async () => {
        await l2.loseFrames(between([alone, API], [owner, with_]));
        await sleep(SPLIT_MS);
      },
    );
    const healed = await scene.observer.watchCalm("healed", async () => {
      await l2.healNetwork();
      await l2.untilMembers();
    });
    tell(t, split, healed);
    for (const { owners } of [...split, ...healed]) assert.deepEqual(owners, [owner]);
  });

  for (const direction of ["is not heard", "does not hear"] as const) {
    it(`in one direction: an owner that ${direction} is followed by another, and gets the address back`, async (t) => {
      await using scene = await Scene.start(l2, { name: direction.replaceAll(" ", "-") });
      const { owner, others } = scene;
      const rest = [...others, API];
      const losses = direction === "is not heard" ? oneWay([owner], rest) : oneWay(rest, [owner]);
      const split = await scene.moves(`${owner} ${direction}`, () => l2.loseFrames(losses));
      const healed = await scene.comesBack("healed", () => l2.healNetwork());
      tell(t, split, healed);
      assertHandedOver(split, { from: owner });
      assertHandedOver(healed, { from: split[0]?.owners[1] ?? "", to: owner });
    });
  }
});

describe("an API server that is away", () => {
  let l2: L2Stand;
  before(async () => {
    l2 = await L2Stand.start();
  });
  after(() => l2?.stop());

  it("keeps no address with a node that dies meanwhile, and none from one that returns", async (t) => {
    await using scene = await Scene.start(l2, { name: "outage" });
    const { owner } = scene;
    await l2.stopApiServer();
    const lost = await scene.moves(`SIGKILL of all in ${owner}`, () => l2.killNode(owner));
    await l2.startApiServer();
    const back = await scene.comesBack(`${owner} is back`, () => l2.startNode(owner));
    tell(t, lost, back);
    assertHandedOver(lost, { from: owner });
    assertHandedOver(back, { from: lost[0]?.owners[1] ?? "", to: owner });
  });
});

/** No node was seen again after another one had followed it. */
function assertOneAtATime({ what, address, owners }: Takeover): void {
  const again = owners.filter((name, i) => owners.indexOf(name) < i);
  assert.deepEqual(again, [], `${what}: ${address} was answered by ${ownersText(owners)}`);
}
