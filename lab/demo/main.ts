// `make demo`: a Service gets an address, three speakers announce it to real routers, and a client
// behind those gets an answer. Then stays up for playing.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Daemon } from "../../test/cluster/daemon.ts";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import { type Lab, startLab } from "../netns/lab.ts";
import { nodeCommand } from "../netns/node-command.ts";
import { rememberLab } from "../netns/running.ts";
import {
  type ApiChoice,
  type ControlPlane,
  chooseApi,
  startControlPlane,
} from "./control-plane.ts";
import { hasKubeProxy, startKubeProxies, writeForwardingRules } from "./forwarding.ts";
import { startController, startSpeaker } from "./programs.ts";
import { Progress } from "./progress.ts";
import { nodeSessionsAt, routeAt } from "./routers.ts";
import { formatSummary, type Summary } from "./summary.ts";

const USAGE = `Usage: node lab/demo/main.ts [--once] [--api=auto|real|double]
  --once   end after the answer, with exit status 0 only if the client got it
  --api    real: kube-apiserver, built or downloaded if need be; double: an imitation;
           auto, the default: the real one if it is at hand
`;

const NODES = ["node1", "node2", "node3"] as const;
const LEAVES = ["leaf1", "leaf2"] as const;
/** Connections of the client in each family: enough to be spread over the pods. */
const REQUESTS = 12;
const SERVICE_PATH = "/api/v1/namespaces/default/services/web";

type Options = { readonly once: boolean; readonly api: ApiChoice };

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      once: { type: "boolean", default: false },
      api: { type: "string", default: "auto" },
      help: { type: "boolean", default: false },
    },
  });
  const { once, api, help } = values;
  if (help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  if (api !== "auto" && api !== "real" && api !== "double") {
    throw new Error(`Cannot read --api=${api}: want auto, real or double`);
  }
  return { once, api };
}

async function demo({ once, api }: Options, signal: AbortSignal): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const progress = new Progress(signal);

  const lab = await progress.step(
    "Lab: routers, nodes and client as network namespaces",
    () => startLab({ signal }),
    ({ nodes }) => nodes.map(({ name }) => name).join(" "),
  );
  cleanup.defer(() => lab.stop());
  cleanup.defer(rememberLab(lab));
  const nodes = NODES.map((name) => lab.node(name));

  const { real, why } = chooseApi(api);
  progress.say(`Control plane: ${why}`);
  const controlPlane = await progress.step(
    "Control plane: starting",
    () => startControlPlane(lab, real),
    ({ title }) => title,
  );
  cleanup.defer(() => controlPlane.stop());
  await progress.step("Kubernetes: Nodes, MetalLB's kinds of object", () =>
    controlPlane.prepare(nodes),
  );

  const programs = [
    startController(lab, controlPlane.kubeconfig),
    ...nodes.map((node) => startSpeaker(lab, node, controlPlane.kubeconfig)),
  ];
  cleanup.defer(async () => void (await Promise.all(programs.map((one) => one.stop()))));
  await progress.step("MetalLB: controller, three speakers, lab/demo/metallb.yaml", async () => {
    await controlPlane.apply(await readManifest("metallb.yaml"));
  });
  if (hasKubeProxy(controlPlane)) {
    await progress.step("kube-proxy on every node", () => startKubeProxies(controlPlane, nodes));
  }
  await progress.step(
    "BGP: sessions of three nodes with two leaves, IPv4 and IPv6",
    () => untilSessions(lab, programs),
    () => "12 of 12 sessions Established",
  );

  await progress.step("Service: applying lab/demo/web.yaml", async () => {
    await controlPlane.apply(await readManifest("web.yaml"));
  });
  const addresses = await progress.step(
    "Service: waiting for its addresses",
    () => untilAddresses(controlPlane, programs),
    (given) => given.join("  "),
  );
  if (!hasKubeProxy(controlPlane)) {
    await progress.step("nftables rules in the place of kube-proxy, for this Service only", () =>
      writeForwardingRules(nodes, addresses),
    );
  }
  const routes = await progress.step(
    "Routes: waiting for three next hops at both leaves and the client's router",
    () => untilRoutes(lab, addresses, programs),
  );
  const answers = await progress.step(
    `Client: ${REQUESTS} connections to each address`,
    () => askFromClient(lab, addresses),
    () => "every one answered",
  );

  const nodeNames = new Map(
    nodes.flatMap(({ name, addresses: own }) => own.map((address) => [address, name] as const)),
  );
  const summary = { service: "default/web", pool: "demo", addresses, nodes: nodeNames };
  console.log(`\n${formatSummary({ ...summary, routes, answers })}\n`);
  progress.say("Done");
  if (!once) await play(controlPlane, addresses[0] ?? "", signal);
}

async function untilSessions(lab: Lab, programs: readonly Daemon[]): Promise<void> {
  await untilSeen(programs, "12 sessions of the nodes with the leaves", async () => {
    const counts = await Promise.all(LEAVES.map((leaf) => nodeSessionsAt(lab, leaf)));
    return counts.every((count) => count === 2 * NODES.length);
  });
}

function untilAddresses(
  { get }: ControlPlane,
  programs: readonly Daemon[],
): Promise<readonly string[]> {
  return untilSeen(programs, "an IPv4 and an IPv6 address", async () => {
    const { status } = await get(SERVICE_PATH);
    const ingress: readonly { ip: string }[] = status?.loadBalancer?.ingress ?? [];
    return ingress.length === 2 && ingress.map(({ ip }) => ip);
  });
}

function untilRoutes(
  lab: Lab,
  addresses: readonly string[],
  programs: readonly Daemon[],
): Promise<Summary["routes"]> {
  const prefixes = addresses.map((address) => `${address}/${address.includes(":") ? 128 : 32}`);
  const wanted = prefixes.flatMap((prefix) =>
    [...LEAVES, "client"].map((router) => ({ router, prefix })),
  );
  return untilSeen(programs, "three next hops at every router", async () => {
    const routes = await Promise.all(
      wanted.map(async (one) => ({ ...one, route: await routeAt(lab, one.router, one.prefix) })),
    );
    return routes.every(({ route }) => route.nextHops.length === NODES.length) && routes;
  });
}

/** Each connection has a port of its own, so that routers and nodes spread them. */
async function askFromClient(lab: Lab, addresses: readonly string[]): Promise<Summary["answers"]> {
  const client = lab.node("client");
  const ask = async (url: string) => {
    // kube-proxy and the routes settle on their own.
    await eventually(() => client.exec(["curl", "-gsS", "--max-time", "2", url]), {
      describe: `an answer from ${url}`,
    });
    const counts = new Map<string, number>();
    for (let i = 0; i < REQUESTS; i++) {
      const answer = (await client.exec(["curl", "-gsS", "--max-time", "5", url])).trim();
      counts.set(answer, (counts.get(answer) ?? 0) + 1);
    }
    return { url, counts };
  };
  const urls = addresses.map(
    (address) => `http://${address.includes(":") ? `[${address}]` : address}/`,
  );
  return Promise.all(urls.map(ask));
}

/** Waits as `eventually` does, but not when one of MetalLB's programs has ended. */
function untilSeen<T>(
  programs: readonly Daemon[],
  describe: string,
  look: () => Promise<T | false>,
): Promise<T> {
  const unlessEnded = () => {
    const ended = programs.find((program) => program.ended !== undefined);
    if (ended !== undefined) throw new GiveUp(`Cannot go on: ${ended.name} ended ${ended.ended}`);
    return look();
  };
  return eventually(unlessEnded, { describe }).catch((cause) => {
    const logs = programs.map((one) => `== ${one.name}\n${one.logTail()}`).join("\n");
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${logs}`, { cause });
  });
}

function readManifest(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, name), "utf8");
}

/** Says what can be tried and waits for the end. */
async function play(
  { cluster }: ControlPlane,
  address: string,
  signal: AbortSignal,
): Promise<void> {
  const inNode = `${nodeCommand()} lab/netns/main.ts exec`;
  const mirrorStatus = `${process.execPath} ${join(import.meta.dirname, "../../src/cli/main.ts")}`;
  const lines = [
    "The lab stays up. In another terminal, try:",
    ...(cluster
      ? [
          `  export KUBECONFIG=${cluster.kubeconfigPath} PATH=${cluster.assets.folder}:$PATH`,
          "  kubectl get services,endpointslices",
          "  kubectl get ipaddresspools,bgppeers,bgpadvertisements -n metallb-system",
          "  kubectl edit endpointslice web-ipv4",
        ]
      : []),
    `  ${inNode} client curl -s http://${address}/`,
    `  ${inNode} client vtysh -c 'show ip route ${address}'`,
    `  ${inNode} leaf2 birdc show route all for ${address}`,
    `  ${inNode} node1 vtysh -c 'show running-config'`,
    `  ${inNode} node1 ${mirrorStatus} mirror-status`,
    "Ctrl-C takes everything down.",
  ];
  console.log(lines.join("\n"));
  const awake = setInterval(() => {}, 60_000);
  await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  clearInterval(awake);
}

const stopped = new AbortController();
for (const name of ["SIGINT", "SIGTERM"] as const) {
  process.on(name, () => {
    if (!stopped.signal.aborted) console.log("Taking everything down");
    stopped.abort(new Error("Told to end"));
  });
}

try {
  const options = readOptions();
  await demo(options, stopped.signal);
  // What was still being started when we were told to end goes with us.
  process.exit(0);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
