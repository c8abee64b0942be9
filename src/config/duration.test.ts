import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { parseDuration } from "./duration.ts";

describe("parseDuration()", () => {
  for (const [text, nanoseconds] of [
    ["0", 0n],
    ["0s", 0n],
    ["-0", 0n],
    ["90s", 90_000_000_000n],
    ["1m30s", 90_000_000_000n],
    ["300ms", 300_000_000n],
    ["1.5s", 1_500_000_000n],
    [".5s", 500_000_000n],
    ["1.s", 1_000_000_000n],
    ["2h3m4s5ms6us7ns", 7_384_005_006_007n],
    ["1µs", 1_000n],
    ["1μs", 1_000n],
    ["+5s", 5_000_000_000n],
    ["-5s", -5_000_000_000n],
    ["0.3333333333333333333h", 1_199_999_999_999n],
    ["9223372036854775807ns", 9_223_372_036_854_775_807n],
  ] as const) {
    it(`takes "${text}"`, () => {
      assert.equal(parseDuration(text), nanoseconds);
    });
  }

  for (const text of [
    "",
    "3",
    "s",
    ".s",
    "+",
    "-",
    "1d",
    "1 s",
    " 1s",
    "1s ",
    "1s2",
    "1.2.3s",
    "1e3s",
    "--1s",
    "1S",
    "9223372036854775808ns",
    "2562048h",
  ]) {
    it(`refuses "${text}"`, () => {
      assert.equal(parseDuration(text), undefined);
    });
  }

  it("adds up all parts", () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.nat(10_000), fc.nat(10_000), (h, s, ms) => {
        const expected = (BigInt(h) * 3_600_000n + BigInt(s) * 1_000n + BigInt(ms)) * 1_000_000n;
        assert.equal(parseDuration(`${h}h${s}s${ms}ms`), expected);
      }),
    );
  });
});
