// Who leads among several controllers, as one of them sees it: what the Lease says and when that was
// seen go in, what to do next comes out. Pure: time is an argument, on the clock of this process that
// nobody sets. Times in the Lease are for people; they are never compared with a clock.

import { type Lease, type LeaseSpec, microTime } from "../kube/lease.ts";

export type LeaderOptions = {
  readonly namespace: string;
  readonly name: string;
  /** What we are called in the Lease. */
  readonly identity: string;
  /** How long the others wait after the last change they saw; whole seconds. */
  readonly durationMs: number;
};

export type Step =
  /** Nothing to do until then, or until something is seen. */
  | { readonly kind: "wait"; readonly untilMs: number }
  /** What is known may be outdated: ask the API server. */
  | { readonly kind: "look" }
  /** Without a resourceVersion it is to be created. */
  | { readonly kind: "write"; readonly lease: Lease };

/** We stop to lead this early, as a part of the duration: for clocks that differ in speed. */
const SAFETY = 1 / 5;
/** Between two renewals, as a part of the duration. */
const RENEWAL = 1 / 5;
const FIRST_PAUSE_MS = 20;
/** Between two attempts, as parts of the duration. */
const LONGEST_LEADER_PAUSE = 1 / 10;
const LONGEST_STANDBY_PAUSE = 2 / 5;

export class Leader {
  readonly #options: LeaderOptions;
  #lease: Lease | undefined;
  #isKnown = false;
  /** A write failed: perhaps it was done, perhaps somebody else was quicker. */
  #isOutdated = false;
  /** When nobody can believe any more that its holder leads. */
  #freeAtMs = Number.NEGATIVE_INFINITY;
  /** By this we know the Lease as ours: another process may be called as we are. */
  #acquireTime: string | undefined;
  #term: { readonly number: number; validUntilMs: number } | undefined;
  #terms = 0;
  #lostBecause = "";
  #renewAtMs = 0;
  #failures = 0;
  #pauseUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: LeaderOptions) {
    this.#options = options;
  }

  /** The number of the term we lead in; undefined: we do not. A term that is over never returns. */
  term(nowMs: number): number | undefined {
    if (this.#term !== undefined && nowMs >= this.#term.validUntilMs) {
      const seconds = ((1 - SAFETY) * this.#options.durationMs) / 1000;
      this.#lose(`the Lease could not be renewed for ${seconds} s`);
    }
    return this.#term?.number;
  }

  /** Why the last term ended. */
  get lostBecause(): string {
    return this.#lostBecause;
  }

  /** Who holds the Lease; "": nobody, as far as is known. */
  get holder(): string {
    return this.#lease?.spec?.holderIdentity ?? "";
  }

  /** As it was seen or written last; undefined: there is none. */
  get lease(): Lease | undefined {
    return this.#lease;
  }

  /** The last attempt failed, and the Lease says the same since. */
  get isTroubled(): boolean {
    return this.#failures > 0;
  }

  /** How long a request may take that is sent now: half of what is left, so that there is a second one. */
  timeoutMs(nowMs: number): number {
    const { durationMs } = this.#options;
    const left = this.#term === undefined ? durationMs : this.#term.validUntilMs - nowMs;
    return Math.max(left / 2, durationMs / 50);
  }

  /** Takes note of the Lease as a watch brings it, perhaps late; undefined: it was removed. */
  see(lease: Lease | undefined, nowMs: number): void {
    if (lease !== undefined && this.#lease !== undefined && !isNewer(lease, this.#lease)) return;
    this.#learn(lease, nowMs);
  }

  /** Takes note of the Lease as it is now: the answer to "look". */
  found(lease: Lease | undefined, nowMs: number): void {
    this.#isOutdated = false;
    this.#learn(lease, nowMs);
  }

  #learn(lease: Lease | undefined, nowMs: number): void {
    const before = this.#lease;
    this.#lease = lease;
    this.#isKnown = true;
    // A Lease that was removed may have a leader that has not noticed.
    if (lease === undefined) return;
    if (!saySame(lease.spec, before?.spec)) {
      this.#failures = 0;
      const { leaseDurationSeconds = 0 } = lease.spec ?? {};
      this.#freeAtMs =
        this.holder === "" ? Number.NEGATIVE_INFINITY : nowMs + 1000 * leaseDurationSeconds;
    }
    if (this.#term !== undefined && !this.#isOurs(lease)) {
      this.#lose(this.holder === "" ? "somebody released the Lease" : `"${this.holder}" leads`);
    }
  }

  #isOurs({ spec }: Lease): boolean {
    return (
      this.#acquireTime !== undefined &&
      spec?.acquireTime === this.#acquireTime &&
      spec.holderIdentity === this.#options.identity
    );
  }

  #lose(why: string): void {
    this.#term = undefined;
    this.#lostBecause = why;
  }

  /** What to do now; `wallMs` is the time of day, for people. */
  next(nowMs: number, wallMs: number): Step {
    const isLeader = this.term(nowMs) !== undefined;
    const endsAtMs = this.#term?.validUntilMs ?? Number.POSITIVE_INFINITY;
    const wait = (untilMs: number): Step => ({
      kind: "wait",
      untilMs: Math.min(untilMs, endsAtMs),
    });
    if (nowMs < this.#pauseUntilMs) return wait(this.#pauseUntilMs);
    if (this.#isOutdated) return { kind: "look" };
    if (!this.#isKnown) return wait(Number.POSITIVE_INFINITY);
    const lease = this.#lease;
    if (isLeader && lease !== undefined && nowMs < this.#renewAtMs) return wait(this.#renewAtMs);
    const isOurs = isLeader || (lease !== undefined && this.#isOurs(lease));
    if (!isOurs && nowMs < this.#freeAtMs) return wait(this.#freeAtMs);
    const time = microTime(wallMs);
    if (!isOurs) this.#acquireTime = time;
    const { namespace, name, identity, durationMs } = this.#options;
    const transitions = lease?.spec?.leaseTransitions ?? 0;
    return {
      kind: "write",
      lease: {
        metadata: lease?.metadata ?? { namespace, name },
        spec: {
          ...lease?.spec,
          holderIdentity: identity,
          leaseDurationSeconds: Math.ceil(durationMs / 1000),
          acquireTime: this.#acquireTime ?? time,
          renewTime: time,
          leaseTransitions: isOurs || lease === undefined ? transitions : transitions + 1,
        },
      },
    };
  }

  /** The write was accepted, and this is the Lease now. */
  written(lease: Lease, sentAtMs: number, nowMs: number): void {
    const before = this.term(nowMs);
    this.#failures = 0;
    this.see(lease, nowMs);
    // The watch was quicker with something newer, which is not ours.
    if (this.#lease === undefined || !this.#isOurs(this.#lease)) return;
    const { durationMs } = this.#options;
    const validUntilMs = sentAtMs + (1 - SAFETY) * durationMs;
    this.#renewAtMs = sentAtMs + RENEWAL * durationMs;
    if (nowMs >= validUntilMs) return;
    // The others count from when they see what we wrote, which is later than when we sent it.
    this.#term = { number: before ?? ++this.#terms, validUntilMs };
  }

  /** The write, or the look, was refused or got no answer. */
  failed(nowMs: number): void {
    this.#isOutdated = true;
    const part = this.#term === undefined ? LONGEST_STANDBY_PAUSE : LONGEST_LEADER_PAUSE;
    const pauseMs = FIRST_PAUSE_MS * 2 ** Math.min(this.#failures++, 20);
    this.#pauseUntilMs = nowMs + Math.min(pauseMs, part * this.#options.durationMs);
  }

  /** What to write so that another can lead at once; undefined: it is not ours to release. */
  release(nowMs: number, wallMs: number): Lease | undefined {
    const lease = this.#lease;
    if (this.term(nowMs) === undefined || lease === undefined) return undefined;
    const time = microTime(wallMs);
    const spec: LeaseSpec = {
      ...lease.spec,
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: time,
      renewTime: time,
    };
    return { metadata: lease.metadata, spec };
  }

  /** We released it, or are about to: we lead no more. */
  resign(): void {
    this.#lose("we end");
  }
}

function saySame(a: LeaseSpec | undefined, b: LeaseSpec | undefined): boolean {
  return (
    a?.holderIdentity === b?.holderIdentity &&
    a?.acquireTime === b?.acquireTime &&
    a?.renewTime === b?.renewTime &&
    a?.leaseDurationSeconds === b?.leaseDurationSeconds &&
    a?.leaseTransitions === b?.leaseTransitions
  );
}

/** By their versions: numbers in fact; of others any difference is news. */
function isNewer({ metadata: a }: Lease, { metadata: b }: Lease): boolean {
  const [one = "", other = ""] = [a.resourceVersion, b.resourceVersion];
  if (a.uid !== b.uid || !/^\d+$/.test(one) || !/^\d+$/.test(other)) return one !== other;
  return BigInt(one) > BigInt(other);
}
