// Hosts on one switch for members: who can hear whom is changed at the switch or at a host.

import { run } from "../../lab/netns/command.ts";
import { newLabId } from "../../lab/netns/identity.ts";
import { removeLab } from "../../lab/netns/remains.ts";

export type MemberHost = {
  readonly name: string;
  readonly netns: string;
  /** IPv4, then IPv6. */
  readonly addresses: readonly [string, string];
  /** Pulls or plugs its cable at the switch. */
  readonly setCable: (state: "up" | "down") => Promise<void>;
  /** Drops what leaves or comes that fits; undefined: nothing any more. */
  readonly drop: (hook: "input" | "output", match: string | undefined) => Promise<void>;
};

export type MembersLab = { readonly hosts: readonly MemberHost[]; readonly remove: () => void };

export async function startMembersLab(names: readonly string[]): Promise<MembersLab> {
  const id = newLabId();
  const hub = `${id}-switch`;
  try {
    await run(["ip", "netns", "add", hub]);
    await ip(hub, "link add br0 type bridge");
    await ip(hub, "link set br0 up");
    const hosts: MemberHost[] = [];
    for (const [index, name] of names.entries()) hosts.push(await addHost(id, hub, name, index));
    return { hosts, remove: () => removeLab(id) };
  } catch (error) {
    removeLab(id);
    throw error;
  }
}

async function addHost(id: string, hub: string, name: string, index: number): Promise<MemberHost> {
  const netns = `${id}-${name}`;
  const port = `port${index}`;
  const addresses = [`192.0.2.${index + 1}`, `2001:db8::${index + 1}`] as const;
  await run(["ip", "netns", "add", netns]);
  await ip(netns, `link add eth0 type veth peer name ${port} netns ${hub}`);
  await ip(hub, `link set ${port} master br0 up`);
  await ip(netns, "link set lo up");
  await ip(netns, "link set eth0 up");
  await ip(netns, `addr add ${addresses[0]}/24 dev eth0`);
  await ip(netns, `addr add ${addresses[1]}/64 dev eth0 nodad`);
  return {
    name,
    netns,
    addresses,
    setCable: (state) => ip(hub, `link set ${port} ${state}`),
    drop: async (hook, match) => {
      const table = `table inet drop-${hook}`;
      const rules = [`${table} {}`, `delete ${table}`];
      if (match !== undefined) {
        const chain = `type filter hook ${hook} priority 0; ${match} drop;`;
        rules.push(`${table} { chain ${hook} { ${chain} }; }`);
      }
      const input = `${rules.join("\n")}\n`;
      await run(["ip", "netns", "exec", netns, "nft", "-f", "-"], { input });
    },
  };
}

async function ip(netns: string, command: string): Promise<void> {
  await run(["ip", "-n", netns, ...command.split(" ")]);
}
