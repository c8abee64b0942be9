// Bad input: reported by name where the user looks, and stopping nothing else.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { NODES } from "../../lab/demo/stage.ts";
import { putService } from "../cluster/objects.ts";
import { Stand } from "./stand.ts";

/** What is done to one of the demo's peers, and what must show as the reason of its session. */
const BAD_PEERS = [
  { fault: "a wrong AS number", name: "leaf1-ipv4", asn: 64999, address: "192.0.2.1", more: "" },
  {
    fault: "a wrong password",
    name: "leaf2-ipv4",
    asn: 64502,
    address: "192.0.2.2",
    more: "password: not-the-one",
  },
  { fault: "an address nobody has", name: "lost", asn: 64501, address: "192.0.2.99", more: "" },
] as const;

const DEMO_PEERS = ["leaf1-ipv4", "leaf1-ipv6", "leaf2-ipv4", "leaf2-ipv6"];

describe("bad input", () => {
  let stand: Stand;
  before(async () => {
    stand = await Stand.start();
  });
  after(() => stand?.stop());

  it("a BGPPeer with an unknown BFD profile is named, and the others go on", async () => {
    await stand.apply(`
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: { name: no-profile, namespace: metallb-system }
spec: { myASN: 64500, peerASN: 64501, peerAddress: 192.0.2.77, bfdProfile: nowhere }
`);
    const problem = await stand.until("the problem in mirror-status", async () => {
      const { problems } = await stand.state("node1");
      return problems.find((text) => text.includes("no-profile"));
    });
    assert.match(problem, /nowhere/);
    await putService(stand.cluster, { name: "still" });
    await stand.serveFrom("still", NODES);
    await stand.untilRoute("leaf1", `${await stand.address("still")}/32`, NODES);
    const path =
      "/apis/metallb.io/v1beta1/namespaces/metallb-system/configurationstates/speaker-node1";
    const text = await stand.until("the problem in ConfigurationState", async () => {
      const state = JSON.stringify((await stand.controlPlane.get(path)).status ?? {});
      return state.includes("no-profile") && state;
    });
    assert.match(text, /nowhere/);
  });

  for (const { fault, name, asn, address, more } of BAD_PEERS) {
    it(`${fault} of a BGPPeer shows as the reason of that session, and the others stay up`, async () => {
      await stand.apply(`
apiVersion: metallb.io/v1beta2
kind: BGPPeer
metadata: { name: ${name}, namespace: metallb-system }
spec: { myASN: 64500, peerASN: ${asn}, peerAddress: ${address}, ${more} }
`);
      await stand.until(`the reason why ${name} is down`, async () => {
        const { sessions } = await stand.state("node1");
        const session = sessions.find(({ peer }) => peer === name);
        if (session === undefined || session.state === "Established") return false;
        return session.reason !== null;
      });
      const { sessions } = await stand.state("node1");
      const up = sessions.filter(({ state }) => state === "Established").map(({ peer }) => peer);
      assert.deepEqual(
        up.sort(),
        DEMO_PEERS.filter((peer) => peer !== name),
      );
      await stand.configure();
      await stand.untilSessions();
    });
  }

  it("a Service that cannot have an address says why, pool by pool", async () => {
    await putService(stand.cluster, {
      name: "greedy",
      annotations: { "metallb.io/loadBalancerIPs": "10.9.9.9" },
    });
    const condition = await stand.until("its condition", async () => {
      const conditions: readonly Condition[] =
        (await stand.service("greedy")).status?.conditions ?? [];
      return conditions.find(({ type }) => type === "metallb.io/AddressAllocated");
    });
    assert.equal(condition.status, "False");
    assert.match(condition.message, /10\.9\.9\.9/);
  });
});

type Condition = { readonly type: string; readonly status: string; readonly message: string };
