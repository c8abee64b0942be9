// helm install with everything real but the kubelet: Pods run, a Service gets an address, the routers
// learn it, the client is answered, and the commands that people look at it with say what they should.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LEAVES } from "../e2e/leaves.ts";
import { ClusterStand, NAMESPACE, NODES } from "./cluster-stand.ts";

describe("helm install of the chart", () => {
  let stand: ClusterStand;
  let notes: string;
  before(async () => {
    stand = await ClusterStand.start();
    notes = await stand.install();
  });
  after(() => stand?.stop());

  const kubectl = (...args: readonly string[]) => stand.kubectl("-n", NAMESPACE, ...args);

  it("runs two controllers and a speaker with FRR on each node", async () => {
    assert.match(notes, /STATUS: deployed/);
    const controllers = await stand.pods("controller");
    assert.equal(controllers.length, 2);
    assert.equal(new Set(controllers.map(({ spec }) => spec.nodeName)).size, 2);
    const speakers = await stand.pods("speaker");
    assert.deepEqual(speakers.map(({ spec }) => spec.nodeName).sort(), [...NODES]);
    for (const { status } of [...controllers, ...speakers]) {
      for (const { restartCount, ready } of status.containerStatuses) {
        assert.deepEqual({ restartCount, ready }, { restartCount: 0, ready: true });
      }
    }
  });

  it("gives a Service addresses that the routers reach by all nodes", async () => {
    await stand.applyDemo("metallb.yaml");
    await stand.untilSessions();
    await stand.applyDemo("web.yaml");
    const addresses = await stand.addresses("web");
    assert.equal(addresses.length, 2);
    for (const address of addresses) {
      const prefix = address.includes(":") ? `${address}/128` : `${address}/32`;
      for (const leaf of LEAVES) await stand.untilRoute(leaf, prefix, NODES);
      await stand.until("an answer", async () => (await stand.ask(address)).startsWith("node"));
    }
  });

  it("says with mirror-status what each speaker announces", async () => {
    assert.match(await kubectl("exec", "ds/speaker", "--", "mirror-status"), /203\.0\.113\.\d+/);
  });

  it("has sessions that FRR's own shell shows", async () => {
    const show = ["vtysh", "-c", "show bgp summary"];
    const summary = await kubectl("exec", "ds/speaker", "-c", "frr", "--", ...show);
    for (const peer of ["192.0.2.1", "2001:db8:0:1::1"]) assert.ok(summary.includes(peer), summary);
    assert.doesNotMatch(summary, /Active|Connect|Idle/);
  });

  it("writes logs that the labels find", async () => {
    const logs = await kubectl("logs", "-l", "app=metallb,component=speaker", "--tail=-1");
    assert.ok(logs.split("\n").length > NODES.length, logs);
    const ofFrr = await kubectl("logs", "ds/speaker", "-c", "frr");
    assert.match(ofFrr, /bgpd state -> up/);
    const ofController = await kubectl("logs", "-l", "app=metallb,component=controller");
    assert.match(ofController, /web/);
  });

  it("keeps the definitions and their objects when it is uninstalled", async () => {
    const args = ["uninstall", "metallb", "--namespace", NAMESPACE, "--wait", "--timeout=60s"];
    await stand.cluster.helm(args);
    await stand.until("the Pods to be gone", async () => {
      const [controllers, speakers] = [await stand.pods("controller"), await stand.pods("speaker")];
      return controllers.length + speakers.length === 0;
    });
    const definitions = await stand.kubectl("get", "crds", "-o", "name");
    assert.match(definitions, /ipaddresspools\.metallb\.io/);
    assert.match(await kubectl("get", "ipaddresspools"), /^demo /m);
    for (const leaf of LEAVES) await stand.untilRoute(leaf, "203.0.113.1/32", []);
  });
});
