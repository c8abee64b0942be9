// Follows a collection of the API server: lists it in pages, then watches from there, for as long as
// the signal lets it. Knows resource versions and back-off, keeps no objects.

import type { Connection } from "./connection.ts";
import { KubeError } from "./error.ts";
import { sleep } from "./sleep.ts";

/** Who is told what was seen; called synchronously, in order. */
export type WatchSink = {
  /** A list begins; objects not seen before `listed` are gone. */
  listing(): void;
  /** In the list, added or changed. */
  seen(object: unknown): void;
  gone(object: unknown): void;
  /** The list is complete. */
  listed(): void;
  /** undefined: all is well again. Repeats are not filtered. */
  problem(problem: string | undefined): void;
};

export type WatchOptions = {
  readonly connection: Connection;
  /** Of the collection, such as "/api/v1/services". */
  readonly path: string;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  /** Objects per page of the list; default 500. */
  readonly pageSize?: number | undefined;
  readonly sink: WatchSink;
  readonly signal: AbortSignal;
};

/** The server ends a watch after 5 to 10 minutes, so that watches spread over its instances again. */
const WATCH_SECONDS = 300;
/** A watch that held so long was a success, whatever it brought. */
const LASTING_MS = 1_000;
const FIRST_PAUSE_MS = 50;
/** For a server that answers, but not well. */
const LONGEST_PAUSE_MS = 5_000;
/** For a server that is not there: its return shall be noticed soon. */
const LONGEST_SILENT_PAUSE_MS = 2_000;

/** Runs until the signal fires. Rejects only for a bug, such as a sink that throws. */
export async function runWatch(options: WatchOptions): Promise<void> {
  const { connection, path, sink, signal } = options;
  let resourceVersion: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    const startedAtMs = performance.now();
    let hasListed = false;
    let isOpen = false;
    let failure: KubeError | undefined;
    try {
      if (resourceVersion === undefined) {
        resourceVersion = await list(options);
        hasListed = true;
        sink.problem(undefined);
      }
      const events = connection.stream(path, {
        query: {
          ...selectorsOf(options),
          watch: "true",
          resourceVersion,
          allowWatchBookmarks: "true",
          timeoutSeconds: String(Math.round(WATCH_SECONDS * (1 + Math.random()))),
        },
        signal,
        onOpen: () => {
          isOpen = true;
          sink.problem(undefined);
        },
      });
      for await (const event of events) {
        resourceVersion = take(event, path, sink) ?? resourceVersion;
        failures = 0;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeError)) throw error;
      failure = error;
    }
    // A server that ends each watch at once must not be asked in a tight loop.
    if (isOpen && performance.now() - startedAtMs > LASTING_MS) failures = 0;
    failures++;
    if (failure !== undefined && isExpired(failure)) {
      resourceVersion = undefined;
      // A version that expired right after its list is no reason to hurry.
      if (!hasListed) continue;
    }
    if (failure === undefined) {
      if (failures > 1) await sleep(pauseMs(failures, LONGEST_PAUSE_MS), signal);
    } else if (failure.status === undefined) {
      // A stream that was cut is no problem yet: the next attempt shows whether there is one.
      if (!isOpen) sink.problem(problemOf(failure, connection.server));
      await connection.untilAnswer(pauseMs(failures, LONGEST_SILENT_PAUSE_MS), signal);
    } else {
      sink.problem(problemOf(failure, connection.server));
      const wishMs = failure.retryAfterMs ?? 0;
      await sleep(Math.max(wishMs, pauseMs(failures, LONGEST_PAUSE_MS)), signal);
    }
  }
}

/** Lists all pages; returns the resource version to watch from. */
async function list(options: WatchOptions): Promise<string> {
  const { connection, path, sink, signal, pageSize = 500 } = options;
  let limit = String(pageSize);
  let token = "";
  sink.listing();
  for (;;) {
    let page: ListPage;
    try {
      page = pageOf(
        await connection.request<unknown>("GET", path, {
          query: { ...selectorsOf(options), limit, ...(token !== "" && { continue: token }) },
          signal,
        }),
        path,
      );
    } catch (error) {
      // The list changed too much while we paged. Once more, in one piece, which cannot expire.
      if (!(error instanceof KubeError && error.status === 410 && token !== "")) throw error;
      limit = "0";
      token = "";
      sink.listing();
      continue;
    }
    for (const item of page.items) sink.seen(item);
    token = page.token;
    if (token !== "") continue;
    sink.listed();
    return page.resourceVersion;
  }
}

type ListPage = {
  readonly items: readonly unknown[];
  readonly resourceVersion: string;
  /** Empty: this was the last page. */
  readonly token: string;
};

function pageOf(answer: unknown, path: string): ListPage {
  const { items, metadata } = answer as {
    readonly items?: readonly unknown[] | null;
    readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string };
  };
  if (metadata?.resourceVersion === undefined)
    throw malformed(path, "a list without resourceVersion");
  return {
    // Go writes an empty list as null.
    items: items ?? [],
    resourceVersion: metadata.resourceVersion,
    token: metadata.continue ?? "",
  };
}

/** Hands one watch event to the sink; returns the resource version it brings. */
function take(event: unknown, path: string, sink: WatchSink): string | undefined {
  const { type, object } = event as { readonly type?: string; readonly object?: unknown };
  switch (type) {
    case "ADDED":
    case "MODIFIED":
      sink.seen(object);
      return resourceVersionOf(object);
    case "DELETED":
      sink.gone(object);
      return resourceVersionOf(object);
    case "BOOKMARK":
      return resourceVersionOf(object);
    case "ERROR":
      throw errorOfEvent(object, path);
    default:
      throw malformed(path, `a watch event of type "${type}"`);
  }
}

function resourceVersionOf(object: unknown): string | undefined {
  return (object as { metadata?: { resourceVersion?: string } } | undefined)?.metadata
    ?.resourceVersion;
}

/** The object of an ERROR event is a Status. */
function errorOfEvent(object: unknown, path: string): KubeError {
  const { code, reason, message } = (object ?? {}) as {
    readonly code?: number;
    readonly reason?: string;
    readonly message?: string;
  };
  return new KubeError({
    status: code ?? 500,
    reason: reason ?? "InternalError",
    detail: message ?? "a watch event of type ERROR without a message",
    method: "WATCH",
    path,
    retryAfterMs: undefined,
  });
}

function malformed(path: string, what: string): KubeError {
  return new KubeError({
    status: undefined,
    reason: "NotAList",
    detail: `Got ${what}`,
    method: "GET",
    path,
    retryAfterMs: undefined,
  });
}

function selectorsOf({ fieldSelector, labelSelector }: WatchOptions): Record<string, string> {
  return {
    ...(fieldSelector !== undefined && { fieldSelector }),
    ...(labelSelector !== undefined && { labelSelector }),
  };
}

/**
 * Whether only a new list helps: the version is too old, or newer than the server knows because its
 * etcd was restored from a backup (504, "Too large resource version").
 */
function isExpired(error: KubeError): boolean {
  return (
    error.status === 410 ||
    error.reason === "Expired" ||
    error.reason === "Gone" ||
    error.message.includes("Too large resource version")
  );
}

/** In words for /readyz and the log. */
function problemOf(error: KubeError, server: string): string {
  if (error.status === undefined) {
    return `API server ${server} does not answer: ${error.message}`;
  }
  if (error.status === 404) {
    const crd = /^\/apis\/([^/]+)\/([^/]+)\/(?:namespaces\/[^/]+\/)?([^/]+)$/.exec(error.path);
    if (crd !== null) {
      return `API server does not serve ${crd[3]} of ${crd[1]}/${crd[2]}: waiting for the CRD ${crd[3]}.${crd[1]}`;
    }
  }
  return error.message;
}

/** Between half of the step and the whole, so that many nodes do not come at once. */
function pauseMs(failures: number, longestMs: number): number {
  const stepMs = Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), longestMs);
  return stepMs * (0.5 + Math.random() / 2);
}
