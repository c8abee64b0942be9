// Every command of the seed guide, in its order, on a cluster with the guide's addresses; and that
// docs/seed-guide.md is about exactly these commands.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { DOCUMENT_PATH, formatDocument, withoutOutputs } from "./seed-guide/document.ts";
import { SECTIONS } from "./seed-guide/steps.ts";
import { Walk } from "./seed-guide/walk.ts";

describe("docs/seed-guide.md", () => {
  it("has the steps of the walk, in order, and their notes", async () => {
    const document = withoutOutputs(await readFile(DOCUMENT_PATH, "utf8"));
    assert.equal(document, withoutOutputs(formatDocument(() => "")));
  });

  it("has an output for every command that has one to show", async () => {
    const document = await readFile(DOCUMENT_PATH, "utf8");
    for (const { command, wants } of SECTIONS.flatMap(({ steps }) => steps)) {
      if (wants.length === 0) continue;
      assert.ok(document.includes(` ${command}\n`), command);
      assert.ok(!document.includes(` ${command}\n\`\`\``), `output of ${command}`);
    }
  });
});

describe("the seed guide", () => {
  let walk: Walk;
  /** A step stands on the ones before: after one that failed the others say nothing. */
  let failed = false;
  before(async () => {
    walk = await Walk.start();
  });
  after(() => walk?.stop());

  for (const section of SECTIONS) {
    describe(section.title, () => {
      before(() => walk.enter(section));
      for (const step of section.steps) {
        it(`${step.place}: ${step.command}`, async () => {
          assert.ok(!failed, "a step before this one failed");
          failed = true;
          await walk.take(step);
          failed = false;
        });
      }
    });
  }
});
