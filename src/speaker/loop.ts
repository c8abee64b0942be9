// Watches -> desired state -> FRR and the wire -> status. A change is with both in the turn of the event
// loop it came in; logs, Events and status objects follow. Wires, and decides nothing.

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
import { readArpIgnore } from "../l2/strict-arp.ts";
import type { Logger } from "../log.ts";
import type { Peer } from "../members/view.ts";
import type { Address } from "../net/address.ts";
import type { Decision } from "./announce.ts";
import { DesiredState, type Transition } from "./desired.ts";
import { Elections } from "./election.ts";
import { Electorate } from "./electorate.ts";
import { type ConditionChange, conditionChange } from "./excluded-condition.ts";
import { compileL2Policies } from "./l2-policy.ts";
import { arpInterfaces, l2Problems } from "./l2-problems.ts";
import { type L2State, l2State } from "./l2-state.ts";
import { registerMetrics } from "./metrics.ts";
import { findOwner } from "./owner.ts";
import { compilePolicy, type Policy } from "./policy.ts";
import { createReporter } from "./report.ts";
import type { NodeState, SpeakerPod } from "./service.ts";
import { type Session, sessionsOf } from "./sessions.ts";
import { type FrrLogLevel, frrSettings } from "./settings.ts";
import { connectionText, type FrrState, type SpeakerState, speakerState } from "./state.ts";
import { configurationReport, statusPeers } from "./status.ts";
import { type StatusWriter, startStatusWriter } from "./status-writer.ts";
import { startWatches } from "./watches.ts";
import type { Wire, WireHooks } from "./wire.ts";

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
  readonly startWire: (hooks: WireHooks) => Wire;
  /** Labels of the Pods of speakers; undefined: membership is off, and every Node counts as alive. */
  readonly speakerSelector: string | undefined;
  readonly log: Logger;
  readonly registry: Registry;
  /** Fires: ends, and leaves FRR announcing what it announces. */
  readonly signal: AbortSignal;
};

export type Speaker = {
  /** What is missing, in words; empty: ready. */
  readonly waitingFor: () => readonly string[];
  readonly state: () => SpeakerState;
  /** Hands what this node answers for to other nodes; resolves when that is done or time is up. */
  readonly drain: (timeoutMs: number) => Promise<void>;
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

/** Time between looks for what the kernel does beside us. */
const L2_LOOK_MS = 10_000;
/** Whom the API server is asked whether it is there: what anybody may read. */
const API_PATH = "/version";
const API_TIMEOUT_MS = 500;

/** Starts to announce what this node is to announce, as soon as all of it is known. */
export function startSpeaker(options: SpeakerOptions): Speaker {
  const { connection, namespace, nodeName, log, signal } = options;
  const desired = new DesiredState();
  const nodes = new Map<string, NodeState>();
  const elections = new Elections();
  let isSynced = false;
  let isConfigDue = true;
  /** What decisions depend on besides the configuration: Nodes and members. */
  let isElectorateDue = true;
  let arePeersDue = true;
  let isFlushDue = false;
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
  const wire = options.startWire({
    onEvent: reporter.wireEvent,
    onAddresses: (addresses) => {
      for (const address of addresses) for (const key of desired.servicesAt(address)) tellL2(key);
    },
    onMembers: () => {
      reporter.members(wire.status().members);
      isElectorateDue = true;
      flushSoon();
    },
    onStatus: () => {
      reporter.fence(wire.status().fence);
      for (const key of l2Standing.keys()) tellL2(key);
      lookAtLayer2();
    },
    askApi: async () => {
      const timely = AbortSignal.any([signal, AbortSignal.timeout(API_TIMEOUT_MS)]);
      try {
        await connection.request("GET", API_PATH, { signal: timely });
      } catch (error) {
        // A refusal is an answer too.
        if (!(error instanceof KubeError) || error.status === undefined) throw error;
      }
    },
  });
  const looking = setInterval(lookAtLayer2, L2_LOOK_MS);
  looking.unref();
  signal.addEventListener("abort", () => clearInterval(looking), { once: true });
  let l2ProblemsNow: readonly string[] = [];
  /** How each Service stood on Layer 2 when it was last told. */
  const l2Standing = new Map<string, L2State>();
  const metrics = registerMetrics(options.registry, {
    node: nodeName,
    decisions: () => desired.decisions,
    peers: () => inForce?.config.peers ?? [],
    frr: frr.status,
    wire: wire.status,
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
      node: (change) => {
        if (change.kind === "set") nodes.set(change.key, change.object);
        // What was known of our own stays.
        else if (change.key !== nodeName) nodes.delete(change.key);
        if (change.key === nodeName) isConfigDue = true;
        isElectorateDue = true;
        flushSoon();
      },
      speakerPod: () => {
        arePeersDue = true;
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
      serviceStatus: (service) => writer?.service(service),
      configurationStateGone: () => writer?.configurationStateGone(),
      statusesSynced: () => statusesKnown.resolve(),
      problem: reporter.watchProblem,
    },
  });

  void startWriting();

  /** In a microtask: what one piece of a watch or a list brings goes together. */
  function flushSoon(): void {
    if (isFlushDue || !isSynced) return;
    isFlushDue = true;
    const sinceMs = performance.now();
    queueMicrotask(() => {
      isFlushDue = false;
      const self = nodes.get(nodeName);
      if (!signal.aborted && self !== undefined) flush(self, sinceMs);
    });
  }

  function flush(self: NodeState, sinceMs: number): void {
    // Not before the list is complete: a speaker that knows of no other needs nobody's word.
    const speakerPods = arePeersDue ? watches.speakerPods() : undefined;
    if (speakerPods !== undefined) {
      arePeersDue = false;
      wire.setPeers(peersOf(speakerPods));
    }
    const before = inForce?.settings;
    const isConfigNew = isConfigDue;
    if (isConfigNew) compileConfig(self);
    if (inForce === undefined || parsed === undefined) return;
    if (isElectorateDue) setBasis(inForce);
    const { transitions, changedPrefixes, changedWants } = desired.decide();
    if (changedWants.size > 0) wire.change(changedWants);
    if (inForce.settings !== before || changedPrefixes.size > 0) {
      if (before !== undefined) unappliedSinceMs ??= sinceMs;
      frr.apply({ settings: inForce.settings, routes: desired.routes, changed: changedPrefixes });
    }
    for (const event of earlyEvents.splice(0)) reporter.frrEvent(event, sessions());
    if (isConfigNew) tellConfig();
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
      isElectorateDue = true;
    }
  }

  /** Every Service is decided anew. */
  function setBasis({ config, policy, node }: InForce): void {
    isElectorateDue = false;
    const { ignoreExcludeLabel } = options;
    desired.setBasis({
      policy,
      node,
      ignoreExcludeLabel,
      l2Policies: compileL2Policies(config.l2Advertisements, config.pools.keys(), nodes),
      electorate: new Electorate({
        self: nodeName,
        nodes,
        members: livingMembers(),
        ignoreExcludeLabel,
        elections,
      }),
    });
  }

  function conditionOf(service: string): ConditionChange | undefined {
    const [facts, decision] = [desired.services.get(service), desired.decisions.get(service)];
    if (facts === undefined || decision === undefined) return undefined;
    // Of the nodes that are alive, the first by name does what one of them has to do.
    const isFirst = () => nodeName === [...(livingMembers() ?? nodes.keys())].sort()[0];
    return conditionChange(facts, decision, { name: nodeName, isFirst });
  }

  /** Undefined: membership is off. */
  function livingMembers(): ReadonlySet<string> | undefined {
    if (options.speakerSelector === undefined) return undefined;
    return new Set(wire.status().members?.alive ?? []);
  }

  function tellConfig(): void {
    const problems = allProblems();
    const accepted = parsedForAll?.accepted ?? new Map();
    parsedForAll = parseConfig(watches.resources(), { node: undefined, accepted });
    metrics.updated(1);
    metrics.configLoaded({ isStale: problems.length > 0 });
    reporter.problems(problems, parsedForAll.problems);
    tellConfiguration();
  }

  function tellTransitions(transitions: readonly Transition[]): void {
    metrics.updated(transitions.length);
    for (const transition of transitions) {
      reporter.transition(transition);
      const { key, before, after } = transition;
      if (!samePeers(before, after) || conditionOf(key) !== undefined) writer?.service(key);
      tellL2(key);
    }
  }

  /** Says how a Service stands on Layer 2, if that is news. */
  function tellL2(key: string): void {
    const before = l2Standing.get(key);
    const decision = desired.decisions.get(key);
    const after = decision && l2State(decision, wire.status());
    if (after === undefined) l2Standing.delete(key);
    else l2Standing.set(key, after);
    if (isDeepStrictEqual(before, after)) return;
    reporter.l2Transition({
      key,
      uid: desired.services.get(key)?.uid ?? "",
      decision,
      before,
      after,
    });
    writer?.service(key);
  }

  /** The kernel tells nobody when its settings change: looked at now and then. */
  function lookAtLayer2(): void {
    const status = wire.status();
    const problems = l2Problems(status, readArpIgnore(arpInterfaces(status)));
    if (isDeepStrictEqual(problems, l2ProblemsNow)) return;
    reporter.l2Problems(l2ProblemsNow, problems);
    l2ProblemsNow = problems;
    tellConfiguration();
  }

  function tellConfiguration(): void {
    const { problems } = frr.status();
    writer?.configuration(configurationReport(allProblems(), problems, l2ProblemsNow));
  }

  /** Of the configuration, and of what is asked of our Node. */
  function allProblems(): readonly Problem[] {
    const problems = parsed?.problems ?? [];
    const message = nodes.get(nodeName)?.l2WeightProblem;
    if (message === undefined) return problems;
    const object = objectRef("Node", { name: nodeName });
    return [...problems, { object, field: "metadata.annotations", message, transient: false }];
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
      bgp: {
        wantedOf: (service) => statusPeers(desired.decisions.get(service)),
        statusesOf: watches.bgpStatuses.of,
        onFirst: (service) => {
          const facts = desired.services.get(service);
          if (facts !== undefined) reporter.assigned(service, facts.uid, "bgp");
        },
      },
      l2: {
        wantedOf: (service) => {
          const state = l2Standing.get(service);
          return state?.announced ? state.interfaces : undefined;
        },
        statusesOf: watches.l2Statuses.of,
        // Told when the address was gained: see tellL2().
        onFirst: () => {},
      },
      conditionOf,
      onCondition: (service, change) => {
        const facts = desired.services.get(service);
        if (facts !== undefined && change.kind === "set") {
          reporter.excluded(service, facts.uid, change.message);
        }
      },
      onError: logFailure,
    });
    tellConfiguration();
    for (const service of desired.decisions.keys()) writer.service(service);
    for (const { services } of [watches.bgpStatuses, watches.l2Statuses]) {
      for (const service of services()) writer.service(service);
    }
  }

  function onEvent(event: FrrEvent): void {
    if (event.kind === "applied") {
      const { commands, durationMs } = event;
      lastApply = { at: new Date().toISOString(), durationMs, commands };
    }
    if (inForce === undefined && event.kind === "session") earlyEvents.push(event);
    else reporter.frrEvent(event, sessions());
    if (event.kind === "problem" || event.kind === "problem-gone") {
      tellConfiguration();
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
        problems: allProblems(),
        l2Problems: l2ProblemsNow,
        frr: frr.status(),
        lastApply,
        wire: wire.status(),
      }),
    drain: (timeoutMs) => wire.drain(timeoutMs),
    closed: async () => void (await Promise.all([frr.close(), wire.close()])),
  };
}

function samePeers(before: Decision | undefined, after: Decision): boolean {
  return statusPeers(before)?.join() === statusPeers(after)?.join();
}

/** Several Pods on one Node, as during a rollout, are one peer. */
function peersOf(pods: Iterable<SpeakerPod>): readonly Peer[] {
  const byNode = new Map<string, Set<Address>>();
  for (const { node, addresses } of pods) {
    const known = byNode.get(node) ?? new Set<Address>();
    for (const address of addresses) known.add(address);
    byNode.set(node, known);
  }
  return [...byNode].map(([name, addresses]) => ({ name, addresses: [...addresses] }));
}
