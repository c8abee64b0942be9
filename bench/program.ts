// One of our bundled programs as a process, and what it costs.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Daemon } from "../test/cluster/daemon.ts";
import { eventually } from "../test/cluster/eventually.ts";

export type ProgramOptions = {
  /** Also the name of the bundle: dist/NAME.js. */
  readonly name: "controller" | "speaker";
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Undefined: ours. */
  readonly netns: string | undefined;
  /** Where its log goes. */
  readonly folder: string;
  /** Where /readyz and /metrics are reached, without a slash at the end. */
  readonly url: string;
};

/** As the image starts them: docs/decisions/0001. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=0"] as const;

/** Octets. */
export type Memory = { readonly resident: number; readonly peak: number };

export class Program {
  readonly #daemon: Daemon;
  readonly #url: string;

  constructor({ name, args, env, netns, folder, url }: ProgramOptions) {
    const bundle = join(import.meta.dirname, `../dist/${name}.js`);
    if (!existsSync(bundle)) throw new Error(`Cannot find ${bundle}: run "make build" first`);
    const assignments = Object.entries(env).map(([variable, value]) => `${variable}=${value}`);
    this.#url = url;
    this.#daemon = new Daemon({
      name,
      // Ends in exec as well: the process id stays.
      command: "env",
      args: [
        ...assignments,
        "MALLOC_ARENA_MAX=1",
        process.execPath,
        ...NODE_FLAGS,
        bundle,
        ...args,
      ],
      logPath: join(folder, `${name}.log`),
      netns,
    });
  }

  get pid(): number {
    return this.#daemon.pid;
  }

  /** Waits until it says so. */
  async ready(timeoutMs = 60_000): Promise<void> {
    const describe = `${this.#daemon.name} to be ready`;
    await eventually(() => this.#isReady(), { describe, timeoutMs });
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.#url}/metrics`)).text();
  }

  memory(): Memory {
    return memoryOf(this.pid);
  }

  /** User and system time since its start, to a hundredth of a second. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "utf8");
    // The second field, a name, may hold anything but ends with the last bracket.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  stop(): Promise<void> {
    return this.#daemon.stop();
  }

  async #isReady(): Promise<boolean> {
    const { ended } = this.#daemon;
    if (ended !== undefined) {
      throw new Error(`Cannot go on: it ended ${ended}\n${this.#daemon.logTail()}`);
    }
    return (await fetch(`${this.#url}/readyz`)).ok;
  }
}

/** What the kernel says of a process. */
export function memoryOf(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const octets = (field: string) =>
    Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, "m").exec(status)?.[1]) * 1024;
  return { resident: octets("VmRSS"), peak: octets("VmHWM") };
}

/** USER_HZ, which is 100 on every architecture that Node runs on. */
const TICKS_PER_SECOND = 100;
