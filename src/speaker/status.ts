// Facts -> the status objects a speaker writes: ServiceBGPStatus and ServiceL2Status per Service, one
// ConfigurationState per node. Shapes and texts only. Pure.

import { createHash } from "node:crypto";
import { formatProblem, type Problem } from "../config/problem.ts";
import type { Condition } from "../config/resources.ts";
import type { FrrProblem } from "../frr/status.ts";
import type { Decision } from "./announce.ts";
import type { ConditionReason } from "./condition-reasons.ts";
import { formatFrrProblem } from "./state.ts";

export const API_VERSION = "metallb.io/v1beta1";

/** The Pod of this speaker: what it writes is removed with it. */
export type Owner = { readonly name: string; readonly uid: string };

export const NODE_LABEL = "metallb.io/node";

/** Peers the Service goes to from this node, sorted; undefined: there is to be no status object. */
export function statusPeers(decision: Decision | undefined): readonly string[] | undefined {
  if (decision?.bgp.kind !== "announced" || decision.bgp.peers.length === 0) return undefined;
  return decision.bgp.peers;
}

/** The kinds of status object there are for a Service, and what each lists. */
export type StatusKind = {
  readonly kind: "ServiceBGPStatus" | "ServiceL2Status";
  readonly plural: string;
  /** Names of objects begin with it. */
  readonly prefix: string;
  /** The entries as they stand in the status, of which the empty list of L2 means all interfaces. */
  readonly write: (entries: readonly string[]) => object;
  readonly read: (status: Readonly<Record<string, unknown>>) => readonly string[];
};

/** Which peers hear a Service from a node. */
export const BGP_STATUS: StatusKind = {
  kind: "ServiceBGPStatus",
  plural: "servicebgpstatuses",
  prefix: "bgp",
  write: (peers) => ({ peers }),
  read: ({ peers }) => (Array.isArray(peers) ? peers : []),
};

/** Which node answers for a Service, and on which interfaces. */
export const L2_STATUS: StatusKind = {
  kind: "ServiceL2Status",
  plural: "servicel2statuses",
  prefix: "l2",
  write: (interfaces) => ({
    interfaces: interfaces.length === 0 ? null : interfaces.map((name) => ({ name })),
  }),
  read: ({ interfaces }) => (Array.isArray(interfaces) ? interfaces.map(({ name }) => name) : []),
};

/** Where a status object belongs, and what it lists. */
export type ServiceStatus = {
  /** Of the object itself. */
  readonly name: string;
  /** "namespace/name" of the Service. */
  readonly service: string;
  readonly node: string;
  /** Undefined: created, and not filled in yet. */
  readonly entries: readonly string[] | undefined;
};

/** What the speaker keeps of a status object; undefined: not one of MetalLB's. */
export function pruneServiceStatus(
  kind: StatusKind,
): (object: unknown) => ServiceStatus | undefined {
  return (object) => {
    const { metadata, status } = object as {
      readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
      readonly status?: Readonly<Record<string, unknown>>;
    };
    const name = metadata.labels?.["metallb.io/service-name"];
    const namespace = metadata.labels?.["metallb.io/service-namespace"];
    const node = metadata.labels?.[NODE_LABEL];
    if (name === undefined || namespace === undefined || node === undefined) return undefined;
    const entries = status?.["node"] === undefined ? undefined : kind.read(status);
    return { name: metadata.name, service: `${namespace}/${name}`, node, entries };
  };
}

/**
 * The name of our status object of a Service. Made from its content (MetalLB lets the API server
 * choose one), so that a create whose answer was lost does not leave two objects.
 */
export function serviceStatusName({ prefix }: StatusKind, node: string, service: string): string {
  const hash = createHash("sha256").update(`${node}#${service}`).digest("hex");
  return `${prefix}-${hash.slice(0, 16)}`;
}

export function serviceStatusObject(
  kind: StatusKind,
  context: { readonly namespace: string; readonly node: string; readonly owner: Owner | undefined },
  service: string,
): object {
  const [serviceNamespace, serviceName] = splitKey(service);
  return {
    apiVersion: API_VERSION,
    kind: kind.kind,
    metadata: {
      namespace: context.namespace,
      name: serviceStatusName(kind, context.node, service),
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
export function serviceStatusPatch(
  kind: StatusKind,
  node: string,
  service: string,
  entries: readonly string[],
): object {
  const [serviceNamespace, serviceName] = splitKey(service);
  return { status: { node, serviceName, serviceNamespace, ...kind.write(entries) } };
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
  /** What is wrong with Layer 2 on the node, one problem per line; "" when it works. */
  readonly l2Summary: string;
};

/** A report as the API server has it. */
export type WrittenReport = ConfigurationReport & {
  /** Since when the result is so, RFC 3339. */
  readonly since: string;
  /** Since when Layer 2 works or does not. */
  readonly l2Since: string;
};

/** What the speaker keeps of its ConfigurationState; undefined: it says nothing yet. */
export function pruneConfigurationState(object: unknown): WrittenReport | undefined {
  const { status } = object as { readonly status?: ConfigurationStateStatus };
  const condition = status?.conditions?.find(({ type }) => type === CONDITION);
  const l2 = status?.conditions?.find(({ type }) => type === L2_CONDITION);
  if (status === undefined || condition === undefined || l2 === undefined) return undefined;
  const { result, errorSummary = "" } = status;
  if (result !== "Valid" && result !== "Invalid") return undefined;
  const since = condition.lastTransitionTime;
  return { result, errorSummary, since, l2Summary: l2.message, l2Since: l2.lastTransitionTime };
}

type ConfigurationStateStatus = {
  readonly result?: string;
  readonly errorSummary?: string;
  readonly conditions?: readonly Condition[];
};

const CONDITION = "configReconcilerValid";
/** Whether the node can announce by ARP and NDP, and nothing else on it answers for addresses. */
const L2_CONDITION = "layer2Working";

/** metav1.Condition allows 32768 characters in a message. */
const MESSAGE_LIMIT = 32_000;

/** What the ConfigurationState of this node says. */
export function configurationReport(
  problems: readonly Problem[],
  frrProblems: readonly FrrProblem[],
  l2Problems: readonly string[],
): ConfigurationReport {
  const l2Summary = l2Problems.join("\n").slice(0, MESSAGE_LIMIT);
  const lines = [
    ...problems.map(formatProblem),
    ...frrProblems.filter(isConfigurationFault).map(formatFrrProblem),
  ];
  if (lines.length === 0) return { result: "Valid", errorSummary: "", l2Summary };
  const errorSummary = `configuration error: ${lines.join("\n")}`.slice(0, MESSAGE_LIMIT);
  return { result: "Invalid", errorSummary, l2Summary };
}

/** Whether FRR would not take something the user wrote. */
function isConfigurationFault({ kind }: FrrProblem): boolean {
  return kind === "refused-line" || kind === "refused-extra";
}

/** The body of a server-side apply of the status, by field manager `configReconciler`. */
export function configurationStatePatch(
  context: { readonly namespace: string; readonly node: string },
  { result, errorSummary, since, l2Summary, l2Since }: WrittenReport,
): object {
  const isValid = result === "Valid";
  const reason: ConditionReason<typeof CONDITION> = isValid ? "Reconciled" : "ConfigurationError";
  const condition: Condition = {
    type: CONDITION,
    status: isValid ? "True" : "False",
    reason,
    message: errorSummary,
    lastTransitionTime: since,
  };
  const l2Reason: ConditionReason<typeof L2_CONDITION> =
    l2Summary === "" ? "Working" : "NotWorking";
  const l2Condition: Condition = {
    type: L2_CONDITION,
    status: l2Summary === "" ? "True" : "False",
    reason: l2Reason,
    message: l2Summary,
    lastTransitionTime: l2Since,
  };
  return {
    apiVersion: API_VERSION,
    kind: "ConfigurationState",
    metadata: { namespace: context.namespace, name: configurationStateName(context.node) },
    status: { result, errorSummary, conditions: [condition, l2Condition] },
  };
}
