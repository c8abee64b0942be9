// SIGKILL of anything at any time loses nothing: speaker, bgpd, controller.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { NODES } from "../../lab/demo/stage.ts";
import { putService } from "../cluster/objects.ts";
import { Stand } from "./stand.ts";

const SERVICES = 200;

describe("SIGKILL", () => {
  let stand: Stand;
  before(async () => {
    stand = await Stand.start();
  });
  after(() => stand?.stop());

  it("of a speaker: the next one sends FRR nothing, no session and no route changes", async () => {
    await putService(stand.cluster, { name: "steady" });
    await stand.serveFrom("steady", NODES);
    const prefix = `${await stand.address("steady")}/32`;
    await stand.untilRoute("leaf1", prefix, NODES);
    const before = await heardFromNode1(stand);
    await stand.kill("node1");
    stand.startSpeaker("node1");
    const state = await stand.until("the speaker to be ready again", async () => {
      const now = await stand.state("node1");
      const { routesWanted, routesApplied } = now.frr;
      return (
        now.waitingFor.length === 0 && routesWanted > 0 && routesApplied === routesWanted && now
      );
    });
    assert.equal(state.frr.commands, 0);
    assert.deepEqual(await heardFromNode1(stand), before);
    await stand.serveFrom("steady", []);
    await stand.untilRoute("leaf1", prefix, []);
    await stand.serveFrom("steady", NODES);
    await stand.untilRoute("leaf1", prefix, NODES);
  });

  it("of bgpd: the routes are back when it is", async () => {
    await putService(stand.cluster, { name: "bgpd" });
    await stand.serveFrom("bgpd", NODES);
    const prefix = `${await stand.address("bgpd")}/32`;
    await stand.untilRoute("leaf1", prefix, NODES);
    const pid = stand.node("node2").pid("bgpd");
    process.kill(pid, "SIGKILL");
    await stand.until("another bgpd", () => livingPid(stand, "node2") !== pid);
    await stand.untilSessions();
    await stand.untilRoute("leaf1", prefix, NODES);
    await stand.untilRoute("leaf2", prefix, NODES);
    // The speaker has taken up the new bgpd: a change goes through.
    await stand.serveFrom("bgpd", []);
    await stand.untilRoute("leaf1", prefix, []);
  });

  it("of the controller during 200 creations: no address twice, none moved", async () => {
    const names = Array.from({ length: SERVICES }, (_, i) => `many-${i}`);
    // More than half of the creations come after the controller is gone.
    const pool = `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: many, namespace: metallb-system }
spec: { addresses: [198.18.0.0/23] }
`;
    await stand.apply(pool);
    let created = 0;
    const creating = Promise.all(
      [0, 1, 2, 3].map(async (worker) => {
        for (const [index, name] of names.entries()) {
          if (index % 4 !== worker) continue;
          await putService(stand.cluster, {
            name,
            annotations: { "metallb.io/address-pool": "many" },
            spec: { allocateLoadBalancerNodePorts: false },
          });
          created += 1;
        }
      }),
    );
    await stand.until("a few dozen Services", () => created >= SERVICES / 3);
    await stand.kill("controller");
    const atDeath = await addresses(stand);
    assert(atDeath.size > 0 && atDeath.size < SERVICES, `${atDeath.size} had an address`);
    stand.startController();
    await creating;
    const all = await stand.until("an address for each", async () => {
      const now = await addresses(stand);
      return now.size === SERVICES && now;
    });
    assert.equal(new Set(all.values()).size, SERVICES);
    for (const [name, address] of atDeath) assert.equal(all.get(name), address, name);
  });
});

/** What leaf1 has heard from node1 so far: a reset or an UPDATE would show. */
async function heardFromNode1(stand: Stand): Promise<unknown> {
  const { addresses } = stand.node("node1");
  const shown = await stand.node("leaf1").exec(["vtysh", "-c", "show bgp neighbors json"]);
  const neighbors: Record<string, Neighbor> = JSON.parse(shown);
  return addresses.map((address) => {
    const neighbor = neighbors[address];
    assert(neighbor !== undefined, `leaf1 has a session with ${address}`);
    const { connectionsEstablished, messageStats } = neighbor;
    return { address, connectionsEstablished, updates: messageStats.updatesRecv };
  });
}

type Neighbor = {
  readonly connectionsEstablished: number;
  readonly messageStats: { readonly updatesRecv: number };
};

function livingPid(stand: Stand, node: string): number | undefined {
  try {
    return stand.node(node).pid("bgpd");
  } catch {
    // Between two lives.
    return undefined;
  }
}

async function addresses(stand: Stand): Promise<Map<string, string>> {
  const { items } = await stand.controlPlane.get("/api/v1/namespaces/default/services");
  const given = new Map<string, string>();
  for (const { metadata, status } of items) {
    const ip = status?.loadBalancer?.ingress?.[0]?.ip;
    if (metadata.name.startsWith("many-") && ip !== undefined) given.set(metadata.name, ip);
  }
  return given;
}
