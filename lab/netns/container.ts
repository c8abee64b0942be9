// What a container is made of, without a container engine: a network namespace, folders of its own
// under /etc and /run, and a process namespace whose end is the end of everything in it.

import { once } from "node:events";
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Daemon } from "../../test/cluster/daemon.ts";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import { childOf } from "./process.ts";
import type { BoundFile } from "./topology.ts";

export type ContainerOptions = {
  readonly name: string;
  /** A named network namespace that exists. */
  readonly netns: string;
  /** Holds the container's own files, at the paths they have inside. */
  readonly folder: string;
  readonly logFolder: string;
  readonly sysctls: Readonly<Record<string, number>>;
  /** Folders that the container has to itself, such as /etc/frr; nothing of the machine's is in them. */
  readonly ownFolders: readonly string[];
  /** User and group of those folders. */
  readonly owner: string;
  /** Copied in, so that no daemon writes to the originals; `source` is absolute. */
  readonly files: readonly BoundFile[];
};

/**
 * A child of ours holds the namespaces. FRR's daemons cannot be bound to our death one by one: the
 * kernel forgets PR_SET_PDEATHSIG when a process changes its user, as they do (prctl(2)). The holder
 * can, and being process 1 of a process namespace it takes everything in it along.
 */
export class Container {
  readonly name: string;
  readonly netns: string;
  readonly folder: string;
  readonly #logFolder: string;
  readonly #holder: Daemon;
  readonly #daemons = new Set<Daemon>();

  private constructor(options: ContainerOptions, holder: Daemon) {
    this.name = options.name;
    this.netns = options.netns;
    this.folder = options.folder;
    this.#logFolder = options.logFolder;
    this.#holder = holder;
  }

  static async start(options: ContainerOptions): Promise<Container> {
    const { name, netns, folder, logFolder, ownFolders, owner } = options;
    await mkdir(folder);
    for (const own of ownFolders) await mkdir(join(folder, own), { recursive: true });
    for (const { source, target } of options.files) {
      if (!ownFolders.includes(dirname(target))) {
        throw new Error(
          `Cannot bind ${target} of ${name}: want a file in ${ownFolders.join(" or ") || "no folder"}`,
        );
      }
      await copyFile(source, join(folder, target));
    }
    const settings = Object.entries(options.sysctls).map(
      ([key, value]) => `echo ${value} > /proc/sys/${key.replaceAll(".", "/")}`,
    );
    const script = [
      "set -e",
      `echo ${name} > /proc/sys/kernel/hostname`,
      ...settings,
      'folder=$1 owner=$2; shift 2; chown -R "$owner" "$folder"',
      'for path; do mkdir -p "$path"; mount --bind "$folder$path" "$path"; done',
      "echo ready",
      "exec sleep infinity",
    ].join("\n");
    const holder = new Daemon({
      name: `namespaces of ${name}`,
      command: "unshare",
      args: [
        ...["--uts", "--pid", "--fork", "--kill-child", "--"],
        ...["sh", "-c", script, "sh", folder, owner, ...ownFolders],
      ],
      netns,
      logPath: join(logFolder, `${name}.log`),
    });
    await eventually(
      () => {
        const said = holder.logTail();
        if (holder.ended !== undefined) {
          throw new GiveUp(`Cannot start ${holder.name}: it ended ${holder.ended}\n${said}`);
        }
        return said.endsWith("ready");
      },
      { describe: holder.name },
    );
    return new Container(options, holder);
  }

  /** The command line that runs `argv` with the container's network and files. */
  command(argv: readonly string[]): readonly string[] {
    return [...this.#enter, "--", ...argv];
  }

  /** Starts a daemon that ends with the container. */
  startDaemon(program: string, argv: readonly string[]): Daemon {
    const [command = program, ...args] = [
      ...this.#enter,
      `--pid=/proc/${this.#holder.pid}/ns/pid_for_children`,
      ...["--", ...argv],
    ];
    const daemon = new Daemon({
      name: `${program} of ${this.name}`,
      command,
      args,
      logPath: join(this.#logFolder, `${this.name}-${program}.log`),
      netns: undefined,
    });
    this.#daemons.add(daemon);
    daemon.child.once("exit", () => this.#daemons.delete(daemon));
    return daemon;
  }

  /** The processes that hold the namespaces. */
  get holders(): readonly number[] {
    const first = childOf(this.#holder.pid);
    return first === undefined ? [this.#holder.pid] : [this.#holder.pid, first];
  }

  get #enter(): readonly string[] {
    return ["nsenter", `--target=${this.#holder.pid}`, "--net", "--mount", "--uts"];
  }

  /** Ends everything in it and waits for that. */
  async stop(): Promise<void> {
    const first = childOf(this.#holder.pid);
    if (first !== undefined && this.#holder.ended === undefined) {
      // The kernel lets process 1 end after all others of the namespace, and the holder after it.
      const { child } = this.#holder;
      child.ref();
      process.kill(first, "SIGKILL");
      await once(child, "exit");
    }
    await this.#holder.stop();
    await Promise.all([...this.#daemons].map((daemon) => daemon.stop()));
  }
}
