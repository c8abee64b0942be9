// How long the calling thread wants to run at a time: one that asks for little is run soon after it
// wakes, also on a busy machine. Wants no privilege; Linux before 6.12 takes it and does nothing.

import { libc } from "./libc.ts";

//   offset  octets  struct sched_attr, sched_setattr(2)
//   0       4       its size
//   4       4       policy: 0, that of ordinary threads
//   16      4       nice value
//   24      8       runtime: the slice, in nanoseconds
const SIZE = 48;
const RUNTIME_AT = 24;

/** Shortest slice that the kernel knows: 0.1 ms. */
export const SHORTEST_SLICE_NS = 100_000n;

/** Asks for the shortest slices; false: the kernel refused, and nothing is lost but time. */
export function wantShortSlices(): boolean {
  const { schedGetattr, schedSetattr } = libc();
  const attributes = new Uint8Array(SIZE);
  // Its nice value is kept.
  if (schedGetattr(attributes) < 0) return false;
  new DataView(attributes.buffer).setBigUint64(RUNTIME_AT, SHORTEST_SLICE_NS, true);
  return schedSetattr(attributes) >= 0;
}
