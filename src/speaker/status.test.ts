// The status objects as they are written and as they are read back.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { facts, nodeState, policyOf } from "../../test/speaker-config.ts";
import type { Problem } from "../config/problem.ts";
import type { FrrProblem } from "../frr/status.ts";
import { decideService } from "./announce.ts";
import {
  configurationReport,
  configurationStateObject,
  configurationStatePatch,
  pruneConfigurationState,
  pruneServiceBgpStatus,
  serviceBgpStatusName,
  serviceBgpStatusObject,
  serviceBgpStatusPatch,
  statusPeers,
} from "./status.ts";

const context = {
  namespace: "metallb-system",
  node: "node1",
  owner: { name: "speaker-abc", uid: "uid-1" },
};
const ownerReferences = [{ apiVersion: "v1", kind: "Pod", name: "speaker-abc", uid: "uid-1" }];

describe("ServiceBGPStatus", () => {
  it("belongs to node, Service and Pod", () => {
    assert.deepEqual(serviceBgpStatusObject(context, "default/web"), {
      apiVersion: "metallb.io/v1beta1",
      kind: "ServiceBGPStatus",
      metadata: {
        namespace: "metallb-system",
        name: serviceBgpStatusName("node1", "default/web"),
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
    const name = serviceBgpStatusName("node1", "default/web");
    assert.match(name, /^bgp-[0-9a-f]{16}$/);
    assert.equal(serviceBgpStatusName("node1", "default/web"), name);
    assert.notEqual(serviceBgpStatusName("node2", "default/web"), name);
    assert.notEqual(serviceBgpStatusName("node1", "default/web2"), name);
  });

  it("says what pruneServiceBgpStatus() reads", () => {
    const object = serviceBgpStatusObject(context, "default/web");
    const patch = serviceBgpStatusPatch("node1", "default/web", ["leaf1", "leaf2"]);
    assert.deepEqual(patch, {
      status: {
        node: "node1",
        serviceName: "web",
        serviceNamespace: "default",
        peers: ["leaf1", "leaf2"],
      },
    });
    assert.deepEqual(pruneServiceBgpStatus({ ...object, ...patch }), {
      name: serviceBgpStatusName("node1", "default/web"),
      service: "default/web",
      peers: ["leaf1", "leaf2"],
    });
    // Created, but not filled in yet.
    assert.deepEqual(pruneServiceBgpStatus(object)?.peers, []);
    assert.equal(pruneServiceBgpStatus({ metadata: { name: "foreign" } }), undefined);
  });

  it("is for Services that are announced to a peer", () => {
    const decide = (nodes: readonly string[]) =>
      decideService({
        service: facts(),
        servingNodes: new Set(nodes),
        node: nodeState(),
        policy: policyOf({ peers: { b: {}, a: {} } }),
        ignoreExcludeLabel: false,
        previous: undefined,
      });
    assert.deepEqual(statusPeers(decide(["node2"])), ["a", "b"]);
    assert.deepEqual(statusPeers(decide([])), []);
    assert.deepEqual(statusPeers(undefined), []);
  });
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
    assert.deepEqual(configurationReport([], []), { result: "Valid", errorSummary: "" });
  });

  it("names every bad object, and what FRR refused", () => {
    const { result, errorSummary } = configurationReport([problem], [refused]);
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
    assert.equal(configurationReport([], others).result, "Valid");
  });

  it("fits into a condition", () => {
    const many = Array.from({ length: 2000 }, () => problem);
    assert(configurationReport(many, []).errorSummary.length <= 32_768);
  });

  it("is written for field manager configReconciler as pruneConfigurationState() reads it", () => {
    const report = { ...configurationReport([problem], []), since: "2026-11-01T00:00:00.000Z" };
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
