// Two hosts on one cable: the node that answers and a client whose kernel asks.

import { run } from "../../lab/netns/command.ts";
import { newLabId } from "../../lab/netns/identity.ts";
import { removeLab } from "../../lab/netns/remains.ts";

export type Host = {
  readonly netns: string;
  /** Runs "ip" in the host's namespace. */
  readonly ip: (command: string) => Promise<string>;
  /** Runs a command there; returns its exit code. */
  readonly exitCode: (command: string) => Promise<number>;
  readonly macOf: (interfaceName: string) => Promise<string>;
};

export type ResponderLab = {
  readonly node: Host;
  readonly client: Host;
  /** Lays another cable, with an interface of this name at both ends, up at the client's. */
  readonly addCable: (interfaceName: string) => Promise<void>;
  readonly remove: () => void;
};

export type LabOptions = {
  /** Link-local addresses are tentative for a second or two, as usual; default: not at all. */
  readonly duplicateDetection?: boolean;
};

/** With one cable, eth0, up at both ends; 192.0.2.1/24 and 2001:db8::1/64 are the client's. */
export async function startResponderLab(options: LabOptions = {}): Promise<ResponderLab> {
  const { duplicateDetection = false } = options;
  const id = newLabId();
  const [node, client] = [hostOf(`${id}-node`), hostOf(`${id}-client`)];
  const addCable = async (name: string): Promise<void> => {
    await node.ip(`link add ${name} type veth peer name ${name} netns ${client.netns}`);
    await client.ip(`link set ${name} up`);
  };
  try {
    for (const { netns } of [node, client]) {
      await run(["ip", "netns", "add", netns]);
      if (duplicateDetection) continue;
      const setting = "/proc/sys/net/ipv6/conf/default/accept_dad";
      await run(["ip", "netns", "exec", netns, "sh", "-c", `echo 0 > ${setting}`]);
    }
    await addCable("eth0");
    await client.ip("addr add 192.0.2.1/24 dev eth0");
    await client.ip("addr add 2001:db8::1/64 dev eth0 nodad");
    await node.ip("link set eth0 up");
  } catch (error) {
    removeLab(id);
    throw error;
  }
  return { node, client, addCable, remove: () => removeLab(id) };
}

function hostOf(netns: string): Host {
  const ip = (command: string) => run(["ip", "-n", netns, ...command.split(" ")]);
  return {
    netns,
    ip,
    exitCode: async (command) => {
      const script = `${command} >/dev/null 2>&1; echo $?`;
      return Number(await run(["ip", "netns", "exec", netns, "sh", "-c", script]));
    },
    macOf: async (name) => {
      const [link] = JSON.parse(await ip(`-j link show dev ${name}`)) as { address: string }[];
      if (link === undefined) throw new Error(`Cannot find interface ${name}`);
      return link.address;
    },
  };
}
