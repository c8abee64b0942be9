// Keeps the status of the configuration's objects and the ConfigurationState in line with what was
// decided: later than the Services, few at a time, nothing when nothing changed. Decides no content;
// see config-status.ts.

import { APPLY_PATCH, type Connection, MERGE_PATCH } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startQueue } from "../kube/queue.ts";
import {
  CONFIGURATION_STATE,
  type ConfigKind,
  type ConfigObject,
  type ConfigurationReport,
  type ConfigVerdict,
  configFolder,
  configStatusPatch,
  configurationStateObject,
  configurationStateStatus,
  type Owner,
} from "./config-status.ts";

export type ConfigWriterOptions = {
  readonly connection: Connection;
  readonly namespace: string;
  /** The Pod we run in, which owns the ConfigurationState; undefined: it stays. */
  readonly podName: string | undefined;
  /** What there is now; undefined: it is gone. */
  readonly objectOf: (kind: ConfigKind, name: string) => ConfigObject | undefined;
  /** What is to be said of it; undefined: nothing is known yet. */
  readonly verdictOf: (kind: ConfigKind, name: string) => ConfigVerdict | undefined;
  readonly now: () => string;
  readonly onError: (what: string, error: unknown) => void;
  readonly signal: AbortSignal;
};

export type ConfigWriter = {
  /** The status of this object may be due. */
  readonly object: (kind: ConfigKind, name: string) => void;
  readonly report: (report: ConfigurationReport) => void;
  /** Our ConfigurationState was removed by somebody. */
  readonly configurationStateGone: () => void;
};

/** Counters that change with every Service are written so often at most. */
const SETTLE_MS = 200;
const CONCURRENCY = 4;
const FIELD_MANAGER = "poolReconciler";

export function startConfigWriter(options: ConfigWriterOptions): ConfigWriter {
  const { connection, namespace, objectOf, verdictOf, now, signal } = options;

  const objects = startQueue({
    concurrency: CONCURRENCY,
    signal,
    onError: (key, error) => {
      // The newer version is on its way to us, and with it this key.
      if (!(error instanceof KubeError && error.status === 409)) options.onError(key, error);
    },
    work: async (key) => {
      const [kind, name] = split(key);
      const object = objectOf(kind, name);
      const verdict = verdictOf(kind, name);
      if (object === undefined || verdict === undefined) return;
      const body = configStatusPatch(object, verdict, now());
      if (body === undefined) return;
      const path = `${configFolder(kind, namespace)}/${name}/status`;
      try {
        await connection.request("PATCH", path, { body, contentType: MERGE_PATCH, signal });
      } catch (error) {
        if (!(error instanceof KubeError) || error.status !== 404) throw error;
      }
    },
  });

  let owner: Owner | undefined;
  let wanted: ConfigurationReport | undefined;
  /** What the API server was told last, and since when its result has been so. */
  let written: ConfigurationReport | undefined;
  let since: { readonly result: string; readonly time: string } | undefined;
  const state = startQueue({
    concurrency: 1,
    signal,
    onError: (_key, error) => options.onError("ConfigurationState", error),
    work: async () => {
      if (wanted === undefined || wanted === written) return;
      const report = wanted;
      if (since?.result !== report.result) since = { result: report.result, time: now() };
      const apply = {
        query: { fieldManager: FIELD_MANAGER, force: "true" },
        contentType: APPLY_PATCH,
        signal,
      };
      const name = CONFIGURATION_STATE;
      const path = `/apis/metallb.io/v1beta1/namespaces/${namespace}/configurationstates/${name}`;
      owner ??= await findOwner(options);
      const body = configurationStateObject(namespace, name, owner);
      await connection.request("PATCH", path, { ...apply, body });
      const status = configurationStateStatus(namespace, name, report, since.time);
      await connection.request("PATCH", `${path}/status`, { ...apply, body: status });
      written = report;
    },
  });

  return {
    object: (kind, name) => objects.addAfter(`${kind}/${name}`, SETTLE_MS),
    report: (next) => {
      if (wanted?.errorSummary === next.errorSummary && wanted.result === next.result) return;
      wanted = next;
      state.add("");
    },
    configurationStateGone: () => {
      written = undefined;
      state.add("");
    },
  };
}

async function findOwner(options: ConfigWriterOptions): Promise<Owner | undefined> {
  const { connection, namespace, podName: name, signal } = options;
  if (name === undefined) return undefined;
  const path = `/api/v1/namespaces/${namespace}/pods/${name}`;
  try {
    const pod = await connection.request<{ readonly metadata: { readonly uid: string } }>(
      "GET",
      path,
      { signal },
    );
    return { name, uid: pod.metadata.uid };
  } catch (error) {
    if (error instanceof KubeError && error.status === 404) return undefined;
    throw error;
  }
}

function split(key: string): readonly [ConfigKind, string] {
  const slash = key.indexOf("/");
  // Made by `object` above.
  return [key.slice(0, slash) as ConfigKind, key.slice(slash + 1)];
}
