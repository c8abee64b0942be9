// The speaker's real wiring between three doubles: the API server's, startFrr()'s and startWire()'s.
// No daemon runs, and no thread.

import { Registry } from "prom-client";
import { connect } from "../src/kube/connection.ts";
import { createLogger } from "../src/log.ts";
import { type Speaker, type SpeakerOptions, startSpeaker } from "../src/speaker/loop.ts";
import { eventually } from "./cluster/eventually.ts";
import {
  type FakeApiServer,
  type Json,
  type Manifest,
  startApiServer,
} from "./fakes/api-server.ts";
import { RecordedFrr } from "./fakes/recorded-frr.ts";
import { RecordedWire } from "./fakes/recorded-wire.ts";
import { NAMESPACE, NODE } from "./speaker-samples.ts";

const METALLB = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;
export const CONFIGURATION = `${METALLB}/configurationstates/speaker-${NODE}`;
export const BGP_STATUSES = `${METALLB}/servicebgpstatuses`;
export const L2_STATUSES = `${METALLB}/servicel2statuses`;
export const POOLS = `${METALLB}/ipaddresspools`;

export type Running = {
  readonly speaker: Speaker;
  readonly frr: RecordedFrr;
  readonly wire: RecordedWire;
  readonly registry: Registry;
  /** Log lines so far. */
  readonly lines: Json[];
  readonly stop: () => Promise<void>;
};

const cleanups: (() => Promise<void>)[] = [];

/** To be called after each test: ends whatever it has started. */
export async function endAll(): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

export async function serverWith(...manifests: readonly Manifest[]): Promise<FakeApiServer> {
  const server = await startApiServer();
  cleanups.push(() => server.close());
  for (const manifest of manifests) server.put(manifest);
  return server;
}

/** Starts the speaker of NODE; membership is off unless the options say otherwise. */
export function start(
  server: FakeApiServer,
  options: Partial<SpeakerOptions> & {
    readonly frr?: RecordedFrr;
    readonly wire?: RecordedWire;
  } = {},
): Running {
  const ended = new AbortController();
  const connection = connect({ kubeconfig: server.kubeconfigFile() });
  const { frr = new RecordedFrr(), wire = new RecordedWire(), ...more } = options;
  const registry = new Registry();
  const lines: Json[] = [];
  const log = createLogger({
    level: "info",
    destination: { write: (line: string) => void lines.push(JSON.parse(line)) },
  });
  const speaker = startSpeaker({
    connection,
    namespace: NAMESPACE,
    nodeName: NODE,
    podName: undefined,
    loadBalancerClass: undefined,
    ignoreExcludeLabel: false,
    frrLogLevel: "informational",
    startFrr: frr.start,
    startWire: wire.start,
    speakerSelector: undefined,
    log,
    registry,
    signal: ended.signal,
    ...more,
  });
  const stop = async () => {
    ended.abort();
    await speaker.closed();
    connection.close();
  };
  cleanups.push(stop);
  return { speaker, frr, wire, registry, lines, stop };
}

/** What the speaker does for a Service by a protocol; undefined: it does not know it. */
export function standing({ speaker }: Running, key: string, protocol: "bgp" | "l2"): Json {
  return speaker.state().services.find(({ service }) => service === key)?.[protocol];
}

/** Waits until a Service is refused for this reason. */
export function refused(
  running: Running,
  key: string,
  reason: string,
  protocol: "bgp" | "l2" = "bgp",
): Promise<boolean> {
  return eventually(() => standing(running, key, protocol)?.reason === reason, {
    describe: `${key} to be refused: ${reason}`,
  });
}

/** Requests so far that wrote something. */
export function writesAt(server: FakeApiServer) {
  return server.requests.filter(({ verb }) =>
    ["create", "patch", "update", "delete"].includes(verb),
  );
}
