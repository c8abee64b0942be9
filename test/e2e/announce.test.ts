// From a Service to routes on real routers and back: the main path with everything real.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { routeAt } from "../../lab/demo/routers.ts";
import { NODES } from "../../lab/demo/stage.ts";
import { putService } from "../cluster/objects.ts";
import { Stand } from "./stand.ts";

describe("a Service", () => {
  let stand: Stand;
  before(async () => {
    stand = await Stand.start();
  });
  after(() => stand?.stop());

  it("is announced by every node, with its communities, to FRR and BIRD, in both families", async () => {
    await putService(stand.cluster, {
      name: "dual",
      spec: { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"] },
    });
    await stand.serveFrom("dual", NODES);
    const addresses = await stand.until("two addresses", async () => {
      const { status } = await stand.service("dual");
      const ingress: readonly { ip: string }[] = status?.loadBalancer?.ingress ?? [];
      return ingress.length === 2 && ingress.map(({ ip }) => ip);
    });
    for (const address of addresses) {
      const prefix = `${address}/${address.includes(":") ? 128 : 32}`;
      for (const leaf of ["leaf1", "leaf2"]) {
        await stand.untilRoute(leaf, prefix, NODES);
        const { communities, asPaths } = await routeAt(stand.lab, leaf, prefix);
        assert.deepEqual(communities, ["64500:100", "64500:200"]);
        assert.deepEqual(asPaths, ["64500"]);
      }
    }
  });

  it("has three next hops in the client's router, and answers the client", async () => {
    await putService(stand.cluster, { name: "web" });
    await stand.serveFrom("web", NODES);
    const address = await stand.address("web");
    const client = stand.node("client");
    const hops = await stand.until("three next hops in the client's routing table", async () => {
      const show = `show ip route ${address}/32 json`;
      const routes: Record<string, readonly Route[]> = JSON.parse(
        await client.exec(["vtysh", "-c", show]),
      );
      const nexthops = routes[`${address}/32`]?.[0]?.nexthops ?? [];
      const found = nexthops.filter(({ recursive }) => recursive).map(({ ip }) => ip);
      return found.length === NODES.length && found.sort();
    });
    assert.deepEqual(
      hops,
      NODES.map((name) => stand.node(name).addresses[0]),
    );
    const answer = await stand.until("an answer", () =>
      client.exec(["curl", "-sS", "--max-time", "2", `http://${address}/`]),
    );
    assert.match(answer, /^node[123]\s*$/);
  });

  it("is withdrawn when its last endpoint goes, and is back with the next", async () => {
    await putService(stand.cluster, { name: "flip" });
    await stand.serveFrom("flip", ["node2"]);
    const prefix = `${await stand.address("flip")}/32`;
    await stand.untilRoute("leaf1", prefix, NODES);
    await stand.serveFrom("flip", []);
    await stand.untilRoute("leaf1", prefix, []);
    await stand.untilRoute("leaf2", prefix, []);
    await stand.serveFrom("flip", ["node1"]);
    await stand.untilRoute("leaf1", prefix, NODES);
    await stand.untilRoute("leaf2", prefix, NODES);
  });

  it("with externalTrafficPolicy Local is announced by nodes with endpoints only", async () => {
    await putService(stand.cluster, { name: "local", spec: { externalTrafficPolicy: "Local" } });
    await stand.serveFrom("local", ["node2"]);
    const prefix = `${await stand.address("local")}/32`;
    await stand.untilRoute("leaf1", prefix, ["node2"]);
    await stand.serveFrom("local", ["node2", "node3"]);
    await stand.untilRoute("leaf2", prefix, ["node2", "node3"]);
    const { services } = await stand.state("node1");
    const local = services.find(({ service }) => service === "default/local");
    assert(local !== undefined && !local.bgp.announced);
    assert.equal(local.bgp.reason, "noLocalEndpoints");
  });

  it("shows in mirror-status, log and metrics of a speaker", async () => {
    const table = await stand.mirrorStatus("node1");
    for (const wanted of ["default/web", "leaf1-ipv4", "Established", "noLocalEndpoints"]) {
      assert(table.includes(wanted), `${wanted} in:\n${table}`);
    }
    const lines = (await stand.log("node1")).trim().split("\n");
    const established = lines
      .map((line) => JSON.parse(line))
      .filter(({ msg }) => msg === "BGP session established");
    const peers = new Set(established.map(({ peer }) => peer));
    assert.deepEqual([...peers].sort(), ["leaf1-ipv4", "leaf1-ipv6", "leaf2-ipv4", "leaf2-ipv6"]);
    assert(established.every(({ node }) => node === "node1"));
    const scrape = ["curl", "-sS", "--max-time", "5", "http://127.0.0.1:7472/metrics"];
    const metrics = await stand.node("node1").exec(scrape);
    assert.match(metrics, /^metallb_bgp_session_up\{.*peer="192\.0\.2\.1:179".*\} 1$/m);
    assert.match(metrics, /^metallb_speaker_announced\{.*service="default\/web".*\} 1$/m);
  });
});

type Route = {
  readonly nexthops: readonly { readonly ip: string; readonly recursive?: boolean }[];
};
