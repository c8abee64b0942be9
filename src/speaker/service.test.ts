// What is kept of Services, of Nodes and of the Pods of speakers.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "../../test/controller-samples.ts";
import type { NodeResource, PodResource } from "../config/resources.ts";

import { L2_CONDITION, pruneNode, pruneService, pruneSpeakerPod } from "./service.ts";

describe("pruneService()", () => {
  it("keeps what decisions read", () => {
    const pruned = pruneService(
      service("default/web", {
        ingress: ["192.0.2.1", "2001:DB8::0:1"],
        labels: { a: "b" },
        spec: { externalTrafficPolicy: "Local" },
        annotations: { long: "text" },
      }),
      undefined,
    );
    assert.deepEqual(pruned, {
      key: "default/web",
      uid: "",
      labels: { a: "b" },
      isLocal: true,
      addresses: ["192.0.2.1", "2001:db8::1"],
      invalidAddress: undefined,
      hasSharingKey: false,
      l2Condition: undefined,
    });
  });

  for (const [name, spec, wanted, isOurs] of [
    ["no class, none wanted", {}, undefined, true],
    ["a class, none wanted", { loadBalancerClass: "x" }, undefined, false],
    ["the class that is wanted", { loadBalancerClass: "x" }, "x", true],
    ["another class", { loadBalancerClass: "y" }, "x", false],
    ["no class, one wanted", {}, "x", false],
    ["another type", { type: "ClusterIP" }, undefined, false],
  ] as const) {
    it(`${isOurs ? "keeps" : "drops"} a Service of ${name}`, () => {
      const pruned = pruneService(service("default/web", { spec }), wanted);
      assert.equal(pruned !== undefined, isOurs);
    });
  }

  it("names the entry that is no address", () => {
    const ingress = [{ ip: "192.0.2.1" }, { hostname: "lb.example.com" }, { ip: "nonsense" }];
    const pruned = pruneService(
      service("default/web", { status: { loadBalancer: { ingress } } }),
      undefined,
    );
    assert.deepEqual(pruned?.addresses, ["192.0.2.1"]);
    assert.equal(pruned?.invalidAddress, "lb.example.com");
  });
});

describe("pruneService() tells whether it says with whom it shares", () => {
  for (const [name, annotations, expected] of [
    ["nothing", {}, false],
    ["a key", { "metallb.io/allow-shared-ip": "x" }, true],
    ["a key by the older name", { "metallb.universe.tf/allow-shared-ip": "x" }, true],
    ["an empty key", { "metallb.io/allow-shared-ip": "" }, false],
    [
      "an empty key and an older one",
      { "metallb.io/allow-shared-ip": "", "metallb.universe.tf/allow-shared-ip": "x" },
      true,
    ],
    ["something else", { "metallb.io/address-pool": "x" }, false],
  ] as const) {
    it(name, () => {
      const pruned = pruneService(service("default/web", { annotations }), undefined);
      assert.equal(pruned?.hasSharingKey, expected);
    });
  }
});

it("pruneService() keeps what the condition of Layer 2 says, and no other", () => {
  const condition = (type: string) => ({
    type,
    status: "False" as const,
    reason: "x",
    message: `of ${type}`,
    lastTransitionTime: "2026-11-01T00:00:00Z",
  });
  const l2ConditionOf = (...types: readonly string[]) => {
    const conditions = types.map(condition);
    return pruneService(service("default/web", { status: { conditions } }), undefined)?.l2Condition;
  };
  assert.equal(l2ConditionOf("Other", L2_CONDITION), `of ${L2_CONDITION}`);
  assert.equal(l2ConditionOf("Other"), undefined);
});

describe("pruneNode()", () => {
  const node = (status: NodeResource["status"]): NodeResource =>
    ({ metadata: { name: "node1" }, status }) as NodeResource;

  it("takes the first internal IPv4 address", () => {
    const addresses = [
      { type: "Hostname", address: "node1" },
      { type: "ExternalIP", address: "198.51.100.1" },
      { type: "InternalIP", address: "fd00::1" },
      { type: "InternalIP", address: "10.0.0.1" },
      { type: "InternalIP", address: "10.0.0.2" },
    ];
    assert.equal(pruneNode(node({ addresses })).internalIpv4, "10.0.0.1");
    assert.equal(pruneNode(node({})).internalIpv4, undefined);
  });

  for (const [status, expected] of [
    ["True", true],
    ["False", false],
    ["Unknown", false],
  ] as const) {
    it(`takes NetworkUnavailable ${status} as ${expected}`, () => {
      const conditions = [{ type: "NetworkUnavailable", status }];
      assert.equal(pruneNode(node({ conditions })).networkUnavailable, expected);
    });
  }

  for (const [text, weight, problem] of [
    [undefined, 0, undefined],
    ["7", 7, undefined],
    ["many", 0, 'Cannot use metallb.io/l2-weight "many": want an integer from 0 to 100'],
  ] as const) {
    it(`takes the weight ${text} as ${weight}`, () => {
      const annotations = text === undefined ? {} : { "metallb.io/l2-weight": text };
      const { l2Weight, l2WeightProblem } = pruneNode({
        metadata: { name: "node1", annotations },
      } as NodeResource);
      assert.deepEqual([l2Weight, l2WeightProblem], [weight, problem]);
    });
  }

  it("is the same after a heartbeat", () => {
    const at = (lastHeartbeatTime: string) =>
      node({ conditions: [{ type: "Ready", status: "True", lastHeartbeatTime }] } as never);
    assert.deepEqual(pruneNode(at("2026-11-01T00:00:00Z")), pruneNode(at("2026-11-01T00:00:10Z")));
  });
});

describe("pruneSpeakerPod()", () => {
  const on1 = { nodeName: "node1" };
  const both = [{ ip: "10.0.0.1" }, { ip: "2001:DB8::0:1" }];
  const rows: readonly (readonly [
    string,
    PodResource["spec"],
    PodResource["status"],
    string[] | undefined,
  ])[] = [
    ["all addresses", on1, { podIP: "10.0.0.1", podIPs: both }, ["10.0.0.1", "2001:db8::1"]],
    ["the only address", on1, { podIP: "10.0.0.1" }, ["10.0.0.1"]],
    [
      "a Pod that is starting",
      on1,
      { phase: "Pending", podIPs: both },
      ["10.0.0.1", "2001:db8::1"],
    ],
    ["no Pod without address", on1, { phase: "Pending" }, undefined],
    ["no Pod without status", on1, undefined, undefined],
    ["no Pod that is not scheduled", {}, { podIPs: both }, undefined],
    ["no Pod that has failed", on1, { phase: "Failed", podIPs: both }, undefined],
    ["no Pod that is over", on1, { phase: "Succeeded", podIPs: both }, undefined],
    [
      "what is an address",
      on1,
      { podIPs: [{}, { ip: "nonsense" }, { ip: "10.0.0.1" }] },
      ["10.0.0.1"],
    ],
  ];
  for (const [name, spec, status, addresses] of rows) {
    it(`keeps ${name}`, () => {
      const pod = { metadata: { name: "speaker-abc" }, spec, status } as PodResource;
      const expected = addresses && { node: "node1", addresses };
      assert.deepEqual(pruneSpeakerPod(pod), expected);
    });
  }
});
