// Services and their EndpointSlices in bulk, as many requests at once as a busy cluster would send.

import type { Cluster } from "../test/cluster/cluster.ts";
import { addressNumber } from "./prefixes.ts";

/** Requests at once. */
const CONCURRENCY = 32;

const SERVICES = "/api/v1/namespaces/default/services";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";

export type Span = {
  /** Number of the first one. */
  readonly from: number;
  /** Number of the first one that is not meant. */
  readonly to: number;
};

/** Calls `work` for each number of the span, some at once. */
export async function inParallel({ from, to }: Span, work: (n: number) => Promise<unknown>) {
  let next = from;
  const worker = async () => {
    while (next < to) {
      const n = next;
      next += 1;
      await work(n);
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, to - from) }, worker));
}

export function serviceName(n: number): string {
  return `service-${n}`;
}

export async function createService(api: Cluster, n: number): Promise<void> {
  await api.request("POST", SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: serviceName(n) },
    spec: {
      type: "LoadBalancer",
      // There are not enough node ports for 10 000.
      allocateLoadBalancerNodePorts: false,
      ports: [{ port: 80, protocol: "TCP" }],
    },
  });
}

/** Writes what the controller would: the n-th address of the pool. */
export async function giveAddress(api: Cluster, n: number, ipMode = "VIP"): Promise<void> {
  const ingress = [{ ip: addressNumber(n), ipMode }];
  const status = { loadBalancer: { ingress } };
  await api.request("PATCH", `${SERVICES}/${serviceName(n)}/status`, { status });
}

/** Makes the EndpointSlice of a Service, with one endpoint that is ready. */
export async function createEndpoint(api: Cluster, n: number, nodeName: string): Promise<void> {
  await api.request("POST", SLICES, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      name: serviceName(n),
      labels: { "kubernetes.io/service-name": serviceName(n) },
    },
    addressType: "IPv4",
    ports: [{ name: "", port: 80, protocol: "TCP" }],
    endpoints: [endpoint(nodeName, true)],
  });
}

export async function setEndpoint(
  api: Cluster,
  n: number,
  nodeName: string,
  isReady: boolean,
): Promise<void> {
  await api.request("PATCH", `${SLICES}/${serviceName(n)}`, {
    endpoints: [endpoint(nodeName, isReady)],
  });
}

function endpoint(nodeName: string, isReady: boolean) {
  const conditions = { ready: isReady, serving: isReady, terminating: false };
  return { addresses: ["10.244.0.10"], nodeName, conditions };
}
