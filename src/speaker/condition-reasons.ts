// Every condition a speaker writes, by its type, with all reasons and what each means.
// docs/reference/conditions.md is made from here.

import type { ConditionReasons } from "../reasons.ts";

export const CONDITION_REASONS = {
  "metallb.io/L2Announced": {
    object: "Service",
    meaning: "There only if no node may announce it by Layer 2; one node writes it for all.",
    reasons: {
      nodeLabeledExcludeBalancers:
        "False: every node that could has the label node.kubernetes.io/exclude-from-external-load-balancers.",
    },
  },
  configReconcilerValid: {
    object: 'ConfigurationState "speaker-NODE"',
    meaning: "Whether the node has the whole configuration in force, FRR included.",
    reasons: {
      Reconciled: "True: it has.",
      ConfigurationError: "False: the message lists the problems, and the lines FRR refused.",
    },
  },
  layer2Working: {
    object: 'ConfigurationState "speaker-NODE"',
    meaning:
      "Whether the node can answer ARP and NDP, and nothing else on it answers for Services.",
    reasons: {
      Working: "True: it can.",
      NotWorking:
        "False: the message says what is wrong, and the command that mends it if there is one.",
    },
  },
} as const satisfies ConditionReasons;

type Conditions = typeof CONDITION_REASONS;

/** Reasons of one type of condition. */
export type ConditionReason<Type extends keyof Conditions> = keyof Conditions[Type]["reasons"];
