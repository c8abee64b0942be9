// Questions by ARP and NDP to the node of a testbed: how long answers take, and how many come in a
// second.

import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { AskerOptions, AskerReport } from "./l2-asker.ts";

/** The wire to ask on. */
export type AskingEnd = Pick<AskerOptions, "interfaceName" | "asker">;

/** One question after the other, a little apart. */
export function askForRoundTrips(
  end: AskingEnd,
  target: string,
  durationMs: number,
): Promise<AskerReport> {
  return run({ ...end, target, durationMs, atOnce: 1, pauseMs: 2 });
}

/** As many questions as are answered. */
export function askForRate(
  end: AskingEnd,
  target: string,
  durationMs: number,
): Promise<AskerReport> {
  return run({ ...end, target, durationMs, atOnce: 32, pauseMs: 0 });
}

async function run(options: AskerOptions): Promise<AskerReport> {
  const worker = new Worker(new URL("./l2-asker.ts", import.meta.url), { workerData: options });
  const [report] = await once(worker, "message");
  await worker.terminate();
  return report as AskerReport;
}
