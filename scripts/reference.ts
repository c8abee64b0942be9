// Writes docs/reference/ from the sources; with --check it only says which pages are out of date, and ends
// with status 1 if any is.

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { referencePages } from "./reference/pages.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, "docs/reference");

const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

function readPage(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

mkdirSync(FOLDER, { recursive: true });
for (const [name, text] of referencePages(ROOT)) {
  const path = join(FOLDER, name);
  if (readPage(path) === text) continue;
  if (values.check) {
    process.stderr.write(`docs/reference/${name} is out of date: run \`make reference\`\n`);
    process.exitCode = 1;
  } else {
    writeFileSync(path, text);
    process.stdout.write(`docs/reference/${name}\n`);
  }
}
