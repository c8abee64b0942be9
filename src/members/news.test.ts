// Everybody is told, those that do not confirm a few times more, and never too many at once.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { News } from "./news.ts";

describe("News", () => {
  it("is over when all have confirmed", () => {
    const news = new News(1, [], ["a", "b"], 0);
    assert.deepEqual(news.take(10, 0), ["a", "b"]);
    news.confirm("a");
    assert.equal(news.isOver, false);
    news.confirm("b");
    assert.equal(news.isOver, true);
  });

  it("is told again to who does not confirm, with longer and longer pauses, at last no more", () => {
    const news = new News(1, [], ["a", "b"], 0);
    const times: number[] = [];
    for (let nowMs = 0; !news.isOver; nowMs += 5) {
      const targets = news.take(10, nowMs);
      if (targets.length > 0) times.push(nowMs);
      if (nowMs > 0) assert(!targets.includes("a"));
      news.confirm("a");
      assert(nowMs < 10_000);
    }
    assert.deepEqual(times, [0, 25, 75, 175, 375, 775]);
  });

  it("goes out in portions", () => {
    const news = new News(1, [], ["a", "b", "c"], 0);
    assert.deepEqual(news.take(2, 0), ["a", "b"]);
    assert.equal(news.hasBacklog, true);
    assert.deepEqual(news.take(2, 10), ["c"]);
    assert.equal(news.hasBacklog, false);
    assert.deepEqual(news.take(2, 20), []);
  });
});
