// What the lab's routers know of a route: FRR's JSON and BIRD's text -> one shape.

import type { Lab } from "../netns/lab.ts";

export type SeenRoute = {
  /** In the order of text; those that carry traffic only. */
  readonly nextHops: readonly string[];
  /** Different ones side by side, such as "64501 64500". */
  readonly asPaths: readonly string[];
  readonly communities: readonly string[];
};

/** The route at one of the lab's routers; no next hops: it has none. */
export async function routeAt(lab: Lab, router: string, prefix: string): Promise<SeenRoute> {
  const node = lab.node(router);
  if (node.topology.runs === "bird") {
    const text = node.exec(["birdc", "show", "route", "all", prefix]).catch((error: Error) => {
      // birdc ends with exit code 1 where there is no such route.
      if (error.message.includes("Network not found")) return "";
      throw error;
    });
    return parseBirdRoute(await text);
  }
  const family = prefix.includes(":") ? "ipv6" : "ipv4";
  const show = `show bgp ${family} unicast ${prefix} json`;
  return parseFrrRoute(await node.exec(["vtysh", "-c", show]));
}

/** How many sessions with nodes of the cluster are up at a leaf, of both families together. */
export async function nodeSessionsAt(lab: Lab, leaf: string): Promise<number> {
  const node = lab.node(leaf);
  if (node.topology.runs === "bird") {
    const protocols = await node.exec(["birdc", "show", "protocols"]);
    return protocols.match(/^node\S+ .* Established/gm)?.length ?? 0;
  }
  const summary = await node.exec(["vtysh", "-c", "show bgp summary json"]);
  const nodes = new Set(
    lab.nodes.filter(({ name }) => name.startsWith("node")).flatMap((n) => n.addresses),
  );
  const established = Object.values<{ peers?: Record<string, { state: string }> }>(
    JSON.parse(summary),
  )
    .flatMap(({ peers = {} }) => Object.entries(peers))
    .filter(([address, { state }]) => nodes.has(address) && state === "Established");
  // A session that may carry both families is listed with both.
  return new Set(established.map(([address]) => address)).size;
}

type FrrPath = {
  readonly aspath: { readonly string: string };
  readonly community?: { readonly string: string };
  readonly multipath?: boolean;
  readonly bestpath?: { readonly overall?: boolean };
  readonly nexthops: readonly { readonly ip: string; readonly scope?: string }[];
};

/** Reads `show bgp ... PREFIX json` (FRR 8.4 to 10). */
export function parseFrrRoute(json: string): SeenRoute {
  const { paths = [] } = JSON.parse(json) as { paths?: readonly FrrPath[] };
  const used = paths.filter(({ multipath, bestpath }) => multipath || bestpath?.overall);
  return sorted({
    // Over IPv6 the link-local address comes beside the global one.
    nextHops: used.flatMap(({ nexthops }) =>
      nexthops.filter(({ scope }) => scope !== "link-local").map(({ ip }) => ip),
    ),
    asPaths: used.map(({ aspath }) => aspath.string),
    communities: used.flatMap(({ community }) => community?.string.split(" ") ?? []),
  });
}

/** Reads `show route all PREFIX` (BIRD 2), of a router that merges its paths: all are used. */
export function parseBirdRoute(text: string): SeenRoute {
  const values = (attribute: string) =>
    [...text.matchAll(new RegExp(`^\\s+BGP\\.${attribute}: (.*)$`, "gm"))].map(([, v = ""]) => v);
  return sorted({
    nextHops: values("next_hop").map((hops) => hops.split(" ")[0] ?? ""),
    asPaths: values("as_path"),
    communities: values("community").flatMap((list) =>
      [...list.matchAll(/\((\d+),(\d+)\)/g)].map(([, asn, value]) => `${asn}:${value}`),
    ),
  });
}

function sorted({ nextHops, asPaths, communities }: SeenRoute): SeenRoute {
  const unique = (texts: readonly string[]) => [...new Set(texts)].sort();
  return {
    nextHops: unique(nextHops),
    asPaths: unique(asPaths),
    communities: unique(communities),
  };
}
