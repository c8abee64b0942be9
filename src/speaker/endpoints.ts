// Which nodes hold a serving endpoint of a Service: EndpointSlices, pruned to that, and joined per
// Service. Pure.

import type { EndpointSliceResource } from "../config/resources.ts";

/** What the speaker keeps of one EndpointSlice. */
export type ServingSlice = {
  /** "namespace/name" of its Service. */
  readonly service: string;
  /** Nodes of its serving endpoints, sorted, each once; "" for an endpoint without node name. */
  readonly nodes: readonly string[];
};

/** Names the Service a slice belongs to. */
export const SERVICE_LABEL = "kubernetes.io/service-name";

/** Reduces an EndpointSlice; undefined when it belongs to no Service. */
export function pruneSlice(slice: EndpointSliceResource): ServingSlice | undefined {
  const { namespace, labels } = slice.metadata;
  const service = labels?.[SERVICE_LABEL];
  if (namespace === undefined || service === undefined || service === "") return undefined;
  const nodes = new Set<string>();
  for (const endpoint of slice.endpoints ?? []) {
    if ((endpoint.addresses ?? []).length === 0) continue;
    if (!isServing(endpoint.conditions)) continue;
    nodes.add(endpoint.nodeName ?? "");
  }
  return { service: `${namespace}/${service}`, nodes: [...nodes].sort() };
}

type Conditions = NonNullable<EndpointSliceResource["endpoints"]>[number]["conditions"];

/**
 * MetalLB's rule: ready (unknown counts as ready) or serving. So a pod that is going away but still
 * serves keeps its node, and so does one that says ready but not serving.
 */
function isServing(conditions: Conditions): boolean {
  return (conditions?.ready ?? true) || conditions?.serving === true;
}

/** The slices of all Services, by Service. */
export class Endpoints {
  readonly #byService = new Map<string, Map<string, readonly string[]>>();

  /** Puts a slice in or in place of its older version; returns the Services it changes. */
  set(key: string, slice: ServingSlice, previous: ServingSlice | undefined): readonly string[] {
    if (previous?.service === slice.service && sameTexts(previous.nodes, slice.nodes)) return [];
    const changed = [slice.service];
    if (previous !== undefined && previous.service !== slice.service) {
      changed.push(...this.delete(key, previous));
    }
    let slices = this.#byService.get(slice.service);
    if (slices === undefined) {
      slices = new Map();
      this.#byService.set(slice.service, slices);
    }
    slices.set(key, slice.nodes);
    return changed;
  }

  /** Takes a slice out; returns the Services it changes. */
  delete(key: string, previous: ServingSlice): readonly string[] {
    const slices = this.#byService.get(previous.service);
    slices?.delete(key);
    if (slices?.size === 0) this.#byService.delete(previous.service);
    return [previous.service];
  }

  /** Nodes that hold a serving endpoint of the Service; "" stands for an unknown node. */
  nodesOf(service: string): ReadonlySet<string> {
    const slices = this.#byService.get(service);
    if (slices === undefined) return NO_NODES;
    const nodes = new Set<string>();
    for (const names of slices.values()) for (const name of names) nodes.add(name);
    return nodes;
  }
}

const NO_NODES: ReadonlySet<string> = new Set();

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
