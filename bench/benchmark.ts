// What a benchmark is, and how one is run so that nothing of it stays behind.

import type { Table } from "./table.ts";

export type Benchmark = {
  /** For the command line. */
  readonly name: string;
  /** For the list of them. */
  readonly summary: string;
  /** Takes so long that it is run only when it is asked for. */
  readonly isLong: boolean;
  readonly run: (bench: Bench) => Promise<readonly Table[]>;
};

/** What the user may ask of benchmarks. */
export type BenchSettings = {
  /** Fewer rounds: to see that it runs, not for figures. */
  readonly isQuick: boolean;
  /** Of the benchmarks that count in rounds; undefined: as many as each thinks right. */
  readonly rounds: number | undefined;
  /** How long a benchmark looks on that waits for nothing to happen. */
  readonly minutes: number;
};

/** What a running benchmark is given. */
export type Bench = BenchSettings & {
  readonly progress: (text: string) => void;
  /** Has `cleanup` called at the end, however that comes; the last one deferred is called first. */
  readonly defer: (cleanup: () => unknown) => void;
};

export type RunOptions = BenchSettings & {
  /** Ends the run. */
  readonly signal: AbortSignal;
};

/** Runs one benchmark and takes away what it made, also when it fails or the signal fires. */
export async function runBenchmark(
  benchmark: Benchmark,
  { signal, ...settings }: RunOptions,
): Promise<readonly Table[]> {
  const started = performance.now();
  const cleanups: (() => unknown)[] = [];
  const bench: Bench = {
    ...settings,
    progress: (text) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(0);
      process.stderr.write(`${benchmark.name} ${seconds.padStart(4)} s  ${text}\n`);
    },
    defer: (cleanup) => cleanups.push(cleanup),
  };
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    return await Promise.race([benchmark.run(bench), aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    bench.progress("cleaning up");
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}
