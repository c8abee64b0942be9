// What /proc says about a process.

import { readFileSync } from "node:fs";

/**
 * When the process started, in clock ticks since boot, as short text: with the pid it names one
 * process for ever. Undefined when there is none, or one that ended and was not waited for.
 */
export function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command's name in brackets and may hold anything.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = rest[18];
    if (state === "Z" || state === "X" || ticks === undefined) return undefined;
    return Number(ticks).toString(36);
  } catch {
    return undefined;
  }
}

/** The process that a command such as unshare or nsenter has started and waits for. */
export function childOf(pid: number): number | undefined {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return children === "" ? undefined : Number.parseInt(children, 10);
  } catch {
    return undefined;
  }
}
