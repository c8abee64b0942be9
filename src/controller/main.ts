// The controller as a program: flags, environment and signals in, wiring out.

import { readFileSync } from "node:fs";
import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startHttpServer } from "../http.ts";
import { connect } from "../kube/connection.ts";
import { createLogger, LOG_LEVELS } from "../log.ts";
import { startController } from "./loop.ts";

/** How long writes that are under way may take when we are to end. */
const CLOSE_MS = 1_000;

const { values: flags } = readFlags({
  name: "controller",
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
const log = createLogger({ level: flags.logLevel, name: "controller" });
const namespace = flags.namespace ?? serviceAccountNamespace();
const connection = connectOrRefuse();
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
      }).catch((error: unknown) => refuse(error instanceof Error ? error.message : String(error)));

if (!signal.aborted) {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
const limit = setTimeout(() => connection.close(), CLOSE_MS);
await Promise.all([controller.closed(), server?.close()]);
clearTimeout(limit);
connection.close();

function refuse(message: string): never {
  process.stderr.write(`controller: ${message}\n`);
  return process.exit(2);
}

function serviceAccountNamespace(): string {
  const file = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return refuse(`Cannot start without --namespace, $METALLB_NAMESPACE or ${file}`);
  }
}

function connectOrRefuse() {
  try {
    return connect({ kubeconfig: flags.kubeconfig });
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error));
  }
}
