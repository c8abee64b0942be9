// Why this node does not announce a Service: MetalLB's withdraw reasons, and the same in words. People
// see them in mirror-status, in the log and as a label of metallb_speaker_refused_services.

/** What each means; docs/reference/conditions.md is made from here. */
export const REFUSAL_REASONS = {
  serviceDeleted: "The Service is gone, or no longer of type LoadBalancer.",
  noIPAllocated: "It has no address yet: the controller's condition on the Service says why.",
  invalidIP: "Its status holds something that is no address.",
  ipNotAllowed: "Its addresses are in no pool, or not all in one.",
  notOwner:
    "BGP: no BGPAdvertisement of its pool includes this node. Layer 2: another node announces it, or none can.",
  sharedIPWithServiceSelector:
    "It may share its address, and an L2Advertisement with serviceSelectors could announce that from two nodes.",
  noMatchingAdvertisement: "No advertisement is for its pool, its labels and this node.",
  conflictingAdvertisements:
    "Two BGPAdvertisements give it different local preferences for one peer.",
  nodeNetworkUnavailable: "The Node has the condition NetworkUnavailable.",
  nodeLabeledExcludeBalancers:
    "The Node has the label node.kubernetes.io/exclude-from-external-load-balancers; for Layer 2: all that could announce it have.",
  noLocalEndpoints: "externalTrafficPolicy is Local, and no endpoint on this node is serving.",
  noEndpoints: "No endpoint is serving.",
} as const satisfies Readonly<Record<string, string>>;

export type RefusalReason = keyof typeof REFUSAL_REASONS;

export type Refusal = {
  readonly reason: RefusalReason;
  /** What was seen, in words for the user of the Service. */
  readonly message: string;
};
