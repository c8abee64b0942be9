// A running responder-program.ts as its tests see it: commands to it, and all that it told.

import { type ChildProcess, spawn } from "node:child_process";
import type { AddressCounters } from "../../src/l2/counters.ts";
import type { L2Interface } from "../../src/l2/interfaces.ts";
import type { Claim } from "../../src/l2/responder.ts";
import { boundToUs } from "../cluster/daemon.ts";
import { eventually, GiveUp } from "../cluster/eventually.ts";

export type Command =
  | {
      readonly kind: "set" | "probe" | "delete" | "unwatch" | "defend";
      readonly address: string;
      /** Null: all. */
      readonly interfaces: readonly string[] | null;
    }
  | { readonly kind: "mayAnswer"; readonly mayAnswer: boolean }
  | { readonly kind: "counters" };

type CountersTold = {
  readonly kind: "counters";
  readonly addresses: Readonly<Record<string, AddressCounters>>;
  readonly silences: Readonly<Record<string, number>>;
};

export type Told =
  | { readonly kind: "interfaces"; readonly interfaces: readonly L2Interface[] }
  | { readonly kind: "claim"; readonly claim: Claim }
  | { readonly kind: "problem"; readonly problem: string | null }
  | CountersTold;

export type ResponderProcessOptions = {
  readonly netns: string;
  /** Patterns of names of interfaces that never answer. */
  readonly excluded?: readonly string[];
  readonly refreshIntervalMs?: number;
  /** Without the capability NET_RAW. */
  readonly withoutNetRaw?: boolean;
};

export class ResponderProcess {
  readonly told: Told[] = [];
  readonly #child: ChildProcess;
  #errors = "";
  #ended: number | null | undefined;

  /** Starts it, and waits until it has told of interfaces and of sockets. */
  static async start(options: ResponderProcessOptions): Promise<ResponderProcess> {
    const responder = new ResponderProcess(options);
    await responder.seen("problem", () => true);
    return responder;
  }

  private constructor(options: ResponderProcessOptions) {
    const { netns, excluded = [], refreshIntervalMs = 0, withoutNetRaw = false } = options;
    const program = new URL("./responder-program.ts", import.meta.url).pathname;
    const node = [process.execPath, program, JSON.stringify({ excluded, refreshIntervalMs })];
    const [command = "", ...args] = withoutNetRaw
      ? ["setpriv", "--bounding-set", "-net_raw", ...node]
      : node;
    const [wrapper, ...wrapped] = boundToUs(command, args, netns);
    this.#child = spawn(wrapper, wrapped, { stdio: "pipe" });
    let rest = "";
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) this.told.push(JSON.parse(line) as Told);
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#errors += text;
    });
    this.#child.once("close", (code) => {
      this.#ended = code;
    });
  }

  set(address: string, interfaces: readonly string[] | null = null): void {
    this.#send({ kind: "set", address, interfaces });
  }

  probe(address: string, interfaces: readonly string[] | null = null): void {
    this.#send({ kind: "probe", address, interfaces });
  }

  delete(address: string): void {
    this.#send({ kind: "delete", address, interfaces: null });
  }

  unwatch(address: string): void {
    this.#send({ kind: "unwatch", address, interfaces: null });
  }

  defend(address: string): void {
    this.#send({ kind: "defend", address, interfaces: null });
  }

  mayAnswer(mayAnswer: boolean): void {
    this.#send({ kind: "mayAnswer", mayAnswer });
  }

  /** Asks for the counters; what was commanded before is done then. */
  async counters(): Promise<CountersTold> {
    const before = this.told.length;
    this.#send({ kind: "counters" });
    return eventually(
      () => {
        this.#mustRun();
        return this.told.slice(before).find((told) => told.kind === "counters");
      },
      { describe: "the responder's counters" },
    );
  }

  /** Waits until the last thing told of this kind fits, and returns it. */
  seen<Kind extends Told["kind"]>(
    kind: Kind,
    fits: (told: Extract<Told, { kind: Kind }>) => boolean,
  ): Promise<Extract<Told, { kind: Kind }>> {
    return eventually(
      () => {
        this.#mustRun();
        const last = this.told.findLast((told) => told.kind === kind);
        if (last === undefined) return undefined;
        const told = last as Extract<Told, { kind: Kind }>;
        return fits(told) && told;
      },
      { describe: `"${kind}" from the responder` },
    );
  }

  /** Waits until the interface is told of and fits. */
  async interface(name: string, fits: (at: L2Interface) => boolean): Promise<L2Interface> {
    const find = (interfaces: readonly L2Interface[]) =>
      interfaces.find((at) => at.name === name && fits(at));
    const told = await this.seen("interfaces", ({ interfaces }) => find(interfaces) !== undefined);
    const found = find(told.interfaces);
    if (found === undefined) throw new Error(`Cannot find interface ${name}`);
    return found;
  }

  /** Lets it run no further until `thaw`. */
  freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  thaw(): void {
    this.#child.kill("SIGCONT");
  }

  /** Ends it by the end of its input, and fails if it did not end well. */
  async stop(): Promise<void> {
    this.#child.stdin?.end();
    await eventually(() => this.#ended !== undefined, { describe: "the responder's end" });
    if (this.#ended !== 0)
      throw new Error(`The responder ended with ${this.#ended}: ${this.#errors}`);
  }

  #mustRun(): void {
    if (this.#ended !== undefined) throw new GiveUp(`The responder ended: ${this.#errors}`);
  }

  #send(command: Command): void {
    this.#child.stdin?.write(`${JSON.stringify(command)}\n`);
  }
}
