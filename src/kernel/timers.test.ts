// Timers come out by time whatever the order in which they were set and removed.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { type Timer, Timers } from "./timers.ts";

function takeAll(timers: Timers, nowMs: number): number[] {
  const times: number[] = [];
  for (let timer = timers.takeDue(nowMs); timer !== undefined; timer = timers.takeDue(nowMs)) {
    times.push(timer.atMs);
  }
  return times;
}

describe("Timers", () => {
  it("gives nothing before its time", () => {
    const timers = new Timers();
    timers.add(10, () => {});
    assert.equal(timers.nextAtMs, 10);
    assert.equal(timers.takeDue(9.9), undefined);
    assert.equal(timers.takeDue(10)?.atMs, 10);
    assert.equal(timers.nextAtMs, undefined);
  });

  it("gives what is left in the order of time, like a sorted list", () => {
    const step = fc.record({ atMs: fc.nat(100), removes: fc.option(fc.nat(50)) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.nat(100), (steps, nowMs) => {
        const timers = new Timers();
        const all: Timer[] = [];
        const left = new Set<Timer>();
        for (const { atMs, removes } of steps) {
          const timer = timers.add(atMs, () => {});
          all.push(timer);
          left.add(timer);
          const gone = removes === null ? undefined : all[removes];
          if (gone === undefined) continue;
          timers.remove(gone);
          left.delete(gone);
        }
        assert.equal(timers.size, left.size);
        const due = [...left].map(({ atMs }) => atMs).filter((atMs) => atMs <= nowMs);
        assert.deepEqual(
          takeAll(timers, nowMs),
          due.sort((a, b) => a - b),
        );
        assert.equal(timers.size, left.size - due.length);
      }),
    );
  });

  it("ignores the removal of a timer that was taken", () => {
    const timers = new Timers();
    const first = timers.add(1, () => {});
    timers.add(2, () => {});
    timers.takeDue(1);
    timers.remove(first);
    assert.equal(timers.size, 1);
  });
});
