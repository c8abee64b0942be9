// What is kept of Services and of the Node.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { service } from "../../test/controller-samples.ts";
import type { NodeResource } from "../config/resources.ts";
import { pruneNode, pruneService } from "./service.ts";

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
});
