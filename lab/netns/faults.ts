// What can happen to a node of a running lab: everything in it killed or frozen, its cable cut, frames
// between nodes lost. What others started in the node (a speaker, kube-proxy) is theirs to start again.

import { eventually } from "../../test/cluster/eventually.ts";
import type { Lab } from "./lab.ts";
import { commandOf, isStopped, startOf } from "./process.ts";
import { processesIn } from "./remains.ts";

/** The node whose bridge is the network of the others. */
const LAN = "lan";

/**
 * SIGKILL to everything that runs in the node, in one moment. Its kernel goes on: it has its addresses
 * and says of ports that nobody listens there.
 */
export async function killNode(lab: Lab, name: string): Promise<void> {
  for (const node of lab.nodesOnNetworkOf(name)) node.giveUp();
  const pids = processesOf(lab, name);
  signalAll(pids, "SIGKILL");
  await eventually(() => pids.every((pid) => startOf(pid) === undefined), {
    describe: `the end of all in ${name}`,
  });
}

/** Starts again what the topology says runs in the node. */
export async function restartNode(lab: Lab, name: string): Promise<void> {
  await Promise.all(lab.nodesOnNetworkOf(name).map((node) => node.startProgram()));
}

/** SIGSTOP to everything that runs in the node, in one moment. */
export function freezeNode(lab: Lab, name: string): void {
  // Not to nsenter: it stops itself when it finds its child stopped, and one that had just found it
  // when the signal came would do so a second time, after it was told to go on.
  const pids = processesOf(lab, name).filter((pid) => commandOf(pid) !== "nsenter");
  signalAll(pids, "SIGSTOP");
}

/** SIGCONT to everything that runs in the node, and waits until all of it goes on. */
export async function thawNode(lab: Lab, name: string): Promise<void> {
  const pids = processesOf(lab, name);
  // Those that nsenter waits for first: it must not find them stopped again.
  const [waiting, working] = [[], []] as [number[], number[]];
  for (const pid of pids) (commandOf(pid) === "nsenter" ? waiting : working).push(pid);
  await eventually(
    () => {
      signalAll([...working, ...waiting], "SIGCONT");
      return !pids.some(isStopped);
    },
    { describe: `all in ${name} to go on` },
  );
}

/**
 * Where a cable is cut: at the switch, which the node sees (no carrier) or does not (the port is no
 * part of the bridge any more), or by taking the node's own interface down.
 */
export type Cut = "port down" | "port out of the bridge" | "own interface down";

export const CUTS: readonly Cut[] = ["port down", "port out of the bridge", "own interface down"];

export async function cutCable(lab: Lab, name: string, cut: Cut): Promise<void> {
  const { port, own } = cableOf(lab, name);
  switch (cut) {
    case "port down":
      return ip(lab, LAN, `link set ${port} down`);
    case "port out of the bridge":
      return ip(lab, LAN, `link set ${port} nomaster`);
    case "own interface down":
      return ip(lab, name, `link set ${own} down`);
  }
}

/** Undoes what `cutCable` did. */
export async function mendCable(lab: Lab, name: string, cut: Cut): Promise<void> {
  const { port, own } = cableOf(lab, name);
  switch (cut) {
    case "port down":
      return ip(lab, LAN, `link set ${port} up`);
    case "port out of the bridge":
      return ip(lab, LAN, `link set ${port} master br0`);
    case "own interface down": {
      // With the interface go its routes and IPv6 addresses.
      const commands = lab.node(name).topology.ipCommands.map(repeatable);
      return ip(lab, name, [`link set ${own} up`, ...commands].join("\n"));
    }
  }
}

/** Frames that the bridge loses: from a node to another. */
export type Loss = { readonly from: string; readonly to: string };

/** Both ways between each of some nodes and each of others. */
export function between(some: readonly string[], others: readonly string[]): readonly Loss[] {
  return [...oneWay(some, others), ...oneWay(others, some)];
}

export function oneWay(senders: readonly string[], receivers: readonly string[]): readonly Loss[] {
  return senders.flatMap((from) => receivers.map((to) => ({ from, to })));
}

/** Has the bridge lose these frames from now on, and no others; an empty list heals it. */
export async function loseFrames(lab: Lab, losses: readonly Loss[]): Promise<void> {
  const portOf = (name: string) => cableOf(lab, name).port;
  const rules = losses.map(
    ({ from, to }) => `    iifname "${portOf(from)}" oifname "${portOf(to)}" drop`,
  );
  const input = [
    "add table bridge lab",
    "delete table bridge lab",
    "table bridge lab {",
    "  chain forward {",
    "    type filter hook forward priority 0",
    ...rules,
    "  }",
    "}\n",
  ].join("\n");
  await lab.node(LAN).exec(["nft", "-f", "-"], { input });
}

function cableOf(lab: Lab, name: string): { readonly port: string; readonly own: string } {
  for (const [one, other] of lab.topology.links) {
    if (one.node === name && other.node === LAN) {
      return { port: other.interfaceName, own: one.interfaceName };
    }
  }
  throw new Error(`Cannot find the cable of ${name}: want a node on ${LAN}`);
}

/** The same command for ip(8) that does not fail where it was done before. */
function repeatable(command: string): string {
  return command.replace(/^(address|route) add /, "$1 replace ");
}

async function ip(lab: Lab, name: string, commands: string): Promise<void> {
  await lab.node(name).exec(["ip", "-batch", "-"], { input: `${commands}\n` });
}

/** All in the node but those that stand for the node itself. */
function processesOf(lab: Lab, name: string): readonly number[] {
  const holders = new Set(lab.nodesOnNetworkOf(name).flatMap((node) => node.holders));
  return processesIn(lab.node(name).netns).filter((pid) => !holders.has(pid));
}

function signalAll(pids: readonly number[], signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // It ended by itself.
    }
  }
}
