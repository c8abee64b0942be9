// Storage of the API server double: collections, resource versions, history. Knows no HTTP.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { formatJson } from "../../src/kube/json.ts";

export type Metadata = {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly creationTimestamp?: string;
  readonly generation?: number;
  readonly [key: string]: unknown;
};

/** An object without apiVersion and kind: those depend on the path it is asked for by. */
export type KubeObject = { readonly metadata: Metadata; readonly [key: string]: unknown };

export type Stored = {
  /** "namespace/name"; "/name" when cluster-scoped. */
  readonly key: string;
  readonly object: KubeObject;
  /** Its JSON text without the first brace. */
  readonly json: string;
};

export type Change = {
  readonly version: number;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly stored: Stored;
  readonly previous: Stored | undefined;
};

/** Changes that a watch can resume from; older ones are expired. */
const HISTORY = 20_000;

export class Collection {
  readonly group: string;
  readonly plural: string;
  /** Of its objects; "" until the first is written. */
  kind = "";
  readonly objects = new Map<string, Stored>();
  history: Change[] = [];
  /** A watch from before this version is too old. */
  oldestVersion = 0;

  constructor(group: string, plural: string) {
    this.group = group;
    this.plural = plural;
  }

  /** Part of Kubernetes itself rather than of a CustomResourceDefinition. */
  get isBuiltIn(): boolean {
    return !this.group.includes(".") || this.group.endsWith(".k8s.io");
  }
}

export class Storage {
  /** The resource version of the last write. */
  version = 1000;
  readonly #collections = new Map<string, Collection>();
  readonly #onChange: (collection: Collection, change: Change) => void;

  constructor(onChange: (collection: Collection, change: Change) => void) {
    this.#onChange = onChange;
  }

  collection(group: string, plural: string): Collection {
    const name = `${plural}.${group}`;
    let collection = this.#collections.get(name);
    if (collection === undefined) {
      collection = new Collection(group, plural);
      this.#collections.set(name, collection);
    }
    return collection;
  }

  /** Stores an object; one that is the same as before is not written. */
  set(collection: Collection, key: string, next: KubeObject): Stored {
    const previous = collection.objects.get(key);
    const old = previous?.object.metadata;
    const {
      uid = randomUUID(),
      creationTimestamp = new Date().toISOString().replace(/\.\d+Z$/, "Z"),
      generation: _generation,
      resourceVersion: _resourceVersion,
      ...metadata
    } = next.metadata;
    const object: KubeObject = {
      ...next,
      metadata: {
        ...metadata,
        uid: old?.uid ?? uid,
        creationTimestamp: old?.creationTimestamp ?? creationTimestamp,
        ...(!collection.isBuiltIn && { generation: generationOf(previous?.object, next) }),
        resourceVersion: old?.resourceVersion ?? "",
      },
    };
    if (previous !== undefined && isDeepStrictEqual(previous.object, object)) return previous;
    const version = ++this.version;
    Object.assign(object.metadata, { resourceVersion: String(version) });
    const stored = { key, object, json: formatJson(object).slice(1) };
    collection.objects.set(key, stored);
    const type = previous === undefined ? "ADDED" : "MODIFIED";
    this.#changed(collection, { version, type, stored, previous });
    return stored;
  }

  remove(collection: Collection, previous: Stored): void {
    collection.objects.delete(previous.key);
    const version = ++this.version;
    const { metadata } = previous.object;
    const object = { ...previous.object, metadata: { ...metadata, resourceVersion: `${version}` } };
    const stored = { key: previous.key, object, json: formatJson(object).slice(1) };
    this.#changed(collection, { version, type: "DELETED", stored, previous });
  }

  /** Forgets all history, as a compaction of etcd does. */
  expire(): void {
    for (const collection of this.#collections.values()) {
      collection.history = [];
      collection.oldestVersion = this.version;
    }
  }

  #changed(collection: Collection, change: Change): void {
    collection.history.push(change);
    if (collection.history.length > 2 * HISTORY) {
      const dropped = collection.history.splice(0, HISTORY);
      collection.oldestVersion = dropped.at(-1)?.version ?? 0;
    }
    this.#onChange(collection, change);
  }
}

/** Counts changes of anything but metadata and status. */
function generationOf(previous: KubeObject | undefined, next: KubeObject): number {
  if (previous === undefined) return 1;
  const generation = previous.metadata.generation ?? 1;
  const { metadata: _m, status: _s, ...before } = previous;
  const { metadata: _n, status: _t, ...after } = next;
  return isDeepStrictEqual(before, after) ? generation : generation + 1;
}

/** JSON merge patch, RFC 7386; with `byType`, conditions are merged by their type as an apply does. */
export function mergePatch(target: unknown, patch: unknown, byType: boolean): unknown {
  if (!isRecord(patch)) return patch;
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else if (byType && key === "conditions" && Array.isArray(value)) {
      result[key] = mergeConditions(result[key], value);
    } else result[key] = mergePatch(result[key], value, byType);
  }
  return result;
}

function mergeConditions(before: unknown, patch: readonly unknown[]): unknown[] {
  const typeOf = (condition: unknown) => (condition as { type?: string }).type;
  const kept = (Array.isArray(before) ? before : []) as unknown[];
  const types = new Set(patch.map(typeOf));
  return [...kept.filter((condition) => !types.has(typeOf(condition))), ...patch];
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
