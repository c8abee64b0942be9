import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Finding, fieldsOf } from "./field.ts";
import {
  isDnsSubdomain,
  matchesAny,
  matchesSelector,
  parseSelector,
  readSelectors,
  type Selector,
} from "./selector.ts";

describe("matchesSelector()", () => {
  for (const [resource, labels, expected] of [
    [{}, undefined, true],
    [{}, { a: "1" }, true],
    [{ matchLabels: { a: "1" } }, { a: "1", b: "2" }, true],
    [{ matchLabels: { a: "1" } }, { a: "2" }, false],
    [{ matchLabels: { a: "1" } }, undefined, false],
    [{ matchLabels: { a: "1", b: "2" } }, { a: "1" }, false],
    [{ matchLabels: { a: "" } }, { a: "" }, true],
    [{ matchLabels: { a: "" } }, {}, false],
    [{ matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] }, { a: "2" }, true],
    [{ matchExpressions: [{ key: "a", operator: "In", values: ["1", "2"] }] }, { a: "3" }, false],
    [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, { a: "1" }, false],
    [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, { a: "2" }, true],
    [{ matchExpressions: [{ key: "a", operator: "NotIn", values: ["1"] }] }, {}, true],
    [{ matchExpressions: [{ key: "a", operator: "Exists" }] }, { a: "" }, true],
    [{ matchExpressions: [{ key: "a", operator: "Exists" }] }, {}, false],
    [{ matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, {}, true],
    [{ matchExpressions: [{ key: "a", operator: "DoesNotExist" }] }, { a: "1" }, false],
    [{ matchExpressions: [{ key: "constructor", operator: "Exists" }] }, {}, false],
    [
      { matchLabels: { a: "1" }, matchExpressions: [{ key: "b", operator: "Exists" }] },
      { a: "1" },
      false,
    ],
  ] as const) {
    it(`says ${expected} for ${JSON.stringify(resource)} and ${JSON.stringify(labels)}`, () => {
      assert.equal(matchesSelector(selectorOf(resource), labels), expected);
    });
  }
});

describe("matchesAny()", () => {
  it("matches nothing with an empty list, and any of several", () => {
    assert.equal(matchesAny([], { a: "1" }), false);
    const selectors = [selectorOf({ matchLabels: { a: "1" } }), selectorOf({})];
    assert.equal(matchesAny(selectors, { a: "2" }), true);
  });
});

describe("parseSelector()", () => {
  it("sorts requirements by key and values by text", () => {
    const selector = selectorOf({
      matchLabels: { z: "1", b: "2" },
      matchExpressions: [{ key: "k", operator: "In", values: ["y", "x"] }],
    });
    assert.deepEqual(selector, [
      { key: "b", operator: "In", values: ["2"] },
      { key: "k", operator: "In", values: ["x", "y"] },
      { key: "z", operator: "In", values: ["1"] },
    ]);
  });

  it("takes a key with a domain", () => {
    const selector = selectorOf({ matchLabels: { "kubernetes.io/hostname": "worker-1" } });
    assert.equal(selector[0]?.key, "kubernetes.io/hostname");
  });

  const expression = (values: object) => ({ matchExpressions: [values] });
  for (const [why, resource, field] of [
    ["no selector", null, "at"],
    ["a text", "a=b", "at"],
    ["a list", [], "at"],
    ["labels that are a list", { matchLabels: [] }, "at.matchLabels"],
    ["a label value that is a number", { matchLabels: { a: 1 } }, "at.matchLabels.a"],
    ["a label value with a blank", { matchLabels: { a: "b c" } }, "at.matchLabels.a"],
    ["a label value of 64", { matchLabels: { a: "v".repeat(64) } }, "at.matchLabels.a"],
    ["an empty key", { matchLabels: { "": "v" } }, "at.matchLabels."],
    ["a key of 64", { matchLabels: { ["k".repeat(64)]: "v" } }, `at.matchLabels.${"k".repeat(64)}`],
    ["a key with two slashes", { matchLabels: { "a/b/c": "v" } }, "at.matchLabels.a/b/c"],
    ["a key without a domain", { matchLabels: { "/b": "v" } }, "at.matchLabels./b"],
    ["a key with a domain in capitals", { matchLabels: { "A/b": "v" } }, "at.matchLabels.A/b"],
    ["no key", expression({ operator: "Exists" }), "at.matchExpressions[0].key"],
    ["no operator", expression({ key: "a" }), "at.matchExpressions[0].operator"],
    [
      "an unknown operator",
      expression({ key: "a", operator: "in" }),
      "at.matchExpressions[0].operator",
    ],
    [
      "In without values",
      expression({ key: "a", operator: "In" }),
      "at.matchExpressions[0].values",
    ],
    [
      "NotIn without values",
      expression({ key: "a", operator: "NotIn", values: [] }),
      "at.matchExpressions[0].values",
    ],
    [
      "Exists with values",
      expression({ key: "a", operator: "Exists", values: ["1"] }),
      "at.matchExpressions[0].values",
    ],
    [
      "DoesNotExist with values",
      expression({ key: "a", operator: "DoesNotExist", values: ["1"] }),
      "at.matchExpressions[0].values",
    ],
    [
      "a repeated value",
      expression({ key: "a", operator: "In", values: ["1", "1"] }),
      "at.matchExpressions[0].values[1]",
    ],
    [
      "a repeated expression",
      {
        matchExpressions: [
          { key: "a", operator: "In", values: ["1", "2"] },
          { key: "a", operator: "In", values: ["2", "1"] },
        ],
      },
      "at.matchExpressions[1]",
    ],
    ["an expression that is null", { matchExpressions: [null] }, "at.matchExpressions[0]"],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = parseSelector(resource, "at");
      assert.equal(result.kind, "invalid");
      assert.equal(result.findings[0]?.field, field);
      assert.match(result.findings[0]?.message ?? "", /: want|twice: duplicate definition/);
    });
  }
});

describe("readSelectors()", () => {
  it("refuses two equal selectors, whatever the order of labels and values", () => {
    const findings = findingsOf([
      { matchLabels: { a: "1", b: "2" } },
      { matchLabels: { c: "1" } },
      { matchLabels: { b: "2", a: "1" } },
    ]);
    assert.deepEqual(
      findings.map(({ field }) => field),
      ["spec.nodeSelectors[2]"],
    );
    assert.match(findings[0]?.message ?? "", /duplicate definition/);
  });

  it("does not count labels and an equivalent expression as equal", () => {
    const findings = findingsOf([
      { matchLabels: { a: "1" } },
      { matchExpressions: [{ key: "a", operator: "In", values: ["1"] }] },
    ]);
    assert.deepEqual(findings, []);
  });
});

describe("isDnsSubdomain()", () => {
  it("takes names of objects and nothing else", () => {
    for (const name of ["a", "a-b.c", "1", "worker-1.example.com"]) assert.ok(isDnsSubdomain(name));
    for (const name of ["", "A", "a_b", "-a", "a.", "a..b", "a b", "a\n", "a".repeat(254)]) {
      assert.ok(!isDnsSubdomain(name), name);
    }
  });
});

function findingsOf(nodeSelectors: readonly object[]): readonly Finding[] {
  const findings: Finding[] = [];
  readSelectors(fieldsOf({ nodeSelectors }, "spec", findings), "nodeSelectors");
  return findings;
}

function selectorOf(resource: unknown): Selector {
  const result = parseSelector(resource, "at");
  assert.equal(result.kind, "selector");
  return result.selector;
}
