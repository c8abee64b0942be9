// What is wrong with one object, in words its author can act on. Pure.

import type { ObjectMeta } from "./resources.ts";

/** Names one object of the API server. */
export type ObjectRef = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
};

/** One reason why an object cannot be used as it is written. */
export type Problem = {
  readonly object: ObjectRef;
  /** Path of the field, such as "spec.addresses[1]". */
  readonly field: string;
  /** What is wrong: the value seen and the value wanted. */
  readonly message: string;
  /** Refers to something that does not exist yet; goes away by itself when it is created. */
  readonly transient: boolean;
};

export function objectRef(kind: string, metadata: ObjectMeta): ObjectRef {
  return {
    kind,
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid ?? "",
  };
}

/** The key under which an object is kept and named, such as "BGPPeer/metallb-system/router1". */
export function objectKey(object: ObjectRef): string {
  return `${object.kind}/${object.namespace}/${object.name}`;
}

/** A problem as one line of text, for logs, conditions and the command line. */
export function formatProblem(problem: Problem): string {
  return `${problem.object.kind} "${problem.object.name}": ${problem.field}: ${problem.message}`;
}
