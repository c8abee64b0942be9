// What the status of the configuration's objects says, and when nothing is written.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Problem } from "../config/problem.ts";
import {
  type ConfigObject,
  configStatusPatch,
  configurationReport,
  configurationStateStatus,
} from "./config-status.ts";

const NOW = "2026-11-02T00:00:00Z";
const BEFORE = "2026-11-01T00:00:00Z";
const COUNTERS = {
  assignedIPv4: 1n,
  assignedIPv6: 0n,
  availableIPv4: 2n,
  availableIPv6: 9_223_372_036_854_775_807n,
};
const PROBLEM: Problem = {
  object: { kind: "IPAddressPool", namespace: "metallb-system", name: "a", uid: "" },
  field: "spec.addresses[0]",
  message: 'Cannot parse "x"',
  transient: false,
};
const GOOD = { problems: [], lastGoodInForce: true, counters: COUNTERS };
const ACCEPTED = {
  type: "Accepted",
  status: "True" as const,
  reason: "Accepted",
  message: "",
  lastTransitionTime: BEFORE,
  observedGeneration: 3,
};
const OTHER = { ...ACCEPTED, type: "Other" };

function object(status?: object): ConfigObject {
  const metadata = { name: "a", resourceVersion: "7", generation: 3 };
  return { metadata, ...(status && { status }) };
}

describe("configStatusPatch()", () => {
  test("says all of a new pool, of that version", () => {
    assert.deepEqual(configStatusPatch(object(), GOOD, NOW), {
      metadata: { resourceVersion: "7" },
      status: { ...COUNTERS, conditions: [{ ...ACCEPTED, lastTransitionTime: NOW }] },
    });
  });

  test("is nothing when the object says so, whether numbers came as number or bigint", () => {
    const status = { ...COUNTERS, assignedIPv4: 1, assignedIPv6: 0, availableIPv4: 2 };
    const patch = configStatusPatch(object({ ...status, conditions: [ACCEPTED] }), GOOD, NOW);
    assert.equal(patch, undefined);
  });

  test("is the four counters when one differs", () => {
    const status = { ...COUNTERS, assignedIPv4: 0n, conditions: [ACCEPTED] };
    assert.deepEqual(configStatusPatch(object(status), GOOD, NOW), {
      metadata: { resourceVersion: "7" },
      status: COUNTERS,
    });
  });

  test("keeps conditions of others and the time of what stays as it is", () => {
    const status = { ...COUNTERS, conditions: [{ ...ACCEPTED, observedGeneration: 2 }, OTHER] };
    assert.deepEqual(configStatusPatch(object(status), GOOD, NOW), {
      metadata: { resourceVersion: "7" },
      status: { conditions: [OTHER, ACCEPTED] },
    });
  });

  for (const [lastGoodInForce, message] of [
    [false, 'spec.addresses[0]: Cannot parse "x"'],
    [true, 'spec.addresses[0]: Cannot parse "x"\nIts last good version stays in force'],
  ] as const) {
    test(`names the problem, last good version in force: ${lastGoodInForce}`, () => {
      const verdict = { problems: [PROBLEM], lastGoodInForce, counters: undefined };
      const refused = { ...ACCEPTED, status: "False", reason: "ConfigurationError", message };
      assert.deepEqual(configStatusPatch(object({ conditions: [ACCEPTED] }), verdict, NOW), {
        metadata: { resourceVersion: "7" },
        status: { conditions: [{ ...refused, lastTransitionTime: NOW }] },
      });
    });
  }
});

test("configurationReport() is MetalLB's text with every problem in it", () => {
  assert.deepEqual(configurationReport([]), { result: "Valid", errorSummary: "" });
  assert.deepEqual(configurationReport([PROBLEM, PROBLEM]), {
    result: "Invalid",
    errorSummary: `configuration error: IPAddressPool "a": spec.addresses[0]: Cannot parse "x"
IPAddressPool "a": spec.addresses[0]: Cannot parse "x"`,
  });
});

test("configurationStateStatus() has MetalLB's condition", () => {
  const { status } = configurationStateStatus(
    "metallb-system",
    "controller",
    configurationReport([]),
    NOW,
  ) as { readonly status: object };
  assert.deepEqual(status, {
    result: "Valid",
    errorSummary: "",
    conditions: [
      {
        type: "poolReconcilerValid",
        status: "True",
        reason: "Reconciled",
        message: "",
        lastTransitionTime: NOW,
      },
    ],
  });
});
