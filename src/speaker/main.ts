// The speaker as a program: flags, environment and signals in, wiring out.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Registry } from "prom-client";
import { readFlags } from "../flags.ts";
import { startFrr } from "../frr/apply.ts";
import { readTemplates } from "../frr/templates.ts";
import { startHttpServer } from "../http.ts";
import { parseExcluded } from "../l2/excluded.ts";
import { createLogger } from "../log.ts";
import { DEFAULT_TIMINGS } from "../members/view.ts";
import { parseAddress } from "../net/address.ts";
import { secureServing } from "../serving/secure.ts";
import { connectOrRefuse, orRefuse, ownNamespace, refuse } from "../startup.ts";
import { SPEAKER } from "./flags.ts";
import { startSpeaker } from "./loop.ts";
import { frrLogLevel } from "./settings.ts";
import { startWire } from "./wire.ts";
import type { MembershipSettings } from "./wire-messages.ts";

const PROGRAM = SPEAKER.name;
const { values: flags } = readFlags(SPEAKER);

const ended = new AbortController();
const { signal } = ended;
const log = createLogger({ level: flags.logLevel, name: PROGRAM });
const nodeName =
  flags.nodeName ?? refuse(PROGRAM, "Cannot start without --node-name or $METALLB_NODE_NAME");
const namespace = ownNamespace(PROGRAM, flags.namespace);
const connection = connectOrRefuse(PROGRAM, flags.kubeconfig);
const secure = orRefuse(PROGRAM, () => secureServing({ program: PROGRAM, flags, connection, log }));
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
  registries: () => [registry],
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
  ...(flags.port === 0 ? [] : [startHttpServer({ ...pages, secure, host: "", port: flags.port })]),
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
