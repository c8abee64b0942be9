// Names a lab after the process that owns it, so that two labs never share a name and a lab whose
// owner is gone can be told from one that runs.

import { readdirSync } from "node:fs";
import { startOf } from "./process.ts";

const PREFIX = "metallb-lab";

let count = 0;

/** A name for another lab of this process: its pid, when the process started, a number. */
export function newLabId(): string {
  const started = startOf(process.pid);
  if (started === undefined) throw new Error("Cannot name the lab: /proc is not readable");
  return `${PREFIX}-${process.pid}-${started}-${count++}`;
}

/** The labs among `names` (namespaces or folders) whose owner does not run any more. */
export function abandonedLabs(names: readonly string[]): ReadonlySet<string> {
  const abandoned = new Set<string>();
  for (const name of names) {
    const match = /^metallb-lab-(\d+)-([0-9a-z]+)-\d+/.exec(name);
    if (match?.[1] === undefined) continue;
    if (startOf(Number(match[1])) !== match[2]) abandoned.add(match[0]);
  }
  return abandoned;
}

/** Whether the name is the lab's own or begins with it. */
export function belongsTo(name: string, labId: string): boolean {
  return name === labId || name.startsWith(`${labId}-`);
}

/** The named network namespaces of this machine. */
export function namedNamespaces(): readonly string[] {
  try {
    return readdirSync("/run/netns");
  } catch {
    return [];
  }
}
