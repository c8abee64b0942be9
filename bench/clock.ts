// One clock for all threads.

/** Milliseconds of the system's monotonic clock, the same in every thread and process. */
export function now(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
