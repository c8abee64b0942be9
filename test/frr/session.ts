// Two real FRR routers face to face: the node, kept by startFrr(), and the leaf, its peer.

import { join } from "node:path";
import { type Frr, startFrr } from "../../src/frr/apply.ts";
import type { FrrEvent } from "../../src/frr/status.ts";
import { readTemplates } from "../../src/frr/templates.ts";
import { eventually } from "../cluster/eventually.ts";
import { FrrRouter, wire } from "./daemons.ts";

export const TEMPLATES = readTemplates(join(import.meta.dirname, "../../templates"));

export type KeptFrr = Frr & {
  readonly events: readonly FrrEvent[];
};

/** Keeps a router's FRR, and remembers what happened. */
export function keep(
  router: FrrRouter,
  options: { readonly transport?: "sockets" | "vtysh"; readonly configFile?: string } = {},
): KeptFrr {
  const events: FrrEvent[] = [];
  const frr = startFrr({
    socketsFolder: router.folder,
    transport: options.transport ?? "sockets",
    configFile: options.configFile,
    templates: TEMPLATES,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    onStatus: () => undefined,
  });
  return { ...frr, events };
}

/** Node 10.88.0.1 and leaf 10.88.0.2, with fd00:88::/64 on the same wire; all daemons run. */
export async function createPair(): Promise<{ node: FrrRouter; leaf: FrrRouter }> {
  const node = await FrrRouter.create("node");
  const leaf = await FrrRouter.create("leaf");
  await wire(
    [node, "eth0", ["10.88.0.1/24", "fd00:88::1/64"]],
    [leaf, "eth0", ["10.88.0.2/24", "10.88.0.3/24", "fd00:88::2/64"]],
  );
  await Promise.all([node.start("zebra", "bgpd", "bfdd"), leaf.start("zebra", "bgpd", "bfdd")]);
  return { node, leaf };
}

/** A leaf that takes whatever the node announces. */
export const LEAF = `
router bgp 65100
 bgp router-id 10.88.0.2
 no bgp ebgp-requires-policy
 neighbor 10.88.0.1 remote-as 65000
`;

export async function established(frr: Frr, ...names: string[]): Promise<void> {
  await eventually(
    () =>
      names.every((name) =>
        frr
          .status()
          .neighbors.some((state) => state.name === name && state.sessionState === "Established"),
      ),
    { describe: `sessions to ${names.join(", ")}` },
  );
}

/** One path of a prefix as the peer sees it. */
export type SeenPath = {
  readonly localPreference: number | undefined;
  readonly asPath: string;
  readonly communities: string;
  readonly largeCommunities: string;
};

/** What a router knows of a prefix; empty: nothing. */
export async function pathsOf(router: FrrRouter, prefix: string): Promise<readonly SeenPath[]> {
  const family = prefix.includes(":") ? "ipv6" : "ipv4";
  const text = await router.show("bgpd", `show bgp ${family} unicast ${prefix} json`);
  const { paths = [] } = JSON.parse(text || "{}") as { paths?: Record<string, never>[] };
  return paths.map((path) => ({
    localPreference: path["locPrf"],
    asPath: (path["aspath"] as unknown as { string: string } | undefined)?.string ?? "",
    communities: (path["community"] as unknown as { string: string } | undefined)?.string ?? "",
    largeCommunities:
      (path["largeCommunity"] as unknown as { string: string } | undefined)?.string ?? "",
  }));
}
