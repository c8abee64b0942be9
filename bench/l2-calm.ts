// Whether anything happens on Layer 2 when nothing should: three speakers on a machine whose cores are
// all busy with other things.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { longestGap, stintsOf } from "../lab/clients/sighting.ts";
import { Witness } from "../lab/clients/witness.ts";
import { NODES } from "../lab/demo/stage.ts";
import { Daemon } from "../test/cluster/daemon.ts";
import { L2Stand } from "../test/e2e/l2-stand.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { now } from "./clock.ts";
import { formatMs } from "./table.ts";

const SERVICES = 5;
const ASK_EVERY_MS = 10;
const MINUTE_MS = 60_000;

export const l2Calm: Benchmark = {
  name: "l2-calm",
  summary: "false alarms between speakers while all cores are busy with other things",
  isLong: false,
  run: async (bench) => {
    const l2 = await L2Stand.start();
    bench.defer(() => l2.stop());
    const services = Array.from({ length: SERVICES }, (_, i) => `calm-${i}`);
    const addresses = (await Promise.all(services.map((name) => l2.serve({ name })))).flat();
    const [reference = ""] = l2.lab.node("control").addresses;
    const witness = await Witness.start(l2.lab, [...addresses, reference], ASK_EVERY_MS);
    bench.defer(() => witness.stop());
    await l2.stand.until("an answer for each address", () => {
      const seen = new Set(witness.sightings().map(({ address }) => address));
      return seen.size === addresses.length + 1;
    });

    const busy = keepBusy(bench, l2);
    const before = await alarms(l2);
    const fromMs = now();
    for (let minute = 1; minute <= bench.minutes; minute++) {
      bench.progress(`minute ${minute} of ${bench.minutes}`);
      await sleep(MINUTE_MS);
    }
    const span = { fromMs, toMs: now() };
    const after = await alarms(l2);
    const sightings = witness.sightings().filter(({ atMs }) => atMs > fromMs);
    const of = (address: string) => sightings.filter((one) => one.address === address);
    const silence = (address: string) =>
      longestGap(
        of(address).map(({ atMs }) => atMs),
        span,
      );
    const moves = addresses.reduce((sum, address) => sum + stintsOf(of(address)).length - 1, 0);
    return [
      {
        title: "Layer 2 while nothing happens and all cores are busy",
        notes: [
          `${bench.minutes} minutes, three speakers, ${SERVICES} addresses, ${busy} busy processes.`,
          "kernel: longest time without an answer for an address of a kernel on the same machine.",
        ],
        columns: ["", "taken for dead", "fenced", "moves", "longest silence", "kernel"],
        rows: [
          [
            "speakers",
            String(after.deaths - before.deaths),
            String(after.fences - before.fences),
            String(moves),
            formatMs(Math.max(...addresses.map(silence))),
            formatMs(silence(reference)),
          ],
        ],
      },
    ];
  },
};

/** One process that counts for each core; how many. */
function keepBusy(bench: Bench, { lab }: L2Stand): number {
  const cores = availableParallelism();
  for (let core = 0; core < cores; core++) {
    const daemon = new Daemon({
      name: "busy process",
      command: process.execPath,
      args: ["--eval", "for (;;);"],
      logPath: join(lab.folder, "logs", "busy.log"),
      netns: undefined,
    });
    bench.defer(() => daemon.stop());
  }
  return cores;
}

/** What the speakers have logged so far. */
async function alarms({ stand }: L2Stand): Promise<{ deaths: number; fences: number }> {
  const logs = await Promise.all(NODES.map((name) => stand.log(name)));
  const lines = logs
    // The last line may be half written.
    .flatMap((log) => log.split("\n").slice(0, -1))
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
  return {
    deaths: lines.filter(({ event, state }) => event === "memberState" && state === "dead").length,
    fences: lines.filter(({ event, why }) => event === "fenced" && why !== undefined).length,
  };
}
