// A double of startFrr() that takes everything and records it. It is not FRR: no daemon, no templates,
// no planner; what it says of sessions is what the test told it.

import type { DesiredFrr, Frr, FrrOptions } from "../../src/frr/apply.ts";
import type { FrrSettings, RouteClass } from "../../src/frr/model.ts";
import type { NeighborState } from "../../src/frr/neighbors.ts";
import type { FrrEvent, FrrStatus } from "../../src/frr/status.ts";

type Hooks = Pick<FrrOptions, "onEvent" | "onStatus" | "signal">;

/** One call of `apply`, with the routes as they were then. */
export type RecordedApply = {
  readonly settings: FrrSettings;
  readonly routes: ReadonlyMap<string, RouteClass>;
  readonly changed: readonly string[] | undefined;
  readonly atMs: number;
};

export class RecordedFrr {
  /** Every call so far, oldest first. */
  readonly applies: RecordedApply[] = [];
  #hooks: Hooks | undefined;
  #status: FrrStatus = frrStatus();

  /** What startFrr() is to the speaker. */
  readonly start = (hooks: Hooks): Frr => {
    this.#hooks = hooks;
    return {
      apply: (desired) => this.#apply(desired),
      settled: () => Promise.resolve(),
      status: () => this.#status,
      text: () => "",
      close: () => Promise.resolve(),
    };
  };

  get last(): RecordedApply | undefined {
    return this.applies.at(-1);
  }

  /** Prefixes announced now, sorted. */
  get prefixes(): readonly string[] {
    return [...(this.last?.routes.keys() ?? [])].sort();
  }

  /** Says that things stand otherwise, as the read-back of each second does. */
  tell(change: Partial<FrrStatus>): void {
    this.#status = { ...this.#status, ...change };
    this.#hooks?.onStatus(this.#status);
  }

  event(event: FrrEvent): void {
    this.#hooks?.onEvent(event);
  }

  #apply({ settings, routes, changed }: DesiredFrr): void {
    this.applies.push({
      settings,
      routes: new Map(routes),
      changed: changed && [...changed].sort(),
      atMs: performance.now(),
    });
    this.tell({ appliedRoutes: routes.size });
  }
}

/** An FRR that is connected and has nothing to do. */
export function frrStatus(changes: Partial<FrrStatus> = {}): FrrStatus {
  return {
    connection: { kind: "connected" },
    version: "8.4.4",
    neighbors: [],
    bfd: [],
    problems: [],
    appliedRoutes: 0,
    pending: false,
    counters: { commands: 0, refusedCommands: 0, reconnects: 1, drifts: 0, sessionResets: 0 },
    ...changes,
  };
}

/** A neighbor as bgpd would tell of it. */
export function neighbor(name: string, changes: Partial<NeighborState> = {}): NeighborState {
  return {
    name,
    vrf: "default",
    remoteAs: 65100,
    sessionState: "Established",
    establishedMs: 1000,
    establishedCount: 1,
    sentPrefixes: 0,
    receivedPrefixes: 0,
    reason: undefined,
    foreignPort: 179,
    holdTimeSeconds: 180,
    keepaliveSeconds: 60,
    messages: {
      opensSent: 1,
      opensReceived: 1,
      notificationsSent: 0,
      notificationsReceived: 0,
      updatesSent: 7,
      updatesReceived: 0,
      keepalivesSent: 3,
      keepalivesReceived: 3,
      routeRefreshesSent: 0,
      totalSent: 11,
      totalReceived: 4,
    },
    ...changes,
  };
}
