// Which node writes the condition of a Service that the exclude label leaves without a node.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { address, type BasisText, basisOf, facts } from "../../test/speaker-config.ts";
import { decideService } from "./announce.ts";
import { type ConditionChange, conditionChange, conditionPatch } from "./excluded-condition.ts";

const LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";
const EXCLUDED = { labels: { [LABEL]: "" } };
const MESSAGE = `No node can announce it: "node1", "node2" have the label ${LABEL}`;
const ALL = { l2Advertisements: { all: {} } };
const FIRST = { ...EXCLUDED, l2Weight: 1 };

type Setting = {
  readonly basis: BasisText;
  /** What the condition says already. */
  readonly says?: string;
  readonly nodes?: readonly string[];
  readonly isFirst?: boolean;
};

function changeOf({ basis, says, nodes = ["node1"], isFirst = false }: Setting) {
  const service = facts({ l2Condition: says, addresses: [address("192.0.2.1")] });
  const servingNodes = new Set(nodes);
  const decision = decideService({ ...basisOf(basis), service, servingNodes, previous: undefined });
  return conditionChange(service, decision, { name: "node1", isFirst: () => isFirst });
}

describe("conditionChange()", () => {
  const set: ConditionChange = { kind: "set", message: MESSAGE };
  const remove: ConditionChange = { kind: "remove" };
  const excluded: BasisText = { ...ALL, node: FIRST, others: { node2: EXCLUDED } };
  const behind: BasisText = { ...ALL, node: EXCLUDED, others: { node2: FIRST } };
  const rows: readonly (readonly [string, Setting, ConditionChange | undefined])[] = [
    ["sets it on the node that would announce", { basis: excluded }, set],
    ["leaves that to the node that would announce", { basis: behind }, undefined],
    ["leaves it as it is", { basis: excluded, says: MESSAGE }, undefined],
    ["says it anew when other nodes have the label", { basis: excluded, says: "others" }, set],
    ["has nothing to say of a Service that is announced", { basis: ALL }, undefined],
    ["removes it on the node that announces", { basis: ALL, says: MESSAGE }, remove],
    [
      "leaves removing to the node that announces",
      { basis: { ...ALL, others: { node2: { l2Weight: 1 } } }, says: MESSAGE, isFirst: true },
      undefined,
    ],
    [
      "leaves removing to it from a node that is no candidate",
      { basis: { ...ALL, node: EXCLUDED, others: { node2: {} } }, says: MESSAGE, isFirst: true },
      undefined,
    ],
    [
      "removes it on the first node where nobody announces for another reason",
      { basis: excluded, says: MESSAGE, nodes: [], isFirst: true },
      remove,
    ],
    [
      "leaves that to the first node",
      { basis: excluded, says: MESSAGE, nodes: [], isFirst: false },
      undefined,
    ],
    [
      "removes it where the label is not looked at",
      { basis: { ...excluded, ignoreExcludeLabel: true }, says: MESSAGE },
      remove,
    ],
  ];
  for (const [name, setting, expected] of rows) {
    it(name, () => assert.deepEqual(changeOf(setting), expected));
  }
});

describe("conditionPatch()", () => {
  const now = "2026-11-01T00:00:00Z";

  it("is what the Service is to say, and nothing of others", () => {
    assert.deepEqual(conditionPatch("default/web", { kind: "set", message: MESSAGE }, now), {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace: "default", name: "web" },
      status: {
        conditions: [
          {
            type: "metallb.io/L2Announced",
            status: "False",
            reason: "nodeLabeledExcludeBalancers",
            message: MESSAGE,
            lastTransitionTime: now,
          },
        ],
      },
    });
  });

  it("gives the condition up by not naming it", () => {
    assert.deepEqual(conditionPatch("default/web", { kind: "remove" }, now), {
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace: "default", name: "web" },
      status: { conditions: [] },
    });
  });
});
