// The newest object per key of one collection, fed by a watch. Tells what changed, decides nothing.

import type { Connection } from "./connection.ts";
import { runWatch } from "./watch.ts";

export type Change<T> =
  | {
      readonly kind: "set";
      readonly key: string;
      readonly object: T;
      readonly previous: T | undefined;
    }
  | { readonly kind: "delete"; readonly key: string; readonly previous: T };

export type Store<T> = {
  /** By "namespace/name", or "name" when cluster-scoped. */
  get(key: string): T | undefined;
  values(): IterableIterator<T>;
  entries(): IterableIterator<[string, T]>;
  readonly size: number;
  /** The first list is complete; stays true when the API server goes away. */
  readonly synced: boolean;
  /** Why the objects may be stale: API server away, CRD absent, forbidden; undefined: they are not. */
  readonly problem: string | undefined;
};

export type StoreOptions<T> = {
  readonly connection: Connection;
  /** Of the collection, such as "/api/v1/services". */
  readonly path: string;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Returns what is read later of an object and nothing else; undefined: drop it. */
  readonly prune: (object: unknown) => T | undefined;
  /**
   * Called synchronously per change, also for the first list (before `onSynced`) and for what a
   * later list finds changed or gone. An object with the resource version we have is no change.
   */
  readonly onChange: (change: Change<T>) => void;
  /** Called once. */
  readonly onSynced: () => void;
  /** Called when `problem` changed. */
  readonly onProblem: (problem: string | undefined) => void;
  /** Objects per page of the list; default 500. */
  readonly pageSize?: number | undefined;
  readonly signal: AbortSignal;
};

/** Starts to follow a collection, until the signal fires. */
export function startStore<T>(options: StoreOptions<T>): Store<T> {
  const { prune, onChange, onSynced, onProblem } = options;
  const objects = new Map<string, T>();
  const versions = new Map<string, string>();
  /** Keys seen since the list began; undefined: no list is under way. */
  let listed: Set<string> | undefined;
  let synced = false;
  let problem: string | undefined;

  const set = (key: string, resourceVersion: string, object: T) => {
    if (versions.get(key) === resourceVersion) return;
    const previous = objects.get(key);
    objects.set(key, object);
    versions.set(key, resourceVersion);
    onChange({ kind: "set", key, object, previous });
  };
  const remove = (key: string) => {
    const previous = objects.get(key);
    if (previous === undefined) return;
    objects.delete(key);
    versions.delete(key);
    onChange({ kind: "delete", key, previous });
  };

  void runWatch({
    ...options,
    sink: {
      listing() {
        listed = new Set();
      },
      seen(object) {
        const metadata = metadataOf(object);
        const key = objectKeyOf(metadata);
        const pruned = prune(object);
        if (pruned === undefined) {
          remove(key);
          return;
        }
        listed?.add(key);
        set(key, metadata.resourceVersion ?? "", pruned);
      },
      gone(object) {
        remove(objectKeyOf(metadataOf(object)));
      },
      listed() {
        for (const key of [...objects.keys()]) if (!listed?.has(key)) remove(key);
        listed = undefined;
        if (synced) return;
        synced = true;
        onSynced();
      },
      problem(now) {
        if (now === problem) return;
        problem = now;
        onProblem(now);
      },
    },
  });

  return {
    get: (key) => objects.get(key),
    values: () => objects.values(),
    entries: () => objects.entries(),
    get size() {
      return objects.size;
    },
    get synced() {
      return synced;
    },
    get problem() {
      return problem;
    },
  };
}

type Metadata = {
  readonly name?: string | undefined;
  readonly namespace?: string | undefined;
  readonly resourceVersion?: string | undefined;
};

function metadataOf(object: unknown): Metadata {
  return (object as { readonly metadata?: Metadata }).metadata ?? {};
}

/** "namespace/name", or "name" for an object that is in no namespace. */
export function objectKeyOf(metadata: Metadata): string {
  const { namespace, name = "" } = metadata;
  return namespace === undefined || namespace === "" ? name : `${namespace}/${name}`;
}
