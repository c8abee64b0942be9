import assert from "node:assert/strict";
import { it } from "node:test";
import { redact } from "./redact.ts";

for (const [input, expected] of [
  [" neighbor 10.0.0.1 password a b  c\nnext", " neighbor 10.0.0.1 password <hidden>\nnext"],
  ["no neighbor 10.0.0.1 password x", "no neighbor 10.0.0.1 password <hidden>"],
  ["key-string x", "key-string <hidden>"],
  ["passwords stay", "passwords stay"],
  ["neighbor 10.0.0.1 remote-as 1", "neighbor 10.0.0.1 remote-as 1"],
] as const) {
  it(`redact() of ${JSON.stringify(input)}`, () => assert.equal(redact(input), expected));
}
