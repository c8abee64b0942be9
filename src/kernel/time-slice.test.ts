// What the kernel takes: on Linux before 6.12 it forgets it again.

import assert from "node:assert/strict";
import { getPriority, release } from "node:os";
import { it } from "node:test";
import { Worker } from "node:worker_threads";
import { SHORTEST_SLICE_NS } from "./time-slice.ts";

const MODULE = new URL("./time-slice.ts", import.meta.url).href;

it("wantShortSlices() is taken by the kernel for the thread that asks, and for no other", async (t) => {
  const nice = getPriority();
  const source = `
    const { parentPort } = require("node:worker_threads");
    import(${JSON.stringify(MODULE)}).then(({ timeSliceNs, wantShortSlices }) => {
      const before = timeSliceNs();
      const taken = wantShortSlices();
      parentPort.postMessage({ before, taken, after: timeSliceNs() });
    });`;
  const worker = new Worker(source, { eval: true });
  const told = await new Promise<{ taken: boolean; before: bigint; after: bigint }>(
    (resolve, reject) => {
      worker.once("message", resolve);
      worker.once("error", reject);
    },
  );
  await worker.terminate();
  assert.equal(told.taken, true);
  assert.equal(getPriority(), nice);
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (major > 6 || (major === 6 && minor >= 12)) assert.equal(told.after, SHORTEST_SLICE_NS);
  else
    t.diagnostic(`Linux ${release()} has no time slices: only that it takes the call was tested`);
  const { timeSliceNs } = await import("./time-slice.ts");
  assert.notEqual(timeSliceNs(), SHORTEST_SLICE_NS);
});
