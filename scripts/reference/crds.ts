// crds/ as a page: the fields of each kind, and what the API server refuses.

import { globSync, readFileSync } from "node:fs";
import { parse } from "yaml";
import { code, page, table } from "./markdown.ts";

type Rule = {
  readonly fieldPath?: string;
  readonly message?: string;
  readonly messageExpression?: string;
};

/** As far as the page looks into a schema. */
type Schema = {
  readonly description?: string;
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly "x-kubernetes-int-or-string"?: boolean;
  readonly "x-kubernetes-list-type"?: string;
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-validations"?: readonly Rule[];
};

type Definition = {
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
};

/** Order of the page: what users write first. */
const KINDS = [
  "IPAddressPool",
  "BGPPeer",
  "BGPAdvertisement",
  "L2Advertisement",
  "BFDProfile",
  "Community",
  "ServiceBGPStatus",
  "ServiceL2Status",
  "ConfigurationState",
];

export function crdsPage(root: string): string {
  const definitions = globSync(`${root}/crds/*.yaml`).map(
    (file): Definition => parse(readFileSync(file, "utf8")),
  );
  const kindOf = ({ spec }: Definition) => spec.names.kind;
  const unknown = definitions.map(kindOf).filter((kind) => !KINDS.includes(kind));
  if (unknown.length > 0) throw new Error(`Cannot place ${unknown.join(", ")}: want it in KINDS`);
  const sorted = definitions.toSorted(
    (a, b) => KINDS.indexOf(kindOf(a)) - KINDS.indexOf(kindOf(b)),
  );
  const selector = findSelector(sorted.map(schemaOf));
  return page("Kinds", "`crds/`", [
    "All are in API group `metallb.io`, and every object lives in MetalLB's own namespace. What is said to be refused here is refused by the API server itself, when you apply the object. What contradicts another object is not refused but told: see [conditions](conditions.md).",
    ...sorted.flatMap(kindSection),
    "## Label selectors",
    selector.description ?? "",
    fieldTable(fieldsOf(selector, "", true)),
    refusals(selector),
  ]);
}

function schemaOf({ spec }: Definition): Schema {
  const [first] = spec.versions;
  if (first === undefined) throw new Error(`Cannot describe ${spec.names.kind}: it has no version`);
  return first.schema.openAPIV3Schema;
}

function kindSection(definition: Definition): readonly string[] {
  const { names, versions } = definition.spec;
  const schema = schemaOf(definition);
  const served = versions.map(({ name }) => code(`metallb.io/${name}`)).join(" and ");
  const own = {
    ...schema,
    properties: omit(schema.properties, ["apiVersion", "kind", "metadata"]),
  };
  return [
    `## ${names.kind}`,
    `${schema.description ?? ""} ${served}, ${code(names.plural)}.`,
    fieldTable(fieldsOf(own, "", false)),
    refusals(schema),
  ].filter((block) => block !== "");
}

function omit<Value>(
  record: Readonly<Record<string, Value>> = {},
  names: readonly string[],
): Readonly<Record<string, Value>> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => !names.includes(name)));
}

type Field = {
  readonly path: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
};

/** Every field that means something by itself; label selectors and conditions are not looked into. */
function fieldsOf(schema: Schema, path: string, isSelector: boolean): readonly Field[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const own = path === "" ? name : `${path}.${name}`;
    const isRequired = schema.required?.includes(name) ?? false;
    const inner = field.items ?? field;
    const innerPath = field.items === undefined ? own : `${own}[]`;
    const isLeaf = inner.properties === undefined || isCondition(inner);
    const below =
      isLeaf || (!isSelector && isLabelSelector(inner))
        ? []
        : fieldsOf(inner, innerPath, isSelector);
    // `spec` and `status` say nothing themselves.
    const isShown = field.description !== undefined || below.length === 0;
    const shown = { path: own, schema: field, isRequired };
    return [...(isShown && path !== "" ? [shown] : isSelector ? [shown] : []), ...below];
  });
}

function isLabelSelector({ properties = {} }: Schema): boolean {
  return Object.keys(properties).join() === "matchLabels,matchExpressions";
}

function isCondition({ properties = {} }: Schema): boolean {
  return "lastTransitionTime" in properties;
}

/** Any of them: they are all the same. */
function findSelector(schemas: readonly Schema[]): Schema {
  const pending = [...schemas];
  for (let schema = pending.shift(); schema !== undefined; schema = pending.shift()) {
    if (isLabelSelector(schema)) return schema;
    pending.push(
      ...Object.values(schema.properties ?? {}),
      ...(schema.items ? [schema.items] : []),
    );
  }
  throw new Error("Cannot find a label selector in crds/");
}

function fieldTable(fields: readonly Field[]): string {
  return table(
    ["Field", "Type", "Default", "Limits", "Meaning"],
    fields.map(({ path, schema, isRequired }) => [
      code(path),
      typeOf(schema),
      schema.default === undefined ? "" : code(JSON.stringify(schema.default)),
      [...(isRequired ? ["required"] : []), ...limitsOf(schema)].join("; "),
      schema.description ?? schema.items?.description ?? "",
    ]),
  );
}

function typeOf(schema: Schema): string {
  if (schema["x-kubernetes-int-or-string"]) return "integer or string";
  if (isLabelSelector(schema)) return "[label selector](#label-selectors)";
  if (isCondition(schema)) return "[condition](conditions.md)";
  if (schema.items !== undefined) return `list of ${typeOf(schema.items)}`;
  return schema.type ?? "any";
}

function limitsOf(schema: Schema): readonly string[] {
  const { minimum, maximum, minItems, maxItems, minLength, maxLength, pattern, items } = schema;
  const limits = [
    ...(schema.enum === undefined ? [] : [schema.enum.map((one) => code(String(one))).join(", ")]),
    ...bounds(minimum, maximum, ""),
    ...bounds(minItems, maxItems, " entries"),
    ...bounds(minLength, maxLength, " characters"),
    ...(pattern === undefined ? [] : [PATTERNS.get(pattern) ?? code(pattern)]),
    ...(schema["x-kubernetes-list-type"] === "set" ? ["no entry twice"] : []),
    ...(schema["x-kubernetes-list-map-keys"]?.map((key) => `no ${code(key)} twice`) ?? []),
  ];
  if (items === undefined || items.properties !== undefined) return limits;
  return [...limits, ...limitsOf(items).map((limit) => `each ${limit}`)];
}

function bounds(
  least: number | undefined,
  most: number | undefined,
  unit: string,
): readonly string[] {
  if (least !== undefined && most !== undefined) return [`${least} to ${most}${unit}`];
  if (least !== undefined) return [`at least ${least}${unit}`];
  return most === undefined ? [] : [`at most ${most}${unit}`];
}

/** In words, where a pattern is hard to read. */
const PATTERNS: ReadonlyMap<string, string> = new Map([
  [String.raw`^\P{Cc}*$`, "no control characters"],
  [String.raw`^[^\p{Cc}\s/:]*$`, "no blanks, `/`, `:` or control characters"],
  [
    "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    "a label's value: letters, digits, `-`, `_` and `.`",
  ],
  [
    String.raw`^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$`,
    "a label's key, with an optional `domain/` before it",
  ],
]);

/** What CEL rules say when they refuse, as a list; "": there is no rule. */
function refusals(schema: Schema): string {
  const lines = rulesOf(schema, "", isLabelSelector(schema)).map(
    ({ path, text }) => `- ${path === "" ? "the object" : code(path)}: ${text}`,
  );
  return lines.length === 0 ? "" : ["Refused with:", "", ...new Set(lines)].join("\n");
}

type Refusal = { readonly path: string; readonly text: string };

function rulesOf(schema: Schema, path: string, isSelector: boolean): readonly Refusal[] {
  if (!isSelector && isLabelSelector(schema)) return [];
  const own = (schema["x-kubernetes-validations"] ?? []).map((rule) => ({
    path: `${path}${rule.fieldPath ?? ""}`,
    text: code(messageOf(rule)),
  }));
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    rulesOf(field, path === "" ? name : `${path}.${name}`, isSelector),
  );
  const inItems = schema.items === undefined ? [] : rulesOf(schema.items, `${path}[]`, isSelector);
  return [...own, ...below, ...inItems];
}

/** The text of a rule; what it puts in stands as "…". */
function messageOf({ message, messageExpression = "" }: Rule): string {
  if (message !== undefined) return message;
  const [, text] = /^\s*'((?:[^'\\]|\\.)*)'/s.exec(messageExpression) ?? [];
  if (text === undefined) throw new Error(`Cannot read messageExpression ${messageExpression}`);
  return text.replaceAll(/%[sd]/g, "…").replaceAll("\\'", "'");
}
