// The lab from the command line: up, down, and commands in its nodes.

import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startLab } from "./lab.ts";
import { nodeCommand } from "./node-command.ts";
import { startOf } from "./process.ts";
import { rememberLab, runningLabs, STATE_FOLDER } from "./running.ts";

const USAGE = `Usage: node lab/netns/main.ts COMMAND
  up             bring the lab of lab/containerlab.yml up and keep it until Ctrl-C
  up --detach    the same in the background
  down           take down every lab brought up from here
  exec NODE COMMAND [ARGUMENT...]
                 run a command in a node of the youngest lab
`;

const IN_NODE = `${nodeCommand()} lab/netns/main.ts exec`;

const HINTS = `Try:
  ${IN_NODE} leaf1 vtysh -c 'show bgp summary'
  ${IN_NODE} leaf2 birdc show protocols
  ${IN_NODE} client vtysh -c 'show ip route bgp'
  ${IN_NODE} node1 vtysh
`;

// Another folder lets tests run beside somebody's lab.
const stateFolder = process.env["LAB_STATE_FOLDER"] ?? STATE_FOLDER;

async function main([command, ...args]: readonly string[]): Promise<void> {
  switch (command) {
    case "up":
      if (args.length === 0) return up();
      if (args.length === 1 && args[0] === "--detach") return upDetached();
      throw new Error(`Cannot read arguments ${args.join(" ")}: want none or --detach`);
    case "down":
      return down();
    case "exec":
      return exec(args);
    default:
      process.stderr.write(USAGE);
      process.exitCode = 2;
  }
}

async function up(): Promise<void> {
  const stopped = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => stopped.abort());
  const startedAt = performance.now();
  const lab = await startLab({ signal: stopped.signal });
  const forget = rememberLab(lab, stateFolder);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const nodes = lab.nodes.map(({ name }) => name).join(", ");
  console.log(`Lab up after ${seconds} s: ${nodes}\n${HINTS}`);
  if (process.connected) {
    process.send?.("up");
    process.disconnect();
  } else {
    console.log("Ctrl-C takes it down.");
  }
  const awake = setInterval(() => {}, 60_000);
  await new Promise((resolve) => stopped.signal.addEventListener("abort", resolve));
  clearInterval(awake);
  forget();
  await lab.stop();
}

async function upDetached(): Promise<void> {
  mkdirSync(stateFolder, { recursive: true });
  const logPath = join(stateFolder, "up.log");
  const log = openSync(logPath, "w");
  const owner = spawn(process.execPath, [fileURLToPath(import.meta.url), "up"], {
    stdio: ["ignore", log, log, "ipc"],
    detached: true,
  });
  const isUp = await new Promise<boolean>((resolve) => {
    owner.once("message", () => resolve(true));
    owner.once("exit", () => resolve(false));
    owner.once("error", () => resolve(false));
  });
  const said = readFileSync(logPath, "utf8").trimEnd();
  if (!isUp) throw new Error(`Cannot bring the lab up:\n${said}`);
  console.log(`${said}\n\nmake lab-down takes it down.`);
  owner.disconnect();
  owner.unref();
}

async function down(): Promise<void> {
  const labs = runningLabs(stateFolder);
  if (labs.length === 0) console.log("No lab is up");
  for (const { id, owner } of labs) {
    process.kill(owner, "SIGTERM");
    while (startOf(owner) !== undefined) await sleep(20);
    console.log(`${id} is down`);
  }
}

function exec([nodeName = "", ...argv]: readonly string[]): void {
  const lab = runningLabs(stateFolder).at(-1);
  if (lab === undefined) throw new Error("Cannot run a command: no lab is up; try make lab-up");
  const enter = lab.commands[nodeName];
  if (enter === undefined) {
    const names = Object.keys(lab.commands).join(", ");
    throw new Error(`Cannot find node ${nodeName} in the lab: want one of ${names}`);
  }
  const [program = "", ...rest] = [...enter, ...(argv.length === 0 ? ["sh"] : argv)];
  const { status, error } = spawnSync(program, rest, { stdio: "inherit" });
  if (error) throw error;
  process.exitCode = status ?? 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
