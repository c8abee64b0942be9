// One node that this node watches: its probes, their answers, and what to think of it. Pure.

import type { Opinion } from "./message.ts";

/** Copies of a probe that has no answer yet, spread over the interval: random loss is no miss. */
const MOST_COPIES = 3;

/** Probes whose answers still count. */
const REMEMBERED = 5;

/** Missed in a row: enough by itself. */
const SUSPECT_MISSES = 3;
/** Missed in a row: enough when another watcher thinks so. */
const AGREEING_MISSES = 2;

/** The first is asked about again at once. */
const SUSPECT_REFUSALS = 2;

export class Watch {
  readonly name: string;
  /** Of its last answer. */
  rttMs: number | undefined;
  /** Kept until then although the rings do not ask for it: another watcher does. */
  helpUntilMs = Number.NEGATIVE_INFINITY;
  /** When to send our opinion again, and how often it was sent. */
  voteAtMs = Number.NEGATIVE_INFINITY;
  votes = 0;
  /** The opinion that those votes had. */
  voted: Opinion = "none";
  #nonces: readonly number[] = [];
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #copies = 0;
  /** A probe is out and no answer has come since. */
  #isWaiting = false;
  #misses = 0;
  #refusals = 0;
  #ackedAtMs = Number.NEGATIVE_INFINITY;
  /** Answers have come without a gap since then. */
  #upSinceMs: number | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get nonce(): number {
    return this.#nonces.at(-1) ?? 0;
  }

  /** A copy of the probe may still be sent in this interval. */
  get wantsCopy(): boolean {
    return this.#isWaiting && this.#copies < MOST_COPIES;
  }

  get isRefused(): boolean {
    return this.#refusals >= SUSPECT_REFUSALS;
  }

  /** Ends the interval of the last probe. However long it was, it is one miss at most. */
  settle(): void {
    if (!this.#isWaiting) return;
    this.#misses += 1;
    this.#upSinceMs = undefined;
  }

  /** A probe with this nonce goes out now. */
  probe(nonce: number, nowMs: number): void {
    this.#nonces = [...this.#nonces.slice(1 - REMEMBERED), nonce];
    this.#probedAtMs = nowMs;
    this.#copies = 0;
    this.#isWaiting = true;
  }

  copy(): void {
    this.#copies += 1;
  }

  isDue(nowMs: number, intervalMs: number): boolean {
    return nowMs - this.#probedAtMs >= intervalMs;
  }

  ack(nonce: number, nowMs: number): void {
    if (!this.#nonces.includes(nonce)) return;
    if (nonce === this.nonce && this.#isWaiting) this.rttMs = nowMs - this.#probedAtMs;
    this.#isWaiting = false;
    this.#misses = 0;
    this.#refusals = 0;
    this.#ackedAtMs = nowMs;
    this.#upSinceMs ??= nowMs;
  }

  /** Nobody listens there. True: the first time since an answer, so ask again at once. */
  refuse(): boolean {
    if (!this.#isWaiting) return false;
    this.#upSinceMs = undefined;
    this.#refusals += 1;
    return this.#refusals < SUSPECT_REFUSALS;
  }

  /** Starts to count anew how long it answers. */
  restart(): void {
    this.#upSinceMs = undefined;
  }

  /** Of a member. Agrees: another watcher thinks that it is down. */
  opinionOfMember(agrees: boolean): Opinion {
    if (this.#misses >= SUSPECT_MISSES || this.isRefused) return "down";
    if (agrees && this.#misses >= AGREEING_MISSES) return "down";
    return this.#ackedAtMs === Number.NEGATIVE_INFINITY ? "none" : "up";
  }

  /** Of a node that is to become a member after answering for `readmitMs`. */
  opinionOfComing(nowMs: number, readmitMs: number): Opinion {
    if (this.#upSinceMs === undefined) return "none";
    return nowMs - this.#upSinceMs >= readmitMs ? "up" : "none";
  }
}
