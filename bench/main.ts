// Speed and memory as tables, each beside a reference point taken in the same run.

import { parseArgs } from "node:util";
import { allocate } from "./allocate.ts";
import { announce } from "./announce.ts";
import { type Benchmark, runBenchmark } from "./benchmark.ts";
import { burst } from "./burst.ts";
import { l2Answers } from "./l2-answers.ts";
import { l2Calm } from "./l2-calm.ts";
import { l2Failover } from "./l2-failover.ts";
import { memory } from "./memory.ts";
import { formatTable } from "./table.ts";
import { isInNamespace, prepareNamespace, runInNamespace } from "./wire.ts";

const BENCHMARKS: readonly Benchmark[] = [
  ...[announce, burst, allocate, memory],
  ...[l2Answers, l2Calm, l2Failover],
];

const USAGE = `Usage: node bench/main.ts [--quick] [--rounds=N] [--minutes=N] [NAME...]
${BENCHMARKS.map(({ name, summary, isLong }) => `  ${name.padEnd(13)}${summary}${isLong ? " (only by name)" : ""}`).join("\n")}
  --quick      fewer rounds: to see that it runs, not for figures
  --rounds=N   how often l2-failover does each thing; default 50
  --minutes=N  how long l2-calm looks on; default 2
`;

/** The exit status. */
async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string" },
      minutes: { type: "string", default: "2" },
      help: { type: "boolean" },
    },
  });
  const unknown = positionals.filter((name) => !BENCHMARKS.some((known) => known.name === name));
  if (values.help || unknown.length > 0) {
    for (const name of unknown) process.stderr.write(`Cannot run "${name}": no such benchmark\n`);
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  const settings = {
    isQuick: values.quick,
    rounds: values.rounds === undefined ? undefined : countOf("--rounds", values.rounds),
    minutes: countOf("--minutes", values.minutes),
  };
  if (!isInNamespace()) return runInNamespace();
  await prepareNamespace();

  const chosen = BENCHMARKS.filter(
    ({ name, isLong }) => (positionals.length === 0 && !isLong) || positionals.includes(name),
  );
  const interrupted = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // Each time: the death of a parent with threads is told once for each of them.
    process.on(signal, () => interrupted.abort(new Error(`Interrupted by ${signal}`)));
  }
  let status = 0;
  for (const benchmark of chosen) {
    try {
      const options = { ...settings, signal: interrupted.signal };
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

function countOf(flag: string, text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new Error(`Cannot read ${flag}=${text}: want a whole number above 0`);
}

process.exit(await main());
