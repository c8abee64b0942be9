// What the speaker keeps of a Service and of its own Node: the fields its decisions read, nothing
// else. Pure.

import type { Labels, NodeResource, ServiceResource } from "../config/resources.ts";
import { type Address, familyOf, parseAddress } from "../net/address.ts";

export type ServiceFacts = {
  /** "namespace/name". */
  readonly key: string;
  readonly uid: string;
  readonly labels: Labels;
  /** `externalTrafficPolicy: Local`: only nodes with an endpoint announce. */
  readonly isLocal: boolean;
  /** Of the status, in its order. */
  readonly addresses: readonly Address[];
  /** Entry of the status that is no address, such as a host name. */
  readonly invalidAddress: string | undefined;
};

/**
 * Reduces a Service; undefined when it is not for us: its type is not LoadBalancer, or its class is
 * not `loadBalancerClass` (undefined: it must have none).
 */
export function pruneService(
  service: ServiceResource,
  loadBalancerClass: string | undefined,
): ServiceFacts | undefined {
  const { metadata, spec, status } = service;
  if (spec.type !== "LoadBalancer") return undefined;
  if (spec.loadBalancerClass !== loadBalancerClass) return undefined;
  const texts = (status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip ?? "");
  const addresses: Address[] = [];
  let invalidAddress: string | undefined;
  for (const [index, text] of texts.entries()) {
    const address = parseAddress(text);
    if (address !== undefined) addresses.push(address);
    else invalidAddress ??= text || (status?.loadBalancer?.ingress?.[index]?.hostname ?? "");
  }
  return {
    key: `${metadata.namespace ?? ""}/${metadata.name}`,
    uid: metadata.uid ?? "",
    labels: metadata.labels ?? {},
    isLocal: spec.externalTrafficPolicy === "Local",
    addresses,
    invalidAddress,
  };
}

/** The speaker's own Node. */
export type NodeState = {
  readonly name: string;
  readonly labels: Labels;
  /** Condition NetworkUnavailable is True: the network of the node is not set up. */
  readonly networkUnavailable: boolean;
  /** First IPv4 address of type InternalIP. */
  readonly internalIpv4: Address | undefined;
};

export function pruneNode(node: NodeResource): NodeState {
  const addresses = (node.status?.addresses ?? [])
    .filter(({ type }) => type === "InternalIP")
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined);
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    networkUnavailable: (node.status?.conditions ?? []).some(
      ({ type, status }) => type === "NetworkUnavailable" && status === "True",
    ),
    internalIpv4: addresses.find((address) => familyOf(address) === "ipv4"),
  };
}
