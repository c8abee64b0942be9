// Finds the Pod this speaker runs in, which owns what the speaker writes. Retries until the API
// server answers.

import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { sleep } from "../kube/sleep.ts";
import type { Owner } from "./status.ts";

export type FindOwnerOptions = {
  readonly connection: Connection;
  readonly namespace: string;
  /** Undefined: we run in no Pod. */
  readonly podName: string | undefined;
  /** Told each time it does not work; it is tried again unless there is no such Pod. */
  readonly onError: (error: KubeError) => void;
  readonly signal: AbortSignal;
};

const PAUSE_MS = 2_000;

/** Undefined: no Pod, and what is written stays until somebody removes it. */
export async function findOwner(options: FindOwnerOptions): Promise<Owner | undefined> {
  const { connection, namespace, podName, onError, signal } = options;
  if (podName === undefined) return undefined;
  const path = `/api/v1/namespaces/${namespace}/pods/${podName}`;
  while (!signal.aborted) {
    try {
      const pod = await connection.request<PodResource>("GET", path, { signal });
      return { name: podName, uid: pod.metadata.uid };
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof KubeError)) throw error;
      onError(error);
      if (error.status === 404) return undefined;
      await sleep(PAUSE_MS, signal);
    }
  }
  return undefined;
}

type PodResource = { readonly metadata: { readonly uid: string } };
