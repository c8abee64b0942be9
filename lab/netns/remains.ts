// Removes labs from the machine: namespaces, what runs in them, folders. For a lab that stops, and
// for one whose owner was killed.

import { execFileSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { abandonedLabs, belongsTo, namedNamespaces } from "./identity.ts";

/**
 * Removes everything of the lab. Works without waiting, so that it can run at the exit of a process.
 * Whatever still runs in its namespaces is killed: they are the lab's alone.
 */
export function removeLab(labId: string): void {
  for (const name of namedNamespaces().filter((netns) => belongsTo(netns, labId))) {
    for (const pid of processesIn(name)) kill(pid);
    try {
      ip("netns", "delete", name);
    } catch (error) {
      // Another run may have been quicker with an abandoned one.
      if (namedNamespaces().includes(name)) throw error;
    }
  }
  rmSync(labFolder(labId), { recursive: true, force: true });
}

/** Removes every lab whose owner does not run any more. */
export function removeAbandonedLabs(): void {
  for (const labId of abandonedLabs([...namedNamespaces(), ...readdirSync(tmpdir())])) {
    removeLab(labId);
  }
}

export function labFolder(labId: string): string {
  return join(tmpdir(), labId);
}

/** The processes in a named network namespace, by their ids out here. */
export function processesIn(netns: string): readonly number[] {
  try {
    return ip("netns", "pids", netns).split("\n").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function ip(...args: string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
}
