// Takes part in the election of a leader: watches the Lease, writes it when leader.ts says so, tells
// when a term begins and ends. Decides nothing.

import type { Connection, Method } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { type Lease, leaseFolder } from "../kube/lease.ts";
import { within } from "../kube/sleep.ts";
import { startStore } from "../kube/store.ts";
import { Leader, type LeaderOptions } from "./leader.ts";

export type ElectionOptions = LeaderOptions & {
  /** One of its own: a renewal must not wait behind other requests. */
  readonly connection: Connection;
  /** We lead from now on, for as long as `isValid`. */
  readonly onLeading: (term: Term) => void;
  /** The term is over; called once for each, soon after `isValid` turned false. */
  readonly onLost: (why: string) => void;
  /** undefined: all is well again. Repeats are filtered. */
  readonly onProblem: (problem: string | undefined) => void;
};

export type Term = {
  /** Whether nobody else can lead by now; never true again once it was false. */
  readonly isValid: () => boolean;
  readonly lease: Lease;
};

export type Election = {
  /** Why we could not lead even if we had to, in words; empty: we could. */
  readonly waitingFor: () => readonly string[];
  /** Who holds the Lease; "": nobody, as far as is known. */
  readonly holder: () => string;
  /** Ends it. With `release` the next one need not wait; what the term did must be at its end. */
  readonly close: (options: { readonly release: boolean }) => Promise<void>;
};

/** The longest of one wait: timers know no infinity. */
const LONGEST_WAIT_MS = 60_000;
/** How long a renewal that is under way may take when we are to end, and the release after it. */
const CLOSE_MS = 1_000;

export function startElection(options: ElectionOptions): Election {
  const { connection, namespace, name, onProblem } = options;
  const leader = new Leader(options);
  const ended = new AbortController();
  const { signal } = ended;
  const folder = leaseFolder(namespace);
  const path = `${folder}/${name}`;
  let lastTerm: number | undefined;
  let wake = () => {};
  /** Of the watch, and of the requests. */
  let watchProblem: string | undefined;
  let writeProblem: string | undefined;
  let told: string | undefined;

  const tellProblem = () => {
    // That the Lease can be read does not say that we may write it; that another renews it makes it needless.
    if (!leader.isTroubled) writeProblem = undefined;
    const problem = writeProblem ?? watchProblem;
    if (problem === told) return;
    told = problem;
    onProblem(problem);
  };

  const store = startStore<Lease>({
    connection,
    path: folder,
    fieldSelector: `metadata.name=${name}`,
    prune: (object) => pruneLease(object as Lease),
    onChange: (change) => {
      leader.see(change.kind === "set" ? change.object : undefined, performance.now());
      tellProblem();
      wake();
    },
    onSynced: () => {
      if (store.size === 0) leader.see(undefined, performance.now());
      wake();
    },
    onProblem: (problem) => {
      watchProblem = problem;
      tellProblem();
    },
    signal,
  });

  /** Tells of terms that began or ended; to be called before anything is waited for. */
  const tell = () => {
    const term = leader.term(performance.now());
    if (term === lastTerm) return;
    if (lastTerm !== undefined) options.onLost(leader.lostBecause);
    lastTerm = term;
    const { lease = { metadata: { namespace, name } } } = leader;
    if (term !== undefined) {
      options.onLeading({
        isValid: () => {
          const isValid = leader.term(performance.now()) === term;
          if (!isValid) wake();
          return isValid;
        },
        lease,
      });
    }
  };

  const pause = (untilMs: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waitMs = Math.min(Math.max(untilMs - performance.now(), 0), LONGEST_WAIT_MS);
    const timer = setTimeout(resolve, Math.ceil(waitMs));
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
    return promise;
  };

  const ask = async (method: Method, at: string, lease?: Lease): Promise<Lease> => {
    const body = lease && { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...lease };
    const timeoutMs = leader.timeoutMs(performance.now());
    return pruneLease(await connection.request<Lease>(method, at, { body, timeoutMs }));
  };

  const write = async (lease: Lease): Promise<void> => {
    const sentAtMs = performance.now();
    const isNew = lease.metadata.resourceVersion === undefined;
    const answer = await (isNew ? ask("POST", folder, lease) : ask("PUT", path, lease));
    leader.written(answer, sentAtMs, performance.now());
  };

  const look = async (): Promise<void> => {
    let lease: Lease | undefined;
    try {
      lease = await ask("GET", path);
    } catch (error) {
      if (!(error instanceof KubeError && error.status === 404)) throw error;
    }
    leader.found(lease, performance.now());
  };

  const attempt = async (work: Promise<void>): Promise<void> => {
    try {
      await work;
    } catch (error) {
      if (!(error instanceof KubeError)) throw error;
      leader.failed(performance.now());
      // Somebody else was quicker: that is what the Lease is there for.
      if (error.status !== 409 && !signal.aborted) writeProblem = error.message;
    }
    tellProblem();
  };

  const run = async (): Promise<void> => {
    while (!signal.aborted) {
      tell();
      const step = leader.next(performance.now(), timeOfDay());
      switch (step.kind) {
        case "wait":
          await pause(step.untilMs);
          break;
        case "look":
          await attempt(look());
          break;
        case "write":
          await attempt(write(step.lease));
          break;
      }
    }
  };
  const running = run();

  return {
    waitingFor: () => {
      if (!store.synced) return [store.problem ?? `list of the Lease ${name}`];
      return writeProblem === undefined ? [] : [`Lease ${name}: ${writeProblem}`];
    },
    holder: () => leader.holder,
    close: async ({ release }) => {
      ended.abort();
      wake();
      await within(CLOSE_MS, running);
      const lease = leader.release(performance.now(), timeOfDay());
      leader.resign();
      if (!release || lease === undefined) return;
      try {
        const body = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", ...lease };
        await connection.request("PUT", path, { body, timeoutMs: CLOSE_MS });
      } catch (error) {
        // Then it runs out.
        if (!(error instanceof KubeError)) throw error;
      }
    },
  };
}

/** As clocks on walls, which somebody may set; with microseconds, so that no two renewals are the same. */
function timeOfDay(): number {
  return Date.now() + (performance.now() % 1);
}

/** Without what each write would send again and nobody reads. */
function pruneLease({ metadata, spec }: Lease): Lease {
  const { managedFields: _, ...rest } = metadata as Lease["metadata"] & {
    readonly managedFields?: unknown;
  };
  return { metadata: rest, ...(spec !== undefined && { spec }) };
}
