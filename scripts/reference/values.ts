// The chart's values as a page: each with its default and the comment above it.

import { readFileSync } from "node:fs";
import { isMap, isScalar, type Pair, parseDocument, type YAMLMap } from "yaml";
import { code, page, table } from "./markdown.ts";

const FILE = "charts/metallb/values.yaml";

export type Value = {
  /** Such as "speaker.frr.image.tag". */
  readonly path: string;
  /** JSON; undefined: what is below it has defaults of its own. */
  readonly default: string | undefined;
  /** "" when nobody wrote a comment. */
  readonly meaning: string;
};

export function valuesPage(root: string): string {
  const values = readValues(readFileSync(`${root}/${FILE}`, "utf8"));
  const groups = Map.groupBy(values, ({ path }) => path.split(".")[0] ?? "");
  const single = [...groups.values()].filter((group) => group.length === 1).flat();
  return page("Values of the chart", `\`${FILE}\``, [
    "Names are MetalLB's where the thing is the same. A value that is written wrong is refused by `helm` (`values.schema.json`). See [installing](../install.md) for how to set them.",
    valueTable(single),
    ...[...groups].flatMap(([name, group]) => {
      const [head, ...rest] = group;
      return head === undefined || rest.length === 0
        ? []
        : [`## ${name}`, head.meaning, valueTable(rest)];
    }),
  ]);
}

/** All values in the order of the file, those that hold others before these. */
export function readValues(text: string): readonly Value[] {
  const { contents, errors } = parseDocument(text);
  if (errors.length > 0 || !isMap(contents)) {
    throw new Error(`Cannot read ${FILE}: ${errors[0]?.message ?? "want a map"}`);
  }
  return valuesOf(contents, "", text);
}

function valuesOf(map: YAMLMap, path: string, text: string): readonly Value[] {
  return map.items.flatMap((pair, index) => {
    const own = path === "" ? keyOf(pair) : `${path}.${keyOf(pair)}`;
    const meaning = commentOf(map, pair, index);
    if (isMap(pair.value) && hasComments(pair.value)) {
      return [{ path: own, default: undefined, meaning }, ...valuesOf(pair.value, own, text)];
    }
    const value = isMap(pair.value) || !isScalar(pair.value) ? pair.value : pair.value.value;
    const json = JSON.stringify(
      typeof value === "object" && value !== null && "toJSON" in value
        ? (value as { toJSON(): unknown }).toJSON()
        : value,
    );
    return [{ path: own, default: json, meaning }];
  });
}

/** Whether what is in the map is described, and not only the map as a whole. */
function hasComments(map: YAMLMap): boolean {
  return map.items.some((pair, index) => commentOf(map, pair, index) !== "");
}

function keyOf({ key }: Pair): string {
  return String(isScalar(key) ? key.value : key);
}

/** The lines above a key; those above the first key of a map belong to the map. */
function commentOf(map: YAMLMap, { key }: Pair, index: number): string {
  const above = isScalar(key) ? key.commentBefore : undefined;
  const text = above ?? (index === 0 ? map.commentBefore : undefined) ?? "";
  // An empty line parts a comment on the file from one on the key.
  const own = text.split(/\n\s*\n/).at(-1) ?? "";
  return own.replaceAll(/\s+/g, " ").trim();
}

function valueTable(values: readonly Value[]): string {
  return table(
    ["Value", "Default", "Meaning"],
    values.map((value) => [
      code(value.path),
      value.default === undefined ? "" : code(value.default),
      value.meaning,
    ]),
  );
}
