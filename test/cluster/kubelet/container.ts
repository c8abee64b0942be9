// One container of a Pod through its lives: started, probed, ended, started again.

import { writeFile } from "node:fs/promises";
import { constants } from "node:os";
import { join } from "node:path";
import type { Json } from "../request.ts";
import type { ContainerEnd, ContainerSpec, NodeServer } from "./node-server.ts";
import { pause, probeRepeatedly } from "./probes.ts";

/** A kubelet begins with 10 s and ends with 5 min. */
const FIRST_BACK_OFF_MS = 1000;
const LAST_BACK_OFF_MS = 16_000;
const LONG_LIFE_MS = 60_000;

export type EventSink = (type: "Normal" | "Warning", reason: string, message: string) => void;

export type ContainerOptions = {
  readonly server: NodeServer;
  /** namespace/pod/container. */
  readonly key: string;
  readonly manifest: Json;
  /** Always, OnFailure or Never. */
  readonly restartPolicy: string;
  readonly netns: string;
  readonly podIP: string;
  /** Holds what is the container's own. */
  readonly folder: string;
  readonly logFolder: string;
  /** What it was before this kubelet knew it. */
  readonly before: Json | undefined;
  readonly spec: () => Promise<ContainerSpec>;
  readonly onChange: () => void;
  readonly event: EventSink;
};

export class Container {
  readonly name: string;
  readonly #options: ContainerOptions;
  readonly #stopping = new AbortController();
  #state: Json = { waiting: { reason: "PodInitializing" } };
  #lastState: Json = {};
  #restarts = 0;
  #lives = 0;
  #started = false;
  #ready = false;
  #done = false;
  /** Settles when it will not run any more. */
  #run: Promise<void> | undefined;
  #ended: Promise<ContainerEnd> | undefined;

  constructor(options: ContainerOptions) {
    this.#options = options;
    this.name = options.manifest.name;
    const { before } = options;
    if (before?.containerID === undefined) return;
    this.#restarts = before.restartCount + 1;
    this.#lastState = before.state?.terminated ? before.state : before.lastState;
  }

  /** As in the status of a Pod. */
  get status(): Json {
    const { manifest, key } = this.#options;
    return {
      name: this.name,
      image: manifest.image,
      imageID: manifest.image,
      ...(this.#lives > 0 && { containerID: `double://${key}/${this.#lives}` }),
      restartCount: this.#restarts,
      started: this.#started,
      ready: this.#ready,
      state: this.#state,
      lastState: this.#lastState,
    };
  }

  get isStarted(): boolean {
    return this.#started;
  }

  get isReady(): boolean {
    return this.#ready;
  }

  get isRunning(): boolean {
    return this.#state.running !== undefined;
  }

  /** The exit code with which it ended for good; undefined while it runs or will. */
  get exitCode(): number | undefined {
    return this.#done ? this.#state.terminated?.exitCode : undefined;
  }

  /** Starts it, and again whenever it ends; settles when it has ended for good. */
  start(): Promise<void> {
    this.#run ??= this.#live();
    return this.#run;
  }

  wait(reason: string, message = ""): void {
    this.#change({ waiting: { reason, ...(message && { message }) } });
  }

  async #live(): Promise<void> {
    const { restartPolicy, event } = this.#options;
    let backOff = 0;
    while (!this.#stopping.signal.aborted) {
      const startedAt = performance.now();
      let failed = true;
      try {
        failed = (await this.#oneLife()).exitCode !== 0;
      } catch (error) {
        const message = error instanceof Error ? error.message : `${error}`;
        if (this.#stopping.signal.aborted) break;
        event("Warning", "Failed", `Error: ${message}`);
        this.wait(
          message.startsWith("Cannot run image") ? "ErrImagePull" : "CreateContainerConfigError",
          message,
        );
        await pause(FIRST_BACK_OFF_MS, this.#stopping.signal);
        continue;
      }
      const again = restartPolicy === "Always" || (restartPolicy === "OnFailure" && failed);
      if (!again || this.#stopping.signal.aborted) break;
      this.#lastState = this.#state;
      if (performance.now() - startedAt > LONG_LIFE_MS) backOff = 0;
      if (backOff > 0) {
        const message = `back-off ${backOff / 1000}s restarting failed container=${this.name}`;
        event("Warning", "BackOff", message);
        this.wait("CrashLoopBackOff", message);
        await pause(backOff, this.#stopping.signal);
      }
      backOff = Math.min(Math.max(2 * backOff, FIRST_BACK_OFF_MS), LAST_BACK_OFF_MS);
      this.#restarts++;
    }
    this.#done = true;
    this.#options.onChange();
  }

  async #oneLife(): Promise<ContainerEnd> {
    const { server, key, manifest, netns, folder, logFolder, event } = this.#options;
    const spec = await this.#options.spec();
    const specPath = join(folder, "spec.json");
    await writeFile(specPath, JSON.stringify(spec));
    const logPath = join(logFolder, `${this.name}.${this.#restarts}.log`);
    await server.startContainer(key, netns, specPath, logPath);
    this.#lives++;
    event("Normal", "Started", "Container started");
    const startedAt = now();
    const life = new AbortController();
    this.#started = manifest.startupProbe === undefined;
    this.#ready = this.#started && manifest.readinessProbe === undefined;
    this.#change({ running: { startedAt } });
    this.#ended = server.untilEnd(key);
    this.#watch(life.signal);
    let end: ContainerEnd;
    try {
      end = await this.#ended;
    } finally {
      life.abort();
      this.#ended = undefined;
      this.#ready = false;
      this.#started = false;
    }
    const { exitCode, signal } = end;
    const reason = exitCode === 0 ? "Completed" : "Error";
    this.#change({
      terminated: {
        ...{ exitCode, reason, startedAt, finishedAt: now() },
        ...(signal !== 0 && { signal }),
        containerID: `double://${key}/${this.#lives}`,
      },
    });
    return end;
  }

  /** Probes this life: startup first, then the others. */
  #watch(signal: AbortSignal): void {
    const { startupProbe, readinessProbe, livenessProbe } = this.#options.manifest;
    const { server, key, manifest, podIP, event } = this.#options;
    const begin = (
      what: string,
      probe: Json,
      onVerdict: (well: boolean) => void,
      until = signal,
    ) => {
      const verdict = (well: boolean, why: string) => {
        if (!well) event("Warning", "Unhealthy", `${what} probe failed: ${why}`);
        onVerdict(well);
      };
      void probeRepeatedly(probe, {
        ...{ server, key, container: manifest, podIP, signal: until },
        onVerdict: verdict,
      });
    };
    const kill = () => {
      event("Normal", "Killing", `Container ${this.name} failed a probe, will be restarted`);
      void this.#end(this.#options.manifest.terminationGracePeriodSeconds ?? 30);
    };
    const others = () => {
      if (readinessProbe) {
        begin("Readiness", readinessProbe, (well) => {
          this.#ready = well;
          this.#options.onChange();
        });
      }
      if (livenessProbe) begin("Liveness", livenessProbe, (well) => well || kill());
    };
    if (!startupProbe) {
      others();
      return;
    }
    const starting = new AbortController();
    const until = AbortSignal.any([signal, starting.signal]);
    const onVerdict = (well: boolean) => {
      starting.abort();
      if (well) {
        this.#started = true;
        this.#ready = readinessProbe === undefined;
        this.#options.onChange();
        others();
      } else kill();
    };
    begin("Startup", startupProbe, onVerdict, until);
  }

  /** Ends it for good: preStop, SIGTERM, and SIGKILL when the time is over. */
  async stop(graceSeconds: number): Promise<void> {
    if (this.isRunning) this.#options.event("Normal", "Killing", `Stopping container ${this.name}`);
    this.#stopping.abort();
    await this.#end(graceSeconds);
    await this.#run;
  }

  /** Starts it no more; it ends with its node. */
  abandon(): void {
    this.#stopping.abort();
  }

  async #end(graceSeconds: number): Promise<void> {
    const ended = this.#ended;
    if (ended === undefined) return;
    const { server, key, manifest } = this.#options;
    const over = new AbortController();
    const deadline = pause(graceSeconds * 1000, over.signal);
    const signal = (name: "SIGTERM" | "SIGKILL") =>
      server.signal(key, constants.signals[name]).catch(() => {});
    const gracefully = async () => {
      const { exec, sleep } = manifest.lifecycle?.preStop ?? {};
      if (exec) await server.exec(key, exec.command, graceSeconds).catch(() => {});
      if (sleep) await pause(sleep.seconds * 1000, over.signal);
      await signal("SIGTERM");
      await ended;
    };
    if (graceSeconds > 0) await Promise.race([gracefully().catch(() => {}), deadline]);
    over.abort();
    await signal("SIGKILL");
    await ended.catch(() => {});
  }

  #change(state: Json): void {
    this.#state = state;
    this.#options.onChange();
  }
}

function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
