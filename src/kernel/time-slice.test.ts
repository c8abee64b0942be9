// What the kernel takes: on Linux before 6.12 it forgets it again.

import assert from "node:assert/strict";
import { getPriority, release } from "node:os";
import { it } from "node:test";
import { Worker } from "node:worker_threads";
import { libc } from "./libc.ts";
import { SHORTEST_SLICE_NS } from "./time-slice.ts";

const MODULES = ["./time-slice.ts", "./libc.ts"].map((name) => new URL(name, import.meta.url).href);
/** struct sched_attr, sched_setattr(2): its size, and where the slice is in it. */
const [SIZE, RUNTIME_AT] = [48, 24];

it("wantShortSlices() is taken by the kernel for the thread that asks, and for no other", async (t) => {
  const nice = getPriority();
  const source = `
    const { parentPort } = require("node:worker_threads");
    const imports = ${JSON.stringify(MODULES)}.map((name) => import(name));
    Promise.all(imports).then(([{ wantShortSlices }, { libc }]) => {
      const taken = wantShortSlices();
      const attributes = new Uint8Array(${SIZE});
      libc().schedGetattr(attributes);
      const after = new DataView(attributes.buffer).getBigUint64(${RUNTIME_AT}, true);
      parentPort.postMessage({ taken, after });
    });`;
  const worker = new Worker(source, { eval: true });
  const told = await new Promise<{ taken: boolean; after: bigint }>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await worker.terminate();
  assert.equal(told.taken, true);
  assert.equal(getPriority(), nice);
  const [major = 0, minor = 0] = release().split(".").map(Number);
  if (major > 6 || (major === 6 && minor >= 12)) assert.equal(told.after, SHORTEST_SLICE_NS);
  else
    t.diagnostic(`Linux ${release()} has no time slices: only that it takes the call was tested`);
  const attributes = new Uint8Array(SIZE);
  assert(libc().schedGetattr(attributes) >= 0);
  const own = new DataView(attributes.buffer).getBigUint64(RUNTIME_AT, true);
  assert.notEqual(own, SHORTEST_SLICE_NS);
});
