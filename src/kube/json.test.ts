import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatJson, parseJson } from "./json.ts";

const MAX_INT64 = 2n ** 63n - 1n;

describe("parseJson()", () => {
  for (const { text, expected } of [
    { text: '{"n":9007199254740991}', expected: { n: Number.MAX_SAFE_INTEGER } },
    { text: '{"n":9007199254740992}', expected: { n: 9007199254740992n } },
    { text: '{"n": 9223372036854775807}', expected: { n: MAX_INT64 } },
    { text: "[1,-9223372036854775808]", expected: [1, -(2n ** 63n)] },
    { text: '["9223372036854775807"]', expected: ["9223372036854775807"] },
    { text: '{"s":":9223372036854775807","n":1}', expected: { s: ":9223372036854775807", n: 1 } },
    { text: "[1234567890123456.5,1e20]", expected: [1234567890123456.5, 1e20] },
    { text: "null", expected: null },
  ]) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseJson(text), expected);
    });
  }

  it("throws a SyntaxError for what is no JSON", () => {
    assert.throws(() => parseJson('{"n":'), SyntaxError);
    assert.throws(() => parseJson('{"n":9223372036854775807'), SyntaxError);
  });
});

describe("formatJson()", () => {
  it("writes bigints as exact numbers at any depth", () => {
    const text = '{"a":[{"n":9223372036854775807}],"b":1}';
    assert.equal(formatJson({ a: [{ n: MAX_INT64 }], b: 1 }), text);
  });

  it("throws for what has no end", () => {
    const loop: unknown[] = [];
    loop.push(loop);
    assert.throws(() => formatJson(loop), TypeError);
  });

  it("is read back as what was written", () => {
    const big = fc.bigInt({ min: BigInt(Number.MAX_SAFE_INTEGER) + 1n, max: MAX_INT64 });
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: "small" },
        fc.string(),
        fc.integer(),
        fc.boolean(),
        fc.constant(null),
        fc.array(tie("tree")),
        fc.dictionary(fc.string(), tie("tree"), { noNullPrototype: true }),
        fc.array(big),
      ),
    }));
    // The API server's answers are objects.
    fc.assert(
      fc.property(tree, (value) => {
        assert.deepEqual(parseJson(formatJson({ value })), { value });
      }),
    );
  });
});
