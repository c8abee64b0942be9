// A running members-program.ts as its tests see it: commands to it, and all that it told.

import { type ChildProcess, spawn } from "node:child_process";
import type { MembershipSnapshot } from "../../src/members/view.ts";
import { boundToUs } from "../cluster/daemon.ts";
import { eventually } from "../cluster/eventually.ts";
import type { MemberHost } from "./members-lab.ts";

export type MemberSettings = {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly secret: string;
};

export type ToMember =
  | {
      readonly kind: "peers";
      readonly peers: readonly { readonly name: string; readonly addresses: readonly string[] }[];
    }
  | { readonly kind: "send"; readonly to: string; readonly text: string }
  | { readonly kind: "leave" }
  | { readonly kind: "counters" };

type SnapshotTold = {
  readonly kind: "snapshot";
  /** Of the clock that all processes share. */
  readonly atMs: number;
  readonly snapshot: MembershipSnapshot;
};

export type MemberTold =
  | SnapshotTold
  | { readonly kind: "message"; readonly from: string; readonly text: string }
  | { readonly kind: "counters"; readonly counters: Readonly<Record<string, number>> };

export class MemberProcess {
  readonly name: string;
  readonly told: MemberTold[] = [];
  readonly #child: ChildProcess;
  #errors = "";
  #hasEnded = false;

  constructor(host: MemberHost, secret: string) {
    this.name = host.name;
    const program = new URL("./members-program.ts", import.meta.url).pathname;
    const settings: MemberSettings = { name: host.name, addresses: host.addresses, secret };
    const args = [program, JSON.stringify(settings)];
    const [command, ...rest] = boundToUs(process.execPath, args, host.netns);
    this.#child = spawn(command, rest, { stdio: "pipe" });
    let text = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (more: string) => {
      const lines = (text + more).split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) this.told.push(JSON.parse(line) as MemberTold);
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (more: string) => {
      this.#errors += more;
    });
    this.#child.once("close", () => {
      this.#hasEnded = true;
    });
    this.#child.stdin?.on("error", () => {});
  }

  send(command: ToMember): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }

  signal(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): void {
    this.#child.kill(signal);
  }

  /** Forgets what it told, so that only later words count. */
  listen(): void {
    this.told.length = 0;
  }

  /** The first thing told that fits. */
  hears<Kind extends MemberTold["kind"]>(
    kind: Kind,
    fits: (told: Extract<MemberTold, { kind: Kind }>) => boolean,
    describe: string,
  ): Promise<Extract<MemberTold, { kind: Kind }>> {
    return eventually(
      () => {
        if (this.#hasEnded) throw new Error(`"${this.name}" has ended: ${this.#errors}`);
        return this.told.find((told): told is Extract<MemberTold, { kind: Kind }> => {
          return told.kind === kind && fits(told as Extract<MemberTold, { kind: Kind }>);
        });
      },
      { describe: `${describe} at ${this.name}` },
    );
  }

  /** When it told for the first time that exactly these are alive. */
  async agrees(alive: readonly string[]): Promise<number> {
    const expected = alive.join();
    const isExpected = ({ snapshot }: SnapshotTold) => snapshot.alive.join() === expected;
    const { atMs } = await this.hears("snapshot", isExpected, `"${expected}" alive`);
    return atMs;
  }
}
