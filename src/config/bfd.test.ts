import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type BfdProfile, parseBfdProfile } from "./bfd.ts";
import type { BFDProfileResource } from "./resources.ts";

const UNSET: BfdProfile = {
  name: "fast",
  receiveIntervalMs: undefined,
  transmitIntervalMs: undefined,
  echoIntervalMs: undefined,
  detectMultiplier: undefined,
  echoMode: false,
  passiveMode: false,
  minimumTtl: undefined,
};

describe("parseBfdProfile()", () => {
  for (const [why, spec, expected] of [
    ["no spec", undefined, {}],
    ["an empty spec", {}, {}],
    ["null for absent", { receiveInterval: null, echoMode: null }, {}],
    ["milliseconds", { receiveInterval: 300 }, { receiveIntervalMs: 300 }],
    ["milliseconds as a duration", { receiveInterval: "300ms" }, { receiveIntervalMs: 300 }],
    ["seconds", { transmitInterval: "1s" }, { transmitIntervalMs: 1000 }],
    ["parts of a second", { echoInterval: "0.05s" }, { echoIntervalMs: 50 }],
    ["the lowest interval", { echoInterval: 10 }, { echoIntervalMs: 10 }],
    ["the highest interval", { echoInterval: "1m" }, { echoIntervalMs: 60_000 }],
    [
      "everything",
      {
        receiveInterval: 10,
        transmitInterval: 60_000,
        echoInterval: "50ms",
        detectMultiplier: 255,
        echoMode: true,
        passiveMode: true,
        minimumTtl: 254,
      },
      {
        receiveIntervalMs: 10,
        transmitIntervalMs: 60_000,
        echoIntervalMs: 50,
        detectMultiplier: 255,
        echoMode: true,
        passiveMode: true,
        minimumTtl: 254,
      },
    ],
  ] as const) {
    it(`takes ${why}`, () => {
      assert.deepEqual(profileOf(spec), { kind: "value", value: { ...UNSET, ...expected } });
    });
  }

  for (const [field, value] of [
    ["receiveInterval", 9],
    ["receiveInterval", 60_001],
    ["receiveInterval", 0],
    ["receiveInterval", 10.5],
    ["receiveInterval", true],
    ["receiveInterval", "300"],
    ["receiveInterval", "fast"],
    ["receiveInterval", "9ms"],
    ["receiveInterval", "61s"],
    ["receiveInterval", "10.5ms"],
    ["receiveInterval", "-300ms"],
    ["receiveInterval", 300n],
    ["transmitInterval", 9],
    ["echoInterval", 60_001],
    ["detectMultiplier", 1],
    ["detectMultiplier", 256],
    ["detectMultiplier", "3"],
    ["minimumTtl", 0],
    ["minimumTtl", 255],
    ["echoMode", "yes"],
    ["passiveMode", 1],
  ] as const) {
    it(`refuses ${field} ${typeof value} ${value}`, () => {
      const result = profileOf({ [field]: value });
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => finding.field),
        [`spec.${field}`],
      );
      assert.match(result.findings[0]?.message ?? "", /: want/);
    });
  }

  it("refuses a name that bfdd refuses", () => {
    const parse = (length: number) => parseBfdProfile({ metadata: { name: "a".repeat(length) } });
    assert.equal(parse(63).kind, "value");
    assert.equal(parse(64).kind, "invalid");
  });
});

function profileOf(spec: unknown) {
  return parseBfdProfile({ metadata: { name: "fast" }, spec } as BFDProfileResource);
}
