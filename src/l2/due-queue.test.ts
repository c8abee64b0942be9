import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DueQueue } from "./due-queue.ts";

const steps = fc.array(
  fc.oneof(
    fc.record({ do: fc.constant("set"), key: fc.nat(15), atMs: fc.nat(30) }),
    fc.record({ do: fc.constant("delete"), key: fc.nat(15), atMs: fc.constant(0) }),
    fc.record({ do: fc.constant("take"), key: fc.constant(0), atMs: fc.nat(30) }),
  ),
  { maxLength: 100 },
);

describe("DueQueue", () => {
  it("agrees with a plain map, whatever is done to it", () => {
    fc.assert(
      fc.property(steps, (list) => {
        const queue = new DueQueue<number>();
        const plain = new Map<number, number>();
        for (const step of list) {
          if (step.do === "set") {
            queue.set(step.key, step.atMs);
            // Deleted first: a key that is set again goes behind those of its time.
            plain.delete(step.key);
            plain.set(step.key, step.atMs);
          } else if (step.do === "delete") {
            queue.delete(step.key);
            plain.delete(step.key);
          } else {
            const firstAtMs = Math.min(...plain.values());
            const key = queue.take(step.atMs);
            assert.equal(key !== undefined, firstAtMs <= step.atMs);
            if (key === undefined) continue;
            const [first] = [...plain].find(([, atMs]) => atMs === firstAtMs) ?? [];
            assert.equal(key, first);
            plain.delete(key);
          }
          const firstAtMs = plain.size === 0 ? undefined : Math.min(...plain.values());
          assert.equal(queue.firstAtMs(), firstAtMs);
          for (let key = 0; key < 16; key += 1) assert.equal(queue.has(key), plain.has(key));
        }
      }),
    );
  });
});
