// The controller as a program: flags, environment and signals in, wiring out.

import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startHttpServer } from "../http.ts";
import { createLogger, LOG_LEVELS } from "../log.ts";
import { connectOrRefuse, ownNamespace, refuse } from "../startup.ts";
import { startController } from "./loop.ts";

/** How long writes that are under way may take when we are to end. */
const CLOSE_MS = 1_000;

const PROGRAM = "controller";

const { values: flags } = readFlags({
  name: PROGRAM,
  summary: "Gives addresses from IPAddressPools to Services of type LoadBalancer.",
  flags: {
    namespace: {
      type: "string",
      default: undefined,
      env: "METALLB_NAMESPACE",
      help: "MetalLB's own namespace; default that of the service account",
    },
    podName: {
      type: "string",
      default: undefined,
      env: "METALLB_POD_NAME",
      help: "Pod the controller runs in, which owns its ConfigurationState",
    },
    deployment: {
      type: "string",
      default: undefined,
      env: "METALLB_DEPLOYMENT",
      help: "Deployment the controller belongs to, which owns the memberlist Secret",
    },
    mlSecretName: {
      type: "string",
      default: undefined,
      env: "METALLB_ML_SECRET_NAME",
      help: "memberlist Secret to create for the speakers; default none",
    },
    kubeconfig: {
      type: "string",
      default: undefined,
      env: "KUBECONFIG",
      help: "how to reach the API server; default the service account of the Pod",
    },
    lbClass: {
      type: "string",
      default: "",
      help: "serve Services of this loadBalancerClass only; empty: those without a class",
    },
    logLevel: { type: "string", default: "info", choices: LOG_LEVELS, help: "what to log" },
    port: {
      type: "number",
      default: 7472,
      min: 0,
      max: 65535,
      help: "port of /metrics, /healthz and /readyz on all addresses; 0: none",
    },
  },
});

const ended = new AbortController();
const { signal } = ended;
const log = createLogger({ level: flags.logLevel, name: PROGRAM });
const namespace = ownNamespace(PROGRAM, flags.namespace);
const connection = connectOrRefuse(PROGRAM, flags.kubeconfig);
const registry = new Registry();

for (const name of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  process.once(name, () => {
    log.info({ op: "shutdown", signal: name }, "ending; Services keep what they have");
    ended.abort();
  });
}

log.info({ op: "startup", namespace, server: connection.server }, "controller starts");
const controller = startController({
  connection,
  namespace,
  podName: flags.podName,
  deployment: flags.deployment,
  memberlistSecret: flags.mlSecretName,
  loadBalancerClass: flags.lbClass,
  log,
  registry,
  signal,
});
const server =
  flags.port === 0
    ? undefined
    : await startHttpServer({
        port: flags.port,
        host: "",
        registry,
        ready: controller.waitingFor,
        // A loop that is stuck does not answer at all.
        healthy: () => [],
      }).catch((error: unknown) =>
        refuse(PROGRAM, error instanceof Error ? error.message : String(error)),
      );

if (!signal.aborted) {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
const limit = setTimeout(() => connection.close(), CLOSE_MS);
await Promise.all([controller.closed(), server?.close()]);
clearTimeout(limit);
connection.close();
