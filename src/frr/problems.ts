// What of the desired state is not in force, and why: refused lines, values that wait for the next
// session, a file that cannot be written. Tells what came and what went.

import type { Daemon, Refusal } from "./client.ts";
import { type CompiledSettings, type NetworkChange, peerKey } from "./desired.ts";
import type { Step, StepLine } from "./plan.ts";
import { redact } from "./redact.ts";
import type { Sessions } from "./sessions.ts";
import type { FrrEvent, FrrProblem } from "./status.ts";

/** How often a line is sent that FRR takes without keeping it, or keeps though removed. */
const TIMES_SENT = 2;

type Waiting = {
  readonly problem: FrrProblem;
  readonly peer: string;
  readonly establishedCount: number;
};

type Refused = { readonly daemon: Daemon; readonly problem: FrrProblem };

export class Problems {
  readonly #refused = new Map<string, Refused>();
  readonly #refusedNetworks = new Map<string, FrrProblem>();
  readonly #sent = new Map<string, number>();
  readonly #nextSession = new Map<string, Waiting>();
  #file: FrrProblem | undefined;
  #all: readonly FrrProblem[] = [];

  /** As of the last update(). */
  get all(): readonly FrrProblem[] {
    return this.#all;
  }

  /** Numbers of the lines of the user's extra text that FRR refused. */
  get refusedExtras(): ReadonlySet<number> {
    const numbers = [...this.#refused.values()].flatMap(({ problem }) =>
      problem.kind === "refused-extra" ? [problem.lineNumber] : [],
    );
    return new Set(numbers);
  }

  /** The user may have put right what was refused: all is tried again. */
  forget(): void {
    this.#refused.clear();
    this.#refusedNetworks.clear();
    this.#sent.clear();
  }

  /** A daemon that is new has refused nothing yet. */
  forgetDaemon(daemon: Daemon): void {
    for (const [key, refused] of this.#refused) {
      if (refused.daemon === daemon) this.#refused.delete(key);
    }
    for (const key of this.#sent.keys()) if (key.startsWith(`${daemon} `)) this.#sent.delete(key);
    if (daemon === "bgpd") this.#refusedNetworks.clear();
  }

  /** Leaves out lines that FRR refused, or took without keeping them; undefined: none is left. */
  withoutHopeless(step: Step): Step | undefined {
    const lines = step.lines.filter((line) => {
      const key = keyOf(step, line);
      return !this.#refused.has(key) && (this.#sent.get(key) ?? 0) < TIMES_SENT;
    });
    return lines.length === 0 ? undefined : { ...step, lines };
  }

  noteSent(step: Step): void {
    for (const line of step.lines) {
      const key = keyOf(step, line);
      this.#sent.set(key, (this.#sent.get(key) ?? 0) + 1);
    }
  }

  /** Lines that FRR took and now has may be sent again another day: `open` are still to do. */
  noteKept(open: readonly Step[]): void {
    const keys = new Set(open.flatMap((step) => step.lines.map((line) => keyOf(step, line))));
    for (const key of this.#sent.keys()) if (!keys.has(key)) this.#sent.delete(key);
  }

  noteRefusal(step: Step, refusal: Refusal, compiled: CompiledSettings): void {
    // What could not be entered is refused by its own line.
    const stepLine =
      step.lines.find(({ text }) => text === refusal.line) ??
      step.lines.find(({ text }) => text === "");
    if (stepLine === undefined) return;
    const problem = problemOf(step, stepLine, refusal, compiled);
    this.#refused.set(keyOf(step, stepLine), { daemon: step.daemon, problem });
  }

  /** What bgpd said to changes of networks; returns whether it refused one that it had not before. */
  noteNetworks(sent: readonly NetworkChange[], refusals: readonly Refusal[]): boolean {
    if (refusals.length === 0 && this.#refusedNetworks.size === 0) return false;
    const messages = new Map(refusals.map(({ line, message }) => [line, message]));
    let isNew = false;
    for (const change of sent) {
      const key = networkKeyOf(change);
      const message = messages.get(change.text);
      if (message === undefined) this.#refusedNetworks.delete(key);
      else {
        isNew ||= !this.#refusedNetworks.has(key);
        const line = change.text;
        this.#refusedNetworks.set(key, {
          kind: "refused-line",
          peerName: undefined,
          line,
          message,
        });
      }
    }
    return isNew;
  }

  isRefused(change: NetworkChange): boolean {
    return this.#refusedNetworks.has(networkKeyOf(change));
  }

  noteNextSession(step: Step, sessions: Sessions, compiled: CompiledSettings): void {
    for (const peer of sessions.establishedBy(step)) {
      const peerName = compiled.peerNames.get(peer) ?? peer;
      for (const { text } of step.lines) {
        const line = text.replace(/^(no )?neighbor \S+ /, "$1");
        const attribute = line.replace(/^no /, "").split(/ \d/)[0];
        this.#nextSession.set(`${peer} ${attribute}`, {
          problem: { kind: "next-session", peerName, line },
          peer,
          establishedCount: sessions.find(peer)?.establishedCount ?? 0,
        });
      }
    }
  }

  noteFile(message: string | undefined): void {
    this.#file = message === undefined ? undefined : { kind: "file", message };
  }

  /** Counts up what is wrong now; returns what came and what went. */
  update(sessions: Sessions): readonly FrrEvent[] {
    for (const [key, { peer, establishedCount }] of this.#nextSession) {
      const state = sessions.find(peer);
      const isSame =
        state?.sessionState === "Established" && state.establishedCount === establishedCount;
      if (sessions.neighbors.length > 0 && !isSame) this.#nextSession.delete(key);
    }
    const problems = [
      ...[...this.#refused.values()].map(({ problem }) => problem),
      ...this.#refusedNetworks.values(),
      ...[...this.#nextSession.values()].map(({ problem }) => problem),
      ...(this.#file === undefined ? [] : [this.#file]),
    ];
    const old = new Map(this.#all.map((problem) => [JSON.stringify(problem), problem]));
    const now = new Map(problems.map((problem) => [JSON.stringify(problem), problem]));
    this.#all = [...now.values()];
    const events: FrrEvent[] = [];
    for (const [key, problem] of now) if (!old.has(key)) events.push({ kind: "problem", problem });
    for (const [key, problem] of old) {
      if (!now.has(key)) events.push({ kind: "problem-gone", problem });
    }
    return events;
  }
}

function problemOf(
  step: Step,
  stepLine: StepLine,
  refusal: Refusal,
  compiled: CompiledSettings,
): FrrProblem {
  const line = redact(refusal.line);
  const message = redact(refusal.message);
  const lineNumber = stepLine.desired?.lineNumber ?? 0;
  if (lineNumber > compiled.linesBeforeExtras) {
    return {
      kind: "refused-extra",
      lineNumber: lineNumber - compiled.linesBeforeExtras,
      line,
      message,
    };
  }
  const neighbor = step.neighbor ?? /^(?:no )?neighbor (\S+) /.exec(refusal.line)?.[1];
  const vrf = / vrf (\S+)/.exec(step.context[0] ?? "")?.[1] ?? null;
  const peerName =
    neighbor === undefined ? undefined : compiled.peerNames.get(peerKey(vrf, neighbor));
  return { kind: "refused-line", peerName, line, message };
}

function keyOf({ daemon, context }: Step, { text }: StepLine): string {
  return `${daemon} ${context.join(" / ")} / ${text}`;
}

function networkKeyOf({ key, prefix }: NetworkChange): string {
  return `${key} ${prefix}`;
}
