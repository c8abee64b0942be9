// Steps of one candidate by hand, then many of them over a bad network in virtual time.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Lease, type LeaseSpec, microTime } from "../kube/lease.ts";
import { Leader } from "./leader.ts";

const OPTIONS = { namespace: "metallb-system", name: "metallb-controller", durationMs: 5000 };
const WALL = Date.UTC(2026, 0, 2, 3, 4, 5);
const TIME = "2026-01-02T03:04:05.000000Z";

const leaderCalled = (identity: string) => new Leader({ ...OPTIONS, identity });

function lease(version: number, spec: LeaseSpec = {}): Lease {
  const { namespace, name } = OPTIONS;
  return { metadata: { namespace, name, uid: "u", resourceVersion: String(version) }, spec };
}

const HELD = { holderIdentity: "b", leaseDurationSeconds: 7, acquireTime: TIME, renewTime: TIME };

function written(leader: Leader, nowMs: number): Lease {
  const step = leader.next(nowMs, WALL + nowMs);
  assert(step.kind === "write", step.kind);
  return step.lease;
}

/** One that took the Lease at 0 and knows it since 10. */
function leading(): Leader {
  const leader = leaderCalled("a");
  leader.see(undefined, 0);
  const { spec } = written(leader, 0);
  leader.written(lease(1, spec), 0, 10);
  return leader;
}

describe("microTime()", () => {
  it("has six digits", () => {
    assert.equal(microTime(WALL + 7), "2026-01-02T03:04:05.007000Z");
    assert.equal(microTime(WALL + 7.25), "2026-01-02T03:04:05.007250Z");
  });
});

describe("Leader", () => {
  it("does nothing before it knows the Lease, then creates it where there is none", () => {
    const leader = leaderCalled("a");
    assert.deepEqual(leader.next(0, WALL), { kind: "wait", untilMs: Number.POSITIVE_INFINITY });
    leader.see(undefined, 0);
    assert.deepEqual(written(leader, 0), {
      metadata: { namespace: "metallb-system", name: "metallb-controller" },
      spec: {
        holderIdentity: "a",
        leaseDurationSeconds: 5,
        acquireTime: TIME,
        renewTime: TIME,
        leaseTransitions: 0,
      },
    });
    assert.equal(leader.term(0), undefined);
  });

  it("leads from the answer on, until a fifth before the others may take over", () => {
    const leader = leading();
    assert.equal(leader.term(10), 1);
    assert.equal(leader.term(3999), 1);
    assert.equal(leader.term(4000), undefined);
    assert.equal(leader.term(10), undefined, "a term that is over never returns");
    assert.match(leader.lostBecause, /could not be renewed for 4 s/);
  });

  it("renews every fifth of the duration and keeps what others wrote", () => {
    const leader = leading();
    assert.deepEqual(leader.next(20, WALL), { kind: "wait", untilMs: 1000 });
    const seen = { ...lease(2, { ...written(leader, 1000).spec, strategy: "x" } as LeaseSpec) };
    leader.see({ ...seen, metadata: { ...seen.metadata, labels: { a: "b" } } as never }, 1000);
    const { metadata, spec } = written(leader, 1000);
    assert.deepEqual(metadata, { ...seen.metadata, labels: { a: "b" } });
    assert.equal(spec?.acquireTime, TIME);
    assert.equal(spec?.renewTime, "2026-01-02T03:04:06.000000Z");
    assert.equal(spec?.leaseTransitions, 0);
    assert.equal((spec as { strategy?: string }).strategy, "x");
    leader.written(lease(3, spec), 1000, 1500);
    assert.equal(leader.term(4999), 1);
  });

  it("counts from the sending of what was accepted", () => {
    const leader = leaderCalled("a");
    leader.see(undefined, 0);
    leader.written(lease(1, written(leader, 0).spec), 0, 4500);
    assert.equal(leader.term(4500), undefined);
  });

  it("takes over when nothing changed for the duration that the holder wrote", () => {
    const leader = leaderCalled("a");
    leader.see(lease(5, { ...HELD, leaseTransitions: 3 }), 100);
    assert.deepEqual(leader.next(100, WALL), { kind: "wait", untilMs: 7100 });
    // Only metadata are others: the holder gave no sign.
    leader.see(lease(6, { ...HELD, leaseTransitions: 3 }), 2000);
    const { metadata, spec } = written(leader, 7100);
    assert.equal(metadata.resourceVersion, "6");
    assert.deepEqual([spec?.holderIdentity, spec?.leaseTransitions], ["a", 4]);
    leader.see(lease(7, { ...HELD, renewTime: "later" }), 7200);
    assert.deepEqual(leader.next(7200, WALL), { kind: "wait", untilMs: 14_200 });
  });

  it("takes over at once what was released", () => {
    const leader = leaderCalled("a");
    leader.see(lease(5, HELD), 100);
    leader.see(lease(6, { ...HELD, holderIdentity: "", leaseDurationSeconds: 1 }), 200);
    assert.equal(written(leader, 200).spec?.leaseTransitions, 1);
  });

  it("does not take a Lease that was removed before its time is over, but renews its own", () => {
    const other = leaderCalled("a");
    other.see(lease(5, HELD), 100);
    other.see(undefined, 200);
    assert.deepEqual(other.next(200, WALL), { kind: "wait", untilMs: 7100 });
    const leader = leading();
    leader.see(undefined, 200);
    const { metadata, spec } = written(leader, 200);
    assert.equal(metadata.resourceVersion, undefined);
    assert.equal(spec?.acquireTime, TIME);
  });

  it("is not the one that only is called the same", () => {
    const leader = leaderCalled("b");
    leader.see(lease(5, HELD), 0);
    assert.deepEqual(leader.next(0, WALL), { kind: "wait", untilMs: 7000 });
  });

  it("is not the one of a Lease that says no time of acquisition", () => {
    const leader = leaderCalled("b");
    leader.see(lease(5, { holderIdentity: "b", leaseDurationSeconds: 7 }), 0);
    assert.deepEqual(leader.next(0, WALL), { kind: "wait", untilMs: 7000 });
  });

  it("loses the term as soon as another holds the Lease", () => {
    const leader = leading();
    leader.see(lease(2, HELD), 500);
    assert.equal(leader.term(500), undefined);
    assert.equal(leader.lostBecause, '"b" leads');
    const cleared = leading();
    cleared.see(lease(2, { holderIdentity: "" }), 500);
    assert.equal(cleared.lostBecause, "somebody released the Lease");
  });

  it("passes over what the watch brings late, but believes what it looked up", () => {
    const leader = leading();
    leader.see(lease(0, HELD), 20);
    assert.equal(leader.term(20), 1);
    leader.failed(30);
    assert.equal(leader.next(30, WALL).kind, "wait");
    assert.equal(leader.next(50, WALL).kind, "look");
    leader.found(lease(0, HELD), 60);
    assert.equal(leader.term(60), undefined);
  });

  it("finds out after a lost answer that it leads", () => {
    const leader = leaderCalled("a");
    leader.see(undefined, 0);
    const { spec } = written(leader, 0);
    leader.failed(500);
    leader.found(lease(1, spec), 600);
    assert.equal(leader.term(600), undefined, "when it was written is not known well enough");
    const again = written(leader, 600);
    assert.equal(again.spec?.acquireTime, spec?.acquireTime);
    leader.written(lease(2, again.spec), 600, 610);
    assert.equal(leader.term(610), 1);
  });

  it("a term after one that ran out is another, even with the same Lease", () => {
    const leader = leading();
    assert.equal(leader.term(4000), undefined);
    leader.written(lease(2, written(leader, 4000).spec), 4000, 4010);
    assert.equal(leader.term(4010), 2);
  });

  it("tries again sooner when it leads, and ever later when refused", () => {
    const pauses = (leader: Leader, count: number) =>
      Array.from({ length: count }, (_, index) => {
        const nowMs = 100 + index;
        leader.failed(nowMs);
        const step = leader.next(nowMs, WALL);
        return step.kind === "wait" ? step.untilMs - nowMs : step.kind;
      });
    assert.deepEqual(pauses(leading(), 7), [20, 40, 80, 160, 320, 500, 500]);
    const standby = leaderCalled("a");
    standby.see(undefined, 0);
    assert.deepEqual(pauses(standby, 9).slice(-3), [1280, 2000, 2000]);
  });

  it("leaves time for a second attempt", () => {
    const leader = leading();
    assert.equal(leader.timeoutMs(1000), 1500);
    assert.equal(leader.timeoutMs(2500), 750);
  });

  it("releases what it holds, so that the next one need not wait", () => {
    const leader = leading();
    const released = leader.release(100, WALL + 100);
    assert.equal(released?.metadata.resourceVersion, "1");
    assert.deepEqual(released.spec, {
      holderIdentity: "",
      leaseDurationSeconds: 1,
      acquireTime: "2026-01-02T03:04:05.100000Z",
      renewTime: "2026-01-02T03:04:05.100000Z",
      leaseTransitions: 0,
    });
    leader.resign();
    assert.equal(leader.term(100), undefined);
    assert.equal(leader.release(100, WALL), undefined);
    assert.equal(leaderCalled("a").release(0, WALL), undefined);
  });
});

describe("several candidates", () => {
  it("never lead at the same time, whatever is late, lost, frozen or fast; then one leads", () => {
    fc.assert(
      fc.property(fc.integer(), fc.integer({ min: 2, max: 4 }), (seed, count) => {
        const world = new World(seed, count);
        world.run(60_000);
        world.calm();
        world.run(80_000);
        assert.equal(world.leaders().length, 1, "one leads in the end");
      }),
      { numRuns: 300 },
    );
  });
});

/** An API server with one Lease, and candidates whose clocks differ and whose messages are late. */
class World {
  readonly #random: () => number;
  readonly #due: { atMs: number; act: () => void }[] = [];
  readonly #candidates: Candidate[];
  #nowMs = 0;
  #version = 0;
  #lease: Lease | undefined;
  #isCalm = false;

  constructor(seed: number, count: number) {
    this.#random = randomOf(seed);
    this.#candidates = Array.from({ length: count }, (_, index) => ({
      leader: leaderCalled(`c${index}`),
      // 5 % fast or slow, which is far more than clocks are; the margin is 20 %.
      rate: 0.95 + 0.1 * this.#random(),
      offset: 1e6 * this.#random(),
      frozenUntilMs: 0,
      isBusy: false,
    }));
    for (const candidate of this.#candidates) {
      this.#after(this.#delay(), () => this.#look(candidate));
    }
  }

  calm(): void {
    this.#isCalm = true;
  }

  leaders(): Candidate[] {
    return this.#candidates.filter((candidate) => {
      // One that stands still writes nothing; when it goes on it looks at its clock first.
      const isAwake = candidate.frozenUntilMs <= this.#nowMs;
      return isAwake && candidate.leader.term(this.#clock(candidate)) !== undefined;
    });
  }

  run(untilMs: number): void {
    while (this.#nowMs < untilMs) {
      this.#nowMs += 10;
      this.#due.sort((a, b) => a.atMs - b.atMs);
      while ((this.#due[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.#nowMs)
        this.#due.shift()?.act();
      for (const candidate of this.#candidates) this.#turn(candidate);
      const names = this.leaders().map(({ leader }) => leader.holder);
      assert(names.length <= 1, `at ${this.#nowMs}: ${names}`);
    }
  }

  #turn(candidate: Candidate): void {
    if (candidate.frozenUntilMs > this.#nowMs) return;
    if (!this.#isCalm && this.#random() < 0.0005) {
      candidate.frozenUntilMs = this.#nowMs + 12_000 * this.#random();
      return;
    }
    if (candidate.isBusy) return;
    const now = this.#clock(candidate);
    const step = candidate.leader.next(now, WALL + this.#nowMs);
    if (step.kind === "look") this.#look(candidate);
    if (step.kind === "write") this.#write(candidate, step.lease);
  }

  #look(candidate: Candidate): void {
    candidate.isBusy = true;
    this.#send(candidate, () => {
      const found = this.#lease;
      return () => candidate.leader.found(found, this.#clock(candidate));
    });
  }

  #write(candidate: Candidate, asked: Lease): void {
    candidate.isBusy = true;
    const sentAtMs = this.#clock(candidate);
    this.#send(candidate, () => {
      if (asked.metadata.resourceVersion !== this.#lease?.metadata.resourceVersion) {
        return () => candidate.leader.failed(this.#clock(candidate));
      }
      const stored = lease(++this.#version, asked.spec);
      this.#lease = stored;
      for (const one of this.#candidates) {
        this.#deliver(one, () => one.leader.see(stored, this.#clock(one)));
      }
      return () => candidate.leader.written(stored, sentAtMs, this.#clock(candidate));
    });
  }

  /** Request and answer take their time, or get lost; then the candidate gives up. */
  #send(candidate: Candidate, serve: () => () => void): void {
    let isOver = false;
    const end = (act: () => void) => {
      if (isOver) return;
      isOver = true;
      candidate.isBusy = false;
      act();
    };
    const limitMs = candidate.leader.timeoutMs(this.#clock(candidate));
    const giveUp = () => end(() => candidate.leader.failed(this.#clock(candidate)));
    this.#after(limitMs, () => this.#awake(candidate, giveUp));
    if (this.#isLost()) return;
    this.#after(this.#delay(), () => {
      const answer = serve();
      if (!this.#isLost()) this.#deliver(candidate, () => end(answer));
    });
  }

  #deliver(candidate: Candidate, act: () => void): void {
    this.#after(this.#delay(), () => this.#awake(candidate, act));
  }

  /** What arrives at one that stands still is seen when it goes on. */
  #awake(candidate: Candidate, act: () => void): void {
    if (candidate.frozenUntilMs <= this.#nowMs) act();
    else this.#due.push({ atMs: candidate.frozenUntilMs, act: () => this.#awake(candidate, act) });
  }

  #after(ms: number, act: () => void): void {
    this.#due.push({ atMs: this.#nowMs + ms, act });
  }

  #delay(): number {
    const isLate = !this.#isCalm && this.#random() < 0.05;
    return isLate ? 8000 * this.#random() : 30 * this.#random();
  }

  #isLost(): boolean {
    return !this.#isCalm && this.#random() < 0.1;
  }

  #clock({ rate, offset }: Candidate): number {
    return offset + rate * this.#nowMs;
  }
}

type Candidate = {
  readonly leader: Leader;
  readonly rate: number;
  readonly offset: number;
  frozenUntilMs: number;
  isBusy: boolean;
};

/** xorshift32 */
function randomOf(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
