// Runs the test layers one after the other and prints each layer's count. Layers can be named
// on the command line. With REQUIRE_ALL=1 (CI) a skipped test is a failure.

import { spawn } from "node:child_process";
import { globSync } from "node:fs";

type Layer = {
  readonly name: string;
  readonly title: string;
  readonly globs: readonly string[];
  /** Test files at once. Layers that look at short times run one at a time: the machine is small. */
  readonly concurrency: number;
};

type Count = { passed: number; failed: number; skipped: number };

/** A file that hangs fails then, rather than taking the whole run along; the slowest takes two minutes. */
const LONGEST_FILE_MS = 600_000;

const LAYERS: readonly Layer[] = [
  { name: "unit", title: "unit", globs: ["src/**/*.test.ts", "lab/*.test.ts"], concurrency: 2 },
  { name: "program", title: "program", globs: ["test/*.test.ts"], concurrency: 2 },
  { name: "frr", title: "real FRR", globs: ["test/frr/*.test.ts"], concurrency: 1 },
  {
    name: "netns",
    title: "real network",
    globs: ["lab/netns/*.test.ts", "test/netns/*.test.ts"],
    concurrency: 1,
  },
  { name: "cluster", title: "real API server", globs: ["test/cluster/*.test.ts"], concurrency: 2 },
  { name: "e2e", title: "end to end", globs: ["test/e2e/*.test.ts"], concurrency: 1 },
  // They mostly wait for Pods, and judge no time below a second.
  { name: "install", title: "installed", globs: ["test/install/*.test.ts"], concurrency: 2 },
];

async function runLayer(layer: Layer): Promise<Count & { exitCode: number }> {
  const files = globSync(layer.globs as string[]).sort();
  if (files.length === 0) throw new Error(`Cannot run layer "${layer.name}": no test file found`);
  const child = spawn(
    process.execPath,
    [
      ...["--test", `--test-concurrency=${layer.concurrency}`, "--test-reporter=spec"],
      ...[`--test-timeout=${LONGEST_FILE_MS}`, ...files],
    ],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const count: Count = { passed: 0, failed: 0, skipped: 0 };
  let rest = "";
  child.stdout.setEncoding("utf8");
  child.stdout.on("data", (chunk: string) => {
    process.stdout.write(chunk);
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) readCount(line, count);
  });
  const exitCode = await new Promise<number>((resolve) => {
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { ...count, exitCode };
}

/** Reads one of the spec reporter's closing lines, such as "ℹ pass 12". */
function readCount(line: string, count: Count): void {
  const match = /^ℹ (pass|fail|cancelled|skipped|todo) (\d+)$/.exec(line.trim());
  if (match === null) return;
  const number = Number(match[2]);
  if (match[1] === "pass") count.passed = number;
  else if (match[1] === "fail" || match[1] === "cancelled") count.failed += number;
  else count.skipped += number;
}

const wanted = process.argv.slice(2);
for (const name of wanted) {
  if (LAYERS.some((layer) => layer.name === name)) continue;
  const names = LAYERS.map((layer) => layer.name).join(", ");
  throw new Error(`Cannot run layer "${name}": want one of ${names}`);
}

const rows: string[] = [];
const total: Count = { passed: 0, failed: 0, skipped: 0 };
let healthy = true;
for (const layer of LAYERS) {
  if (wanted.length > 0 && !wanted.includes(layer.name)) continue;
  console.log(`\n== ${layer.title} ==`);
  const started = performance.now();
  const result = await runLayer(layer);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  total.passed += result.passed;
  total.failed += result.failed;
  total.skipped += result.skipped;
  if (result.exitCode !== 0 || result.passed === 0) healthy = false;
  rows.push(
    `${layer.title.padEnd(18)}${String(result.passed).padStart(7)} passed` +
      `${String(result.failed).padStart(5)} failed${String(result.skipped).padStart(5)} skipped` +
      `${seconds.padStart(6)} s`,
  );
}

console.log(`\n${rows.join("\n")}\n`);
if (total.skipped > 0 && process.env["REQUIRE_ALL"] === "1") {
  console.log(`REQUIRE_ALL=1: ${total.skipped} skipped tests count as failures`);
  healthy = false;
}
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(healthy && total.failed === 0 ? 0 : 1);
