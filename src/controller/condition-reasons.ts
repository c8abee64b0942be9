// Every condition the controller writes, by its type, with all reasons and what each means.
// docs/reference/conditions.md is made from here.

import type { ConditionReasons } from "../reasons.ts";

export const CONDITION_REASONS = {
  "metallb.io/AddressAllocated": {
    object: "Service",
    meaning: "Whether it has an address; the message says from which pool, or why not.",
    reasons: {
      Allocated: "True: it has what it asked for.",
      AdditionalAssignFailed:
        "True: it has an address of one family, and none of the other is to be had.",
      LoadBalancerFailed:
        "True: it keeps its address, because those it asks for now cannot be read.",
      PoolRefused:
        "True: it keeps its address, although the pool is refused for now; nobody else is given it.",
      ClusterIPsInvalid: "True: it keeps its address, because its cluster IPs cannot be read.",
      AllocationFailed:
        "False: no pool gives it an address, and the message says why each does not.",
      NoPools: "False: there is no IPAddressPool.",
      NoClusterIPs: "False: it has no cluster IP yet.",
      NotEnoughClusterIPs: "False: RequireDualStack, but no two cluster IPs of different families.",
    },
  },
  Accepted: {
    object: "IPAddressPool, L2Advertisement, BGPAdvertisement, BGPPeer, BFDProfile, Community",
    meaning: "Whether the object is in force as it is written.",
    reasons: {
      Accepted: "True: it is.",
      ConfigurationError:
        "False: the message names each field, what was seen and what is wanted; it also says if the last good version stays in force.",
    },
  },
  poolReconcilerValid: {
    object: 'ConfigurationState "controller"',
    meaning: "Whether all objects of the configuration are accepted by the controller.",
    reasons: {
      Reconciled: "True: they are.",
      ConfigurationError: "False: the message lists the problems.",
    },
  },
} as const satisfies ConditionReasons;

type Conditions = typeof CONDITION_REASONS;

/** Reasons of one type of condition. */
export type ConditionReason<Type extends keyof Conditions> = keyof Conditions[Type]["reasons"];
