// Selectors of the API server double, read as the real one reads them. Pure.

import type { KubeObject } from "./api-storage.ts";

export type Matcher = (object: KubeObject) => boolean;

/** A selector that is not well formed, or by a field the server does not index. */
export class BadSelector extends Error {}

/** Parses "a=b,c!=d,e in (f,g),!h,i"; throws BadSelector. */
export function labelMatcher(text: string): Matcher {
  const requirements = text.split(/,(?![^(]*\))/).map((part) => labelRequirement(part.trim()));
  return ({ metadata }) => requirements.every((matches) => matches(metadata.labels ?? {}));
}

type Labels = Readonly<Record<string, string>>;

function labelRequirement(text: string): (labels: Labels) => boolean {
  const [, key = "", negated, list = ""] = /^(\S+)\s+(not)?in\s*\((.*)\)$/.exec(text) ?? [];
  if (key !== "") {
    const values = list.split(",").map((value) => value.trim());
    return (labels) => values.includes(labels[key] ?? "\0") !== (negated === "not");
  }
  const [, name = "", operator, value] =
    /^(!?[\w./-]+)\s*(?:(==|=|!=)\s*([\w.-]*))?$/.exec(text) ?? [];
  if (name === "") throw new BadSelector(`unable to parse requirement: "${text}"`);
  if (operator === "!=") return (labels) => labels[name] !== value;
  if (operator !== undefined) return (labels) => labels[name] === value;
  if (name.startsWith("!")) return (labels) => !Object.hasOwn(labels, name.slice(1));
  return (labels) => Object.hasOwn(labels, name);
}

/** What each collection can be selected by, besides name and namespace (Kubernetes 1.36, those we use). */
const FIELDS: ReadonlyMap<string, readonly string[]> = new Map([
  ["services", ["spec.type", "spec.clusterIP"]],
  ["secrets", ["type"]],
  ["pods", ["spec.nodeName", "status.phase", "status.podIP"]],
  [
    "events",
    [
      "involvedObject.kind",
      "involvedObject.name",
      "involvedObject.uid",
      "reason",
      "type",
      "source",
    ],
  ],
]);

/** Parses "a.b=c,d!=e" for this collection; throws BadSelector. */
export function fieldMatcher(plural: string, text: string): Matcher {
  const requirements = text.split(",").map((part) => {
    const [, field = "", operator, value] = /^([\w.]+)(==|=|!=)(.*)$/.exec(part) ?? [];
    if (field === "")
      throw new BadSelector(`invalid selector: '${text}'; can't understand '${part}'`);
    const known = ["metadata.name", "metadata.namespace", ...(FIELDS.get(plural) ?? [])];
    if (!known.includes(field)) throw new BadSelector(`field label not supported: ${field}`);
    const path = field.split(".");
    return (object: KubeObject) => (fieldOf(object, path) === value) !== (operator === "!=");
  });
  return (object) => requirements.every((matches) => matches(object));
}

function fieldOf(object: unknown, path: readonly string[]): string {
  let value = object;
  for (const key of path) value = (value as Record<string, unknown> | undefined)?.[key];
  return value === undefined ? "" : String(value);
}
