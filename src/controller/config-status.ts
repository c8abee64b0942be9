// What the status of the configuration's objects is to say: whether each is accepted, what a pool has
// left, and the ConfigurationState of the controller. Shapes and texts only. Pure.

import { formatProblem, type Problem } from "../config/problem.ts";
import type { Condition, ObjectMeta } from "../config/resources.ts";
import { type ConditionState, withCondition } from "./condition.ts";
import type { ConditionReason } from "./condition-reasons.ts";
import type { EventReason } from "./event-reasons.ts";
import type { PoolCounters } from "./pool-status.ts";

/** Kinds of objects users configure with, and where they are. */
export const CONFIG_KINDS = {
  IPAddressPool: { version: "v1beta1", plural: "ipaddresspools", title: "IPAddressPools" },
  L2Advertisement: { version: "v1beta1", plural: "l2advertisements", title: "L2Advertisements" },
  BGPAdvertisement: { version: "v1beta1", plural: "bgpadvertisements", title: "BGPAdvertisements" },
  BGPPeer: { version: "v1beta2", plural: "bgppeers", title: "BGPPeers" },
  BFDProfile: { version: "v1beta1", plural: "bfdprofiles", title: "BFDProfiles" },
  Community: { version: "v1beta1", plural: "communities", title: "Communities" },
} as const;

export type ConfigKind = keyof typeof CONFIG_KINDS;

/** Any object of the configuration, as far as its status is concerned. */
export type ConfigObject = {
  readonly metadata: ObjectMeta;
  readonly spec?: object;
  readonly status?: object;
};

const GROUP = "metallb.io";
/** The name of our ConfigurationState. */
export const CONFIGURATION_STATE = "controller";
export const ACCEPTED_CONDITION = "Accepted";
/** MetalLB's reason in its ConfigurationState; the event of a refused object has it too. */
export const CONFIGURATION_ERROR = "ConfigurationError" satisfies EventReason;
const POOLS_CONDITION = "poolReconcilerValid";

/** The path of the collection. */
export function configFolder(kind: ConfigKind, namespace: string): string {
  const { version, plural } = CONFIG_KINDS[kind];
  return `/apis/${GROUP}/${version}/namespaces/${namespace}/${plural}`;
}

export function configApiVersion(kind: string): string {
  if (!Object.hasOwn(CONFIG_KINDS, kind)) return "v1";
  return `${GROUP}/${CONFIG_KINDS[kind as ConfigKind].version}`;
}

/** What the controller has to say of one object of the configuration. */
export type ConfigVerdict = {
  /** Empty: it is accepted as it is. */
  readonly problems: readonly Problem[];
  /** Its last good version is in force instead. */
  readonly lastGoodInForce: boolean;
  /** undefined: it is no pool. */
  readonly counters: PoolCounters | undefined;
};

/** A merge patch of the status, for that very version; undefined: the object says so already. */
export function configStatusPatch(
  object: ConfigObject,
  verdict: ConfigVerdict,
  now: string,
): object | undefined {
  const { metadata } = object;
  const status = (object.status ?? {}) as {
    readonly conditions?: readonly Condition[];
  } & Partial<Record<keyof PoolCounters, number | bigint>>;
  const isAccepted = verdict.problems.length === 0;
  const reason: ConditionReason<typeof ACCEPTED_CONDITION> = isAccepted
    ? "Accepted"
    : CONFIGURATION_ERROR;
  const state: ConditionState = {
    type: ACCEPTED_CONDITION,
    status: isAccepted ? "True" : "False",
    reason,
    message: verdictText(verdict),
  };
  const conditions = withCondition(status.conditions, state, {
    now,
    observedGeneration: metadata.generation,
  });
  const counters = Object.entries(verdict.counters ?? {}).filter(
    ([key, value]) => BigInt(status[key as keyof PoolCounters] ?? -1) !== value,
  );
  if (conditions === undefined && counters.length === 0) return undefined;
  return {
    metadata: { resourceVersion: metadata.resourceVersion },
    status: {
      // All four: the schema wants them together.
      ...(counters.length > 0 && verdict.counters),
      ...(conditions !== undefined && { conditions }),
    },
  };
}

/** The problems in one text; "" when there are none. */
export function verdictText({ problems, lastGoodInForce }: ConfigVerdict): string {
  const lines = problems.map(({ field, message }) => `${field}: ${message}`);
  if (lines.length === 0) return "";
  return [...lines, ...(lastGoodInForce ? ["Its last good version stays in force"] : [])].join(
    "\n",
  );
}

export type ConfigurationReport = {
  readonly result: "Valid" | "Invalid";
  /** One problem per line; "" when valid. */
  readonly errorSummary: string;
};

/** metav1.Condition allows 32768 characters in a message. */
const MESSAGE_LIMIT = 32_000;

/** What our ConfigurationState says. */
export function configurationReport(problems: readonly Problem[]): ConfigurationReport {
  if (problems.length === 0) return { result: "Valid", errorSummary: "" };
  const lines = problems.map(formatProblem).join("\n");
  const errorSummary = `configuration error: ${lines}`.slice(0, MESSAGE_LIMIT);
  return { result: "Invalid", errorSummary };
}

/** The Pod we run in: what we write is removed with it. */
export type Owner = { readonly name: string; readonly uid: string };

/** The object of a server-side apply, without its status. */
export function configurationStateObject(
  namespace: string,
  name: string,
  owner: Owner | undefined,
): object {
  return {
    apiVersion: `${GROUP}/v1beta1`,
    kind: "ConfigurationState",
    metadata: {
      namespace,
      name,
      labels: { "metallb.io/component-type": "controller" },
      ...(owner !== undefined && {
        ownerReferences: [{ apiVersion: "v1", kind: "Pod", name: owner.name, uid: owner.uid }],
      }),
    },
  };
}

/** The same of the status; `since`: when the result became what it is, RFC 3339. */
export function configurationStateStatus(
  namespace: string,
  name: string,
  report: ConfigurationReport,
  since: string,
): object {
  const isValid = report.result === "Valid";
  const reason: ConditionReason<typeof POOLS_CONDITION> = isValid
    ? "Reconciled"
    : CONFIGURATION_ERROR;
  const condition: Condition = {
    type: POOLS_CONDITION,
    status: isValid ? "True" : "False",
    reason,
    message: report.errorSummary,
    lastTransitionTime: since,
  };
  return {
    apiVersion: `${GROUP}/v1beta1`,
    kind: "ConfigurationState",
    metadata: { namespace, name },
    status: { ...report, conditions: [condition] },
  };
}
