// Speed and memory as tables, each beside a reference point taken in the same run.

import { parseArgs } from "node:util";
import { allocate } from "./allocate.ts";
import { announce } from "./announce.ts";
import { type Benchmark, runBenchmark } from "./benchmark.ts";
import { burst } from "./burst.ts";
import { memory } from "./memory.ts";
import { formatTable } from "./table.ts";
import { isInNamespace, prepareNamespace, runInNamespace } from "./wire.ts";

const BENCHMARKS: readonly Benchmark[] = [announce, burst, allocate, memory];

const USAGE = `Usage: node bench/main.ts [--quick] [NAME...]
${BENCHMARKS.map(({ name, summary }) => `  ${name.padEnd(10)}${summary}`).join("\n")}
  --quick   fewer rounds: to see that it runs, not for figures
`;

/** The exit status. */
async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { quick: { type: "boolean", default: false }, help: { type: "boolean" } },
  });
  const unknown = positionals.filter((name) => !BENCHMARKS.some((known) => known.name === name));
  if (values.help || unknown.length > 0) {
    for (const name of unknown) process.stderr.write(`Cannot run "${name}": no such benchmark\n`);
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  if (!isInNamespace()) return runInNamespace();
  await prepareNamespace();

  const chosen = BENCHMARKS.filter(
    ({ name }) => positionals.length === 0 || positionals.includes(name),
  );
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Each time: the death of a parent with threads is told once for each of them.
    process.on(signal, () => interrupted.abort(new Error(`Interrupted by ${signal}`)));
  }
  let status = 0;
  for (const benchmark of chosen) {
    try {
      const options = { isQuick: values.quick, signal: interrupted.signal };
      for (const table of await runBenchmark(benchmark, options)) {
        process.stdout.write(`\n${formatTable(table)}\n`);
      }
    } catch (error) {
      status = 1;
      const isInterrupted = interrupted.signal.aborted;
      const why = error instanceof Error && !isInterrupted ? error.stack : String(error);
      process.stderr.write(`Cannot finish ${benchmark.name}: ${why}\n`);
      if (isInterrupted) break;
    }
  }
  return status;
}

process.exit(await main());
