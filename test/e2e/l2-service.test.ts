// What users do to Services, pools and nodes, as seen on the wire: who answers for which address, and
// from when on nobody does. Everything real; tests of moves tell their times.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { now } from "../../bench/clock.ts";
import type { Observer } from "../../lab/clients/observer.ts";
import { stintsOf } from "../../lab/clients/sighting.ts";
import { NODES } from "../../lab/demo/stage.ts";
import { putNode } from "../cluster/objects.ts";
import { assertHandedOver, L2Stand, Scene, tell } from "./l2-stand.ts";

/** So long nobody may answer for an address that is given up; several questions go by. */
const SILENCE_MS = 1_000;
const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

describe("a Service on Layer 2", () => {
  let l2: L2Stand;
  before(async () => {
    l2 = await L2Stand.start();
  });
  after(() => l2?.stop());

  it("in two families has one owner, whose speaker tells why, and answers a client", async () => {
    await using scene = await Scene.start(l2, { name: "dual", dualStack: true });
    const { owner, others } = scene;
    const service = "default/dual";
    const states = await Promise.all([owner, ...others].map((name) => l2.stand.state(name)));
    const [own, ...rest] = states.map(
      ({ services }) => services.find((one) => one.service === service)?.l2,
    );
    assert(own?.announced, `${owner} says that it answers`);
    assert.notEqual(own.why, "");
    for (const l2State of rest) {
      assert(l2State !== undefined && !l2State.announced);
      assert.equal(l2State.reason, "notOwner");
      assert.equal(l2State.owner, owner);
    }
    const [status] = await l2.stand.until("one ServiceL2Status", async () => {
      const path = "/apis/metallb.io/v1beta1/namespaces/metallb-system/servicel2statuses";
      const { items } = await l2.stand.controlPlane.get(path);
      const named: readonly StatusObject[] = items.filter(
        (item: StatusObject) => item.status?.serviceName === "dual",
      );
      return named.length === 1 && named;
    });
    assert.equal(status?.status?.node, owner);
  });

  it("moves without a moment with two owners when its owner is told to end, and when that is back", async (t) => {
    await using scene = await Scene.start(l2, { name: "graceful", dualStack: true });
    const { owner } = scene;
    const left = await scene.moves(`SIGTERM of the speaker of ${owner}`, () =>
      l2.endSpeaker(owner),
    );
    const back = await scene.comesBack(`${owner} is back`, () => l2.startSpeaker(owner));
    tell(t, left, back);
    assertHandedOver(left, { from: owner });
    assertHandedOver(back, { from: left[0]?.owners[1] ?? "", to: owner });
  });

  it("that moves changes the neighbor table of a client that is silent", async () => {
    const addresses = await l2.serve({ name: "silent", dualStack: true });
    const observer = await l2.observe(addresses);
    try {
      const owner = await observer.untilOwner((name) => name !== undefined);
      for (const address of addresses) {
        // Nobody answers a ping there, but the client learns the hardware address.
        const ping = ["sh", "-c", `ping -c 1 -W 1 ${address} || true`];
        await l2.lab.node("host").exec(ping);
        assert.equal(await observer.neighbor(address), owner);
      }
      await l2.endSpeaker(owner);
      const next = await observer.untilOwner((name) => name !== undefined && name !== owner);
      await l2.stand.until("the new owner in the client's neighbor table", async () => {
        const names = await Promise.all(addresses.map((address) => observer.neighbor(address)));
        return names.every((name) => name === next);
      });
      await l2.startSpeaker(owner);
      await l2.untilMembers();
    } finally {
      await observer.stop();
      await l2.deleteService("silent");
    }
  });

  it("that is deleted is answered by nobody any more", async (t) => {
    const addresses = await l2.serve({ name: "deleted", dualStack: true });
    const observer = await l2.observe(addresses);
    try {
      await observer.untilOwner((name) => name !== undefined);
      const deletedMs = now();
      await l2.deleteService("deleted");
      await untilSilent(l2, observer, addresses);
      const last = Math.max(...observer.witness.sightings().map(({ atMs }) => atMs));
      t.diagnostic(
        `last answer ${(last - deletedMs).toFixed(0)} ms after the deletion was asked for`,
      );
    } finally {
      await observer.stop();
    }
  });

  it("with externalTrafficPolicy Local is answered by a node with a pod, and follows it", async (t) => {
    const spec = { externalTrafficPolicy: "Local" };
    const addresses = await l2.serve({ name: "local", spec, pods: ["node2"] });
    const observer = await l2.observe(addresses);
    try {
      await observer.untilOwner((name) => name === "node2");
      observer.startCallers();
      const moved = await observer.watchMove({
        what: "the pod of node2 goes, one of node3 comes",
        act: () => l2.movePods("local", ["node3"]),
        isOwner: (name) => name === "node3",
      });
      tell(t, moved);
      assertHandedOver(moved, { from: "node2", to: "node3" });
      await l2.movePods("local", []);
      await untilSilent(l2, observer, addresses);
    } finally {
      await observer.stop();
      await l2.deleteService("local");
    }
  });

  it("that shares its address has one owner with the other, until both are gone", async () => {
    const annotations = { "metallb.io/allow-shared-ip": "both" };
    const [address = ""] = await l2.serve({ name: "share-80", annotations });
    const other = await l2.serve({
      name: "share-81",
      annotations: { ...annotations, "metallb.io/loadBalancerIPs": address },
      spec: { ports: [{ port: 81, targetPort: 8080 }] },
    });
    assert.deepEqual(other, [address]);
    const observer = await l2.observe([address]);
    try {
      const owner = await observer.untilOwner((name) => name !== undefined);
      const one = await observer.watchCalm("the first is deleted", () =>
        l2.deleteService("share-80"),
      );
      for (const { owners } of one) assert.deepEqual(owners, [owner]);
      await l2.deleteService("share-81");
      await untilSilent(l2, observer, [address]);
    } finally {
      await observer.stop();
    }
  });

  it("whose pool changes gets another address, which is answered, and the old one is not", async () => {
    const [before = ""] = await l2.serve({ name: "pool" });
    const after = "192.0.2.251";
    const observer = await l2.observe([before, after]);
    try {
      const last = (address: string) =>
        stintsOf(observer.witness.sightings().filter((one) => one.address === address)).at(-1);
      await l2.stand.until("an answer for the old address", () => last(before));
      await l2.stand.apply(`
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: demo, namespace: metallb-system }
spec: { addresses: [${after}-192.0.2.252] }
`);
      await l2.stand.until("an answer for the new address", () => last(after));
      await untilSilent(l2, observer, [before]);
    } finally {
      await observer.stop();
      await l2.stand.configure();
      await l2.deleteService("pool");
    }
  });

  it("that the exclude label leaves without a node says so by a condition, until the label is gone", async () => {
    const addresses = await l2.serve({ name: "excluded" });
    const observer = await l2.observe(addresses);
    const label = (labels: Readonly<Record<string, string>>) =>
      Promise.all(
        NODES.map((name) => {
          const own = l2.lab.node(name).addresses;
          return putNode(l2.stand.cluster, { name, addresses: own, labels });
        }),
      );
    const condition = async () => {
      const { status } = await l2.stand.service("excluded");
      const conditions: readonly Condition[] = status?.conditions ?? [];
      return conditions.find(({ type }) => type === "metallb.io/L2Announced");
    };
    try {
      await observer.untilOwner((name) => name !== undefined);
      await label({ [EXCLUDE_LABEL]: "" });
      await untilSilent(l2, observer, addresses);
      const said = await l2.stand.until("the condition", condition);
      assert.equal(said.status, "False");
      assert.ok(said.message.includes(EXCLUDE_LABEL), said.message);
      await l2.stand.until("an event that names the label", async () => {
        const events = await l2.stand.cluster.kubectl(["get", "events", "-n", "default"]);
        return events
          .split("\n")
          .some((line) => /\/excluded /.test(line) && line.includes(EXCLUDE_LABEL));
      });
      await label({});
      await l2.stand.until("no condition", async () => (await condition()) === undefined);
      const sinceMs = now();
      await l2.stand.until("answers again", () =>
        observer.witness.sightings().some(({ atMs }) => atMs > sinceMs),
      );
    } finally {
      await label({});
      await observer.stop();
      await l2.deleteService("excluded");
    }
  });
});

type StatusObject = {
  readonly status?: { readonly node?: string; readonly serviceName?: string };
};

type Condition = { readonly type: string; readonly status: string; readonly message: string };

/** Waits until nobody has answered for any of the addresses for a while. */
async function untilSilent(
  l2: L2Stand,
  observer: Observer,
  addresses: readonly string[],
): Promise<void> {
  await l2.stand.until(`silence about ${addresses.join(" and ")}`, async () => {
    const sinceMs = now();
    await sleep(SILENCE_MS);
    const seen = observer.witness.sightings();
    return !seen.some(({ atMs, address }) => atMs > sinceMs && addresses.includes(address));
  });
}
