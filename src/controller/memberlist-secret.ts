// Makes the Secret that speakers know each other by, once, as MetalLB's controller does.

import { randomBytes } from "node:crypto";
import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { sleep } from "../kube/sleep.ts";

export type MemberlistSecretOptions = {
  readonly connection: Connection;
  readonly namespace: string;
  readonly name: string;
  /** The Deployment the Secret is removed with; undefined: it stays. */
  readonly deployment: string | undefined;
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
};

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;

/** Creates the Secret unless it exists; tries until that is done or the signal fires. */
export async function ensureMemberlistSecret(options: MemberlistSecretOptions): Promise<void> {
  const { connection, onError, signal } = options;
  for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; pauseMs = nextPause(pauseMs)) {
    try {
      return await create(options);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KubeError)) throw error;
      onError(error);
      if (error.status === undefined) await connection.untilAnswer(pauseMs, signal);
      else await sleep(pauseMs, signal);
    }
  }
}

function nextPause(pauseMs: number): number {
  return Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
}

async function create(options: MemberlistSecretOptions): Promise<void> {
  const { connection, namespace, name, deployment, signal } = options;
  const folder = `/api/v1/namespaces/${namespace}/secrets`;
  // A list, because that is what MetalLB's Role allows for this name.
  const query = { fieldSelector: `metadata.name=${name}` };
  const { items } = await connection.request<{ readonly items?: readonly object[] | null }>(
    "GET",
    folder,
    { query, signal },
  );
  if ((items ?? []).length > 0) return;
  const owner = deployment === undefined ? undefined : await ownerOf(options, deployment);
  const body = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { namespace, name, ...(owner && { ownerReferences: [owner] }) },
    // MetalLB's form: 16 random bytes as 22 characters without padding.
    stringData: { secretkey: randomBytes(16).toString("base64").replaceAll("=", "") },
  };
  try {
    await connection.request("POST", folder, { body, signal });
  } catch (error) {
    // Another controller was quicker.
    if (!(error instanceof KubeError && error.status === 409)) throw error;
  }
}

async function ownerOf(
  { connection, namespace, signal }: MemberlistSecretOptions,
  deployment: string,
): Promise<object> {
  const path = `/apis/apps/v1/namespaces/${namespace}/deployments/${deployment}`;
  const { metadata } = await connection.request<{
    readonly metadata: { readonly name: string; readonly uid: string };
  }>("GET", path, { signal });
  return { apiVersion: "apps/v1", kind: "Deployment", name: metadata.name, uid: metadata.uid };
}
