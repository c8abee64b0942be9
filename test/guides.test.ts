// The guides in docs/: what they quote is what the programs say, what they set and name is there.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { controllerRegistry, speakerRegistry } from "../scripts/reference/metrics.ts";
import { readValues } from "../scripts/reference/values.ts";

const ROOT = join(import.meta.dirname, "..");

const guides = globSync("{README.md,docs/*.md}", { cwd: ROOT }).map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), "utf8"),
}));

/** Stands for what a program puts into a text. */
const HOLE = "\0";

/** Parts that a text is put together of. */
function partsOf(text: string): readonly string[] {
  return text.split(/[:;,.]\s+|\.\.\.|\n/).filter((part) => part.trim() !== "");
}

/** All texts in the sources and the schemas, in parts. */
function saidTexts(): readonly string[] {
  const sources = globSync("src/**/*.ts", { cwd: ROOT })
    .filter((path) => !path.includes(".test."))
    .map((path) => readFileSync(join(ROOT, path), "utf8").replaceAll(/\\"/g, '"'));
  const schemas = globSync("crds/*.yaml", { cwd: ROOT }).map((path) =>
    readFileSync(join(ROOT, path), "utf8").replaceAll(/%[sd]/g, HOLE),
  );
  return [/"([^"\n]*)"/g, /'([^'\n]*)'/g, /`([^`]*)`/g].flatMap((literal) =>
    [...sources, ...schemas].flatMap((text) =>
      [...text.matchAll(literal)].flatMap(([, content = ""]) => {
        const whole = content.replaceAll(/\$\{[^}]*\}/g, HOLE);
        return [whole, ...partsOf(whole)];
      }),
    ),
  );
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** Whether somebody says this, or something that holds it. */
function isSaid(part: string, texts: readonly string[]): boolean {
  return texts.some((text) => {
    if (text.includes(part)) return true;
    const fixed = text.split(HOLE);
    // Not one that consists of what is put in.
    if (fixed.length === 1 || fixed.join("").length < 5) return false;
    // What is put in may be anything short of another sentence.
    return new RegExp(`^${fixed.map(escaped).join("(?:(?![:;] ).)*")}$`).test(part);
  });
}

/** What a heading is called in a link. */
function anchorsOf(text: string): readonly string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^a-z0-9 -]/g, "")
      .replaceAll(" ", "-"),
  );
}

describe("guides", () => {
  it("point at headings there are", () => {
    const pages = globSync("docs/**/*.md", { cwd: ROOT }).map((path) => ({
      path,
      text: readFileSync(join(ROOT, path), "utf8"),
    }));
    const links = pages.flatMap(({ path, text }) =>
      [...text.matchAll(/\]\(([\w./-]*\.md)?#([^)]+)\)/g)].map(([, file, anchor = ""]) => ({
        path,
        target: file === undefined ? path : join(dirname(path), file),
        anchor,
      })),
    );
    assert.ok(links.length > 10);
    const lost = links.filter(({ target, anchor }) => {
      const page = pages.find(({ path }) => path === target);
      return page === undefined || !anchorsOf(page.text).includes(anchor);
    });
    assert.deepEqual(lost, []);
  });

  it("say what the programs say, where they quote in italics", () => {
    const texts = saidTexts();
    const [page] = guides.filter(({ path }) => path === "docs/troubleshooting.md");
    // Not what stands in code.
    const prose = (page?.text ?? "").replaceAll(/^```[\s\S]*?^```|^ {4}.*$|`[^`\n]*`/gm, "");
    const quotes = [...prose.matchAll(/(?<![*\w])\*([^*\n]+(?:\n[^*\n]+)?)\*(?![*\w])/g)].map(
      ([, quote = ""]) => quote.replaceAll(/\s+/g, " "),
    );
    assert.ok(quotes.length > 50);
    const invented = quotes
      .filter((quote) => quote !== "italics")
      .filter((quote) => !isSaid(quote, texts))
      .filter((quote) => !partsOf(quote).every((part) => isSaid(part.trim(), texts)));
    assert.deepEqual(invented, []);
  });

  it("name only metrics there are", () => {
    const names = [controllerRegistry(), speakerRegistry()].flatMap((registry) =>
      registry.getMetricsAsArray().map(({ name }) => name),
    );
    const unknown = guides.flatMap(({ path, text }) =>
      [...text.matchAll(/`(metallb_[a-z0-9_]+)`/g)]
        .filter(([, name = ""]) => !names.includes(name))
        .map(([, name]) => [path, name]),
    );
    assert.deepEqual(unknown, []);
  });

  it("set only values the chart has", () => {
    const values = readValues(readFileSync(join(ROOT, "charts/metallb/values.yaml"), "utf8"));
    const paths = new Set(values.map(({ path }) => path));
    const set = guides.flatMap(({ path, text }) =>
      [...text.matchAll(/--set ([\w.]+)=|value `([\w.]+)[`:]/g)].map(([, flag, value]) => ({
        path,
        value: flag ?? value ?? "",
      })),
    );
    assert.ok(set.length > 10);
    assert.deepEqual(
      set.filter(({ value }) => !paths.has(value)),
      [],
    );
  });
});
