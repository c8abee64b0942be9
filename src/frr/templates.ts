// Reads the template files from a folder, once, at the start of a program.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TEMPLATE_NAMES, type Templates } from "./render.ts";

/** Reads the templates of a folder; throws where a file is missing. */
export function readTemplates(folder: string): Templates {
  const read = (name: (typeof TEMPLATE_NAMES)[number]): string =>
    readFileSync(join(folder, `${name}.hbs`), "utf8");
  const [frrConf, classes, filters, session, families, profile] = TEMPLATE_NAMES;
  return {
    [frrConf]: read(frrConf),
    [classes]: read(classes),
    [filters]: read(filters),
    [session]: read(session),
    [families]: read(families),
    [profile]: read(profile),
  };
}
