// Pools and Services for the controller's tests: the shortest objects that are valid, with the
// fields a test is about on top.

import assert from "node:assert/strict";
import type { Pool, ServiceAllocation } from "../src/config/pool.ts";
import type { ServiceResource } from "../src/config/resources.ts";
import { type Address, parseAddress } from "../src/net/address.ts";
import { parseRange } from "../src/net/range.ts";

export function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined, text);
  return parsed;
}

export function pool(
  name: string,
  addresses: readonly string[],
  more: Partial<Omit<Pool, "serviceAllocation">> & {
    readonly serviceAllocation?: Partial<ServiceAllocation>;
  } = {},
): Pool {
  const { serviceAllocation, ...rest } = more;
  return {
    name,
    labels: {},
    ranges: addresses.map((text) => {
      const result = parseRange(text);
      assert(result.kind === "range", text);
      return result.range;
    }),
    autoAssign: true,
    avoidBuggyIps: false,
    serviceAllocation:
      serviceAllocation === undefined
        ? undefined
        : { priority: 0, namespaces: undefined, serviceSelectors: [], ...serviceAllocation },
    ...rest,
  };
}

export function poolMap(...pools: readonly Pool[]): ReadonlyMap<string, Pool> {
  return new Map(pools.map((each) => [each.name, each]));
}

type Spec = ServiceResource["spec"];

export const CLUSTER_IPS = {
  ipv4: ["10.96.0.10"],
  ipv6: ["fd00:96::10"],
  dual: ["10.96.0.10", "fd00:96::10"],
} as const;

/** A LoadBalancer Service on TCP port 80 with an IPv4 cluster IP. */
export function service(
  key: string,
  options: {
    readonly spec?: Partial<Spec>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly labels?: Readonly<Record<string, string>>;
    readonly status?: ServiceResource["status"];
    /** Shorthand for a status with these addresses. */
    readonly ingress?: readonly string[];
    readonly creationTimestamp?: string;
  } = {},
): ServiceResource {
  const [namespace = "", name = ""] = key.split("/");
  const { ingress, status } = options;
  const loadBalancer = { ingress: (ingress ?? []).map((ip) => ({ ip, ipMode: "VIP" })) };
  return {
    metadata: {
      namespace,
      name,
      labels: options.labels ?? {},
      annotations: options.annotations ?? {},
      creationTimestamp: options.creationTimestamp ?? "2026-11-01T00:00:00Z",
    },
    spec: {
      type: "LoadBalancer",
      clusterIPs: CLUSTER_IPS.ipv4,
      ports: [{ protocol: "TCP", port: 80 }],
      ...options.spec,
    },
    status: { ...(ingress === undefined ? {} : { loadBalancer }), ...status },
  };
}
