// Status conditions of Kubernetes objects: set or drop ours and keep everybody else's. Pure.

import type { Condition } from "../config/resources.ts";

/** A condition without its times. */
export type ConditionState = Pick<Condition, "type" | "status" | "reason" | "message">;

type Conditions = readonly Condition[] | undefined;

/** metav1.Condition allows 32768 characters. */
const MESSAGE_LIMIT = 32_000;

/**
 * The list with the condition in it; undefined when it is there already, so that nothing is
 * written and `lastTransitionTime` moves only with the status.
 */
export function withCondition(
  conditions: Conditions,
  state: ConditionState,
  options: { readonly now: string; readonly observedGeneration: number | undefined },
): readonly Condition[] | undefined {
  const message = state.message.slice(0, MESSAGE_LIMIT);
  const current = conditionOf(conditions, state.type);
  const { observedGeneration } = options;
  if (
    current !== undefined &&
    current.status === state.status &&
    current.reason === state.reason &&
    current.message === message &&
    current.observedGeneration === observedGeneration
  ) {
    return undefined;
  }
  const lastTransitionTime =
    current?.status === state.status ? current.lastTransitionTime : options.now;
  const condition = {
    ...state,
    message,
    lastTransitionTime,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
  };
  return [...others(conditions, state.type), condition];
}

/** The list without the condition; undefined when it is not there. */
export function withoutCondition(
  conditions: Conditions,
  type: string,
): readonly Condition[] | undefined {
  if (conditionOf(conditions, type) === undefined) return undefined;
  return others(conditions, type);
}

export function conditionOf(conditions: Conditions, type: string): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}

function others(conditions: Conditions, type: string): readonly Condition[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}
