// What the speaker's tests put into an API server: the shortest objects that are valid, with the
// fields a test is about on top.

import type { Manifest } from "./fakes/api-server.ts";

export const NAMESPACE = "metallb-system";
export const NODE = "node1";

type Values = Readonly<Record<string, unknown>>;

export function node(
  name: string,
  options: { labels?: Values; annotations?: Values; conditions?: Values[] } = {},
) {
  const { labels = {}, annotations = {} } = options;
  return manifest("v1", "Node", name, undefined, {
    metadata: { labels, annotations },
    status: {
      addresses: [{ type: "InternalIP", address: "10.0.0.1" }],
      conditions: options.conditions ?? [],
    },
  });
}

/** A LoadBalancer Service with these addresses in its status. */
export function service(
  name: string,
  ips: readonly string[],
  options: { spec?: Values; labels?: Values; annotations?: Values } = {},
) {
  const { labels = {}, annotations = {} } = options;
  return manifest("v1", "Service", name, "default", {
    metadata: { labels, annotations },
    spec: { type: "LoadBalancer", externalTrafficPolicy: "Cluster", ...options.spec },
    status: { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } },
  });
}

/** A slice with one ready endpoint on each node. */
export function slice(serviceName: string, nodeNames: readonly string[], conditions?: Values) {
  return manifest("discovery.k8s.io/v1", "EndpointSlice", `${serviceName}-1`, "default", {
    metadata: { labels: { "kubernetes.io/service-name": serviceName } },
    addressType: "IPv4",
    endpoints: nodeNames.map((nodeName, index) => ({
      addresses: [`10.1.0.${index + 1}`],
      nodeName,
      conditions: conditions ?? { ready: true, serving: true, terminating: false },
    })),
  });
}

export function pool(name: string, addresses: readonly string[]) {
  return manifest("metallb.io/v1beta1", "IPAddressPool", name, NAMESPACE, { spec: { addresses } });
}

export function peer(name: string, peerAddress: string, spec: Values = {}) {
  return manifest("metallb.io/v1beta2", "BGPPeer", name, NAMESPACE, {
    spec: { myASN: 65000, peerASN: 65100, peerAddress, ...spec },
  });
}

export function bgpAdvertisement(name: string, spec: Values = {}) {
  return manifest("metallb.io/v1beta1", "BGPAdvertisement", name, NAMESPACE, { spec });
}

export function l2Advertisement(name: string, spec: Values = {}) {
  return manifest("metallb.io/v1beta1", "L2Advertisement", name, NAMESPACE, { spec });
}

export function community(name: string, communities: readonly Values[]) {
  return manifest("metallb.io/v1beta1", "Community", name, NAMESPACE, { spec: { communities } });
}

export function passwordSecret(name: string, password: string) {
  return manifest("v1", "Secret", name, NAMESPACE, {
    type: "kubernetes.io/basic-auth",
    data: { password: Buffer.from(password).toString("base64") },
  });
}

export function pod(name: string) {
  return manifest("v1", "Pod", name, NAMESPACE, {});
}

/** Labels of the Pods of speakers, as a selector. */
export const SPEAKERS = "app=metallb,component=speaker";

/** A Pod of a speaker that runs on this Node. */
export function speakerPod(
  name: string,
  nodeName: string,
  ips: readonly string[],
  labels: Values = { app: "metallb", component: "speaker" },
) {
  return manifest("v1", "Pod", name, NAMESPACE, {
    metadata: { labels },
    spec: { nodeName },
    status: { phase: "Running", podIP: ips[0], podIPs: ips.map((ip) => ({ ip })) },
  });
}

function manifest(
  apiVersion: string,
  kind: string,
  name: string,
  namespace: string | undefined,
  { metadata, ...rest }: { readonly metadata?: Values; readonly [key: string]: unknown },
): Manifest {
  const identity = namespace === undefined ? { name } : { name, namespace };
  return { apiVersion, kind, metadata: { ...metadata, ...identity }, ...rest };
}
