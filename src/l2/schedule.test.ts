import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ip } from "../../test/frames.ts";
import { type Address, addressAt } from "../net/address.ts";
import { ADDRESSES_PER_SECOND, Schedule } from "./schedule.ts";

const a = ip("192.0.2.1");
const b = ip("2001:db8::1");
/** Rounds of the burst, from the first. */
const BURST_MS = [0, 100, 300, 1400, 2500, 3600, 4700];

describe("Schedule", () => {
  it("has nothing to do at first", () => {
    const schedule = newSchedule();
    assert.equal(schedule.nextAtMs(), undefined);
    assert.deepEqual(schedule.due(1000), []);
  });

  it("sends at once, then a burst, then nothing without refresh", () => {
    const schedule = newSchedule();
    schedule.gained(a, 5000);
    assert.deepEqual(
      timesOf(schedule, a),
      BURST_MS.map((offset) => 5000 + offset),
    );
    assert.equal(schedule.nextAtMs(), undefined);
  });

  it("refreshes about every interval for good", () => {
    const schedule = newSchedule({ refreshIntervalMs: 60_000 });
    schedule.gained(a, 0);
    const times = timesOf(schedule, a, 12);
    assert.deepEqual(times.slice(0, 7), BURST_MS);
    for (const [index, time] of times.entries()) {
      if (index < 7) continue;
      const interval = time - (times[index - 1] ?? 0);
      assert(interval >= 54_000 && interval <= 66_000, `${interval}`);
    }
  });

  it("spreads the refreshes of addresses that came together", () => {
    const schedule = newSchedule({ refreshIntervalMs: 60_000 });
    const addresses = many(100);
    for (const address of addresses) schedule.gained(address, 0);
    for (const offset of BURST_MS) assert.equal(schedule.due(offset).length, 100);
    const perSecond = Array.from({ length: 12 }, (_, second) => {
      return schedule.due(4700 + 54_000 + (second + 1) * 1000).length;
    });
    assert.equal(
      perSecond.reduce((sum, count) => sum + count, 0),
      100,
    );
    assert(Math.max(...perSecond) <= 20, perSecond.join(" "));
  });

  it("sends nothing after a loss, whenever it comes", () => {
    for (const atMs of [...BURST_MS, 61_000, 130_000]) {
      const schedule = newSchedule({ refreshIntervalMs: 60_000 });
      schedule.gained(a, 0);
      for (let now = 0; now < atMs; now += 100) schedule.due(now);
      schedule.lost(a);
      assert.equal(schedule.nextAtMs(), undefined);
      assert.deepEqual(schedule.due(1_000_000), []);
    }
  });

  it("takes the loss of an address it does not know", () => {
    const schedule = newSchedule();
    schedule.gained(a, 0);
    schedule.lost(b);
    assert.deepEqual(schedule.due(0), [a]);
  });

  it("begins anew when an address is gained again", () => {
    const schedule = newSchedule();
    schedule.gained(a, 0);
    for (const offset of [0, 100, 300]) assert.deepEqual(schedule.due(offset), [a]);
    schedule.gained(a, 500);
    assert.deepEqual(
      timesOf(schedule, a),
      BURST_MS.map((offset) => 500 + offset),
    );
  });

  it("sends one round for all that were missed", () => {
    const schedule = newSchedule();
    schedule.gained(a, 0);
    assert.deepEqual(schedule.due(0), [a]);
    assert.deepEqual(schedule.due(3000), [a]);
    assert.deepEqual(timesOf(schedule, a), [3600, 4700]);
  });

  it("sends no more than the rate, and all in the end", () => {
    const schedule = newSchedule({ addressesPerSecond: 100 });
    const addresses = many(1000);
    for (const address of addresses) schedule.gained(address, 0);
    const sent: Address[] = [];
    for (let second = 0; second < 10; second += 1) {
      let count = 0;
      for (let tick = 0; tick < 100; tick += 1) {
        const due = schedule.due(second * 1000 + tick * 10);
        count += due.length;
        sent.push(...due);
      }
      // A full bucket, and what flows in meanwhile.
      assert(count <= (second === 0 ? 200 : 100), `${count} in second ${second}`);
    }
    assert.deepEqual(sent.slice(0, 1000), addresses);
  });

  it("sends gains before bursts, and bursts before refreshes", () => {
    const schedule = newSchedule({ addressesPerSecond: 2, refreshIntervalMs: 60_000 });
    const [refreshed, burst, late, ...gained] = many(5);
    assert(refreshed !== undefined && burst !== undefined && late !== undefined);
    schedule.gained(refreshed, 0);
    for (const offset of BURST_MS) schedule.due(offset);
    for (let now = 0; now < 10_000; now += 500) schedule.due(now);
    schedule.gained(burst, 53_900);
    assert.deepEqual(schedule.due(53_900), [burst]);
    schedule.gained(late, 71_000);
    for (const address of gained) schedule.gained(address, 71_000);
    // Due are now: three gains, one round of the burst, one refresh; two of five a second.
    assert.deepEqual(schedule.due(71_000), [late, gained[0]]);
    assert.deepEqual(schedule.due(71_500), [gained[1]]);
    assert.deepEqual(schedule.due(72_000), [burst]);
  });

  it("keeps the place of an address that is gained again while it waits", () => {
    const schedule = newSchedule({ addressesPerSecond: 1 });
    const [first, second, third] = many(3);
    assert(first !== undefined && second !== undefined && third !== undefined);
    for (const address of [first, second, third]) schedule.gained(address, 0);
    assert.deepEqual(schedule.due(0), [first]);
    schedule.gained(second, 10);
    assert.deepEqual(schedule.due(1000), [second]);
  });

  it("has something due exactly from nextAtMs() on", () => {
    const steps = fc.array(
      fc.record({ address: fc.nat(20), isLoss: fc.boolean(), waitMs: fc.nat(400) }),
      { maxLength: 60 },
    );
    const addresses = many(21);
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 50 }), (list, addressesPerSecond) => {
        const schedule = newSchedule({ addressesPerSecond, refreshIntervalMs: 3000 });
        const announced = new Set<Address>();
        let nowMs = 0.125;
        for (const { address: index, isLoss, waitMs } of list) {
          const address = addresses[index];
          assert(address !== undefined);
          if (isLoss) schedule.lost(address);
          else schedule.gained(address, nowMs);
          if (isLoss) announced.delete(address);
          else announced.add(address);
          const nextAtMs = schedule.nextAtMs();
          assert.equal(nextAtMs === undefined, announced.size === 0);
          if (nextAtMs === undefined) continue;
          if (nextAtMs > nowMs) assert.deepEqual(schedule.due(nowMs), []);
          nowMs = Math.max(nowMs, nextAtMs);
          const due = schedule.due(nowMs);
          assert.notEqual(due.length, 0);
          for (const each of due) assert(announced.has(each));
          nowMs += waitMs;
        }
      }),
    );
  });
});

function newSchedule(change: Partial<ConstructorParameters<typeof Schedule>[0]> = {}): Schedule {
  const options = { refreshIntervalMs: 0, addressesPerSecond: ADDRESSES_PER_SECOND };
  return new Schedule({ ...options, ...change });
}

/** When the only address is due, until nothing is or there are `most` times. */
function timesOf(schedule: Schedule, address: Address, most = 100): readonly number[] {
  const times: number[] = [];
  for (let now = schedule.nextAtMs(); now !== undefined; now = schedule.nextAtMs()) {
    if (times.length === most) break;
    assert.deepEqual(schedule.due(now), [address]);
    times.push(now);
  }
  return times;
}

function many(count: number): readonly Address[] {
  return Array.from({ length: count }, (_, index) => addressAt("ipv4", BigInt(0x0a000000 + index)));
}
