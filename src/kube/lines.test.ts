import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Lines } from "./lines.ts";

describe("Lines", () => {
  it("gives the same lines however the bytes are cut", () => {
    const line = fc.string({ unit: "grapheme" }).map((text) => text.replaceAll("\n", ""));
    const cuts = fc.array(fc.nat({ max: 20 }), { minLength: 1 });
    fc.assert(
      fc.property(fc.array(line), line, cuts, (whole, rest, lengths) => {
        const bytes = Buffer.from([...whole, rest].join("\n"));
        const lines = new Lines();
        const seen: string[] = [];
        for (let start = 0, turn = 0; start < bytes.length; turn++) {
          const end = start + 1 + (lengths[turn % lengths.length] ?? 0);
          seen.push(...lines.add(bytes.subarray(start, end)));
          start = end;
        }
        assert.deepEqual([...seen, lines.rest()], [...whole, rest]);
      }),
    );
  });

  it("has nothing left after the rest was taken", () => {
    const lines = new Lines();
    assert.deepEqual([...lines.add(Buffer.from("a\nb"))], ["a"]);
    assert.equal(lines.rest(), "b");
    assert.equal(lines.rest(), "");
  });
});
