// Desired state in, FRR's configuration kept equal to it: newest wins, a change of routes takes
// O(changes) commands, everything else goes through the planner. Decides no policy: what to send
// is in plan.ts and desired.ts.

import { isDeepStrictEqual } from "node:util";
import type { Prefix } from "../net/prefix.ts";
import { classText } from "./classes.ts";
import {
  type Batch,
  DAEMONS,
  type Daemon,
  type FrrClient,
  FrrError,
  type Refusal,
} from "./client.ts";
import { ConfigFile } from "./config-file.ts";
import {
  allPrefixes,
  type CompiledSettings,
  compileSettings,
  type NetworkChange,
  networkChanges,
} from "./desired.ts";
import type { FrrSettings, RouteClass, Routes } from "./model.ts";
import { parseBfdPeers, parseNeighbors } from "./neighbors.ts";
import { divide, type FrrFlavor, isNeeded } from "./ownership.ts";
import { PHASE_BEFORE_NETWORKS, PHASE_FLAP, planChanges, type Step } from "./plan.ts";
import { Problems } from "./problems.ts";
import { redact } from "./redact.ts";
import { createRenderer, type Renderer, type Templates } from "./render.ts";
import { Resets } from "./resets.ts";
import { RunningConfiguration } from "./running.ts";
import { Sessions } from "./sessions.ts";
import type { FrrConnection, FrrCounters, FrrEvent, FrrStatus } from "./status.ts";
import { type FrrTree, routerKeyOf } from "./tree.ts";
import { createVtyClient } from "./vty.ts";
import { createVtyshClient } from "./vtysh.ts";

export type FrrOptions = {
  /** The folder with `bgpd.vty`, `zebra.vty`, ...: METALLB_FRR_SOCKETS. */
  readonly socketsFolder: string;
  /** Sockets are faster by far; vtysh is for where they cannot be used. */
  readonly transport: "sockets" | "vtysh";
  /** Where the whole text is kept so that a restarted FRR starts from it; undefined: nowhere. */
  readonly configFile: string | undefined;
  /** See readTemplates() in templates.ts. */
  readonly templates: Templates;
  /** Fires: everything is given back, what is announced stays. */
  readonly signal: AbortSignal;
  readonly onEvent: (event: FrrEvent) => void;
  /** After each read-back (once a second) and after each change of the configuration. */
  readonly onStatus: (status: FrrStatus) => void;
};

export type DesiredFrr = {
  readonly settings: FrrSettings;
  readonly routes: Routes;
  /**
   * Prefixes whose class may differ from the previous call; undefined: compare all. Looked at
   * only while `settings` stays the same object, which makes the call O(changed).
   */
  readonly changed: ReadonlySet<Prefix> | undefined;
};

export type Frr = {
  /** Replaces the desired state. Returns at once; a state not yet applied is forgotten. */
  readonly apply: (desired: DesiredFrr) => void;
  /** Resolves when the newest desired state has been applied, problems excepted. */
  readonly settled: () => Promise<void>;
  readonly status: () => FrrStatus;
  /** The whole configuration text of the newest desired state, without passwords. */
  readonly text: () => string;
  /** Ends as the signal does, and resolves when the last write is done. */
  readonly close: () => Promise<void>;
};

/** Longest silence of a daemon before it counts as hung. */
const DEADLINE_MS = 3000;
/** A first change goes at once; what follows within this time goes together. */
const COALESCE_MS = 6;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2000;
const READ_BACK_MS = 1000;
/** Time between looks for changes made by somebody else: 30 ms of work with 10 000 networks. */
const DRIFT_CHECK_MS = 10_000;
/** First look after a change of settings: did FRR keep what it took? */
const VERIFY_MS = 1000;

/** Starts keeping one FRR; it need not be up yet. */
export function startFrr(options: FrrOptions): Frr {
  const applier = new Applier(options);
  return {
    apply: (desired) => applier.apply(desired),
    settled: () => applier.settled(),
    status: () => applier.status(),
    text: () => applier.text(),
    close: () => applier.close(),
  };
}

type Target = {
  readonly settings: FrrSettings;
  readonly routes: Routes;
  /** undefined: all. */
  changed: Set<Prefix> | undefined;
};

const EMPTY: FrrTree = new Map();

class Applier {
  readonly #options: FrrOptions;
  readonly #renderer: Renderer;
  readonly #client: FrrClient;
  readonly #running: RunningConfiguration;
  readonly #sessions = new Sessions();
  readonly #problems = new Problems();
  readonly #resets = new Resets();
  readonly #file: ConfigFile | undefined;

  #target: Target | undefined;
  #generation = 0;
  #applied = 0;
  #compiled: CompiledSettings | undefined;
  /** What we wanted of each daemon last time: the lines that are ours in shared daemons. */
  #previous: ReadonlyMap<Daemon, FrrTree> = new Map();

  #connection: FrrConnection = { kind: "waiting", reason: "FRR has not been asked yet" };
  #isConnected = false;
  #wasConnected = false;
  #counters: FrrCounters = {
    commands: 0,
    refusedCommands: 0,
    reconnects: 0,
    drifts: 0,
    sessionResets: 0,
  };

  #working = false;
  #again = false;
  #lastStart = 0;
  #retryMs = RETRY_MIN_MS;
  #waiters: (() => void)[] = [];
  #closed = false;

  #workTimer: NodeJS.Timeout | undefined;
  #driftTimer: NodeJS.Timeout | undefined;
  #readTimer: NodeJS.Timeout | undefined;

  constructor(options: FrrOptions) {
    this.#options = options;
    this.#renderer = createRenderer(options.templates);
    const { socketsFolder, signal, configFile } = options;
    this.#client =
      options.transport === "sockets"
        ? createVtyClient({
            socketsFolder,
            deadlineMs: DEADLINE_MS,
            onLost: (error) => this.#onLost(error),
          })
        : createVtyshClient({ socketsFolder, deadlineMs: DEADLINE_MS, signal });
    this.#running = new RunningConfiguration(this.#client);
    if (configFile !== undefined) {
      this.#file = new ConfigFile({
        path: configFile,
        text: () => this.#wholeText(),
        onWritten: (problem) => {
          this.#problems.noteFile(problem);
          this.#tellProblems();
        },
      });
    }
    if (signal.aborted) {
      this.#closed = true;
      return;
    }
    signal.addEventListener("abort", () => void this.close(), { once: true });
    this.#readTimer = setTimeout(() => void this.#readBack(), 0);
    this.#scheduleDriftCheck(DRIFT_CHECK_MS);
  }

  apply(desired: DesiredFrr): void {
    if (this.#closed) return;
    const { settings, routes } = desired;
    const known = this.#target;
    // An equal object is the same: what was compiled from it stays good.
    const isSame = known !== undefined && isDeepStrictEqual(known.settings, settings);
    let changed: Set<Prefix> | undefined;
    if (isSame && desired.changed !== undefined && known.changed !== undefined) {
      changed = known.changed;
      for (const prefix of desired.changed) changed.add(prefix);
    }
    // The user may have put right what was refused.
    if (!isSame) this.#problems.forget();
    this.#target = { settings: isSame ? known.settings : settings, routes, changed };
    this.#generation += 1;
    this.#kick();
  }

  settled(): Promise<void> {
    if (this.#applied === this.#generation || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  status(): FrrStatus {
    return {
      connection: this.#connection,
      version: this.#running.version,
      neighbors: this.#sessions.neighbors,
      bfd: this.#sessions.bfd,
      problems: this.#problems.all,
      appliedRoutes: this.#running.prefixCount,
      pending: this.#applied !== this.#generation,
      counters: this.#counters,
    };
  }

  text(): string {
    return redact(this.#wholeText());
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#workTimer);
    clearTimeout(this.#driftTimer);
    clearTimeout(this.#readTimer);
    this.#client.close();
    for (const waiter of this.#waiters.splice(0)) waiter();
    await this.#file?.close();
  }

  #kick(): void {
    if (this.#closed) return;
    if (this.#working) {
      this.#again = true;
      return;
    }
    if (this.#workTimer !== undefined) return;
    const wait = this.#lastStart + COALESCE_MS - performance.now();
    if (wait <= 0) void this.#run();
    else this.#workIn(wait);
  }

  #workIn(ms: number): void {
    clearTimeout(this.#workTimer);
    this.#workTimer = setTimeout(() => {
      this.#workTimer = undefined;
      void this.#run();
    }, ms);
  }

  async #run(): Promise<void> {
    if (this.#working || this.#closed) return;
    this.#working = true;
    this.#again = false;
    this.#lastStart = performance.now();
    try {
      await this.#work();
      this.#retryMs = RETRY_MIN_MS;
    } catch (error) {
      if (!(error instanceof FrrError)) throw error;
      this.#lost(error);
    } finally {
      this.#working = false;
    }
    if (this.#again) this.#kick();
  }

  /** After a failure: forget what the daemon had, say so, try again later. */
  #lost(error: FrrError): void {
    if (this.#closed) return;
    this.#forget(error.daemon);
    const hung = error.kind === "timeout";
    this.#connection = { kind: hung ? "hung" : "waiting", reason: error.message };
    if (this.#isConnected) {
      this.#isConnected = false;
      this.#sessions.forget();
      this.#resets.forget();
      this.#options.onEvent({ kind: "disconnected", reason: error.message, hung });
    }
    this.#tellStatus();
    this.#again = false;
    this.#workIn(this.#retryMs);
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MAX_MS);
  }

  #forget(daemon: Daemon): void {
    this.#running.forget(daemon);
    this.#problems.forgetDaemon(daemon);
    if (this.#target !== undefined) this.#target.changed = undefined;
  }

  #onLost(error: FrrError): void {
    if (this.#closed || !this.#running.trees.has(error.daemon)) return;
    if (this.#working) {
      // The work under way fails by itself where it needs this daemon.
      this.#forget(error.daemon);
      this.#again = true;
      return;
    }
    this.#lost(error);
  }

  #connected(): void {
    this.#connection = { kind: "connected" };
    if (this.#isConnected) return;
    if (this.#wasConnected) this.#count({ reconnects: 1 });
    this.#isConnected = true;
    this.#wasConnected = true;
    this.#options.onEvent({ kind: "connected", version: this.#running.version ?? "" });
  }

  async #work(): Promise<void> {
    const target = this.#target;
    if (target === undefined) return;
    const generation = this.#generation;
    const started = performance.now();
    const before = this.#counters.commands;
    const fast = this.#fastChanges(target);
    // Taken over by this run: a newer call adds to a new set.
    target.changed = new Set();
    try {
      if (fast === undefined) await this.#applyAll(target);
      else await this.#sendNetworks(fast.compiled, fast.changes);
    } catch (error) {
      if (this.#target !== undefined) this.#target.changed = undefined;
      throw error;
    }
    if (this.#resets.isWaiting) {
      this.#tellProblems();
      this.#tellStatus();
      return;
    }
    this.#finish(generation, this.#counters.commands - before, started);
  }

  #finish(generation: number, commands: number, started: number): void {
    this.#applied = generation;
    this.#tellProblems();
    if (commands > 0) {
      const durationMs = performance.now() - started;
      this.#options.onEvent({ kind: "applied", commands, durationMs });
    }
    if (!this.#closed) this.#file?.schedule();
    if (this.#applied === this.#generation) for (const waiter of this.#waiters.splice(0)) waiter();
    this.#tellStatus();
  }

  /** The changes of routes alone; undefined: more than routes may have changed. */
  #fastChanges(
    target: Target,
  ): { compiled: CompiledSettings; changes: readonly NetworkChange[] } | undefined {
    const compiled = this.#compiled;
    if (compiled === undefined || compiled.settings !== target.settings) return undefined;
    if (target.changed === undefined || this.#resets.isWaiting) return undefined;
    if (!this.#running.trees.has("bgpd") || this.#connection.kind !== "connected") return undefined;
    for (const prefix of target.changed) {
      const routeClass = target.routes.get(prefix);
      if (routeClass !== undefined && !compiled.classes.has(classText(routeClass)))
        return undefined;
    }
    const { networks } = this.#running;
    const changes = networkChanges(compiled, target.routes, networks, target.changed);
    return { compiled, changes };
  }

  async #applyAll(target: Target): Promise<void> {
    const compiled = this.#compile(target);
    // The map lives on while we wait, and its new classes are unknown to what was just compiled.
    const routes = new Map(target.routes);
    if (!this.#running.trees.has("bgpd")) await this.#running.read(["bgpd"]);
    const { flavor } = this.#running;
    if (flavor === undefined) return;
    const desired = divide(compiled.tree, flavor);
    const errors = await this.#running.readMissing(desired.keys());
    const steps = this.#plan(desired, flavor);
    // Whom a change hits must be known exactly, not as of the last look.
    if (steps.some(({ effect }) => effect !== "live")) await this.#readSessions();
    for (const step of steps) {
      if (step.phase <= PHASE_BEFORE_NETWORKS) await this.#execute(step, compiled);
    }
    await this.#sendNetworks(compiled, this.#allNetworkChanges(compiled, routes));
    for (const step of steps) {
      const isRemoval = step.phase > PHASE_BEFORE_NETWORKS && step.phase < PHASE_FLAP;
      if (isRemoval) await this.#execute(step, compiled);
    }
    const resetting = steps.filter(({ phase }) => phase >= PHASE_FLAP);
    for (const step of this.#resets.next(resetting, this.#sessions)) {
      await this.#execute(step, compiled);
    }
    this.#previous = desired;
    if (steps.length > 0) {
      await this.#running.read([...this.#running.trees.keys()]);
      this.#problems.noteKept(this.#planAll(desired, flavor));
      this.#scheduleDriftCheck(VERIFY_MS);
    }
    // The rest is done: others do not wait for a daemon that is missed.
    for (const [daemon, error] of errors) {
      if (isNeeded(daemon, desired.get(daemon) ?? EMPTY)) throw error;
    }
    this.#connected();
  }

  /** Classes still in FRR stay defined until the next drift check: routes may be moving. */
  #compile(target: Target): CompiledSettings {
    const used = new Set<RouteClass>(target.routes.values());
    if (this.#compiled?.settings === target.settings) {
      for (const { routeClass } of this.#compiled.classes.values()) used.add(routeClass);
    }
    this.#compiled = compileSettings(this.#renderer, target.settings, used);
    return this.#compiled;
  }

  #plan(desired: ReadonlyMap<Daemon, FrrTree>, flavor: FrrFlavor): readonly Step[] {
    return this.#planAll(desired, flavor)
      .map((step) => this.#problems.withoutHopeless(step))
      .filter((step) => step !== undefined)
      .sort((a, b) => a.phase - b.phase);
  }

  #planAll(desired: ReadonlyMap<Daemon, FrrTree>, flavor: FrrFlavor): readonly Step[] {
    return DAEMONS.flatMap((daemon) => {
      const running = this.#running.trees.get(daemon);
      if (running === undefined) return [];
      const wanted = desired.get(daemon) ?? EMPTY;
      return planChanges(daemon, wanted, running, this.#previous.get(daemon) ?? EMPTY, flavor);
    });
  }

  #allNetworkChanges(compiled: CompiledSettings, routes: Routes): readonly NetworkChange[] {
    const { networks } = this.#running;
    return networkChanges(compiled, routes, networks, allPrefixes(compiled, routes, networks));
  }

  async #execute(step: Step, compiled: CompiledSettings): Promise<void> {
    if (step.effect === "flap") this.#tellResets(step, compiled);
    if (step.effect === "next-session") {
      this.#problems.noteNextSession(step, this.#sessions, compiled);
    }
    const texts = step.lines.map(({ text }) => text).filter((text) => text !== "");
    const refusals = await this.#configure({ ...step, lines: texts });
    this.#problems.noteSent(step);
    for (const text of texts) {
      const router = /^no router bgp \d+(?: vrf (\S+))?$/.exec(text);
      if (router !== null) this.#running.forgetRouter(routerKeyOf(router[1] ?? null));
    }
    for (const refusal of refusals) this.#problems.noteRefusal(step, refusal, compiled);
  }

  #tellResets(step: Step, compiled: CompiledSettings): void {
    const what = redact(step.lines.map(({ text }) => text).join("; "));
    const reason = `FRR closes the session for "${what}"`;
    for (const key of this.#sessions.establishedBy(step)) {
      const peerName = compiled.peerNames.get(key) ?? key;
      this.#count({ sessionResets: 1 });
      this.#options.onEvent({ kind: "session-reset", peerName, reason });
    }
  }

  async #sendNetworks(
    compiled: CompiledSettings,
    changes: readonly NetworkChange[],
  ): Promise<void> {
    for (const [key, group] of Map.groupBy(changes, (change) => change.key)) {
      const context = compiled.contexts.get(key);
      if (context === undefined) continue;
      const lines = group.map(({ text }) => text);
      const refusals = await this.#configure({ daemon: "bgpd", context, lines });
      // A network that was gone already is gone.
      const real = refusals.filter(({ line }) => !line.startsWith("no "));
      const refused = new Set(real.map(({ line }) => line));
      for (const change of group) if (!refused.has(change.text)) this.#running.take(change);
      // Somebody else changed something: look soon, and again with each drift check.
      if (this.#problems.noteNetworks(group, real)) this.#scheduleDriftCheck(VERIFY_MS);
    }
  }

  async #configure(batch: Batch): Promise<readonly Refusal[]> {
    const refusals = await this.#client.configure(batch);
    this.#count({
      commands: Math.max(1, batch.lines.length),
      refusedCommands: refusals.length,
    });
    return refusals;
  }

  #count(more: Partial<FrrCounters>): void {
    const counters = { ...this.#counters };
    counters.commands += more.commands ?? 0;
    counters.refusedCommands += more.refusedCommands ?? 0;
    counters.reconnects += more.reconnects ?? 0;
    counters.drifts += more.drifts ?? 0;
    counters.sessionResets += more.sessionResets ?? 0;
    this.#counters = counters;
  }

  #tell(events: readonly FrrEvent[]): void {
    for (const event of events) this.#options.onEvent(event);
  }

  #tellProblems(): void {
    this.#tell(this.#problems.update(this.#sessions));
  }

  #tellStatus(): void {
    if (!this.#closed) this.#options.onStatus(this.status());
  }

  /** Session states, BFD states and liveness: small shows, once a second. */
  async #readBack(): Promise<void> {
    try {
      await this.#look();
    } catch (error) {
      if (!(error instanceof FrrError)) throw error;
      if (this.#isConnected || this.#target === undefined) this.#lost(error);
    }
    if (this.#closed) return;
    this.#readTimer = setTimeout(() => void this.#readBack(), READ_BACK_MS);
  }

  async #look(): Promise<void> {
    if (this.#isConnected) {
      await this.#readSessions();
      await this.#readBfd();
      if (this.#resets.comesBack(this.#sessions)) {
        if (this.#target !== undefined) this.#target.changed = undefined;
        this.#kick();
      }
      this.#tellProblems();
      this.#tellStatus();
    } else if (this.#target === undefined) {
      // Nothing to apply yet: still find out whether FRR is there.
      await this.#running.read(["bgpd"]);
      this.#connected();
      this.#tellStatus();
    }
  }

  async #readSessions(): Promise<void> {
    const text = await this.#client.show("bgpd", "show bgp vrf all neighbors json");
    this.#tell(this.#sessions.seeNeighbors(parseNeighbors(text)));
  }

  async #readBfd(): Promise<void> {
    if (!this.#running.trees.has("bfdd")) return;
    const peers = await this.#client.show("bfdd", "show bfd peers json");
    const counters = await this.#client.show("bfdd", "show bfd peers counters json");
    this.#tell(this.#sessions.seeBfd(parseBfdPeers(peers, counters)));
  }

  #scheduleDriftCheck(ms: number): void {
    clearTimeout(this.#driftTimer);
    if (!this.#closed) this.#driftTimer = setTimeout(() => void this.#checkDrift(), ms);
  }

  /** Reads the running configuration again; puts back what somebody else changed. */
  async #checkDrift(): Promise<void> {
    const isIdle = !this.#working && this.#isConnected && this.#applied === this.#generation;
    if (isIdle) {
      this.#working = true;
      try {
        await this.#lookForDrift();
      } catch (error) {
        if (!(error instanceof FrrError)) throw error;
        this.#lost(error);
      } finally {
        this.#working = false;
      }
      if (this.#again) this.#kick();
    }
    this.#scheduleDriftCheck(DRIFT_CHECK_MS);
  }

  async #lookForDrift(): Promise<void> {
    const target = this.#target;
    const compiled = this.#compiled;
    const { flavor } = this.#running;
    if (target === undefined || compiled === undefined || flavor === undefined) return;
    const generation = this.#generation;
    await this.#running.read([...this.#running.trees.keys()]);
    if (generation !== this.#generation) {
      this.#again = true;
      return;
    }
    const steps = this.#plan(divide(compiled.tree, flavor), flavor);
    const networks = this.#allNetworkChanges(compiled, target.routes);
    const lines = [
      ...steps.flatMap(({ context, lines: own }) =>
        own.map(({ text }) => redact(text || context.join(" / "))),
      ),
      // What bgpd refused is missing through nobody's doing, and tried again.
      ...networks.filter((change) => !this.#problems.isRefused(change)).map(({ text }) => text),
    ];
    if (lines.length > 0) {
      this.#count({ drifts: 1 });
      this.#options.onEvent({ kind: "drift", lines });
    }
    const hasUnused = this.#hasUnusedClasses(compiled, target);
    // They go now, where nobody waits for the outbound maps.
    if (hasUnused) this.#compiled = undefined;
    if (steps.length === 0 && networks.length === 0 && !hasUnused) return;
    target.changed = undefined;
    this.#again = true;
  }

  #hasUnusedClasses(compiled: CompiledSettings, { settings, routes }: Target): boolean {
    const used = new Set([...settings.classes, ...new Set(routes.values())].map(classText));
    return [...compiled.classes.keys()].some((text) => !used.has(text));
  }

  /** Without the user's lines that FRR refused. */
  #wholeText(): string {
    if (this.#target === undefined) return "";
    const { settings, routes } = this.#target;
    const refused = this.#problems.refusedExtras;
    const extras = settings.extras
      .split("\n")
      .map((line, index) => (refused.has(index + 1) ? `! refused by FRR: ${line.trim()}` : line))
      .join("\n");
    return this.#renderer.render({ ...settings, extras }, routes);
  }
}
