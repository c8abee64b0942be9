// `make demo`: a Service gets an address, three speakers announce it to real routers, and a client
// behind those gets an answer; or one of them answers for it by ARP and NDP and is killed. Then stays
// up for playing.

import { join } from "node:path";
import { parseArgs } from "node:util";
import { nodeCommand } from "../netns/node-command.ts";
import { bgpHints, demoBgp } from "./bgp.ts";
import type { ApiChoice, ControlPlane } from "./control-plane.ts";
import { demoL2, l2Hints } from "./l2.ts";
import { openStage } from "./opening.ts";
import { Progress } from "./progress.ts";

const USAGE = `Usage: node lab/demo/main.ts [--mode=bgp|l2] [--once] [--api=auto|real|double]
  --mode   bgp, the default: routers learn a route to every node; l2: one node answers by ARP and NDP,
           loses its power, and gets it back
  --once   end after the answer, with exit status 0 only if the client got it
  --api    real: kube-apiserver, built or downloaded if need be; double: an imitation;
           auto, the default: the real one if it is at hand
`;

type Options = {
  readonly mode: "bgp" | "l2";
  readonly once: boolean;
  readonly api: ApiChoice;
};

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      mode: { type: "string", default: "bgp" },
      once: { type: "boolean", default: false },
      api: { type: "string", default: "auto" },
      help: { type: "boolean", default: false },
    },
  });
  const { mode, once, api, help } = values;
  if (help) {
    process.stdout.write(USAGE);
    process.exit(0);
  }
  if (mode !== "bgp" && mode !== "l2") {
    throw new Error(`Cannot read --mode=${mode}: want bgp or l2`);
  }
  if (api !== "auto" && api !== "real" && api !== "double") {
    throw new Error(`Cannot read --api=${api}: want auto, real or double`);
  }
  return { mode, once, api };
}

async function demo({ mode, once, api }: Options, signal: AbortSignal): Promise<void> {
  await using cleanup = new AsyncDisposableStack();
  const progress = new Progress(signal);
  const manifest = mode === "l2" ? "l2.yaml" : "metallb.yaml";
  const stage = await openStage({ api, manifest, progress, cleanup, signal });
  const [address = ""] =
    mode === "l2" ? await demoL2(stage, progress, cleanup) : await demoBgp(stage, progress);
  progress.say("Done");
  const hints = mode === "l2" ? l2Hints(address) : bgpHints(address);
  if (!once) await play(stage.controlPlane, hints, signal);
}

/** Says what can be tried and waits for the end. */
async function play(
  { cluster }: ControlPlane,
  hints: readonly string[],
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
          "  kubectl get ipaddresspools,bgppeers,bgpadvertisements,l2advertisements -n metallb-system",
          "  kubectl edit endpointslice web-ipv4",
        ]
      : []),
    ...hints.map((hint) => `  ${inNode} ${hint}`),
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
