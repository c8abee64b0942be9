// What /proc says about a process.

import { readFileSync } from "node:fs";

/**
 * When the process started, in clock ticks since boot, as short text: with the pid it names one
 * process for ever. Undefined when there is none, or one that ended and was not waited for.
 */
export function startOf(pid: number): string | undefined {
  const [state, ...rest] = statOf(pid);
  const ticks = rest[18];
  if (state === "Z" || state === "X" || ticks === undefined) return undefined;
  return Number(ticks).toString(36);
}

/** Whether a signal has stopped the process. */
export function isStopped(pid: number): boolean {
  return statOf(pid)[0] === "T";
}

/** The fields of /proc/PID/stat from the third on, the state; none when there is no such process. */
function statOf(pid: number): readonly string[] {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the command's name in brackets and may hold anything.
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  } catch {
    return [];
  }
}

/** The name of the program it runs; undefined when there is no such process. */
export function commandOf(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trim();
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
