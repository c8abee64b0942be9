// Watches -> decide -> write. What one piece of a watch or a list brings is decided together, in the
// turn of the event loop it came in; writes follow. Wires, and decides nothing.

import { isDeepStrictEqual } from "node:util";
import type { Registry } from "prom-client";
import { type ParsedConfig, parseConfig } from "../config/config.ts";
import { formatProblem, objectKey, type Problem } from "../config/problem.ts";
import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startEvents } from "../kube/event.ts";
import type { Logger } from "../log.ts";
import type { ServiceKey } from "./allocation.ts";
import {
  CONFIG_KINDS,
  CONFIGURATION_ERROR,
  type ConfigKind,
  type ConfigVerdict,
  configApiVersion,
  configurationReport,
} from "./config-status.ts";
import { startConfigWriter } from "./config-writer.ts";
import { ensureMemberlistSecret } from "./memberlist-secret.ts";
import { registerMetrics } from "./metrics.ts";
import { type PoolCounters, poolCounters } from "./pool-status.ts";
import { Reconciler, type Write } from "./reconciler.ts";
import { startServiceWriter } from "./service-writer.ts";
import { pruneService, startWatches } from "./watches.ts";

export type ControllerOptions = {
  readonly connection: Connection;
  /** MetalLB's own namespace. */
  readonly namespace: string;
  /** The Pod we run in; undefined: none. */
  readonly podName: string | undefined;
  /** `spec.loadBalancerClass` we serve; "": Services without one. */
  readonly loadBalancerClass: string;
  /** The Secret speakers know each other by, and the Deployment that owns it; undefined: none. */
  readonly memberlistSecret: string | undefined;
  readonly deployment: string | undefined;
  readonly log: Logger;
  readonly registry: Registry;
  readonly signal: AbortSignal;
};

export type Controller = {
  /** What is missing, in words; empty: ready. */
  readonly waitingFor: () => readonly string[];
  /** Resolves, after the signal fired, when what was being written is written. */
  readonly closed: () => Promise<void>;
};

/** Starts to give addresses to Services, as soon as all is known that takes part in that. */
export function startController(options: ControllerOptions): Controller {
  const { connection, namespace, loadBalancerClass, log, signal } = options;
  let isSynced = false;
  let isConfigDue = true;
  let turn: NodeJS.Immediate | undefined;
  let parsed: ParsedConfig | undefined;
  let problems: ReadonlyMap<string, readonly Problem[]> = new Map();
  /** The counters each pool was last seen with. */
  let counters: ReadonlyMap<string, PoolCounters> = new Map();

  const reconciler = new Reconciler({
    loadBalancerClass,
    now,
    onWrite: (key) => services.add(key),
  });
  const metrics = registerMetrics(options.registry, {
    allocations: () => reconciler.allocations,
    waiting: () => reconciler.waiting,
    updates: () => reconciler.decisions,
  });
  const events = startEvents({
    connection,
    component: "metallb-controller",
    onError: (error) => logFailure("Event", error),
    signal,
  });
  const services = startServiceWriter({
    connection,
    reconciler,
    prune: (service) => pruneService(service, loadBalancerClass),
    onTold: settleSoon,
    onWritten: tellWritten,
    onConflict: metrics.conflict,
    onError: (key, error) => logFailure(`Service ${key}`, error),
    signal,
  });
  const config = startConfigWriter({
    ...options,
    objectOf: (kind, name) => watches.configObject(kind, name),
    verdictOf,
    now,
    onError: logFailure,
  });
  const watches = startWatches({
    connection,
    namespace,
    loadBalancerClass,
    sink: {
      service: (change) => {
        if (change.kind === "set") reconciler.see(change.key, change.object);
        else reconciler.gone(change.key, change.previous);
        settleSoon();
      },
      config: () => {
        isConfigDue = true;
        settleSoon();
      },
      configObject: config.object,
      configurationStateGone: config.configurationStateGone,
      synced: () => {
        isSynced = true;
        log.info({ op: "sync", services: reconciler.size }, "all objects listed");
        settleSoon();
      },
      problem: (what, problem) => {
        if (problem === undefined) log.info({ op: "watch", what }, "followed again");
        else log.warn({ op: "watch", what, error: problem }, "cannot follow, trying again");
      },
    },
    signal,
  });
  if (options.memberlistSecret !== undefined) {
    const name = options.memberlistSecret;
    const onError = (error: unknown) => logFailure(`Secret ${name}`, error);
    void ensureMemberlistSecret({ ...options, name, onError });
  }

  signal.addEventListener("abort", () => clearImmediate(turn), { once: true });

  function settleSoon(): void {
    if (turn !== undefined || !isSynced || signal.aborted) return;
    turn = setImmediate(() => {
      turn = undefined;
      if (isConfigDue) compileConfig();
      reconciler.settle();
      tellCounters();
    });
  }

  function compileConfig(): void {
    isConfigDue = false;
    const resources = watches.resources();
    const before = parsed?.config.pools;
    const next = parseConfig(resources, {
      node: undefined,
      accepted: parsed?.accepted ?? new Map(),
    });
    parsed = next;
    const { pools } = next.config;
    const refused = resources.pools
      .map(({ metadata }) => metadata.name)
      .filter((n) => !pools.has(n));
    const isFirst = before === undefined;
    if (
      isFirst ||
      !isDeepStrictEqual([before, reconciler.refusedPools], [pools, new Set(refused)])
    ) {
      reconciler.setPools(pools, new Set(refused));
      log.info({ op: "setPools", pools: [...pools.keys()], refused }, "pools in force");
    }
    metrics.configLoaded({ isStale: next.problems.length > 0 });
    config.report(configurationReport(next.problems));
    tellProblems(next.problems);
  }

  /** Each object with problems is told of in the log and by an event, when they are others. */
  function tellProblems(list: readonly Problem[]): void {
    const before = problems;
    problems = Map.groupBy(list, ({ object }) => objectKey(object));
    for (const [key, own] of problems) {
      const [first] = own;
      if (first === undefined || isDeepStrictEqual(before.get(key), own)) continue;
      const message = own.map(formatProblem).join("\n");
      log.warn({ op: "config", object: key, error: message }, "object refused");
      const { kind, namespace: inNamespace, name, uid } = first.object;
      const object = {
        apiVersion: configApiVersion(kind),
        kind,
        namespace: inNamespace === "" ? namespace : inNamespace,
        name,
        uid: uid === "" ? undefined : uid,
      };
      const text = message.slice(0, 1024);
      events.emit({ object, type: "Warning", reason: CONFIGURATION_ERROR, message: text });
    }
    for (const kind of Object.keys(CONFIG_KINDS) as ConfigKind[]) {
      for (const { metadata } of watches.configObjects(kind)) config.object(kind, metadata.name);
    }
  }

  function verdictOf(kind: ConfigKind, name: string): ConfigVerdict | undefined {
    if (parsed === undefined) return undefined;
    const key = `${kind}/${namespace}/${name}`;
    return {
      problems: problems.get(key) ?? [],
      lastGoodInForce: parsed.accepted.get(key)?.inForce ?? false,
      counters: kind === "IPAddressPool" ? poolCounters(reconciler.allocations, name) : undefined,
    };
  }

  function tellCounters(): void {
    const { allocations } = reconciler;
    const before = counters;
    counters = new Map(
      [...allocations.pools.keys()].map((name) => [name, poolCounters(allocations, name)]),
    );
    for (const [name, own] of counters) {
      if (!isDeepStrictEqual(before.get(name), own)) config.object("IPAddressPool", name);
    }
  }

  function tellWritten(key: ServiceKey, write: Write, durationMs: number): void {
    metrics.serviceWritten(durationMs);
    const { service, allocation, cleared } = write;
    const { namespace: inNamespace, name, uid } = service.metadata;
    if (cleared !== undefined) {
      log.info({ op: "clearAssignment", service: key, reason: cleared }, "address given up");
    }
    if (allocation !== undefined && write.patch.status?.loadBalancer !== undefined) {
      const { addresses, pool } = allocation;
      log.info({ event: "ipAllocated", service: key, ip: addresses, pool }, "IP address assigned");
    }
    const object = { apiVersion: "v1", kind: "Service", namespace: inNamespace, name, uid };
    for (const event of write.events) {
      if (event.type === "Warning") {
        log.warn({ event: event.reason, service: key }, event.message);
      }
      events.emit({ object, ...event });
    }
  }

  function logFailure(what: string, error: unknown): void {
    metrics.updateFailed();
    // That the API server is away is said by the watches.
    const isSilent = error instanceof KubeError && error.status === undefined;
    log[isSilent ? "debug" : "warn"]({ op: "write", what, error }, "failed, trying again");
  }

  return {
    waitingFor: watches.waitingFor,
    closed: services.idle,
  };
}

/** Kubernetes writes whole seconds. */
function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
