// The condition on a Service that no node may announce by Layer 2, because each has the label that
// excludes it: what it says, and which node writes or removes it. Pure.

import type { Condition } from "../config/resources.ts";
import type { Decision } from "./announce.ts";
import type { ConditionReason } from "./condition-reasons.ts";
import { L2_CONDITION, type ServiceFacts } from "./service.ts";

export type ConditionChange =
  | { readonly kind: "set"; readonly message: string }
  | { readonly kind: "remove" };

/**
 * What this node is to do about it; undefined: nothing. One node does, the same in the eyes of all:
 * the one that would announce without the label, the one that announces, or the first of all.
 */
export function conditionChange(
  service: ServiceFacts,
  { l2 }: Decision,
  self: { readonly name: string; readonly isFirst: () => boolean },
): ConditionChange | undefined {
  const { l2Condition } = service;
  if (l2.kind === "refused" && l2.excludedOnly !== undefined) {
    const { message } = l2.refusal;
    if (l2.excludedOnly !== self.name || l2Condition === message) return undefined;
    return { kind: "set", message };
  }
  if (l2Condition === undefined) return undefined;
  const isOurs =
    l2.kind === "elected" ||
    (l2.kind === "refused" && l2.successor === undefined && self.isFirst());
  return isOurs ? { kind: "remove" } : undefined;
}

const REASON: ConditionReason<typeof L2_CONDITION> = "nodeLabeledExcludeBalancers";

/**
 * The body of a server-side apply of the status. All nodes write as one field manager, so that any
 * of them can take away what another has set.
 */
export function conditionPatch(service: string, change: ConditionChange, now: string): object {
  const slash = service.indexOf("/");
  const conditions: Condition[] =
    change.kind === "remove"
      ? []
      : [
          {
            type: L2_CONDITION,
            status: "False",
            reason: REASON,
            message: change.message,
            lastTransitionTime: now,
          },
        ];
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { namespace: service.slice(0, slash), name: service.slice(slash + 1) },
    status: { conditions },
  };
}
