// A node that answers for an address dies, is cut off or hangs: another one answers, never two at once,
// and a client that asks all the time is served again. Everything real; each test tells its times.

import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { CUTS } from "../../lab/netns/faults.ts";
import { assertHandedOver, L2Stand, Scene, tell } from "./l2-stand.ts";

/** How long a node that was frozen is looked at: its process has woken long before. */
const WATCH_MS = 3_000;

const STICKY = `
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: demo, namespace: metallb-system }
spec: { ipAddressPools: [demo], failbackDelay: never }
`;

describe("the owner of an address", () => {
  let l2: L2Stand;
  before(async () => {
    l2 = await L2Stand.start();
  });
  afterEach(() => l2.mend());
  after(() => l2?.stop());

  it("that is killed with all that runs in it is followed by another, and gets the address back", async (t) => {
    await using scene = await Scene.start(l2, { name: "killed", dualStack: true });
    const { owner } = scene;
    const lost = await scene.moves(`SIGKILL of all in ${owner}`, () => l2.killNode(owner));
    const back = await scene.comesBack(`${owner} is back`, () => l2.startNode(owner));
    tell(t, lost, back);
    assertHandedOver(lost, { from: owner });
    assertHandedOver(back, { from: lost[0]?.owners[1] ?? "", to: owner });
    for (const { neighbor, owners } of [...lost, ...back]) assert.equal(neighbor, owners[1]);
  });

  it("that loses its power is followed by another, and gets the address back", async (t) => {
    await using scene = await Scene.start(l2, { name: "dark" });
    const { owner } = scene;
    const lost = await scene.moves(`power cut of ${owner}`, () => l2.powerOff(owner));
    const back = await scene.comesBack(`${owner} is back`, () => l2.powerOn(owner));
    tell(t, lost, back);
    assertHandedOver(lost, { from: owner });
    assertHandedOver(back, { from: lost[0]?.owners[1] ?? "", to: owner });
  });

  for (const [i, cut] of CUTS.entries()) {
    it(`whose cable is cut (${cut}) is followed by another, and gets the address back`, async (t) => {
      await using scene = await Scene.start(l2, { name: `cut-${i}`, dualStack: true });
      const { owner } = scene;
      const lost = await scene.moves(`${owner}: ${cut}`, () => l2.cutCable(owner, cut));
      const back = await scene.comesBack(`${owner} is connected`, () => l2.mendCable(owner));
      tell(t, lost, back);
      assertHandedOver(lost, { from: owner });
      assertHandedOver(back, { from: lost[0]?.owners[1] ?? "", to: owner });
    });
  }

  it("that is frozen is followed by another, and does not answer when it thaws", async (t) => {
    await l2.stand.apply(STICKY);
    try {
      await using scene = await Scene.start(l2, { name: "frozen", dualStack: true });
      const { owner } = scene;
      const lost = await scene.moves(`SIGSTOP of all in ${owner}`, () => l2.freeze(owner));
      const thawed = await scene.observer.watchCalm(`${owner} thaws`, async () => {
        await l2.thaw(owner);
        await sleep(WATCH_MS);
      });
      tell(t, lost, thawed);
      assertHandedOver(lost, { from: owner });
      for (const { owners } of thawed) assert.deepEqual(owners, [lost[0]?.owners[1]]);
    } finally {
      await l2.stand.configure();
    }
  });

  it("that thaws gets the address back from the one that followed", async (t) => {
    await using scene = await Scene.start(l2, { name: "thawed" });
    const { owner } = scene;
    const lost = await scene.moves(`SIGSTOP of all in ${owner}`, () => l2.freeze(owner));
    const back = await scene.comesBack(`${owner} thaws`, () => l2.thaw(owner));
    tell(t, lost, back);
    assertHandedOver(lost, { from: owner });
    assertHandedOver(back, { from: lost[0]?.owners[1] ?? "", to: owner });
  });
});
