// Keeps the status objects of this node in line with what was decided: later than the routes, few
// at a time, nothing when nothing changed. Decides no content; see status.ts.

import { APPLY_PATCH, type Connection, MERGE_PATCH } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startQueue } from "../kube/queue.ts";
import {
  type ConfigurationReport,
  configurationStateName,
  configurationStateObject,
  configurationStatePatch,
  type Owner,
  type ServiceBgpStatus,
  serviceBgpStatusName,
  serviceBgpStatusObject,
  serviceBgpStatusPatch,
  type WrittenReport,
} from "./status.ts";

export type StatusWriterOptions = {
  readonly connection: Connection;
  readonly namespace: string;
  readonly node: string;
  readonly owner: Owner | undefined;
  /** What our ConfigurationState says already; undefined: nothing. */
  readonly configurationState: WrittenReport | undefined;
  /** What the status of a Service is to say now. */
  readonly peersOf: (service: string) => readonly string[];
  /** The objects there are for it. */
  readonly statusesOf: (service: string) => readonly ServiceBgpStatus[];
  /** A Service that had no status object has one now. */
  readonly onFirstStatus: (service: string) => void;
  readonly onError: (what: string, error: unknown) => void;
  readonly signal: AbortSignal;
};

export type StatusWriter = {
  /** The status of this Service may be due. */
  readonly service: (key: string) => void;
  readonly configuration: (report: ConfigurationReport) => void;
  /** Our ConfigurationState was removed by somebody. */
  readonly configurationStateGone: () => void;
};

/** A Service that comes and goes within this time is not written about. */
const SETTLE_MS = 500;
const CONCURRENCY = 4;
const FIELD_MANAGER = "configReconciler";

export function startStatusWriter(options: StatusWriterOptions): StatusWriter {
  const { connection, namespace, node, signal, peersOf, statusesOf } = options;
  const folder = `/apis/metallb.io/v1beta1/namespaces/${namespace}`;
  const path = (name: string) => `${folder}/servicebgpstatuses/${name}`;

  const services = startQueue({
    concurrency: CONCURRENCY,
    signal,
    onError: (key, error) => options.onError(`ServiceBGPStatus of ${key}`, error),
    work: async (service) => {
      const peers = peersOf(service);
      const known = statusesOf(service);
      const kept = peers.length === 0 ? undefined : known[0];
      for (const status of known) {
        if (status !== kept) await remove(connection, path(status.name), signal);
      }
      if (peers.length === 0 || (kept !== undefined && sameTexts(kept.peers, peers))) return;
      const name = kept?.name ?? serviceBgpStatusName(node, service);
      if (kept === undefined && (await create(service))) options.onFirstStatus(service);
      await connection.request("PATCH", `${path(name)}/status`, {
        body: serviceBgpStatusPatch(node, service, peers),
        contentType: MERGE_PATCH,
        signal,
      });
    },
  });

  const create = async (service: string): Promise<boolean> => {
    const body = serviceBgpStatusObject(options, service);
    try {
      await connection.request("POST", `${folder}/servicebgpstatuses`, { body, signal });
      return true;
    } catch (error) {
      // Ours already, of an earlier attempt: its watch event is on the way.
      if (error instanceof KubeError && error.status === 409) return false;
      throw error;
    }
  };

  let report: ConfigurationReport | undefined;
  let written = options.configurationState;
  const configuration = startQueue({
    concurrency: 1,
    signal,
    onError: (_key, error) => options.onError("ConfigurationState", error),
    work: async () => {
      if (report === undefined || (written !== undefined && sameReports(written, report))) return;
      const since = written?.result === report.result ? written.since : new Date().toISOString();
      const now = { ...report, since };
      const apply = {
        query: { fieldManager: FIELD_MANAGER, force: "true" },
        contentType: APPLY_PATCH,
        signal,
      };
      const state = `${folder}/configurationstates/${configurationStateName(node)}`;
      const body = configurationStateObject(options);
      await connection.request("PATCH", state, { ...apply, body });
      const status = configurationStatePatch(options, now);
      await connection.request("PATCH", `${state}/status`, { ...apply, body: status });
      written = now;
    },
  });

  return {
    service: (key) => services.addAfter(key, SETTLE_MS),
    configuration: (next) => {
      report = next;
      configuration.add("");
    },
    configurationStateGone: () => {
      written = undefined;
      configuration.add("");
    },
  };
}

function sameReports(a: ConfigurationReport, b: ConfigurationReport): boolean {
  return a.result === b.result && a.errorSummary === b.errorSummary;
}

async function remove(connection: Connection, path: string, signal: AbortSignal): Promise<void> {
  try {
    await connection.request("DELETE", path, { signal });
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
  }
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, index) => text === b[index]);
}
