// Keeps track of the labs that people play with, so that another terminal can find them. Each is a
// file in the state folder for as long as its owner runs.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { abandonedLabs } from "./identity.ts";
import type { Lab } from "./lab.ts";

/** The project's; also holds the log of a lab that runs in the background. */
export const STATE_FOLDER = fileURLToPath(new URL("../../.lab/", import.meta.url));

export type RunningLab = {
  readonly id: string;
  /** The process id of the owner, who takes the lab down on SIGTERM. */
  readonly owner: number;
  /** By node: what to write before a command to run it there. */
  readonly commands: Readonly<Record<string, readonly string[]>>;
};

/** Lets other terminals find the lab; returns how to end that. */
export function rememberLab(lab: Lab, stateFolder = STATE_FOLDER): () => void {
  const commands = Object.fromEntries(lab.nodes.map((node) => [node.name, node.command([])]));
  const running: RunningLab = { id: lab.id, owner: process.pid, commands };
  mkdirSync(stateFolder, { recursive: true });
  const path = join(stateFolder, `${lab.id}.json`);
  writeFileSync(path, JSON.stringify(running));
  return () => rmSync(path, { force: true });
}

/** The labs that run, the youngest last; forgets those whose owner is gone. */
export function runningLabs(stateFolder: string): readonly RunningLab[] {
  mkdirSync(stateFolder, { recursive: true });
  const names = readdirSync(stateFolder).filter((name) => name.endsWith(".json"));
  const abandoned = abandonedLabs(names);
  const running: RunningLab[] = [];
  for (const name of names) {
    const path = join(stateFolder, name);
    if (abandoned.has(name.replace(/\.json$/, ""))) rmSync(path, { force: true });
    else running.push(JSON.parse(readFileSync(path, "utf8")));
  }
  return running.sort((a, b) => startOfOwner(a) - startOfOwner(b));
}

function startOfOwner({ id }: RunningLab): number {
  return Number.parseInt(id.split("-")[3] ?? "", 36);
}
