// Why this node does not announce a Service: MetalLB's withdraw reasons, and the same in words.

export type RefusalReason =
  | "serviceDeleted"
  | "noIPAllocated"
  | "invalidIP"
  | "ipNotAllowed"
  | "notOwner"
  | "sharedIPWithServiceSelector"
  | "noMatchingAdvertisement"
  | "conflictingAdvertisements"
  | "nodeNetworkUnavailable"
  | "nodeLabeledExcludeBalancers"
  | "noLocalEndpoints"
  | "noEndpoints";

export type Refusal = {
  readonly reason: RefusalReason;
  /** What was seen, in words for the user of the Service. */
  readonly message: string;
};
