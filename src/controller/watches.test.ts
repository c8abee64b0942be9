// What is kept of a Service: all that a decision reads, and nothing of Services that are not ours.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pool, poolMap, service } from "../../test/controller-samples.ts";
import type { ServiceResource } from "../config/resources.ts";
import { Allocations } from "./allocation.ts";
import { ALLOCATED_CONDITION, decideService } from "./service.ts";
import { pruneService } from "./watches.ts";

const MARK = { "metallb.io/ip-allocated-from-pool": "a" };
const CONDITION = {
  type: ALLOCATED_CONDITION,
  status: "True" as const,
  reason: "Allocated",
  message: "",
  lastTransitionTime: "2026-11-01T00:00:00Z",
};

describe("pruneService()", () => {
  for (const [what, resource, loadBalancerClass, isKept] of [
    ["a load balancer", service("ns/s"), "", true],
    ["one of a class", service("ns/s", { spec: { loadBalancerClass: "x/y" } }), "", false],
    ["one of our class", service("ns/s", { spec: { loadBalancerClass: "x/y" } }), "x/y", true],
    [
      "another's although it bears our mark",
      service("ns/s", { annotations: MARK, spec: { loadBalancerClass: "x/y" } }),
      "",
      false,
    ],
    ["another type", service("ns/s", { spec: { type: "ClusterIP" } }), "", false],
    [
      "another type with our annotation",
      service("ns/s", { annotations: MARK, spec: { type: "ClusterIP" } }),
      "",
      true,
    ],
    [
      "another type with our condition",
      service("ns/s", { spec: { type: "ClusterIP" }, status: { conditions: [CONDITION] } }),
      "",
      true,
    ],
  ] as const) {
    test(`${isKept ? "keeps" : "drops"} ${what}`, () => {
      assert.equal(pruneService(resource, loadBalancerClass) !== undefined, isKept);
    });
  }

  const rich: ServiceResource = {
    ...service("ns/s", {
      annotations: {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "metallb.io/allow-shared-ip": "k",
        "metallb.universe.tf/address-pool": "a",
      },
      labels: { app: "web" },
      spec: {
        clusterIPs: ["10.96.0.1", "fd00::1"],
        ipFamilies: ["IPv6", "IPv4"],
        ipFamilyPolicy: "PreferDualStack",
        externalTrafficPolicy: "Local",
        selector: { app: "web" },
        ports: [{ name: "http", protocol: "UDP", port: 53 }],
      },
      ingress: ["192.0.2.9"],
    }),
  };
  const variants: readonly (readonly [string, ServiceResource])[] = [
    ["everything", rich],
    ["Cluster", { ...rich, spec: { ...rich.spec, externalTrafficPolicy: "Cluster" } }],
    ["an address by spec", { ...rich, spec: { ...rich.spec, loadBalancerIP: "192.0.2.1" } }],
    ["only the old clusterIP", service("ns/s", { spec: { clusterIP: "10.96.0.1" } })],
    ["a condition of ours", service("ns/s", { status: { conditions: [CONDITION] } })],
  ];
  for (const [what, resource] of variants) {
    test(`leaves the decision as it is for a Service with ${what}`, () => {
      const decide = (object: ServiceResource | undefined) => {
        assert(object !== undefined);
        const namespaces = new Set(["ns"]);
        const serviceSelectors = [[{ key: "app", operator: "In", values: ["web"] }]] as const;
        return decideService({
          key: "ns/s",
          service: object,
          allocations: new Allocations(
            poolMap(
              pool("a", ["192.0.2.0/28", "2001:db8::/64"], {
                serviceAllocation: { namespaces, serviceSelectors },
              }),
              pool("b", ["198.51.100.0/28"]),
            ),
          ),
          refusedPools: new Set(),
          loadBalancerClass: "",
          now: "2026-11-02T00:00:00Z",
        });
      };
      const pruned = pruneService(resource, "");
      assert.deepEqual(decide(pruned), decide(resource));
      assert(JSON.stringify(pruned).indexOf("last-applied") === -1);
    });
  }
});
