// What one Service is to hold and show, rule by rule: MetalLB's, with the reasons users see.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { address, CLUSTER_IPS, pool, poolMap, service } from "../../test/controller-samples.ts";
import type { Pool } from "../config/pool.ts";
import type { ServiceResource } from "../config/resources.ts";
import { Allocations } from "./allocation.ts";
import { POOL_ANNOTATION } from "./request.ts";
import {
  ALLOCATED_CONDITION,
  adopt,
  decideService,
  isServed,
  type ServiceDecision,
  type ServiceSnapshot,
} from "./service.ts";

const NOW = "2026-11-02T00:00:00Z";
const V4 = pool("v4", ["192.0.2.1-192.0.2.3"]);
const DUAL = pool("dual", ["198.51.100.1-198.51.100.3", "2001:db8::1-2001:db8::3"]);
const MANUAL = pool("manual", ["203.0.113.1-203.0.113.2"], { autoAssign: false });

type Holders = Readonly<Record<string, readonly [pool: string, addresses: string]>>;

function snapshot(
  resource: ServiceResource,
  options: {
    readonly pools?: readonly Pool[];
    readonly refused?: readonly string[];
    /** Who else holds what, on tcp/80 without sharing. */
    readonly holders?: Holders;
    readonly loadBalancerClass?: string;
  } = {},
): ServiceSnapshot {
  const allocations = new Allocations(poolMap(...(options.pools ?? [V4, DUAL, MANUAL])));
  for (const [key, [name, addresses]] of Object.entries(options.holders ?? {})) {
    allocations.hold(key, {
      pool: name,
      addresses: addresses.split(" ").map(address),
      ports: ["tcp/80"],
      sharingKey: "",
      backendKey: "",
    });
  }
  return {
    key: `${resource.metadata.namespace}/${resource.metadata.name}`,
    service: resource,
    allocations,
    refusedPools: new Set(options.refused ?? []),
    loadBalancerClass: options.loadBalancerClass ?? "",
    now: NOW,
  };
}

/** "pool: addresses", or "-"; then the reason of the condition. */
function outcome({ allocation, patch }: ServiceDecision): string {
  const [condition] = (patch?.status?.conditions ?? []) as { reason?: string }[];
  const held = allocation ? `${allocation.pool}: ${allocation.addresses.join(" ")}` : "-";
  return `${held} ${condition?.reason ?? "unchanged"}`;
}

function eventReasons({ events }: ServiceDecision): string {
  return events.map(({ reason }) => reason).join();
}

const dual = (ipFamilyPolicy: string, ...ipFamilies: readonly string[]) => ({
  clusterIPs: CLUSTER_IPS.dual,
  ipFamilyPolicy,
  ipFamilies: ipFamilies.length === 0 ? ["IPv4", "IPv6"] : ipFamilies,
});
const asks = (name: string, value: string) => ({ annotations: { [`metallb.io/${name}`]: value } });
const FULL: Holders = {
  "ns/1": ["v4", "192.0.2.1"],
  "ns/2": ["v4", "192.0.2.2"],
  "ns/3": ["v4", "192.0.2.3"],
};

describe("decideService() for a Service without an address", () => {
  for (const [what, options, around, expected, events] of [
    ["general pools in name order", {}, {}, "dual: 198.51.100.1 Allocated", "IPAllocated"],
    [
      "IPv6",
      { spec: { clusterIPs: CLUSTER_IPS.ipv6 } },
      {},
      "dual: 2001:db8::1 Allocated",
      "IPAllocated",
    ],
    [
      "RequireDualStack",
      { spec: dual("RequireDualStack") },
      {},
      "dual: 198.51.100.1 2001:db8::1 Allocated",
      "IPAllocated",
    ],
    [
      "RequireDualStack, IPv6 first",
      { spec: dual("RequireDualStack", "IPv6", "IPv4") },
      {},
      "dual: 198.51.100.1 2001:db8::1 Allocated",
      "IPAllocated",
    ],
    [
      "RequireDualStack with one cluster IP",
      { spec: { ipFamilyPolicy: "RequireDualStack" } },
      {},
      "- NotEnoughClusterIPs",
      "not enough clusterips",
    ],
    [
      "PreferDualStack where only IPv4 is",
      { spec: dual("PreferDualStack") },
      { pools: [V4] },
      "v4: 192.0.2.1 AdditionalAssignFailed",
      "IPAllocated,AdditionalAssignFailed",
    ],
    [
      "PreferDualStack in a cluster of one family",
      { spec: { ipFamilyPolicy: "PreferDualStack" } },
      {},
      "dual: 198.51.100.1 Allocated",
      "IPAllocated",
    ],
    ["no pools", {}, { pools: [] }, "- NoPools", ""],
    ["no cluster IP", { spec: { clusterIPs: [] } }, {}, "- NoClusterIPs", ""],
    [
      "no cluster IP: None",
      { spec: { clusterIPs: ["None"] } },
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    ["full pools", {}, { pools: [V4], holders: FULL }, "- AllocationFailed", "AllocationFailed"],
    [
      "an address",
      asks("loadBalancerIPs", "192.0.2.3"),
      {},
      "v4: 192.0.2.3 Allocated",
      "IPAllocated",
    ],
    [
      "an address of a pool that is not assigned automatically",
      asks("loadBalancerIPs", "203.0.113.2"),
      {},
      "manual: 203.0.113.2 Allocated",
      "IPAllocated",
    ],
    [
      "an address by spec",
      { spec: { loadBalancerIP: "192.0.2.3" } },
      {},
      "v4: 192.0.2.3 Allocated",
      "IPAllocated",
    ],
    [
      "an address by spec and annotation",
      { ...asks("loadBalancerIPs", "192.0.2.3"), spec: { loadBalancerIP: "192.0.2.3" } },
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    [
      "an address that is none",
      asks("loadBalancerIPs", "192.0.2.300"),
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    [
      "an address of the other family",
      asks("loadBalancerIPs", "2001:db8::1"),
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    [
      "one address though dual-stack",
      { ...asks("loadBalancerIPs", "198.51.100.2"), spec: dual("PreferDualStack") },
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    [
      "two addresses in its own order",
      { ...asks("loadBalancerIPs", "2001:db8::2, 198.51.100.2"), spec: dual("RequireDualStack") },
      {},
      "dual: 2001:db8::2 198.51.100.2 Allocated",
      "IPAllocated",
    ],
    [
      "an address of another pool than asked for",
      {
        annotations: {
          "metallb.io/loadBalancerIPs": "192.0.2.3",
          "metallb.io/address-pool": "dual",
        },
      },
      {},
      "- AllocationFailed",
      "AllocationFailed",
    ],
    [
      "an address somebody has",
      asks("loadBalancerIPs", "192.0.2.1"),
      { holders: FULL },
      "- AllocationFailed",
      "AllocationFailed",
    ],
    ["a pool", asks("address-pool", "manual"), {}, "manual: 203.0.113.1 Allocated", "IPAllocated"],
    [
      "a pool by the deprecated annotation",
      { annotations: { "metallb.universe.tf/address-pool": "manual" } },
      {},
      "manual: 203.0.113.1 Allocated",
      "IPAllocated,deprecatedAnnotation",
    ],
    [
      "a pool, the new annotation being empty",
      {
        annotations: {
          "metallb.io/address-pool": "",
          "metallb.universe.tf/address-pool": "manual",
        },
      },
      {},
      "manual: 203.0.113.1 Allocated",
      "IPAllocated,deprecatedAnnotation",
    ],
    ["an unknown pool", asks("address-pool", "none"), {}, "- AllocationFailed", "AllocationFailed"],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      const decision = decideService(snapshot(service("ns/s", options), around));
      assert.equal(outcome(decision), expected);
      assert.equal(eventReasons(decision), events);
    });
  }

  test("the patch has addresses, annotation and condition", () => {
    const { patch, events } = decideService(snapshot(service("ns/s")));
    assert.deepEqual(patch, {
      metadata: { annotations: { [POOL_ANNOTATION]: "dual" } },
      status: {
        loadBalancer: { ingress: [{ ip: "198.51.100.1" }] },
        conditions: [
          {
            type: ALLOCATED_CONDITION,
            status: "True",
            reason: "Allocated",
            message: 'Assigned from pool "dual"',
            lastTransitionTime: NOW,
          },
        ],
      },
    });
    assert.deepEqual(events, [
      { type: "Normal", reason: "IPAllocated", message: 'Assigned IP ["198.51.100.1"]' },
    ]);
  });

  test("a refusal lists each pool and why, and what to wait for", () => {
    const team = pool("team", ["10.0.0.0/24"], {
      serviceAllocation: { namespaces: new Set(["other"]) },
    });
    const v6 = pool("v6", ["2001:db8:1::/64"]);
    const { patch, waits } = decideService(
      snapshot(service("ns/s"), {
        pools: [V4, MANUAL, team, v6],
        holders: FULL,
        refused: ["bad"],
      }),
    );
    const [condition] = (patch?.status?.conditions ?? []) as { message: string }[];
    assert.equal(
      condition?.message,
      'no available IPs: pool "manual" is not assigned automatically (autoAssign: false); pool "team" does not serve this namespace (serviceAllocation); pool "v4" has no free IPv4 address; pool "v6" has no IPv4 addresses; pool "bad" is refused: see its conditions',
    );
    assert.deepEqual(waits, {
      pools: [{ pool: "v4", family: "ipv4" }],
      addresses: [],
      sharing: undefined,
    });
  });
});

/** A Service as it is after it was given these addresses. */
function settled(
  addresses: readonly string[],
  poolName: string,
  options: Parameters<typeof service>[1] = {},
): ServiceResource {
  const conditions = [
    {
      type: ALLOCATED_CONDITION,
      status: "True" as const,
      reason: "Allocated",
      message: `Assigned from pool "${poolName}"`,
      lastTransitionTime: "2026-11-01T00:00:00Z",
    },
  ];
  const annotations = { ...options.annotations, [POOL_ANNOTATION]: poolName };
  return service("ns/s", { ...options, annotations, ingress: addresses, status: { conditions } });
}

describe("decideService() for a Service with addresses", () => {
  for (const [what, has, options, around, expected, cleared] of [
    ["nothing changed", "192.0.2.2 v4", {}, {}, "v4: 192.0.2.2 unchanged", undefined],
    [
      "both families in any order",
      "2001:db8::1 198.51.100.1 dual",
      { spec: dual("RequireDualStack") },
      {},
      "dual: 2001:db8::1 198.51.100.1 unchanged",
      undefined,
    ],
    ["the pool has another name", "192.0.2.2 old", {}, {}, "v4: 192.0.2.2 Allocated", undefined],
    [
      "no pool has it any more",
      "192.0.2.9 v4",
      {},
      {},
      "dual: 198.51.100.1 Allocated",
      "notAllowedByConfig",
    ],
    [
      "somebody else has it",
      "192.0.2.1 v4",
      {},
      { holders: FULL, pools: [V4] },
      "- AllocationFailed",
      "notAllowedByConfig",
    ],
    [
      "its pool is refused for now",
      "192.0.2.9 gone",
      {},
      { refused: ["gone"] },
      "gone: 192.0.2.9 PoolRefused",
      undefined,
    ],
    [
      "another pool is asked for",
      "192.0.2.2 v4",
      asks("address-pool", "manual"),
      {},
      "manual: 203.0.113.1 Allocated",
      "differentPoolRequested",
    ],
    [
      "another address is asked for",
      "192.0.2.2 v4",
      asks("loadBalancerIPs", "192.0.2.3"),
      {},
      "v4: 192.0.2.3 unchanged",
      "differentIPRequested",
    ],
    [
      "an address that cannot be had is asked for",
      "192.0.2.2 v4",
      asks("loadBalancerIPs", "9.9.9.9"),
      {},
      "- AllocationFailed",
      "differentIPRequested",
    ],
    [
      "an address that is none is asked for",
      "192.0.2.2 v4",
      asks("loadBalancerIPs", "nonsense"),
      {},
      "v4: 192.0.2.2 LoadBalancerFailed",
      undefined,
    ],
    [
      "the pool is not assigned automatically",
      "203.0.113.2 manual",
      {},
      {},
      "manual: 203.0.113.2 unchanged",
      undefined,
    ],
    [
      "it changed its family",
      "192.0.2.2 v4",
      { spec: { clusterIPs: CLUSTER_IPS.ipv6 } },
      {},
      "dual: 2001:db8::1 Allocated",
      "differentFamily",
    ],
    [
      "it became PreferDualStack and its pool has both",
      "198.51.100.2 dual",
      { spec: dual("PreferDualStack") },
      {},
      "dual: 198.51.100.2 2001:db8::1 unchanged",
      undefined,
    ],
    [
      "it became PreferDualStack and its pool has one",
      "192.0.2.2 v4",
      { spec: dual("PreferDualStack") },
      {},
      "v4: 192.0.2.2 AdditionalAssignFailed",
      undefined,
    ],
    [
      "it became single-stack",
      "198.51.100.2 2001:db8::1 dual",
      {},
      {},
      "dual: 198.51.100.2 unchanged",
      undefined,
    ],
    ["no pool is left", "192.0.2.2 v4", {}, { pools: [] }, "- NoPools", "noConfig"],
    [
      "its cluster IP is gone",
      "192.0.2.2 v4",
      { spec: { clusterIPs: [] } },
      {},
      "- NoClusterIPs",
      "noClusterIPs",
    ],
    [
      "its cluster IPs make no sense",
      "192.0.2.2 v4",
      { spec: { clusterIPs: ["10.0.0.1", "10.0.0.2"] } },
      {},
      "v4: 192.0.2.2 ClusterIPsInvalid",
      undefined,
    ],
  ] as const) {
    test(`${what}: ${expected}`, () => {
      const words = has.split(" ");
      const resource = settled(words.slice(0, -1), words.at(-1) ?? "", options);
      const decision = decideService(snapshot(resource, around));
      assert.equal(outcome(decision), expected);
      assert.equal(decision.cleared, cleared);
    });
  }

  test("ipMode, ports and host names of others are no difference", () => {
    const resource = settled(["192.0.2.2"], "v4");
    const loadBalancer = {
      ingress: [{ ip: "192.0.2.2", ipMode: "VIP", ports: [{}] }, { hostname: "lb.example.com" }],
    };
    const status = { ...resource.status, loadBalancer };
    assert.equal(decideService(snapshot({ ...resource, status })).patch, undefined);
  });

  test("a write that was never answered is repeated, not decided anew", () => {
    const around = { holders: { "ns/s": ["v4", "192.0.2.3"] as const } };
    const { allocation, patch } = decideService(snapshot(service("ns/s"), around));
    assert.deepEqual(allocation?.addresses, ["192.0.2.3"]);
    assert.deepEqual(patch?.status?.loadBalancer?.ingress, [{ ip: "192.0.2.3" }]);
  });

  test("a loss is told by an event with the reason", () => {
    const { events } = decideService(snapshot(settled(["192.0.2.9"], "v4")));
    assert.deepEqual(
      events.map(({ reason }) => reason),
      ["ClearAssignment", "IPAllocated"],
    );
    assert.equal(
      events[0]?.message,
      'current IP for "ns/s" is not allowed by config, will attempt for new IP assignment: ["192.0.2.9"] is not allowed in config: no pool has it',
    );
  });
});

describe("decideService() for a Service that is not ours", () => {
  const other = { type: "Ready", status: "True" as const, reason: "R", message: "" };
  test("type changed: takes back what is ours and nothing else", () => {
    const resource = settled(["192.0.2.2"], "v4", { spec: { type: "ClusterIP" } });
    const conditions = [
      ...(resource.status?.conditions ?? []),
      { ...other, lastTransitionTime: NOW },
    ];
    const decision = decideService(
      snapshot({ ...resource, status: { ...resource.status, conditions } }),
    );
    assert.equal(decision.allocation, undefined);
    assert.deepEqual(decision.patch, {
      metadata: { annotations: { [POOL_ANNOTATION]: null } },
      status: {
        loadBalancer: { ingress: null },
        conditions: [{ ...other, lastTransitionTime: NOW }],
      },
    });
  });

  test("never ours: left alone", () => {
    const resource = service("ns/s", { spec: { type: "NodePort" }, ingress: ["9.9.9.9"] });
    assert.equal(decideService(snapshot(resource)).patch, undefined);
  });

  for (const [has, serves, expected] of [
    [undefined, "", true],
    ["", "", true],
    ["a/b", "", false],
    [undefined, "a/b", false],
    ["a/b", "a/b", true],
    ["a/c", "a/b", false],
  ] as const) {
    test(`class ${has} where "${serves}" is served: ${expected}`, () => {
      const spec = has === undefined ? {} : { loadBalancerClass: has };
      assert.equal(isServed(service("ns/s", { spec }), serves), expected);
      const decision = decideService(
        snapshot(service("ns/s", { spec }), { loadBalancerClass: serves }),
      );
      assert.equal(decision.allocation !== undefined, expected);
    });
  }
});

describe("adopt()", () => {
  for (const [what, resource, around, expected] of [
    ["what the status has", settled(["192.0.2.2"], "v4"), {}, "v4: 192.0.2.2"],
    ["nothing where the status has nothing", service("ns/s"), {}, "-"],
    ["nothing that no pool has", settled(["9.9.9.9"], "v4"), {}, "-"],
    ["nothing that somebody has", settled(["192.0.2.1"], "v4"), { holders: FULL }, "-"],
    ["what a refused pool gave", settled(["9.9.9.9"], "bad"), { refused: ["bad"] }, "bad: 9.9.9.9"],
    [
      "nothing of another type",
      settled(["192.0.2.2"], "v4", { spec: { type: "ClusterIP" } }),
      {},
      "-",
    ],
    [
      "what is left of two addresses",
      settled(["198.51.100.1", "2001:db8:9::"], "dual", { spec: dual("PreferDualStack") }),
      {},
      "dual: 198.51.100.1",
    ],
  ] as const) {
    test(`takes ${what}`, () => {
      const allocation = adopt(snapshot(resource, around));
      const text = allocation ? `${allocation.pool}: ${allocation.addresses.join(" ")}` : "-";
      assert.equal(text, expected);
    });
  }
});
