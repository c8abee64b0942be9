// The file of ConfigMap metallb-excludel2: names of interfaces that never answer, as Go regular
// expressions. Pure.

import { parse } from "yaml";

const KEY = "announcedInterfacesToExclude";

export type ExcludedResult =
  | { readonly kind: "patterns"; readonly patterns: readonly RegExp[] }
  | { readonly kind: "invalid"; readonly message: string };

/**
 * Parses the text of excludel2.yaml. A name is excluded when any of the patterns matches any part
 * of it, so most begin with "^".
 */
export function parseExcluded(text: string): ExcludedResult {
  let file: unknown;
  try {
    file = parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message.split("\n")[0] : String(error);
    return invalid(`Cannot read excludel2.yaml: want YAML: ${why}`);
  }
  if (file === null || file === undefined) return { kind: "patterns", patterns: [] };
  if (typeof file !== "object" || Array.isArray(file)) {
    return invalid(`Cannot read excludel2.yaml: want an object with the key ${KEY}`);
  }
  const entries: unknown = (file as Readonly<Record<string, unknown>>)[KEY] ?? [];
  if (!Array.isArray(entries)) {
    return invalid(`Cannot read ${KEY} ${JSON.stringify(entries)}: want a list of patterns`);
  }
  const patterns: RegExp[] = [];
  for (const [index, entry] of (entries as readonly unknown[]).entries()) {
    const pattern = typeof entry === "string" ? goPattern(entry) : undefined;
    if (pattern === undefined) {
      const what = `${KEY}[${index}] ${JSON.stringify(entry)}`;
      return invalid(`Cannot read ${what}: want a regular expression such as "^veth.*"`);
    }
    patterns.push(pattern);
  }
  return { kind: "patterns", patterns };
}

/**
 * The part of Go's syntax that names of interfaces want; undefined for what is none of it, which is
 * told rather than understood in another way.
 */
function goPattern(text: string): RegExp | undefined {
  const ignoresCase = text.startsWith("(?i)");
  // Go lets any punctuation be escaped, JavaScript only what else has a meaning.
  const source = (ignoresCase ? text.slice(4) : text).replaceAll(
    /\\([^\p{L}\p{N}])/gu,
    (whole, letter: string) => {
      if (letter === "-") return "\\x2d";
      return "^$\\.*+?()[]{}|/".includes(letter) ? whole : letter;
    },
  );
  try {
    return new RegExp(source, ignoresCase ? "iu" : "u");
  } catch {
    return undefined;
  }
}

function invalid(message: string): ExcludedResult {
  return { kind: "invalid", message };
}
