// Writes what was decided of Services: many at a time, each as of the version it was decided on. What
// came too late, or got no answer, is looked up and decided again. Decides nothing.

import type { ServiceResource } from "../config/resources.ts";
import { type Connection, MERGE_PATCH } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startQueue } from "../kube/queue.ts";
import { sleep } from "../kube/sleep.ts";
import type { ServiceKey } from "./allocation.ts";
import type { Reconciler, Write } from "./reconciler.ts";

export type ServiceWriterOptions = {
  readonly connection: Connection;
  readonly reconciler: Reconciler;
  readonly prune: (service: ServiceResource) => ServiceResource | undefined;
  /** Called after each time the reconciler was told something. */
  readonly onTold: () => void;
  readonly onWritten: (key: ServiceKey, write: Write, durationMs: number) => void;
  readonly onConflict: () => void;
  readonly onError: (key: ServiceKey, error: unknown) => void;
  readonly signal: AbortSignal;
};

export type ServiceWriter = {
  /** There is something to write for this Service. */
  readonly add: (key: ServiceKey) => void;
  /** Resolves when what is under way is done. */
  readonly idle: () => Promise<void>;
};

/** Requests at a time; as many sockets as a connection has. */
export const WRITE_CONCURRENCY = 32;
const SILENT_PAUSE_MS = 2_000;
const LOOK_PAUSE_MS = 1_000;

export function startServiceWriter(options: ServiceWriterOptions): ServiceWriter {
  const { connection, reconciler, prune, onTold, signal } = options;
  const busy = new Set<ServiceKey>();

  const writeOne = async (key: ServiceKey, write: Write): Promise<void> => {
    const startedAtMs = performance.now();
    let answer: ServiceResource;
    try {
      answer = await patch(connection, key, write);
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      return recover(key, error);
    }
    reconciler.accepted(key, prune(answer));
    options.onWritten(key, write, performance.now() - startedAtMs);
    onTold();
  };

  const recover = async (key: ServiceKey, error: KubeError): Promise<void> => {
    if (error.status === 409) options.onConflict();
    else options.onError(key, error);
    const found = isUncertain(error) ? await look(connection, key, signal) : undefined;
    if (found === undefined) reconciler.failed(key);
    else reconciler.found(key, found.service && prune(found.service));
    onTold();
    // Silence is over by now, and what came too late is decided again. Others are not asked at once.
    if (error.status !== undefined && error.status !== 404 && error.status !== 409) throw error;
  };

  const queue = startQueue({
    concurrency: WRITE_CONCURRENCY,
    signal,
    onError: (key, error) => {
      // The others were told already.
      if (!(error instanceof KubeError)) options.onError(key, error);
    },
    work: async (key) => {
      busy.add(key);
      try {
        for (;;) {
          const write = signal.aborted ? undefined : reconciler.begin(key);
          if (write === undefined) return;
          await writeOne(key, write);
        }
      } finally {
        busy.delete(key);
      }
    },
  });

  return {
    add: (key) => {
      // At work it is seen anyway; here it would undo the pause after an error.
      if (!busy.has(key)) queue.add(key);
    },
    idle: () => queue.idle(),
  };
}

/** Status and annotation in one: the API server takes annotations of Services on this path (1.36). */
function patch(connection: Connection, key: ServiceKey, write: Write): Promise<ServiceResource> {
  const { resourceVersion } = write.service.metadata;
  const body = { ...write.patch, metadata: { ...write.patch.metadata, resourceVersion } };
  // Without the signal: what was begun is finished.
  return connection.request("PATCH", `${pathOf(key)}/status`, { body, contentType: MERGE_PATCH });
}

/** The object as it is now, however long that takes; undefined: the signal fired. */
async function look(
  connection: Connection,
  key: ServiceKey,
  signal: AbortSignal,
): Promise<{ readonly service: ServiceResource | undefined } | undefined> {
  while (!signal.aborted) {
    try {
      return { service: await connection.request("GET", pathOf(key), { signal }) };
    } catch (error) {
      if (signal.aborted) break;
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 404) return { service: undefined };
      if (error.status === undefined) await connection.untilAnswer(SILENT_PAUSE_MS, signal);
      else await sleep(Math.max(LOOK_PAUSE_MS, error.retryAfterMs ?? 0), signal);
    }
  }
  return undefined;
}

/** Whether the object may be another than the write supposed, or may have been written after all. */
function isUncertain({ status }: KubeError): boolean {
  return status === undefined || status === 404 || status === 409 || status >= 500;
}

function pathOf(key: ServiceKey): string {
  const [namespace, name] = key.split("/");
  return `/api/v1/namespaces/${namespace}/services/${name}`;
}
