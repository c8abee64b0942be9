// Keeps the status objects of this node in line with what was decided: later than the routes, few
// at a time, nothing when nothing changed. Decides no content; see status.ts.

import { isDeepStrictEqual } from "node:util";
import { APPLY_PATCH, type Connection, MERGE_PATCH } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startQueue } from "../kube/queue.ts";
import { type ConditionChange, conditionPatch } from "./excluded-condition.ts";
import {
  BGP_STATUS,
  type ConfigurationReport,
  configurationStateName,
  configurationStateObject,
  configurationStatePatch,
  L2_STATUS,
  type Owner,
  type ServiceStatus,
  type StatusKind,
  serviceStatusName,
  serviceStatusObject,
  serviceStatusPatch,
  type WrittenReport,
} from "./status.ts";

export type StatusWriterOptions = {
  readonly connection: Connection;
  readonly namespace: string;
  readonly node: string;
  readonly owner: Owner | undefined;
  /** What our ConfigurationState says already; undefined: nothing. */
  readonly configurationState: WrittenReport | undefined;
  readonly bgp: StatusSource;
  readonly l2: StatusSource;
  /** What is to become of the condition of a Service; undefined: nothing. */
  readonly conditionOf: (service: string) => ConditionChange | undefined;
  /** The condition was written. */
  readonly onCondition: (service: string, change: ConditionChange) => void;
  readonly onError: (what: string, error: unknown) => void;
  readonly signal: AbortSignal;
};

/** What one kind of status object is written from. */
export type StatusSource = {
  /** What that of a Service is to list now; undefined: there is to be none. */
  readonly wantedOf: (service: string) => readonly string[] | undefined;
  /** The objects there are for it, of other nodes too. */
  readonly statusesOf: (service: string) => readonly ServiceStatus[];
  /** A Service that had none of this node has one now. */
  readonly onFirst: (service: string) => void;
};

export type StatusWriter = {
  /** The status objects of this Service may be due. */
  readonly service: (key: string) => void;
  readonly configuration: (report: ConfigurationReport) => void;
  /** Our ConfigurationState was removed by somebody. */
  readonly configurationStateGone: () => void;
};

/** A Service that comes and goes within this time is not written about. */
const SETTLE_MS = 500;
const CONCURRENCY = 4;
const FIELD_MANAGER = "configReconciler";
/** Of all speakers: what one has set another can remove. */
const CONDITION_MANAGER = "metallb-speaker";

export function startStatusWriter(options: StatusWriterOptions): StatusWriter {
  const { connection, namespace, node, signal } = options;
  const folder = `/apis/metallb.io/v1beta1/namespaces/${namespace}`;

  const keep = async (kind: StatusKind, source: StatusSource, service: string): Promise<void> => {
    const wanted = source.wantedOf(service);
    const known = source.statusesOf(service);
    const kept = wanted && known.find((status) => status.node === node);
    for (const status of known) {
      // Only one node answers for a Service: the one that does removes what others left.
      const isStale = status.node === node ? status !== kept : wanted !== undefined;
      if (isStale) await remove(connection, `${folder}/${kind.plural}/${status.name}`, signal);
    }
    if (wanted === undefined || isDeepStrictEqual(kept?.entries, wanted)) return;
    const name = kept?.name ?? serviceStatusName(kind, node, service);
    if (kept === undefined && (await create(kind, service))) source.onFirst(service);
    await connection.request("PATCH", `${folder}/${kind.plural}/${name}/status`, {
      body: serviceStatusPatch(kind, node, service, wanted),
      contentType: MERGE_PATCH,
      signal,
    });
  };

  const create = async (kind: StatusKind, service: string): Promise<boolean> => {
    const body = serviceStatusObject(kind, options, service);
    try {
      await connection.request("POST", `${folder}/${kind.plural}`, { body, signal });
      return true;
    } catch (error) {
      // Ours already, of an earlier attempt: its watch event is on the way.
      if (error instanceof KubeError && error.status === 409) return false;
      throw error;
    }
  };

  const services = startQueue({
    concurrency: CONCURRENCY,
    signal,
    onError: (key, error) => options.onError(`status of ${key}`, error),
    work: async (service) => {
      await keep(BGP_STATUS, options.bgp, service);
      await keep(L2_STATUS, options.l2, service);
      const change = options.conditionOf(service);
      if (change !== undefined) await setCondition(service, change);
    },
  });

  const setCondition = async (service: string, change: ConditionChange): Promise<void> => {
    const [serviceNamespace, name] = service.split("/");
    const path = `/api/v1/namespaces/${serviceNamespace}/services/${name}/status`;
    const body = conditionPatch(service, change, new Date().toISOString());
    const query = { fieldManager: CONDITION_MANAGER, force: "true" };
    await connection.request("PATCH", path, { query, body, contentType: APPLY_PATCH, signal });
    options.onCondition(service, change);
  };

  let report: ConfigurationReport | undefined;
  let written = options.configurationState;
  const configuration = startQueue({
    concurrency: 1,
    signal,
    onError: (_key, error) => options.onError("ConfigurationState", error),
    work: async () => {
      if (report === undefined || (written !== undefined && sameReports(written, report))) return;
      const time = new Date().toISOString();
      const isSameL2 = (written?.l2Summary === "") === (report.l2Summary === "");
      const now = {
        ...report,
        since: written?.result === report.result ? written.since : time,
        l2Since: written !== undefined && isSameL2 ? written.l2Since : time,
      };
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
  return a.result === b.result && a.errorSummary === b.errorSummary && a.l2Summary === b.l2Summary;
}

async function remove(connection: Connection, path: string, signal: AbortSignal): Promise<void> {
  try {
    await connection.request("DELETE", path, { signal });
  } catch (error) {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
  }
}
