// What the speaker keeps of Services, Nodes and the Pods of speakers: the fields its decisions read,
// nothing else. Pure.

import type { Labels, NodeResource, PodResource, ServiceResource } from "../config/resources.ts";
import { type Address, familyOf, parseAddress } from "../net/address.ts";
import { L2_WEIGHT_ANNOTATION, parseL2Weight } from "./election.ts";

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
  /** It says with whom it shares its addresses: `metallb.io/allow-shared-ip`. */
  readonly hasSharingKey: boolean;
  /** What its condition metallb.io/L2Announced says; undefined: it has none. */
  readonly l2Condition: string | undefined;
};

/** Condition of Services, there only while it is False; see excluded-condition.ts. */
export const L2_CONDITION = "metallb.io/L2Announced";

const SHARING_ANNOTATIONS = ["metallb.io/allow-shared-ip", "metallb.universe.tf/allow-shared-ip"];

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
    hasSharingKey: SHARING_ANNOTATIONS.some((key) => (metadata.annotations?.[key] ?? "") !== ""),
    l2Condition: status?.conditions?.find(({ type }) => type === L2_CONDITION)?.message,
  };
}

/** A Node: the speaker's own, or another that may announce. */
export type NodeState = {
  readonly name: string;
  readonly labels: Labels;
  /** Condition NetworkUnavailable is True: the network of the node is not set up. */
  readonly networkUnavailable: boolean;
  /** First IPv4 address of type InternalIP. */
  readonly internalIpv4: Address | undefined;
  /** Annotation metallb.io/l2-weight, 0 to 100: added to the score of the node in elections. */
  readonly l2Weight: number;
  /** What is wrong with that annotation; undefined: nothing. */
  readonly l2WeightProblem: string | undefined;
};

export function pruneNode(node: NodeResource): NodeState {
  const addresses = (node.status?.addresses ?? [])
    .filter(({ type }) => type === "InternalIP")
    .map(({ address }) => parseAddress(address))
    .filter((address) => address !== undefined);
  const { weight, problem } = parseL2Weight(node.metadata.annotations?.[L2_WEIGHT_ANNOTATION]);
  return {
    name: node.metadata.name,
    labels: node.metadata.labels ?? {},
    l2Weight: weight,
    l2WeightProblem: problem,
    networkUnavailable: (node.status?.conditions ?? []).some(
      ({ type, status }) => type === "NetworkUnavailable" && status === "True",
    ),
    internalIpv4: addresses.find((address) => familyOf(address) === "ipv4"),
  };
}

/** A speaker as the others find it. */
export type SpeakerPod = {
  /** The Node it runs on, by which members are named. */
  readonly node: string;
  /** Of the Pod, which has those of the host network. */
  readonly addresses: readonly Address[];
};

/** Reduces the Pod of a speaker; undefined: it runs nowhere, or not any more. */
export function pruneSpeakerPod(pod: PodResource): SpeakerPod | undefined {
  const { spec, status } = pod;
  const node = spec?.nodeName ?? "";
  if (node === "" || status?.phase === "Failed" || status?.phase === "Succeeded") return undefined;
  const texts = (status?.podIPs ?? []).map(({ ip }) => ip ?? "");
  const addresses = (texts.length > 0 ? texts : [status?.podIP ?? ""])
    .map(parseAddress)
    .filter((address) => address !== undefined);
  return addresses.length === 0 ? undefined : { node, addresses };
}
