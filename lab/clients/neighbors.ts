// Hardware addresses in the lab: whose is which, and which one a client's kernel believes an address
// to have.

import type { Lab } from "../netns/lab.ts";

/** Names of nodes by the hardware addresses they have on the nodes' network. */
export async function nodesByMac(
  lab: Lab,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const entries = names.map(async (name) => {
    const [link] = JSON.parse(await lab.node(name).exec(["ip", "-j", "link", "show", "eth1"]));
    return [String(link.address), name] as const;
  });
  return new Map(await Promise.all(entries));
}

/** The hardware address in the neighbor table of a node; undefined: it knows none. */
export async function neighborMac(
  lab: Lab,
  nodeName: string,
  address: string,
): Promise<string | undefined> {
  const show = ["ip", "-j", "neigh", "show", address, "dev", "eth1"];
  const [entry] = JSON.parse(await lab.node(nodeName).exec(show));
  return entry?.lladdr;
}
