// Facts -> the status objects a speaker writes: ServiceBGPStatus per Service, one
// ConfigurationState per node. Shapes and texts only. Pure.

import { createHash } from "node:crypto";
import { formatProblem, type Problem } from "../config/problem.ts";
import type { Condition } from "../config/resources.ts";
import type { FrrProblem } from "../frr/status.ts";
import type { Decision } from "./announce.ts";
import { formatFrrProblem } from "./state.ts";

export const API_VERSION = "metallb.io/v1beta1";

/** The Pod of this speaker: what it writes is removed with it. */
export type Owner = { readonly name: string; readonly uid: string };

export const NODE_LABEL = "metallb.io/node";

/** Peers the Service goes to from this node, sorted; empty: there is to be no status object. */
export function statusPeers(decision: Decision | undefined): readonly string[] {
  return decision?.bgp.kind === "announced" ? decision.bgp.peers : [];
}

/** Where a status object belongs, and what it says. */
export type ServiceBgpStatus = {
  /** Of the object itself. */
  readonly name: string;
  /** "namespace/name" of the Service. */
  readonly service: string;
  readonly peers: readonly string[];
};

/** What the speaker keeps of a ServiceBGPStatus; undefined: not one of MetalLB's. */
export function pruneServiceBgpStatus(object: unknown): ServiceBgpStatus | undefined {
  const { metadata, status } = object as {
    readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
    readonly status?: { readonly peers?: readonly string[] };
  };
  const name = metadata.labels?.["metallb.io/service-name"];
  const namespace = metadata.labels?.["metallb.io/service-namespace"];
  if (name === undefined || namespace === undefined) return undefined;
  return { name: metadata.name, service: `${namespace}/${name}`, peers: status?.peers ?? [] };
}

/**
 * The name of our status object of a Service. Made from its content (MetalLB lets the API server
 * choose one), so that a create whose answer was lost does not leave two objects.
 */
export function serviceBgpStatusName(node: string, service: string): string {
  const hash = createHash("sha256").update(`${node}#${service}`).digest("hex");
  return `bgp-${hash.slice(0, 16)}`;
}

export function serviceBgpStatusObject(
  context: { readonly namespace: string; readonly node: string; readonly owner: Owner | undefined },
  service: string,
): object {
  const [serviceNamespace, serviceName] = splitKey(service);
  return {
    apiVersion: API_VERSION,
    kind: "ServiceBGPStatus",
    metadata: {
      namespace: context.namespace,
      name: serviceBgpStatusName(context.node, service),
      labels: {
        [NODE_LABEL]: context.node,
        "metallb.io/service-name": serviceName,
        "metallb.io/service-namespace": serviceNamespace,
      },
      ...ownerReferences(context.owner),
    },
  };
}

/** The body of a merge patch of the status subresource. */
export function serviceBgpStatusPatch(
  node: string,
  service: string,
  peers: readonly string[],
): object {
  const [serviceNamespace, serviceName] = splitKey(service);
  return {
    status: { node, serviceName, serviceNamespace, peers },
  };
}

function splitKey(key: string): readonly [string, string] {
  const slash = key.indexOf("/");
  return [key.slice(0, slash), key.slice(slash + 1)];
}

export function configurationStateName(node: string): string {
  return `speaker-${node}`;
}

export function configurationStateObject(context: {
  readonly namespace: string;
  readonly node: string;
  readonly owner: Owner | undefined;
}): object {
  return {
    apiVersion: API_VERSION,
    kind: "ConfigurationState",
    metadata: {
      namespace: context.namespace,
      name: configurationStateName(context.node),
      labels: { "metallb.io/component-type": "speaker", [NODE_LABEL_OF_STATE]: context.node },
      ...ownerReferences(context.owner),
    },
  };
}

const NODE_LABEL_OF_STATE = "metallb.io/node-name";

function ownerReferences(owner: Owner | undefined): object {
  if (owner === undefined) return {};
  return { ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: owner.name, uid: owner.uid }] };
}

export type ConfigurationReport = {
  readonly result: "Valid" | "Invalid";
  /** One problem per line; "" when valid. */
  readonly errorSummary: string;
};

/** A report as the API server has it. */
export type WrittenReport = ConfigurationReport & {
  /** Since when the result is so, RFC 3339. */
  readonly since: string;
};

/** What the speaker keeps of its ConfigurationState; undefined: it says nothing yet. */
export function pruneConfigurationState(object: unknown): WrittenReport | undefined {
  const { status } = object as { readonly status?: ConfigurationStateStatus };
  const condition = status?.conditions?.find(({ type }) => type === CONDITION);
  if (status === undefined || condition === undefined) return undefined;
  const { result, errorSummary = "" } = status;
  if (result !== "Valid" && result !== "Invalid") return undefined;
  return { result, errorSummary, since: condition.lastTransitionTime };
}

type ConfigurationStateStatus = {
  readonly result?: string;
  readonly errorSummary?: string;
  readonly conditions?: readonly Condition[];
};

const CONDITION = "configReconcilerValid";

/** metav1.Condition allows 32768 characters in a message. */
const MESSAGE_LIMIT = 32_000;

/** What the ConfigurationState of this node says. */
export function configurationReport(
  problems: readonly Problem[],
  frrProblems: readonly FrrProblem[],
): ConfigurationReport {
  const lines = [
    ...problems.map(formatProblem),
    ...frrProblems.filter(isConfigurationFault).map(formatFrrProblem),
  ];
  if (lines.length === 0) return { result: "Valid", errorSummary: "" };
  const errorSummary = `configuration error: ${lines.join("\n")}`.slice(0, MESSAGE_LIMIT);
  return { result: "Invalid", errorSummary };
}

/** Whether FRR would not take something the user wrote. */
function isConfigurationFault({ kind }: FrrProblem): boolean {
  return kind === "refused-line" || kind === "refused-extra";
}

/** The body of a server-side apply of the status, by field manager `configReconciler`. */
export function configurationStatePatch(
  context: { readonly namespace: string; readonly node: string },
  { result, errorSummary, since }: WrittenReport,
): object {
  const isValid = result === "Valid";
  const condition: Condition = {
    type: CONDITION,
    status: isValid ? "True" : "False",
    reason: isValid ? "Reconciled" : "ConfigurationError",
    message: errorSummary,
    lastTransitionTime: since,
  };
  return {
    apiVersion: API_VERSION,
    kind: "ConfigurationState",
    metadata: { namespace: context.namespace, name: configurationStateName(context.node) },
    status: { result, errorSummary, conditions: [condition] },
  };
}
