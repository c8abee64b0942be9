// Runs a controller for as long as it leads, and nothing of it otherwise: each term begins with fresh
// lists and ends with everything that belongs to it. Decides nothing.

import { Gauge, Registry } from "prom-client";
import type { Connection } from "../kube/connection.ts";
import { type Events, startEvents } from "../kube/event.ts";
import { within } from "../kube/sleep.ts";
import { type Election, startElection, type Term } from "./election.ts";
import type { EventReason } from "./event-reasons.ts";
import { type Controller, type ControllerOptions, startController } from "./loop.ts";

/** The Lease, in MetalLB's own namespace. */
export const LEASE_NAME = "metallb-controller";

export type CandidateOptions = Omit<ControllerOptions, "connection" | "registry"> & {
  /** For the Lease; what it carries must not wait behind other requests. */
  readonly connection: Connection;
  /** Makes the connection of a term; it sends no write when `mayWrite` says no. */
  readonly connectTerm: (mayWrite: () => boolean) => Connection;
  /** What we are called in the Lease. */
  readonly identity: string;
  readonly durationMs: number;
};

export type Candidate = Controller & {
  /** The metrics there are now: those of a controller only while it leads. */
  readonly registries: () => readonly Registry[];
};

/** How long writes that are under way may take when we are to end. */
export const CLOSE_MS = 1_000;

type Running = {
  readonly term: Term;
  readonly connection: Connection;
  readonly controller: Controller;
  readonly registry: Registry;
  readonly ended: AbortController;
};

/** Takes part in the election until the signal fires. */
export function startCandidate(options: CandidateOptions): Candidate {
  const { connection, namespace, identity, log, signal } = options;
  let running: Running | undefined;
  const registry = new Registry();
  registerLeader(registry, () => running?.term.isValid() === true);
  const events = startEvents({
    connection,
    component: "metallb-controller",
    onError: (error) => log.debug({ op: "write", what: "Event", error }, "failed"),
    signal,
  });

  const onLeading = (term: Term) => {
    // Too late: it is released again at once.
    if (signal.aborted) return;
    log.info({ op: "leaderElection", identity }, "became leader");
    tellEvent(events, term, `${identity} became leader`);
    const ended = new AbortController();
    const own = new Registry();
    const termConnection = options.connectTerm(term.isValid);
    const controller = startController({
      ...options,
      connection: termConnection,
      registry: own,
      signal: ended.signal,
    });
    running = { term, connection: termConnection, controller, registry: own, ended };
  };
  const onLost = (why: string) => {
    if (running === undefined) return;
    log.warn({ op: "leaderElection", identity, reason: why }, "lost, standing by");
    tellEvent(events, running.term, `${identity} stopped leading: ${why}`);
    running.ended.abort();
    // What is under way is not waited for: it must not arrive late.
    running.connection.close();
    running = undefined;
  };
  const election: Election = startElection({
    connection,
    namespace,
    name: LEASE_NAME,
    identity,
    durationMs: options.durationMs,
    onLeading,
    onLost,
    onProblem: (problem) => {
      if (problem === undefined) log.info({ op: "leaderElection" }, "Lease in reach again");
      else log.warn({ op: "leaderElection", error: problem }, "no way to the Lease, trying again");
    },
  });
  log.info({ op: "leaderElection", identity, lease: LEASE_NAME }, "standing by");

  const ended = end();

  async function end(): Promise<void> {
    if (!signal.aborted) {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
    }
    const last = running;
    last?.ended.abort();
    const isDone = last === undefined || (await within(CLOSE_MS, last.controller.closed()));
    // Lost meanwhile, it is closed already.
    last?.connection.close();
    running = undefined;
    // A write without an answer may still arrive: then nobody may lead before our time is over.
    await election.close({ release: isDone });
  }

  return {
    waitingFor: () => (running?.controller ?? election).waitingFor(),
    registries: () => (running === undefined ? [registry] : [registry, running.registry]),
    closed: () => ended,
  };
}

/** Registers whether this controller is the one that gives addresses. */
export function registerLeader(registry: Registry, isLeader: () => boolean): void {
  new Gauge({
    name: "metallb_controller_leader",
    help: "1 if this controller gives addresses, 0 if it stands by for another that does.",
    registers: [registry],
    collect() {
      this.set(isLeader() ? 1 : 0);
    },
  });
}

/** As client-go writes it, so that it stands in `kubectl describe lease`. */
function tellEvent(events: Events, { lease }: Term, message: string): void {
  const { namespace, name, uid } = lease.metadata;
  events.emit({
    object: { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace, name, uid },
    type: "Normal",
    reason: "LeaderElection" satisfies EventReason,
    message,
  });
}
