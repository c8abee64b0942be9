// Networks of Pods that do not use the node's: a namespace of their own, and a cable to the node,
// which routes for them.

import { run } from "../../../lab/netns/command.ts";

export type PodNetwork = { readonly netns: string; readonly addresses: readonly string[] };

/** The interface's name begins as those of Pods do, which speakers leave out of Layer 2. */
const CABLE = "veth";
const GATEWAYS = { ipv4: "169.254.1.1", ipv6: "fe80::1" };
const FIRST_NUMBER = 100;
const NUMBERS = 150;

/** Of this process: the kernel removes a cable a little after its end, so no name comes twice. */
let count = 0;

/** The networks of a node's Pods. */
export class PodNetworks {
  readonly #nodeNetns: string;
  readonly #examples: readonly string[];
  readonly #made = new Set<string>();

  /** `examples`: an address of each family; Pods get others that differ in the last part. */
  constructor(nodeNetns: string, examples: readonly string[]) {
    this.#nodeNetns = nodeNetns;
    this.#examples = examples;
  }

  async make(): Promise<PodNetwork> {
    const number = count++;
    const netns = `${this.#nodeNetns}-pod${number}`;
    const part = `${FIRST_NUMBER + (number % NUMBERS)}`;
    const addresses = this.#examples.map((example) => example.replace(/[^.:]+$/, part));
    await run(["ip", "netns", "add", netns]);
    this.#made.add(netns);
    const cable = `${CABLE}${number}`;
    // No duplicate address detection: the addresses can be used at once.
    const settings =
      "cd /proc/sys/net/ipv6/conf; echo 0 >all/disable_ipv6; echo 0 >default/accept_dad";
    await run(["ip", "netns", "exec", netns, "sh", "-c", settings]);
    await batch(this.#nodeNetns, [
      `link add ${cable} type veth peer name eth0 netns ${netns}`,
      `link set ${cable} up`,
      `address add ${GATEWAYS.ipv4}/32 dev ${cable}`,
      `address add ${GATEWAYS.ipv6}/64 dev ${cable} nodad`,
      ...addresses.map((address) => `route add ${address} dev ${cable}`),
    ]);
    await batch(netns, [
      "link set lo up",
      "link set eth0 up",
      ...addresses.map((a) => `address add ${a}/${a.includes(":") ? "128 nodad" : "32"} dev eth0`),
      `route add ${GATEWAYS.ipv4} dev eth0`,
      `route add default via ${GATEWAYS.ipv4} dev eth0`,
      ...(addresses.some((a) => a.includes(":"))
        ? [`route add default via ${GATEWAYS.ipv6} dev eth0`]
        : []),
    ]);
    return { netns, addresses };
  }

  async remove({ netns }: PodNetwork): Promise<void> {
    if (this.#made.delete(netns)) await run(["ip", "netns", "delete", netns]);
  }

  /** Removes all that are left. */
  async stop(): Promise<void> {
    await Promise.all([...this.#made].map((netns) => this.remove({ netns, addresses: [] })));
  }
}

async function batch(netns: string, commands: readonly string[]): Promise<void> {
  await run(["ip", "-netns", netns, "-batch", "-"], { input: `${commands.join("\n")}\n` });
}
