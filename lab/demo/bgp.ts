// The demo of BGP: three speakers announce a Service to real routers, and a client behind those gets
// an answer.

import { eventually } from "../../test/cluster/eventually.ts";
import type { Lab } from "../netns/lab.ts";
import { hasKubeProxy, writeForwardingRules } from "./forwarding.ts";
import { makeService, untilSeen, urlOf } from "./opening.ts";
import type { Progress } from "./progress.ts";
import { nodeSessionsAt, routeAt } from "./routers.ts";
import { NODES, type Stage } from "./stage.ts";
import { formatSummary, type Summary } from "./summary.ts";

const LEAVES = ["leaf1", "leaf2"] as const;
/** Connections of the client in each family: enough to be spread over the pods. */
const REQUESTS = 12;

/** Returns the Service's addresses. */
export async function demoBgp(stage: Stage, progress: Progress): Promise<readonly string[]> {
  const { lab, nodes, controlPlane } = stage;
  await progress.step(
    "BGP: sessions of three nodes with two leaves, IPv4 and IPv6",
    () => untilSessions(stage),
    () => "12 of 12 sessions Established",
  );
  const addresses = await makeService(stage, progress);
  if (!hasKubeProxy(controlPlane)) {
    await progress.step("nftables rules in the place of kube-proxy, for this Service only", () =>
      writeForwardingRules(
        nodes,
        addresses,
        nodes.flatMap(({ loopbackAddresses }) => loopbackAddresses),
      ),
    );
  }
  const routes = await progress.step(
    "Routes: waiting for three next hops at both leaves and the client's router",
    () => untilRoutes(stage, addresses),
  );
  const answers = await progress.step(
    `Client: ${REQUESTS} connections to each address`,
    () => askFromClient(lab, addresses),
    () => "every one answered",
  );
  const nodeNames = new Map(
    nodes.flatMap(({ name, addresses: own }) => own.map((address) => [address, name] as const)),
  );
  const summary = { service: "default/web", pool: "demo", addresses, nodes: nodeNames };
  console.log(`\n${formatSummary({ ...summary, routes, answers })}\n`);
  return addresses;
}

async function untilSessions(stage: Stage): Promise<void> {
  await untilSeen(stage, "12 sessions of the nodes with the leaves", async () => {
    const counts = await Promise.all(LEAVES.map((leaf) => nodeSessionsAt(stage.lab, leaf)));
    return counts.every((count) => count === 2 * NODES.length);
  });
}

function untilRoutes(stage: Stage, addresses: readonly string[]): Promise<Summary["routes"]> {
  const prefixes = addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}`);
  const wanted = prefixes.flatMap((prefix) =>
    [...LEAVES, "client"].map((router) => ({ router, prefix })),
  );
  return untilSeen(stage, "three next hops at every router", async () => {
    const routes = await Promise.all(
      wanted.map(async (one) => ({
        ...one,
        route: await routeAt(stage.lab, one.router, one.prefix),
      })),
    );
    return routes.every(({ route }) => route.nextHops.length === NODES.length) && routes;
  });
}

/** Each connection has a port of its own, so that routers and nodes spread them. */
async function askFromClient(lab: Lab, addresses: readonly string[]): Promise<Summary["answers"]> {
  const client = lab.node("client");
  const ask = async (url: string) => {
    // kube-proxy and the routes settle on their own.
    await eventually(() => client.exec(["curl", "-gsS", "--max-time", "2", url]), {
      describe: `an answer from ${url}`,
    });
    const counts = new Map<string, number>();
    for (let i = 0; i < REQUESTS; i++) {
      const answer = (await client.exec(["curl", "-gsS", "--max-time", "5", url])).trim();
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
    return { url, counts };
  };
  return Promise.all(addresses.map(urlOf).map(ask));
}

/** What can be tried afterwards, after "exec". */
export function bgpHints(address: string): readonly string[] {
  return [
    `client curl -s ${urlOf(address)}`,
    `client vtysh -c 'show ip route ${address}'`,
    `leaf2 birdc show route all for ${address}`,
    "node1 vtysh -c 'show running-config'",
  ];
}
