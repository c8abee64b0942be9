// Runs FRR in a container as its image does: the daemons its file `daemons` names, frr.conf loaded
// with vtysh, and a daemon that ended started again.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Daemon } from "../../test/cluster/daemon.ts";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import { run } from "./command.ts";
import type { Container } from "./container.ts";
import { childOf } from "./process.ts";

const PROGRAMS = "/usr/lib/frr";
const RESTART_PAUSE_MS = 100;

/** FRR's daemons of one container. */
export class Frr {
  readonly #container: Container;
  readonly #signal: AbortSignal;
  readonly #daemons = new Map<string, Daemon>();
  #options: ReadonlyMap<string, readonly string[]> = new Map();

  /** The signal ends the restarting of daemons. */
  constructor(container: Container, signal: AbortSignal) {
    this.#container = container;
    this.#signal = signal;
  }

  async start(): Promise<void> {
    const file = await readFile(join(this.#container.folder, "etc/frr/daemons"), "utf8");
    this.#options = parseDaemons(file);
    const [first, ...others] = this.#options.keys();
    // Clients of zebra that come before it try again ten seconds later.
    if (first !== undefined) await this.#startDaemon(first);
    if (others[0] === "zebra") await this.#startDaemon("zebra");
    await Promise.all(others.filter((n) => n !== "zebra").map((name) => this.#startDaemon(name)));
    if (this.#hasConfig) await this.#vtysh("-b");
    for (const [name, daemon] of this.#daemons) this.#keepRunning(name, daemon);
  }

  /** The process id of a daemon such as bgpd, as seen from here; it changes with a restart. */
  pid(name: string): number {
    const entered = this.#daemons.get(name);
    if (entered === undefined) {
      const names = [...this.#daemons.keys()].join(", ");
      throw new Error(`Cannot find ${name} of ${this.#container.name}: want one of ${names}`);
    }
    const pid = childOf(entered.pid);
    if (pid === undefined) throw new Error(`Cannot find ${entered.name}: it does not run`);
    return pid;
  }

  get #hasConfig(): boolean {
    return existsSync(join(this.#container.folder, "etc/frr/frr.conf"));
  }

  async #startDaemon(name: string): Promise<Daemon> {
    const options = this.#options.get(name) ?? [];
    const daemon = this.#container.startDaemon(name, [join(PROGRAMS, name), ...options]);
    this.#daemons.set(name, daemon);
    const socket = join(this.#container.folder, "run/frr", `${name}.vty`);
    await eventually(
      () => {
        if (daemon.ended !== undefined) {
          const log = daemon.logTail();
          throw new GiveUp(`Cannot start ${daemon.name}: it ended ${daemon.ended}\n${log}`);
        }
        return answers(socket);
      },
      { describe: `${daemon.name} to answer` },
    );
    return daemon;
  }

  #keepRunning(name: string, daemon: Daemon): void {
    if (daemon.ended === undefined) daemon.child.once("exit", () => void this.#restart(name));
    else void this.#restart(name);
  }

  /** What watchfrr does in the image. */
  async #restart(name: string): Promise<void> {
    while (!this.#signal.aborted) {
      try {
        await sleep(RESTART_PAUSE_MS, undefined, { signal: this.#signal });
        const daemon = await this.#startDaemon(name);
        this.#keepRunning(name, daemon);
        // A speaker that writes at the same time can make it fail, and leaves nothing to load.
        if (this.#hasConfig) await this.#vtysh("-b", "-d", name).catch(() => {});
        return;
      } catch {
        // Its log says why; the pause keeps this from spinning.
      }
    }
  }

  async #vtysh(...args: string[]): Promise<void> {
    await run(this.#container.command(["vtysh", ...args]), { signal: this.#signal });
  }
}

/**
 * The daemons to run, in the order of starting, with their options. mgmtd (FRR 9 and later), zebra
 * and staticd run always, the others if the file says yes, as FRR's own start script has it.
 */
export function parseDaemons(file: string): ReadonlyMap<string, readonly string[]> {
  const settings = new Map<string, string>();
  for (const line of file.split("\n")) {
    const match = /^(\w+)=(?:"([^"]*)"|(\S*))\s*$/.exec(line);
    if (match?.[1] !== undefined) settings.set(match[1], match[2] ?? match[3] ?? "");
  }
  const wanted = [...settings].filter(([key, value]) => value === "yes" && key !== "vtysh_enable");
  const always = existsSync(join(PROGRAMS, "mgmtd")) ? ["mgmtd", "zebra"] : ["zebra"];
  const names = new Set([...always, "staticd", ...wanted.map(([name]) => name)]);
  return new Map(
    [...names].map((name) => {
      const options = settings.get(`${name}_options`)?.trim() ?? "";
      return [name, options === "" ? [] : options.split(/\s+/)];
    }),
  );
}

function answers(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
