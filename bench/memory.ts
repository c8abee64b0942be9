// Memory of both programs, idle and with a growing number of Services, beside a Node that does
// nothing.

import { setTimeout as sleep } from "node:timers/promises";
import { Daemon } from "../test/cluster/daemon.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { type Memory, memoryOf } from "./program.ts";
import { createEndpoint, createService, inParallel } from "./services.ts";
import { formatMib, formatRatio } from "./table.ts";
import { NODE, startController, startSpeaker, startTestbed } from "./testbed.ts";

const SIZES = [0, 1, 100, 1000, 2000];
const QUICK_SIZES = [0, 1, 100];
/** For status objects, Events and the configuration file, which follow the routes. */
const SETTLE_MS = 4000;
const DEADLINE_MS = 120_000;

export const memory: Benchmark = {
  name: "memory",
  summary: "resident memory of both programs, beside a bare Node",
  isLong: false,
  run: async (bench) => {
    const testbed = await startTestbed(bench);
    const { cluster, peer, router } = testbed;
    const bare = await bareNode(bench, router.folder);
    const controller = await startController(bench, cluster.kubeconfigPath, router.folder);
    const speaker = await startSpeaker(bench, testbed);
    await peer.until(() => peer.established > 0, "the session", DEADLINE_MS);
    const rows: string[][] = [["bare Node", ...cells(bare), "", ""]];
    let filled = 0;
    for (const size of bench.isQuick ? QUICK_SIZES : SIZES) {
      bench.progress(`${size} Services`);
      await inParallel({ from: filled, to: size }, async (n) => {
        await createService(cluster, n);
        await createEndpoint(cluster, n, NODE);
      });
      filled = size;
      await peer.until(() => peer.announced === size, `${size} prefixes`, DEADLINE_MS);
      await sleep(SETTLE_MS);
      const name = size === 0 ? "idle" : `${size} Services`;
      rows.push([name, ...cells(controller.memory()), ...cells(speaker.memory())]);
      rows.push([
        "  to bare Node",
        formatRatio(controller.memory().resident, bare.resident),
        "",
        formatRatio(speaker.memory().resident, bare.resident),
        "",
      ]);
    }
    return [
      {
        title: "Memory",
        notes: [
          "Resident now, and the most it ever was (VmRSS, VmHWM). All Services are announced.",
        ],
        columns: ["", "controller", "peak", "speaker", "peak"],
        rows,
      },
    ];
  },
};

async function bareNode(bench: Bench, folder: string): Promise<Memory> {
  const node = new Daemon({
    name: "node",
    command: process.execPath,
    args: ["--eval", "setInterval(() => {}, 60_000)"],
    logPath: `${folder}/node.log`,
    netns: undefined,
  });
  bench.defer(() => node.stop());
  await sleep(1000);
  const bare = memoryOf(node.pid);
  await node.stop();
  return bare;
}

function cells({ resident, peak }: Memory): string[] {
  return [formatMib(resident), formatMib(peak)];
}
