// Debian's FRR daemons as a router of its own: a network namespace, a folder of sockets, wires to
// other such routers. Knows FRR's command line, not what is configured.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Daemon as DaemonName } from "../../src/frr/client.ts";
import { createVtyClient } from "../../src/frr/vty.ts";
import { Daemon } from "../cluster/daemon.ts";
import { eventually } from "../cluster/eventually.ts";

const run = promisify(execFile);

/** Namespaces carry our process id, so that those of a killed run can be told and removed. */
const PREFIX = "mlfrr";
const NAMESPACE = new RegExp(`^${PREFIX}(\\d+)-`);

export class FrrRouter {
  readonly name: string;
  readonly namespace: string;
  /** Holds the vty sockets, pid files and logs. */
  readonly folder: string;
  readonly #daemons = new Map<DaemonName, Daemon>();

  private constructor(name: string, folder: string) {
    this.name = name;
    this.namespace = `${PREFIX}${process.pid}-${name}`;
    this.folder = folder;
  }

  /** A namespace and a folder; nothing runs in it yet. */
  static async create(name: string): Promise<FrrRouter> {
    await removeForgotten();
    const router = new FrrRouter(name, await mkdtemp(join(tmpdir(), `${PREFIX}-${name}-`)));
    await writeFile(join(router.folder, "empty.conf"), "");
    await run("ip", ["netns", "add", router.namespace]);
    await router.ip("link", "set", "lo", "up");
    return router;
  }

  /** Runs ip(8) inside. */
  async ip(...args: string[]): Promise<void> {
    await run("ip", ["-n", this.namespace, ...args]);
  }

  /** Starts daemons with empty configurations; each answers when this resolves. */
  async start(...names: DaemonName[]): Promise<void> {
    for (const name of names) {
      const daemon = new Daemon({
        name: `${name} of ${this.name}`,
        command: `/usr/lib/frr/${name}`,
        args: this.#arguments(name),
        logPath: join(this.folder, `${name}.log`),
        netns: this.namespace,
      });
      this.#daemons.set(name, daemon);
      await eventually(() => daemon.ended !== undefined || isListening(this.#socket(name)), {
        describe: `${daemon.name} to answer`,
      });
      if (daemon.ended !== undefined) {
        throw new Error(
          `Cannot start ${daemon.name}: it ended ${daemon.ended}\n${daemon.logTail()}`,
        );
      }
    }
  }

  signal(name: DaemonName, signal: "SIGSTOP" | "SIGCONT"): void {
    process.kill(this.#daemon(name).pid, signal);
  }

  /** SIGKILL, and waits for its end. */
  async kill(name: DaemonName): Promise<void> {
    await this.#daemon(name).stop();
  }

  /** Runs vtysh the way an operator would; `input` are lines of configuration. */
  async configure(input: string): Promise<void> {
    const file = join(this.folder, "input.conf");
    await writeFile(file, input);
    await this.load(file);
  }

  /** The same from a file; throws when any line is refused. */
  async load(file: string): Promise<void> {
    await run("vtysh", ["--vty_socket", this.folder, "-f", file]);
  }

  async show(daemon: DaemonName, command: string): Promise<string> {
    const client = createVtyClient({
      socketsFolder: this.folder,
      deadlineMs: 10_000,
      onLost: () => undefined,
    });
    try {
      return await client.show(daemon, command);
    } finally {
      client.close();
    }
  }

  /** Ends the daemons, and takes away the namespace and the folder. */
  async close(): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon.stop();
    await run("ip", ["netns", "del", this.namespace]);
    await rm(this.folder, { recursive: true });
  }

  #daemon(name: DaemonName): Daemon {
    const daemon = this.#daemons.get(name);
    if (daemon === undefined) throw new Error(`Cannot find ${name} of ${this.name}: not started`);
    return daemon;
  }

  #socket(name: DaemonName): string {
    return join(this.folder, `${name}.vty`);
  }

  #arguments(name: DaemonName): string[] {
    const { folder } = this;
    return [
      // A change of user would make the kernel forget that the daemon dies with us.
      ...["-u", "root", "-g", "frrvty"],
      ...["-A", "127.0.0.1", "-P", "0", "--log", "stdout"],
      ...["--vty_socket", folder, "-z", join(folder, "zserv.api")],
      ...["-i", join(folder, `${name}.pid`), "-f", join(folder, "empty.conf")],
      ...(name === "bfdd" ? ["--bfdctl", join(folder, "bfdd.sock")] : []),
    ];
  }
}

/** Lays a wire between two routers; addresses with their lengths, such as "10.0.0.1/24". */
export async function wire(
  [a, aInterface, aAddresses]: readonly [FrrRouter, string, readonly string[]],
  [b, bInterface, bAddresses]: readonly [FrrRouter, string, readonly string[]],
): Promise<void> {
  const peer = ["peer", "name", bInterface, "netns", b.namespace];
  await a.ip("link", "add", aInterface, "type", "veth", ...peer);
  for (const [router, name, addresses] of [
    [a, aInterface, aAddresses],
    [b, bInterface, bAddresses],
  ] as const) {
    await router.ip("link", "set", name, "up");
    for (const address of addresses) {
      const nodad = address.includes(":") ? ["nodad"] : [];
      await router.ip("addr", "add", address, "dev", name, ...nodad);
    }
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.on("error", () => resolve(false));
  });
}

/** Namespaces of runs that were killed. */
async function removeForgotten(): Promise<void> {
  const { stdout } = await run("ip", ["netns", "list"]);
  for (const line of stdout.split("\n")) {
    const [name = ""] = line.split(" ");
    const pid = NAMESPACE.exec(name)?.[1];
    if (pid === undefined || isAlive(Number(pid))) continue;
    // Another run may be doing the same.
    await run("ip", ["netns", "del", name]).catch(() => undefined);
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
