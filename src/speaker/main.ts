// The speaker as a program: flags, environment and signals in, wiring out.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startFrr } from "../frr/apply.ts";
import { readTemplates } from "../frr/templates.ts";
import { startHttpServer } from "../http.ts";
import { parseExcluded } from "../l2/excluded.ts";
import { createLogger, LOG_LEVELS } from "../log.ts";
import { DEFAULT_TIMINGS } from "../members/view.ts";
import { parseAddress } from "../net/address.ts";
import { connectOrRefuse, ownNamespace, refuse } from "../startup.ts";
import { startSpeaker } from "./loop.ts";
import { frrLogLevel } from "./settings.ts";
import { STATE_PORT } from "./state.ts";
import { startWire } from "./wire.ts";
import type { MembershipSettings } from "./wire-messages.ts";

const PROGRAM = "speaker";

const { values: flags } = readFlags({
  name: PROGRAM,
  summary:
    "Announces the addresses of Services of type LoadBalancer from this node, by BGP through the FRR beside it, and by ARP and NDP.",
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
    mlBindaddr: {
      type: "string",
      default: "",
      env: "METALLB_ML_BIND_ADDR",
      help: "addresses of the Pod, one per family with a comma between, on which speakers find out who of them is alive; empty: they do not, and every Node counts as alive",
    },
    mlBindport: {
      type: "number",
      default: 7946,
      min: 1,
      max: 65535,
      env: "METALLB_ML_BIND_PORT",
      help: "UDP port for that, the same on all nodes",
    },
    mlLabels: {
      type: "string",
      default: "",
      env: "METALLB_ML_LABELS",
      help: "label selector of the Pods of speakers; empty: as an empty --ml-bindaddr",
    },
    mlSecretKeyPath: {
      type: "string",
      default: "",
      env: "METALLB_ML_SECRET_KEY_PATH",
      help: "folder with the file secretkey, by which speakers know each other",
    },
    mlProbeInterval: {
      type: "duration",
      defaultMs: DEFAULT_TIMINGS.probeIntervalMs,
      help: "between two probes of a speaker; one that misses three is dead",
    },
    l2Isolated: {
      type: "string",
      default: "silent",
      choices: ["silent", "answer"],
      help: "what a node does with its Layer 2 addresses that hears neither other speakers nor the API server",
    },
    l2RefreshInterval: {
      type: "duration",
      defaultMs: 180_000,
      help: "pause between unasked announcements of an address that stays; 0: none",
    },
    l2DrainTimeout: {
      type: "duration",
      defaultMs: 2_000,
      help: "longest wait at SIGTERM for other nodes to take the Layer 2 addresses over",
    },
    excludeL2Config: {
      type: "string",
      default: "/etc/metallb/excludel2.yaml",
      help: "file of ConfigMap metallb-excludel2: interfaces that never answer; no such file: none",
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

log.info({ op: "startup", node: nodeName, namespace, server: connection.server }, "speaker starts");
const membership = membershipSettings();
const excludedInterfaces = readExcluded(flags.excludeL2Config);
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
  startWire: (hooks) =>
    startWire(
      {
        nodeName,
        excludedInterfaces,
        refreshIntervalMs: flags.l2RefreshInterval,
        membership,
        isolated: flags.l2Isolated,
      },
      hooks,
    ),
  speakerSelector: membership && flags.mlLabels,
  log,
  registry,
  signal,
});

for (const name of ["SIGTERM", "SIGINT", "SIGQUIT"] as const) {
  process.once(name, () => {
    log.info(
      { op: "shutdown", signal: name },
      "ending: Layer 2 addresses go to other nodes, FRR goes on announcing what it announces",
    );
    void speaker.drain(flags.l2DrainTimeout).then(() => ended.abort());
  });
}

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

/** Undefined: membership is off. */
function membershipSettings(): MembershipSettings | undefined {
  if (flags.mlBindaddr === "" || flags.mlLabels === "") {
    log.warn({ op: "startup" }, "membership is off: speakers have to run on all nodes");
    return undefined;
  }
  const bindAddresses = flags.mlBindaddr.split(",").map((text) => {
    const wanted = "want IP addresses with commas between";
    return (
      parseAddress(text.trim()) ?? refuse(PROGRAM, `Cannot take --ml-bindaddr "${text}": ${wanted}`)
    );
  });
  const secret = readIfThere(join(flags.mlSecretKeyPath, "secretkey"))?.trim();
  if (secret === undefined || secret === "") {
    log.warn({ op: "startup" }, "no key: anybody who reaches the port can take part");
  }
  const timings = { ...DEFAULT_TIMINGS, probeIntervalMs: flags.mlProbeInterval };
  return { bindAddresses, port: flags.mlBindport, secret: secret || undefined, timings };
}

function readExcluded(path: string): readonly RegExp[] {
  const text = readIfThere(path);
  if (text === undefined) return [];
  const result = parseExcluded(text);
  if (result.kind === "patterns") return result.patterns;
  return refuse(PROGRAM, `${path}: ${result.message}`);
}

/** Undefined: there is no such file. */
function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    return refuse(PROGRAM, `Cannot read ${path}: ${(error as Error).message}`);
  }
}

/** Beside the bundle, or at the top of the source tree. */
function templatesFolder(): string {
  const beside = join(import.meta.dirname, "templates");
  return existsSync(beside) ? beside : join(import.meta.dirname, "../../templates");
}
