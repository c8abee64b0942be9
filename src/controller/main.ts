// The controller as a program: flags, environment and signals in, wiring out.

import { randomBytes } from "node:crypto";
import { hostname } from "node:os";
import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startHttpServer } from "../http.ts";
import { within } from "../kube/sleep.ts";
import { createLogger } from "../log.ts";
import { secureServing } from "../serving/secure.ts";
import { connectOrRefuse, orRefuse, ownNamespace, refuse } from "../startup.ts";
import { type Candidate, CLOSE_MS, registerLeader, startCandidate } from "./candidate.ts";
import { CONTROLLER } from "./flags.ts";
import { startController } from "./loop.ts";

/** The Lease takes whole seconds. */
const LEAST_DURATION_MS = 1_000;

const PROGRAM = CONTROLLER.name;
const { values: flags } = readFlags(CONTROLLER);

const ended = new AbortController();
const { signal } = ended;
const log = createLogger({ level: flags.logLevel, name: PROGRAM });
const namespace = ownNamespace(PROGRAM, flags.namespace);
const durationMs = flags.leaderElectLeaseDuration;
if (durationMs < LEAST_DURATION_MS || durationMs % 1000 !== 0) {
  refuse(
    PROGRAM,
    `Cannot take --leader-elect-lease-duration of ${durationMs} ms: want whole seconds, at least 1s`,
  );
}
const connection = connectOrRefuse(PROGRAM, flags.kubeconfig);
const secure = orRefuse(PROGRAM, () => secureServing({ program: PROGRAM, flags, connection, log }));

for (const name of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  process.once(name, () => {
    log.info({ op: "shutdown", signal: name }, "ending; Services keep what they have");
    ended.abort();
  });
}

log.info({ op: "startup", namespace, server: connection.server }, "controller starts");
const options = {
  namespace,
  podName: flags.podName,
  deployment: flags.deployment,
  memberlistSecret: flags.mlSecretName,
  loadBalancerClass: flags.lbClass,
  log,
  signal,
};
const controller = flags.leaderElect
  ? startCandidate({
      ...options,
      connection,
      connectTerm: (mayWrite) => connectOrRefuse(PROGRAM, flags.kubeconfig, mayWrite),
      identity: flags.podName ?? `${hostname()}_${randomBytes(4).toString("hex")}`,
      durationMs,
    })
  : startAlone();

const pages = {
  host: "",
  ready: controller.waitingFor,
  // A loop that is stuck does not answer at all.
  healthy: () => [],
};
const servers = await Promise.all([
  startHttpServer({ ...pages, port: flags.healthProbePort }),
  ...(flags.port === 0
    ? []
    : [
        startHttpServer({
          ...pages,
          registries: controller.registries,
          secure,
          port: flags.port,
        }),
      ]),
]).catch((error: unknown) =>
  refuse(PROGRAM, error instanceof Error ? error.message : String(error)),
);

if (!signal.aborted) {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
await Promise.all([controller.closed(), ...servers.map((server) => server.close())]);
connection.close();

/** Nobody else gives addresses: there is one controller. */
function startAlone(): Candidate {
  const registry = new Registry();
  registerLeader(registry, () => true);
  const alone = startController({ ...options, connection, registry });
  return {
    waitingFor: alone.waitingFor,
    registries: () => [registry],
    closed: async () => {
      if (!(await within(CLOSE_MS, alone.closed()))) connection.close();
    },
  };
}
