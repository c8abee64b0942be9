// One daemon as a child process that never outlives us: its log in a file, its end awaited. Knows
// processes and network namespaces, not what the daemon does.

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";

export type DaemonOptions = {
  /** What it is called in errors. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Receives standard output and standard error; added to if it exists. */
  readonly logPath: string;
  /** The network namespace to run in; undefined: ours. */
  readonly netns: string | undefined;
  /** Opens a channel for `daemon.child.send`; default false. */
  readonly ipc?: boolean;
};

/**
 * The command line that runs `command` so that the kernel kills it when this process dies, by
 * whatever cause, SIGKILL included.
 *
 * The kernel watches the thread that started the child (prctl(2), PR_SET_PDEATHSIG), so daemons are
 * started from the main thread, not from a worker. The setting is made last, inside the namespace,
 * and survives exec. The look at PPID catches a death before it was made.
 */
export function boundToUs(
  command: string,
  args: readonly string[],
  netns?: string,
): readonly [string, ...string[]] {
  const unlessOrphan = ["sh", "-c", `[ $PPID = ${process.pid} ] && exec "$@"`, "sh"];
  const bound = ["setpriv", "--pdeathsig", "KILL", ...unlessOrphan, command, ...args] as const;
  return netns === undefined ? bound : ["ip", "netns", "exec", netns, ...bound];
}

export class Daemon {
  readonly name: string;
  readonly child: ChildProcess;
  /** How it ended, "with exit code 1" or "by SIGKILL"; undefined while it runs. */
  ended: string | undefined;
  readonly #logPath: string;
  readonly #end: Promise<void>;

  constructor(options: DaemonOptions) {
    this.name = options.name;
    this.#logPath = options.logPath;
    const log = openSync(options.logPath, "a");
    const [command, ...args] = boundToUs(options.command, options.args, options.netns);
    try {
      this.child = spawn(command, args, {
        stdio: ["ignore", log, log, ...(options.ipc ? (["ipc"] as const) : [])],
        // For Go programs, which else would look for the API server behind a proxy.
        env: { ...process.env, NO_PROXY: "*" },
        // A session of its own: Ctrl-C at a terminal reaches us, who may still need the daemon.
        detached: true,
      });
    } finally {
      closeSync(log);
    }
    this.#end = new Promise((resolve) => {
      this.child.once("error", (error) => {
        this.ended = `before it started: ${error.message}`;
        resolve();
      });
      this.child.once("exit", (code, signal) => {
        this.ended = signal === null ? `with exit code ${code}` : `by ${signal}`;
        resolve();
      });
    });
    // A forgotten stop() must not keep a test process from ending: then the kernel does our work.
    this.child.unref();
    this.child.channel?.unref();
  }

  /** The process id: of the daemon itself, since every command before it ends in exec. */
  get pid(): number {
    if (this.child.pid === undefined) throw new Error(`Cannot start ${this.name}: no process`);
    return this.child.pid;
  }

  /**
   * Kills it and waits for the end. Not SIGTERM: kube-apiserver with a watch open takes a minute to
   * end by that, and nothing here is worth saving.
   */
  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    this.child.ref();
    this.child.kill("SIGKILL");
    await this.#end;
  }

  /** The end of its log, for errors. */
  logTail(): string {
    return readFileSync(this.#logPath, "utf8").trimEnd().split("\n").slice(-25).join("\n");
  }
}
