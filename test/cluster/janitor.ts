// Undoes what a test leaves outside its own process, folders and network namespaces, also when that
// process is killed. Processes need no janitor: see daemon.ts.

import { spawn } from "node:child_process";
import { once } from "node:events";
import type { Socket } from "node:net";

/** A command that runs once: at `clean()`, or else when this process has ended. */
export type Janitor = { clean(): Promise<void> };

/**
 * Hires a janitor to run the command. It reads a pipe that nobody else can write to, so the end of
 * this process, SIGKILL included, wakes it as surely as `clean()` does.
 */
export function hireJanitor(command: string, ...args: readonly string[]): Janitor {
  // Again when it fails: what dies with us may not be dead yet, and write into a folder meanwhile.
  const script =
    'cat; for wait in 0 .1 .2 .4 .8 1.6 3.2; do sleep $wait; "$@" && exit; done; exit 1';
  const janitor = spawn("sh", ["-c", script, "janitor", command, ...args], {
    stdio: ["pipe", "ignore", "ignore"],
    // A session of its own, or Ctrl-C at a terminal would reach it too.
    detached: true,
  });
  const ended = once(janitor, "exit");
  janitor.unref();
  // A pipe of Node's is a socket, and would keep this process from ending.
  (janitor.stdin as Socket).unref();
  return {
    async clean() {
      janitor.ref();
      janitor.stdin.end();
      const [exitCode] = await ended;
      if (exitCode !== 0) {
        throw new Error(`Cannot clean up: ${[command, ...args].join(" ")} failed`);
      }
    },
  };
}
