// The status objects as they are written and as they are read back.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { basisOf, facts } from "../../test/speaker-config.ts";
import type { Problem } from "../config/problem.ts";
import type { FrrProblem } from "../frr/status.ts";
import { decideService } from "./announce.ts";
import {
  BGP_STATUS,
  configurationReport,
  configurationStateObject,
  configurationStatePatch,
  L2_STATUS,
  pruneConfigurationState,
  pruneServiceStatus,
  serviceStatusName,
  serviceStatusObject,
  serviceStatusPatch,
  statusPeers,
} from "./status.ts";

const context = {
  namespace: "metallb-system",
  node: "node1",
  owner: { name: "speaker-abc", uid: "uid-1" },
};
const ownerReferences = [{ apiVersion: "v1", kind: "Pod", name: "speaker-abc", uid: "uid-1" }];

for (const [kind, entries, written] of [
  [BGP_STATUS, ["leaf1", "leaf2"], { peers: ["leaf1", "leaf2"] }],
  [L2_STATUS, ["eth0", "eth1"], { interfaces: [{ name: "eth0" }, { name: "eth1" }] }],
] as const) {
  describe(kind.kind, () => {
    it("belongs to node, Service and Pod", () => {
      assert.deepEqual(serviceStatusObject(kind, context, "default/web"), {
        apiVersion: "metallb.io/v1beta1",
        kind: kind.kind,
        metadata: {
          namespace: "metallb-system",
          name: serviceStatusName(kind, "node1", "default/web"),
          labels: {
            "metallb.io/node": "node1",
            "metallb.io/service-name": "web",
            "metallb.io/service-namespace": "default",
          },
          ownerReferences,
        },
      });
    });

    it("is named after node and Service", () => {
      const name = serviceStatusName(kind, "node1", "default/web");
      assert.match(name, new RegExp(`^${kind.prefix}-[0-9a-f]{16}$`));
      assert.equal(serviceStatusName(kind, "node1", "default/web"), name);
      assert.notEqual(serviceStatusName(kind, "node2", "default/web"), name);
      assert.notEqual(serviceStatusName(kind, "node1", "default/web2"), name);
    });

    it("says what pruneServiceStatus() reads", () => {
      const object = serviceStatusObject(kind, context, "default/web");
      const patch = serviceStatusPatch(kind, "node1", "default/web", entries);
      const status = { node: "node1", serviceName: "web", serviceNamespace: "default" };
      assert.deepEqual(patch, { status: { ...status, ...written } });
      const prune = pruneServiceStatus(kind);
      const pruned = {
        name: serviceStatusName(kind, "node1", "default/web"),
        service: "default/web",
        node: "node1",
      };
      assert.deepEqual(prune({ ...object, ...patch }), { ...pruned, entries });
      // Created, but not filled in yet.
      assert.deepEqual(prune(object), { ...pruned, entries: undefined });
      assert.deepEqual(prune({ ...object, status: {} }), { ...pruned, entries: undefined });
      assert.equal(prune({ metadata: { name: "foreign" } }), undefined);
    });
  });
}

describe("ServiceL2Status", () => {
  it("names no interface where all answer, and takes those away that it named", () => {
    const object = serviceStatusObject(L2_STATUS, context, "default/web");
    const patch = serviceStatusPatch(L2_STATUS, "node1", "default/web", []);
    const status = { node: "node1", serviceName: "web", serviceNamespace: "default" };
    // In a merge patch null removes.
    assert.deepEqual(patch, { status: { ...status, interfaces: null } });
    assert.deepEqual(pruneServiceStatus(L2_STATUS)({ ...object, status })?.entries, []);
  });
});

it("statusPeers() are those a Service is announced to", () => {
  const decide = (nodes: readonly string[], peers = { b: {}, a: {} }) =>
    decideService({
      ...basisOf({ peers }),
      service: facts(),
      servingNodes: new Set(nodes),
      previous: undefined,
    });
  assert.deepEqual(statusPeers(decide(["node2"])), ["a", "b"]);
  for (const none of [decide([]), decide(["node2"], {} as never), undefined]) {
    assert.equal(statusPeers(none), undefined);
  }
});

describe("ConfigurationState", () => {
  const problem: Problem = {
    object: { kind: "BGPPeer", namespace: "metallb-system", name: "bad", uid: "" },
    field: "spec.peerASN",
    message: "Cannot use 0: want 1 to 4294967295",
    transient: false,
  };
  const refused: FrrProblem = {
    kind: "refused-extra",
    lineNumber: 3,
    line: "nonsense",
    message: "Unknown command",
  };

  it("is valid without problems", () => {
    assert.deepEqual(configurationReport([], [], []), {
      result: "Valid",
      errorSummary: "",
      l2Summary: "",
    });
  });

  it("names every bad object, and what FRR refused", () => {
    const { result, errorSummary } = configurationReport([problem], [refused], []);
    assert.equal(result, "Invalid");
    assert.deepEqual(errorSummary.split("\n"), [
      'configuration error: BGPPeer "bad": spec.peerASN: Cannot use 0: want 1 to 4294967295',
      'ConfigMap "bgpextras": line 3: FRR refused "nonsense": Unknown command',
    ]);
  });

  it("does not blame the configuration for anything else", () => {
    const others: FrrProblem[] = [
      { kind: "next-session", peerName: "leaf1", line: "timers 3 9" },
      { kind: "file", message: "Cannot write frr.conf: disk full" },
    ];
    assert.equal(configurationReport([], others, []).result, "Valid");
  });

  it("says beside that what is wrong with Layer 2", () => {
    assert.deepEqual(configurationReport([], [], ["one", "two"]), {
      result: "Valid",
      errorSummary: "",
      l2Summary: "one\ntwo",
    });
  });

  it("fits into a condition", () => {
    const many = Array.from({ length: 2000 }, () => problem);
    assert(configurationReport(many, [], []).errorSummary.length <= 32_768);
  });

  it("is written for field manager configReconciler as pruneConfigurationState() reads it", () => {
    const report = {
      ...configurationReport([problem], [], ["Cannot open a packet socket"]),
      since: "2026-11-01T00:00:00.000Z",
      l2Since: "2026-11-02T00:00:00.000Z",
    };
    const patch = configurationStatePatch(context, report);
    const { errorSummary } = report;
    assert.deepEqual(patch, {
      apiVersion: "metallb.io/v1beta1",
      kind: "ConfigurationState",
      metadata: { namespace: "metallb-system", name: "speaker-node1" },
      status: {
        result: "Invalid",
        errorSummary,
        conditions: [
          {
            type: "configReconcilerValid",
            status: "False",
            reason: "ConfigurationError",
            message: errorSummary,
            lastTransitionTime: "2026-11-01T00:00:00.000Z",
          },
          {
            type: "layer2Working",
            status: "False",
            reason: "NotWorking",
            message: "Cannot open a packet socket",
            lastTransitionTime: "2026-11-02T00:00:00.000Z",
          },
        ],
      },
    });
    assert.deepEqual(pruneConfigurationState(patch), report);
    assert.equal(pruneConfigurationState(configurationStateObject(context)), undefined);
  });

  it("belongs to the node and the Pod", () => {
    assert.deepEqual(configurationStateObject(context), {
      apiVersion: "metallb.io/v1beta1",
      kind: "ConfigurationState",
      metadata: {
        namespace: "metallb-system",
        name: "speaker-node1",
        labels: {
          "metallb.io/component-type": "speaker",
          "metallb.io/node-name": "node1",
        },
        ownerReferences,
      },
    });
    const { metadata } = configurationStateObject({ ...context, owner: undefined }) as {
      metadata: object;
    };
    assert.equal("ownerReferences" in metadata, false);
  });
});
