// Asks a container again and again how it is, as its manifest says: httpGet, tcpSocket, exec. No grpc.

import { setTimeout as sleep } from "node:timers/promises";
import type { Json } from "../request.ts";
import type { NodeServer } from "./node-server.ts";

export type ProbeOptions = {
  readonly server: NodeServer;
  /** The container's. */
  readonly key: string;
  readonly container: Json;
  readonly podIP: string;
  /** Gets each verdict that differs from the one before: whether it is well, and what was seen. */
  readonly onVerdict: (well: boolean, why: string) => void;
  readonly signal: AbortSignal;
};

/** Probes until the signal. The first verdict may take as long as the thresholds say. */
export async function probeRepeatedly(probe: Json, options: ProbeOptions): Promise<void> {
  const { initialDelaySeconds = 0, periodSeconds = 10 } = probe;
  const { successThreshold = 1, failureThreshold = 3 } = probe;
  const { signal, onVerdict } = options;
  let well: boolean | undefined;
  let successes = 0;
  let failures = 0;
  let delay = initialDelaySeconds;
  while (await pause(delay * 1000, signal)) {
    delay = periodSeconds;
    let why = "";
    try {
      await ask(probe, options);
      successes++;
      failures = 0;
    } catch (error) {
      why = error instanceof Error ? error.message : `${error}`;
      failures++;
      successes = 0;
    }
    if (signal.aborted) return;
    const verdict =
      successes >= successThreshold ? true : failures >= failureThreshold ? false : well;
    if (verdict !== undefined && verdict !== well) onVerdict(verdict, why);
    well = verdict;
  }
}

async function ask(probe: Json, { server, key, container, podIP }: ProbeOptions): Promise<void> {
  const { httpGet, tcpSocket, exec, timeoutSeconds = 1 } = probe;
  if (exec) {
    await server.exec(key, exec.command, timeoutSeconds);
    return;
  }
  const target = httpGet ?? tcpSocket;
  if (!target) throw new Error(`the double does not know probe ${Object.keys(probe)}`);
  await server.probe(
    {
      scheme: httpGet ? (httpGet.scheme ?? "HTTP").toLowerCase() : "tcp",
      host: target.host || podIP,
      port: portOf(container, target.port),
      path: httpGet?.path ?? "/",
      headers: Object.fromEntries((httpGet?.httpHeaders ?? []).map((h: Json) => [h.name, h.value])),
    },
    timeoutSeconds,
  );
}

function portOf(container: Json, port: number | string): number {
  if (typeof port === "number") return port;
  const named = container.ports?.find(({ name }: Json) => name === port)?.containerPort;
  if (named === undefined) throw new Error(`container ${container.name} has no port ${port}`);
  return named;
}

/** Waits; false if the signal came before. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  return sleep(milliseconds, true, { signal, ref: false }).catch(() => false);
}
