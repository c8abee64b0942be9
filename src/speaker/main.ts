// The speaker as a program: flags, environment and signals in, wiring out.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startFrr } from "../frr/apply.ts";
import { readTemplates } from "../frr/templates.ts";
import { startHttpServer } from "../http.ts";
import { createLogger, LOG_LEVELS } from "../log.ts";
import { connectOrRefuse, ownNamespace, refuse } from "../startup.ts";
import { startSpeaker } from "./loop.ts";
import { frrLogLevel } from "./settings.ts";
import { STATE_PORT } from "./state.ts";

const NOT_USED = "not used yet";

const PROGRAM = "speaker";

const { values: flags } = readFlags({
  name: PROGRAM,
  summary:
    "Announces the addresses of Services of type LoadBalancer from this node, through the FRR beside it.",
  flags: {
    nodeName: {
      type: "string",
      default: undefined,
      env: "METALLB_NODE_NAME",
      help: "name of the Node this speaker runs on; required",
    },
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
      help: "Pod this speaker runs in, which owns the status objects it writes",
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
      help: "announce Services of this loadBalancerClass only; empty: those without a class",
    },
    ignoreExcludeLb: {
      type: "boolean",
      default: false,
      help: "announce although the Node has the label node.kubernetes.io/exclude-from-external-load-balancers",
    },
    frrSockets: {
      type: "string",
      default: "/var/run/frr",
      env: "METALLB_FRR_SOCKETS",
      help: "folder of the vty sockets of FRR's daemons",
    },
    frrConfigFile: {
      type: "string",
      default: undefined,
      env: "FRR_CONFIG_FILE",
      help: "where to keep the whole configuration, so that a restarted FRR starts from it; default nowhere",
    },
    frrTransport: {
      type: "string",
      default: "sockets",
      choices: ["sockets", "vtysh"],
      help: "how to speak to FRR; sockets are far faster",
    },
    logLevel: {
      type: "string",
      default: "info",
      choices: LOG_LEVELS,
      help: "what to log; FRR logs at the same level",
    },
    port: {
      type: "number",
      default: 7472,
      min: 0,
      max: 65535,
      help: "port of /metrics on all addresses; 0: none",
    },
    healthProbePort: {
      type: "number",
      default: STATE_PORT,
      min: 0,
      max: 65535,
      env: "METALLB_STATE_PORT",
      help: "port of /healthz, /readyz and /state on loopback; 0: any that is free",
    },
    host: { type: "string", default: "", env: "METALLB_HOST", help: "ignored, as by MetalLB" },
    mlBindaddr: { type: "string", default: "", env: "METALLB_ML_BIND_ADDR", help: NOT_USED },
    mlBindport: {
      type: "number",
      default: 7946,
      min: 1,
      max: 65535,
      env: "METALLB_ML_BIND_PORT",
      help: NOT_USED,
    },
    mlLabels: { type: "string", default: "", env: "METALLB_ML_LABELS", help: NOT_USED },
    mlSecretKeyPath: {
      type: "string",
      default: "",
      env: "METALLB_ML_SECRET_KEY_PATH",
      help: NOT_USED,
    },
  },
});

const ended = new AbortController();
const { signal } = ended;
const log = createLogger({ level: flags.logLevel, name: PROGRAM });
const nodeName =
  flags.nodeName ?? refuse(PROGRAM, "Cannot start without --node-name or $METALLB_NODE_NAME");
const namespace = ownNamespace(PROGRAM, flags.namespace);
const connection = connectOrRefuse(PROGRAM, flags.kubeconfig);
const registry = new Registry();
const templates = readTemplates(templatesFolder());

for (const name of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  process.once(name, () => {
    log.info({ op: "shutdown", signal: name }, "ending; FRR goes on announcing what it announces");
    ended.abort();
  });
}

log.info({ op: "startup", node: nodeName, namespace, server: connection.server }, "speaker starts");
const speaker = startSpeaker({
  connection,
  namespace,
  nodeName,
  podName: flags.podName,
  loadBalancerClass: flags.lbClass === "" ? undefined : flags.lbClass,
  ignoreExcludeLabel: flags.ignoreExcludeLb,
  frrLogLevel: frrLogLevel(flags.logLevel),
  startFrr: (hooks) =>
    startFrr({
      ...hooks,
      socketsFolder: flags.frrSockets,
      transport: flags.frrTransport,
      configFile: flags.frrConfigFile,
      templates,
    }),
  log,
  registry,
  signal,
});

const pages = {
  registry,
  ready: speaker.waitingFor,
  // A loop that is stuck does not answer at all.
  healthy: () => [],
};
const servers = await Promise.all([
  startHttpServer({
    ...pages,
    host: "127.0.0.1",
    port: flags.healthProbePort,
    routes: { "/state": speaker.state },
  }),
  ...(flags.port === 0 ? [] : [startHttpServer({ ...pages, host: "", port: flags.port })]),
]).catch((error: unknown) =>
  refuse(PROGRAM, error instanceof Error ? error.message : String(error)),
);

if (!signal.aborted) {
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
}
await Promise.all([speaker.closed(), ...servers.map((server) => server.close())]);
connection.close();

/** Beside the bundle, or at the top of the source tree. */
function templatesFolder(): string {
  const beside = join(import.meta.dirname, "templates");
  return existsSync(beside) ? beside : join(import.meta.dirname, "../../templates");
}
