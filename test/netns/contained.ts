// Runs a program as a container engine would, without one: a root of folders laid over each other,
// read only, mounts, user, groups, capabilities; processes of its own. Names no program of ours.

import { once } from "node:events";
import { mkdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { childOf } from "../../lab/netns/process.ts";
import { Daemon } from "../cluster/daemon.ts";
import { eventually, GiveUp } from "../cluster/eventually.ts";

export type Mount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
};

export type ContainedOptions = {
  readonly name: string;
  /** An empty folder, to work in. */
  readonly folder: string;
  /** Folders that together are the root, the topmost first. */
  readonly layers: readonly string[];
  readonly mounts?: readonly Mount[];
  readonly netns: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups?: readonly number[];
  /** What is not dropped, as in "cap_net_raw". */
  readonly capabilities?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly command: readonly string[];
};

/** The script gets a folder to work in, the layers, and the mounts: source, target, how. */
const SETUP = `set -e
work=$1 layers=$2 root=$1/root; shift 2
mount --make-rprivate /
# A file system of its own: no layer may be inside another, and one of them may be /.
mount -t tmpfs tmpfs "$work"
mkdir -p "$root" "$work/points/proc" "$work/points/dev"
for word; do
  case $word in --) break ;; target:*) mkdir -p "$work/points\${word#target:}" ;; esac
done
mount -t overlay overlay -o "ro,lowerdir=$work/points:$layers" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
  target=$root\${2#target:}
  mount --bind "$1" "$target"
  [ "$3" = rw ] || mount -o remount,bind,ro "$target"
  shift 3
done
shift
exec "$@"
`;

export class Contained {
  readonly #options: ContainedOptions;
  readonly #daemon: Daemon;

  private constructor(options: ContainedOptions, daemon: Daemon) {
    this.#options = options;
    this.#daemon = daemon;
  }

  /** Resolves when the program runs; it may not be ready. */
  static async start(options: ContainedOptions): Promise<Contained> {
    const { name, folder, layers, mounts = [], netns } = options;
    const work = join(folder, "work");
    mkdirSync(work);
    const daemon = new Daemon({
      name,
      command: "unshare",
      args: [
        ...["--mount", "--pid", "--fork", "--kill-child", "--"],
        ...["sh", "-c", SETUP, "sh", work, layers.map((layer) => resolve(layer)).join(":")],
        ...mounts.flatMap(({ source, target, readOnly }) => [
          resolve(source),
          `target:${target}`,
          readOnly === true ? "ro" : "rw",
        ]),
        ...["--", ...limited(options, join(work, "root"))],
      ],
      logPath: join(folder, "log"),
      netns,
    });
    const contained = new Contained(options, daemon);
    await eventually(
      () => {
        if (daemon.ended !== undefined) {
          throw new GiveUp(`Cannot start ${name}: it ended ${daemon.ended}\n${contained.log()}`);
        }
        // Process 1 there, past the commands that prepare for it.
        const pid = childOf(daemon.pid);
        if (pid === undefined) return false;
        return !/^(sh|capsh|env|mount)$/.test(readFileSync(`/proc/${pid}/comm`, "utf8").trim());
      },
      { describe: `${name} to run` },
    );
    return contained;
  }

  /** Of its process 1, as seen from here. */
  get pid(): number {
    const pid = childOf(this.#daemon.pid);
    if (pid === undefined) throw new Error(`Cannot find ${this.#daemon.name}: it does not run`);
    return pid;
  }

  get ended(): string | undefined {
    return this.#daemon.ended;
  }

  log(): string {
    return readFileSync(join(this.#options.folder, "log"), "utf8");
  }

  /** The command line that runs `argv` in it as its own program runs, as "kubectl exec" does. */
  command(argv: readonly string[]): readonly string[] {
    const enter = ["nsenter", `--target=${this.pid}`, "--mount", "--net", "--pid", "--"];
    return [...enter, ...limited({ ...this.#options, command: argv }, this.#root)];
  }

  /** Sends SIGTERM to process 1 and waits; how it ended. */
  async terminate(): Promise<string> {
    const ended = once(this.#daemon.child, "exit");
    this.#daemon.child.ref();
    process.kill(this.pid, "SIGTERM");
    await ended;
    return this.#daemon.ended ?? "";
  }

  /** SIGKILL for all of it. */
  stop(): Promise<void> {
    return this.#daemon.stop();
  }

  get #root(): string {
    return join(this.#options.folder, "work/root");
  }
}

/** Wraps a command so that it runs in the root, as the user, with the capabilities, and no more. */
function limited(options: ContainedOptions, root: string): readonly string[] {
  const { uid, gid, groups = [], capabilities = [], env, command } = options;
  const [program = "", ...args] = command;
  const dropped = ALL_CAPABILITIES.filter((name) => !capabilities.includes(name));
  const assignments = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  return [
    ...["env", "--ignore-environment", ...assignments, "/usr/sbin/capsh", `--chroot=${root}`],
    ...[`--drop=${dropped.join()}`, "--inh=", "--noamb", `--groups=${[gid, ...groups].join()}`],
    ...[`--gid=${gid}`, `--uid=${uid}`, "--no-new-privs"],
    ...[`--shell=${program}`, "--", ...args],
  ];
}

/** By number, which newer kernels add to. */
const ALL_CAPABILITIES: readonly string[] = [
  ...["chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid"],
  ...["setpcap", "linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw"],
  ...["ipc_lock", "ipc_owner", "sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct"],
  ...["sys_admin", "sys_boot", "sys_nice", "sys_resource", "sys_time", "sys_tty_config", "mknod"],
  ...["lease", "audit_write", "audit_control", "setfcap", "mac_override", "mac_admin", "syslog"],
  ...["wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf", "checkpoint_restore"],
].map((name) => `cap_${name}`);
