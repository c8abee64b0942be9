// docs/reference/ is what the sources say, and the tables it is made from hold all that the programs use.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { referencePages } from "../scripts/reference/pages.ts";
import { readValues } from "../scripts/reference/values.ts";
import { CONDITION_REASONS as CONTROLLER_CONDITIONS } from "../src/controller/condition-reasons.ts";
import { EVENT_REASONS as CONTROLLER_EVENTS } from "../src/controller/event-reasons.ts";
import { CONDITION_REASONS as SPEAKER_CONDITIONS } from "../src/speaker/condition-reasons.ts";
import { EVENT_REASONS as SPEAKER_EVENTS } from "../src/speaker/event-reasons.ts";

const ROOT = join(import.meta.dirname, "..");

describe("docs/reference/", () => {
  for (const [name, text] of referencePages(ROOT)) {
    it(`${name} is up to date: node scripts/reference.ts`, () => {
      assert.equal(readFileSync(join(ROOT, "docs/reference", name), "utf8"), text);
    });
  }

  it("has no page that nobody makes", () => {
    const there = globSync("*.md", { cwd: join(ROOT, "docs/reference") }).sort();
    assert.deepEqual(there, [...referencePages(ROOT).keys()].sort());
  });
});

describe("values.yaml", () => {
  it("says of every value what it means", () => {
    const values = readValues(readFileSync(join(ROOT, "charts/metallb/values.yaml"), "utf8"));
    assert.ok(values.length > 100);
    assert.deepEqual(
      values.filter(({ meaning }) => meaning === "").map(({ path }) => path),
      [],
    );
  });

  it("is read key by key: comments above the first key of a map are that key's", () => {
    const text = "# Of the file.\n\n# Of a.\na:\n  # Of b.\n  b: [1]\n  # Of c.\n  c:\n    d: x\n";
    assert.deepEqual(readValues(text), [
      { path: "a", default: undefined, meaning: "Of a." },
      { path: "a.b", default: "[1]", meaning: "Of b." },
      { path: "a.c", default: '{"d":"x"}', meaning: "Of c." },
    ]);
  });
});

type Program = "controller" | "speaker";

/** Sources of a program, without its tests and the tables themselves. */
function sourcesOf(program: Program): readonly { readonly path: string; readonly text: string }[] {
  return globSync(`src/${program}/*.ts`, { cwd: ROOT })
    .filter((path) => !/(\.test|\/(event|condition)-reasons)\.ts$/.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** Literals of the first group of the pattern, with the file of each. */
function literals(program: Program, pattern: RegExp): readonly (readonly [string, string])[] {
  return sourcesOf(program).flatMap(({ path, text }) =>
    [...text.matchAll(pattern)].map(([, literal = ""]) => [literal, path] as const),
  );
}

for (const [program, events] of [
  ["controller", CONTROLLER_EVENTS],
  ["speaker", SPEAKER_EVENTS],
] as const) {
  describe(`events of the ${program}`, () => {
    /** An event written out, and not made by way of the table. */
    const written = /type: "(?:Normal|Warning)",\s*reason: ([^\s,]+)/g;

    it("that are written out are in the table", () => {
      const unknown = literals(program, written).filter(([reason]) => {
        const [, literal] = /^"(.*)"$/.exec(reason) ?? [];
        return literal === undefined ? !/^[A-Z_]+$/.test(reason) : !(literal in events);
      });
      assert.deepEqual(unknown, []);
    });

    it("are all sent by somebody", () => {
      const all = sourcesOf(program).map(({ text }) => text);
      const unused = Object.keys(events).filter(
        (reason) => !all.some((text) => text.includes(`"${reason}"`)),
      );
      assert.deepEqual(unused, []);
    });

    it("are sent by nobody but those who take them from the table or write them out", () => {
      const senders = sourcesOf(program)
        .filter(({ text }) => /\bemit\(\{/.test(text))
        .filter(({ text }) => !text.includes("EVENT_REASONS") && text.match(written) === null)
        .map(({ path }) => path);
      // What it sends was decided by service.ts.
      assert.deepEqual(senders, []);
    });
  });
}

for (const [program, conditions] of [
  ["controller", CONTROLLER_CONDITIONS],
  ["speaker", SPEAKER_CONDITIONS],
] as const) {
  describe(`conditions of the ${program}`, () => {
    it("are those of the table", () => {
      const named = literals(program, /\b\w*CONDITION = "([^"]+)"/g).map(([type]) => type);
      assert.deepEqual([...new Set(named)].sort(), Object.keys(conditions).sort());
    });

    it("have their type by a name, and not written out", () => {
      const writers = sourcesOf(program).filter(({ text }) => text.includes("lastTransitionTime"));
      assert.notEqual(writers.length, 0);
      const written = writers.flatMap(({ path, text }) =>
        [...text.matchAll(/\btype: "(?!Normal|Warning)([^"]+)"/g)].map(([, type]) => [path, type]),
      );
      assert.deepEqual(written, []);
    });

    it("have no reason that nobody gives", () => {
      const all = sourcesOf(program).map(({ text }) => text);
      const unused = Object.values(conditions)
        .flatMap(({ reasons }) => Object.keys(reasons))
        .filter((reason) => !all.some((text) => text.includes(`"${reason}"`)));
      assert.deepEqual(unused, []);
    });
  });
}
