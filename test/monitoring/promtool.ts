// Runs promtool of Debian's package prometheus on rules and their cases.

import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { CASES_FILE } from "./queries.ts";

const run = promisify(execFile);

/** What promtool printed; what it complains of is in the Error. */
export async function promtool(...args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await run("promtool", args);
    return stdout;
  } catch (cause) {
    const { stdout = "", stderr = "", message } = cause as Error & Record<string, string>;
    const said = [stdout, stderr].join("\n").trim() || message;
    throw new Error(`Cannot take ${args.join(" ")}: ${said}`, { cause });
  }
}

/** Checks the rules as promtool does, in a file of their own. */
export function checkRules(rules: object): Promise<string> {
  return withFile("rules.yaml", rules, (path) => promtool("check", "rules", path));
}

/** Runs the cases of alerts.yaml on these rules instead of the chart's file. */
export async function testRules(rules: object): Promise<string> {
  const cases = parse(await readFile(CASES_FILE, "utf8"));
  return withFile("rules.yaml", rules, (rulesPath) =>
    withFile("cases.yaml", { ...cases, rule_files: [rulesPath] }, (path) =>
      promtool("test", "rules", path),
    ),
  );
}

async function withFile<T>(
  name: string,
  content: object,
  use: (path: string) => Promise<T>,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "metallb-ts-rules-"));
  try {
    const path = join(folder, name);
    await writeFile(path, stringify(content));
    return await use(path);
  } finally {
    await rm(folder, { recursive: true });
  }
}
