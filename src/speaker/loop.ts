// Watches -> desired state -> FRR -> status. A change is with FRR in the turn of the event loop it
// came in; logs, Events and status objects follow. Wires, and decides nothing.

import { isDeepStrictEqual } from "node:util";
import type { Registry } from "prom-client";
import { type Config, type ParsedConfig, parseConfig } from "../config/config.ts";
import { objectRef, type Problem } from "../config/problem.ts";
import type { Frr, FrrOptions } from "../frr/apply.ts";
import type { FrrSettings } from "../frr/model.ts";
import type { FrrEvent, FrrStatus } from "../frr/status.ts";
import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { startEvents } from "../kube/event.ts";
import type { Logger } from "../log.ts";
import type { Decision } from "./announce.ts";
import { DesiredState, type Transition } from "./desired.ts";
import { registerMetrics } from "./metrics.ts";
import { findOwner } from "./owner.ts";
import { compilePolicy, type Policy } from "./policy.ts";
import { createReporter } from "./report.ts";
import type { NodeState } from "./service.ts";
import { type Session, sessionsOf } from "./sessions.ts";
import { type FrrLogLevel, frrSettings } from "./settings.ts";
import { connectionText, type FrrState, type SpeakerState, speakerState } from "./state.ts";
import { configurationReport, statusPeers } from "./status.ts";
import { type StatusWriter, startStatusWriter } from "./status-writer.ts";
import { startWatches } from "./watches.ts";

export type SpeakerOptions = {
  readonly connection: Connection;
  /** MetalLB's own namespace. */
  readonly namespace: string;
  readonly nodeName: string;
  /** The Pod we run in; undefined: none. */
  readonly podName: string | undefined;
  /** Services of this class only; undefined: those without a class. */
  readonly loadBalancerClass: string | undefined;
  /** Do not look at the label node.kubernetes.io/exclude-from-external-load-balancers. */
  readonly ignoreExcludeLabel: boolean;
  readonly frrLogLevel: FrrLogLevel;
  readonly startFrr: (hooks: Pick<FrrOptions, "onEvent" | "onStatus" | "signal">) => Frr;
  readonly log: Logger;
  readonly registry: Registry;
  /** Fires: ends, and leaves FRR announcing what it announces. */
  readonly signal: AbortSignal;
};

export type Speaker = {
  /** What is missing, in words; empty: ready. */
  readonly waitingFor: () => readonly string[];
  readonly state: () => SpeakerState;
  /** Resolves, after the signal fired, when everything is given back. */
  readonly closed: () => Promise<void>;
};

/** The configuration in force, and what was made of it. */
type InForce = {
  readonly config: Config;
  readonly policy: Policy;
  readonly settings: FrrSettings;
  readonly node: NodeState;
};

/** Starts to announce what this node is to announce, as soon as all of it is known. */
export function startSpeaker(options: SpeakerOptions): Speaker {
  const { connection, namespace, nodeName, log, signal } = options;
  const desired = new DesiredState(options);
  let isSynced = false;
  let isConfigDue = true;
  let isFlushDue = false;
  let node: NodeState | undefined;
  let parsed: ParsedConfig | undefined;
  /** The same as the whole cluster sees it. */
  let parsedForAll: ParsedConfig | undefined;
  let inForce: InForce | undefined;
  let writer: StatusWriter | undefined;
  const decided = Promise.withResolvers<void>();
  const statusesKnown = Promise.withResolvers<void>();
  let lastApply: FrrState["lastApply"] = null;
  /** What FRR told before the peers were known by which it is to be told on. */
  const earlyEvents: FrrEvent[] = [];
  /** When the oldest change came that FRR does not have yet. */
  let unappliedSinceMs: number | undefined;

  const events = startEvents({
    connection,
    component: "metallb-speaker",
    onError: (error) => logFailure("Event", error),
    signal,
  });
  const reporter = createReporter({
    node: nodeName,
    log,
    emit: events.emit,
    objectOf: (kind, name) => {
      const peer = watches.resources().peers.find(({ metadata }) => metadata.name === name);
      return objectRef(
        kind,
        (kind === "BGPPeer" ? peer?.metadata : undefined) ?? { name, namespace },
      );
    },
  });
  const frr = options.startFrr({ onEvent, onStatus, signal });
  const metrics = registerMetrics(options.registry, {
    node: nodeName,
    decisions: () => desired.decisions,
    peers: () => inForce?.config.peers ?? [],
    frr: frr.status,
  });
  const watches = startWatches({
    ...options,
    sink: {
      service: (change) => {
        if (change.kind === "set") desired.setService(change.object);
        else desired.deleteService(change.key);
        flushSoon();
      },
      slice: (change) => {
        if (change.kind === "set") desired.setSlice(change.key, change.object, change.previous);
        else desired.deleteSlice(change.key, change.previous);
        flushSoon();
      },
      node: (state) => {
        node = state;
        isConfigDue = true;
        flushSoon();
      },
      config: () => {
        isConfigDue = true;
        flushSoon();
      },
      synced: () => {
        isSynced = true;
        flushSoon();
      },
      serviceBgpStatus: (service) => writer?.service(service),
      configurationStateGone: () => writer?.configurationStateGone(),
      statusesSynced: () => statusesKnown.resolve(),
      problem: reporter.watchProblem,
    },
  });

  void startWriting();

  /** In a microtask: what one piece of a watch or a list brings goes together. */
  function flushSoon(): void {
    if (isFlushDue || !isSynced || node === undefined) return;
    isFlushDue = true;
    const sinceMs = performance.now();
    queueMicrotask(() => {
      isFlushDue = false;
      if (!signal.aborted && node !== undefined) flush(node, sinceMs);
    });
  }

  function flush(self: NodeState, sinceMs: number): void {
    const before = inForce?.settings;
    const isConfigNew = isConfigDue;
    if (isConfigNew) compileConfig(self);
    if (inForce === undefined || parsed === undefined) return;
    const { transitions, changedPrefixes } = desired.decide();
    if (inForce.settings !== before || changedPrefixes.size > 0) {
      if (before !== undefined) unappliedSinceMs ??= sinceMs;
      frr.apply({ settings: inForce.settings, routes: desired.routes, changed: changedPrefixes });
    }
    for (const event of earlyEvents.splice(0)) reporter.frrEvent(event, sessions());
    if (isConfigNew) tellConfig(parsed.problems);
    tellTransitions(transitions);
    decided.resolve();
  }

  function compileConfig(self: NodeState): void {
    isConfigDue = false;
    const accepted = parsed?.accepted ?? new Map();
    parsed = parseConfig(watches.resources(), { node: self, accepted });
    const { config } = parsed;
    const isSameConfig = isDeepStrictEqual(inForce?.config, config);
    if (inForce === undefined || !isSameConfig || inForce.node !== self) {
      const policy = compilePolicy(config);
      const settings = frrSettings(config, policy, self, options.frrLogLevel);
      const isSame = isDeepStrictEqual(inForce?.settings, settings);
      inForce = {
        config,
        policy,
        node: self,
        settings: isSame && inForce !== undefined ? inForce.settings : settings,
      };
      desired.setBasis({ policy, node: self });
    }
  }

  function tellConfig(problems: readonly Problem[]): void {
    const accepted = parsedForAll?.accepted ?? new Map();
    parsedForAll = parseConfig(watches.resources(), { node: undefined, accepted });
    metrics.updated(1);
    metrics.configLoaded({ isStale: problems.length > 0 });
    reporter.problems(problems, parsedForAll.problems);
    tellConfiguration(problems);
  }

  function tellTransitions(transitions: readonly Transition[]): void {
    metrics.updated(transitions.length);
    for (const transition of transitions) {
      reporter.transition(transition);
      if (!samePeers(transition.before, transition.after)) writer?.service(transition.key);
    }
  }

  function tellConfiguration(problems: readonly Problem[]): void {
    writer?.configuration(configurationReport(problems, frr.status().problems));
  }

  /** Status objects wait until it is known what to say, what they say already, and who owns them. */
  async function startWriting(): Promise<void> {
    await Promise.all([decided.promise, statusesKnown.promise]);
    const onError = (error: KubeError) => logFailure("own Pod", error);
    const owner = await findOwner({ ...options, onError });
    if (signal.aborted) return;
    writer = startStatusWriter({
      ...options,
      node: nodeName,
      owner,
      configurationState: watches.configurationState(),
      peersOf: (service) => statusPeers(desired.decisions.get(service)),
      statusesOf: (service) => [...(watches.statuses().get(service)?.values() ?? [])],
      onFirstStatus: (service) => {
        const facts = desired.services.get(service);
        if (facts !== undefined) reporter.assigned(service, facts.uid);
      },
      onError: logFailure,
    });
    tellConfiguration(parsed?.problems ?? []);
    for (const service of desired.decisions.keys()) writer.service(service);
    for (const service of watches.statuses().keys()) writer.service(service);
  }

  function onEvent(event: FrrEvent): void {
    if (event.kind === "applied") {
      const { commands, durationMs } = event;
      lastApply = { at: new Date().toISOString(), durationMs, commands };
    }
    if (inForce === undefined && event.kind === "session") earlyEvents.push(event);
    else reporter.frrEvent(event, sessions());
    if (event.kind === "problem" || event.kind === "problem-gone") {
      tellConfiguration(parsed?.problems ?? []);
    }
  }

  function onStatus(status: FrrStatus): void {
    if (!status.pending && unappliedSinceMs !== undefined) {
      metrics.applied(performance.now() - unappliedSinceMs);
      unappliedSinceMs = undefined;
    }
    reporter.frrStatus(status);
    if (status.connection.kind === "connected") reporter.sessions(sessions(), Date.now());
  }

  function sessions(): readonly Session[] {
    return sessionsOf(inForce?.config.peers ?? [], frr.status());
  }

  function logFailure(what: string, error: unknown): void {
    metrics.updateFailed();
    // That the API server is away is said by the watches.
    const isSilent = error instanceof KubeError && error.status === undefined;
    log[isSilent ? "debug" : "warn"](
      { op: "write", what, error },
      "request to the API server failed",
    );
  }

  function waitingFor(): readonly string[] {
    const status = frr.status();
    return [
      ...watches.waitingFor(),
      ...(status.connection.kind === "connected" ? [] : [`FRR: ${connectionText(status)}`]),
    ];
  }

  return {
    waitingFor,
    state: () =>
      speakerState({
        node: nodeName,
        waitingFor: waitingFor(),
        decisions: desired.decisions,
        routes: desired.routes,
        sessions: sessions(),
        problems: parsed?.problems ?? [],
        frr: frr.status(),
        lastApply,
      }),
    closed: () => frr.close(),
  };
}

function samePeers(before: Decision | undefined, after: Decision): boolean {
  return statusPeers(before).join() === statusPeers(after).join();
}
