import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { errorOfAnswer } from "./error.ts";
import { type QueueOptions, startQueue } from "./queue.ts";

/** A queue whose work ends when the test says so, under mocked timers. */
function started(t: TestContext, options: Partial<QueueOptions> = {}) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  // The longest of each pause, so that ticks are exact.
  t.mock.method(Math, "random", () => 1);
  const stop = new AbortController();
  t.after(() => stop.abort());
  const began: string[] = [];
  const errors: unknown[] = [];
  const ends = new Map<string, PromiseWithResolvers<void>>();
  const queue = startQueue({
    concurrency: 2,
    work: (key) => {
      began.push(key);
      const end = Promise.withResolvers<void>();
      ends.set(key, end);
      return end.promise;
    },
    onError: (_key, error) => errors.push(error),
    signal: stop.signal,
    ...options,
  });
  const finish = async (key: string, error?: Error) => {
    const end = ends.get(key);
    assert.ok(end, `No work for ${key} is under way`);
    ends.delete(key);
    if (error === undefined) end.resolve();
    else end.reject(error);
    await settle();
  };
  /** Starts what is due; returns what began since the last call. */
  const begun = async () => {
    await settle();
    return began.splice(0);
  };
  return { queue, stop, begun, finish, errors };
}

/** All microtasks are done after a macrotask. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

const conflict = () => errorOfAnswer("PATCH", "/x", 409, undefined, "");

describe("startQueue()", () => {
  it("works on a bounded number of keys, first come, first served", async (t) => {
    const { queue, begun, finish } = started(t);
    for (const key of ["a", "b", "c", "d"]) queue.add(key);
    assert.deepEqual(await begun(), ["a", "b"]);
    assert.equal(queue.size, 4);
    await finish("b");
    assert.deepEqual(await begun(), ["c"]);
  });

  it("begins no work within the call", async (t) => {
    const { queue, begun } = started(t);
    queue.add("a");
    queue.add("a");
    assert.equal(queue.size, 1);
    assert.deepEqual(await begun(), ["a"]);
  });

  it("works once more on a key that was added while at work, however often", async (t) => {
    const { queue, begun, finish } = started(t);
    queue.add("a");
    assert.deepEqual(await begun(), ["a"]);
    queue.add("a");
    queue.add("a");
    assert.deepEqual(await begun(), []);
    await finish("a");
    assert.deepEqual(await begun(), ["a"]);
    await finish("a");
    assert.deepEqual(await begun(), []);
  });

  it("backs off from 5 ms to 30 s and starts anew after a success", async (t) => {
    const { queue, begun, finish, errors } = started(t);
    queue.add("a");
    await begun();
    const failed = new Error("failed");
    let totalMs = 0;
    for (const ms of [
      5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 5120, 10240, 20480, 30000, 30000,
    ]) {
      await finish("a", failed);
      t.mock.timers.tick(ms - 1);
      assert.deepEqual(await begun(), [], `${ms} ms`);
      t.mock.timers.tick(1);
      assert.deepEqual(await begun(), ["a"], `${ms} ms`);
      totalMs += ms;
    }
    assert.ok(totalMs > 100_000);
    assert.equal(errors.length, 15);
    await finish("a");
    queue.add("a");
    await begun();
    await finish("a", failed);
    t.mock.timers.tick(5);
    assert.deepEqual(await begun(), ["a"]);
  });

  it("never backs off for more than 100 ms from a conflict", async (t) => {
    const { queue, begun, finish } = started(t);
    queue.add("a");
    await begun();
    for (let turn = 0; turn < 20; turn++) {
      await finish("a", conflict());
      t.mock.timers.tick(100);
      assert.deepEqual(await begun(), ["a"]);
    }
  });

  it("waits as long as the server wishes", async (t) => {
    const { queue, begun, finish } = started(t);
    queue.add("a");
    await begun();
    await finish("a", errorOfAnswer("PATCH", "/x", 429, "7", ""));
    t.mock.timers.tick(6_999);
    assert.deepEqual(await begun(), []);
    t.mock.timers.tick(1);
    assert.deepEqual(await begun(), ["a"]);
  });

  it("spreads the pauses of keys that failed together", async (t) => {
    const { queue, begun, finish } = started(t);
    t.mock.method(Math, "random", () => 0);
    queue.add("a");
    await begun();
    await finish("a", conflict());
    await begun();
    t.mock.timers.tick(2);
    assert.deepEqual(await begun(), []);
    t.mock.timers.tick(1);
    assert.deepEqual(await begun(), ["a"]);
  });

  it("does not wait when news comes during the pause", async (t) => {
    const { queue, begun, finish } = started(t);
    queue.add("a");
    await begun();
    await finish("a", new Error("failed"));
    queue.add("a");
    assert.deepEqual(await begun(), ["a"]);
    await finish("a");
    t.mock.timers.tick(60_000);
    assert.deepEqual(await begun(), []);
  });

  it("holds back no other key while one fails", async (t) => {
    const { queue, begun, finish } = started(t, { concurrency: 1 });
    queue.add("a");
    queue.add("b");
    await begun();
    await finish("a", new Error("failed"));
    assert.deepEqual(await begun(), ["b"]);
  });

  it("takes the earliest of several delays", async (t) => {
    const { queue, begun } = started(t);
    queue.addAfter("a", 100);
    queue.addAfter("a", 50);
    queue.addAfter("a", 200);
    assert.equal(queue.size, 0);
    t.mock.timers.tick(50);
    assert.deepEqual(await begun(), ["a"]);
    t.mock.timers.tick(1000);
    assert.deepEqual(await begun(), []);
  });

  it("leaves out a delay for a key that is due already", async (t) => {
    const { queue, begun, finish } = started(t);
    queue.add("a");
    queue.addAfter("a", 100);
    await begun();
    await finish("a");
    t.mock.timers.tick(1000);
    assert.deepEqual(await begun(), []);
  });

  it("is idle when nothing waits and nothing is at work", async (t) => {
    const { queue, begun, finish } = started(t, { concurrency: 1 });
    await queue.idle();
    queue.add("a");
    queue.add("b");
    let isIdle = false;
    const idle = queue.idle().then(() => {
      isIdle = true;
    });
    await begun();
    await finish("a");
    assert.equal(isIdle, false);
    await begun();
    await finish("b");
    await idle;
  });

  it("begins nothing after the signal, and is idle when what is at work has ended", async (t) => {
    const { queue, stop, begun, finish, errors } = started(t, { concurrency: 1 });
    queue.add("a");
    queue.add("b");
    queue.addAfter("c", 10);
    await begun();
    stop.abort();
    queue.add("d");
    queue.addAfter("e", 1);
    const idle = queue.idle();
    await finish("a", new Error("stopped"));
    await idle;
    t.mock.timers.tick(60_000);
    assert.deepEqual(await begun(), []);
    assert.deepEqual(errors, []);
  });

  it("takes 10 000 keys in a moment", async (t) => {
    const { queue } = started(t, { concurrency: 32, work: () => Promise.resolve() });
    const beganMs = performance.now();
    for (let index = 0; index < 10_000; index++) queue.add(`key-${index}`);
    await queue.idle();
    // Some 10 ms; what grows with the square takes minutes.
    assert.ok(performance.now() - beganMs < 5_000);
  });
});
