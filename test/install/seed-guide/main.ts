// Walks through the seed guide and writes docs/seed-guide.md with what each command printed.

import { writeFile } from "node:fs/promises";
import { DOCUMENT_PATH, formatDocument } from "./document.ts";
import { SECTIONS, type Step } from "./steps.ts";
import { Walk } from "./walk.ts";

const walk = await Walk.start();
try {
  const outputs = new Map<Step, string>();
  for (const section of SECTIONS) {
    console.log(`\n== ${section.title}`);
    await walk.enter(section);
    for (const step of section.steps) {
      console.log(`\n${step.place}$ ${step.command}`);
      const output = await walk.take(step);
      console.log(output);
      outputs.set(step, output);
    }
  }
  await writeFile(
    DOCUMENT_PATH,
    formatDocument((step) => outputs.get(step) ?? ""),
  );
  console.log(`\nWritten: ${DOCUMENT_PATH}`);
} finally {
  await walk.stop();
}
