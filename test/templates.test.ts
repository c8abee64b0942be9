// Every path a template reads exists in the view: Handlebars alone takes a misspelt {{#if}} for
// false.

import assert from "node:assert/strict";
import { join } from "node:path";
import { it } from "node:test";
import Handlebars from "handlebars";
import { nameClasses } from "../src/frr/classes.ts";
import { TEMPLATE_NAMES, type Templates } from "../src/frr/render.ts";
import { readTemplates } from "../src/frr/templates.ts";
import { viewOf } from "../src/frr/view.ts";
import { DESIRED_SAMPLES } from "./frr-samples.ts";

const templates = readTemplates(join(import.meta.dirname, "../templates"));

/** Views that have at least one of everything. */
const views = Object.values(DESIRED_SAMPLES).map(({ settings, routes }) =>
  viewOf(settings, nameClasses(routes.values()), () =>
    [...routes.keys()].map((prefix) => ({ prefix, className: "c-1" })),
  ),
);

/** Walks a template with all values its scope may have; returns what is wrong. */
function faults(texts: Templates, name: keyof Templates, scopes: readonly unknown[]): string[] {
  const found: string[] = [];
  const walk = (program: hbs.AST.Program | undefined, values: readonly unknown[]): void => {
    for (const statement of program?.body ?? []) {
      switch (statement.type) {
        case "ContentStatement":
        case "CommentStatement":
          break;
        case "MustacheStatement":
          read((statement as hbs.AST.MustacheStatement).path, values);
          break;
        case "PartialStatement": {
          const partial = (statement as hbs.AST.PartialStatement).name as hbs.AST.PathExpression;
          if (partial.original in texts) {
            found.push(...faults(texts, partial.original as keyof Templates, values));
          } else found.push(`${name}: no partial ${partial.original}`);
          break;
        }
        case "BlockStatement": {
          const block = statement as hbs.AST.BlockStatement;
          const helper = (block.path as hbs.AST.PathExpression).original;
          const [argument] = block.params;
          const inner = argument === undefined ? [] : read(argument, values);
          if (helper === "each") walk(block.program, inner.flat());
          else if (helper === "if") walk(block.program, values);
          else found.push(`${name}: no block {{#${helper}}}`);
          walk(block.inverse, values);
          break;
        }
        default:
          found.push(`${name}: unknown ${statement.type}`);
      }
    }
  };
  const read = (expression: hbs.AST.Expression, values: readonly unknown[]): unknown[] => {
    const { parts, original } = expression as hbs.AST.PathExpression;
    let now: readonly unknown[] = values;
    for (const part of parts) {
      if (now.length === 0) found.push(`${name}: no sample reaches {{${original}}}`);
      const having = now.filter(
        (value) => typeof value === "object" && value !== null && Object.hasOwn(value, part),
      );
      if (having.length < now.length) found.push(`${name}: the view has no {{${original}}}`);
      now = having.map((value) => (value as Record<string, unknown>)[part]);
    }
    return [...now];
  };
  walk(Handlebars.parse(texts[name]), scopes);
  return [...new Set(found)];
}

it("templates read only what the view has", () => {
  assert.deepEqual(faults(templates, "frr.conf", views), []);
});

it("every template is part of frr.conf", () => {
  for (const name of TEMPLATE_NAMES) {
    if (name === "frr.conf") continue;
    const broken = { ...templates, [name]: "{{nosuch}}" };
    assert.deepEqual(faults(broken, "frr.conf", views), [`${name}: the view has no {{nosuch}}`]);
  }
});

it("a misspelt condition is found", () => {
  const text = templates["neighbor-session"].replace("{{#if password}}", "{{#if pasword}}");
  assert.deepEqual(faults({ ...templates, "neighbor-session": text }, "frr.conf", views), [
    "neighbor-session: the view has no {{pasword}}",
  ]);
});
