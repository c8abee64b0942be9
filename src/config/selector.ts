// Label selectors by Kubernetes' rules: parsing and matching. Pure.

import { type Fields, type Finding, fieldsOf, pathOf, readList, report, show } from "./field.ts";
import type { Labels } from "./resources.ts";

/** One requirement of a selector; all of them must hold. */
export type Requirement = {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
};

/** A parsed label selector; without requirements it matches everything. */
export type Selector = readonly Requirement[];

export type SelectorResult =
  | { readonly kind: "selector"; readonly selector: Selector }
  | { readonly kind: "invalid"; readonly findings: readonly Finding[] };

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const DNS_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const DNS_SUBDOMAIN = new RegExp(`^${DNS_LABEL}(\\.${DNS_LABEL})*$`);

/** Tells whether the labels satisfy every requirement. */
export function matchesSelector(selector: Selector, labels: Labels | undefined): boolean {
  return selector.every((requirement) => meets(requirement, labelOf(labels, requirement.key)));
}

/** Tells whether any selector of the list matches; an empty list matches nothing. */
export function matchesAny(selectors: readonly Selector[], labels: Labels | undefined): boolean {
  return selectors.some((selector) => matchesSelector(selector, labels));
}

/** Tells whether a text is a DNS subdomain (RFC 1123), as object names are. */
export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && DNS_SUBDOMAIN.test(text);
}

/**
 * Parses a label selector: operators exactly In, NotIn, Exists, DoesNotExist; the first two need
 * values, the others forbid them; keys are qualified names, values label values. Requirements
 * come out in key order. `path` is put before the fields of the findings.
 */
export function parseSelector(resource: unknown, path: string): SelectorResult {
  const findings: Finding[] = [];
  const { selector } = readSelector(resource, path, findings);
  return findings.length > 0 ? { kind: "invalid", findings } : { kind: "selector", selector };
}

/**
 * Reads a list of selectors, of which a match of any counts. Two equal selectors, two equal
 * expressions in one, or a value repeated in one expression are findings (MetalLB's rule);
 * `{a: "1"}` and the same as an `In` expression are not equal in this sense.
 */
export function readSelectors(fields: Fields, key: string): readonly Selector[] {
  const seen = new Set<string>();
  const selectors: Selector[] = [];
  for (const [index, item] of readList(fields, key).entries()) {
    const { selector, text } = readSelector(
      item,
      `${pathOf(fields, key)}[${index}]`,
      fields.findings,
    );
    if (seen.has(text)) {
      report(
        fields,
        `${key}[${index}]`,
        `Cannot use ${show(item)} twice: duplicate definition of a selector, want each only once`,
      );
    }
    seen.add(text);
    selectors.push(selector);
  }
  return selectors;
}

/** Reads one selector and its normal form as text, by which duplicates are found. */
export function readSelector(
  resource: unknown,
  path: string,
  findings: Finding[],
): { readonly selector: Selector; readonly text: string } {
  if (resource === undefined || resource === null) {
    findings.push({
      field: path,
      message: `Cannot use ${show(resource)}: want a label selector`,
      transient: false,
    });
    return { selector: [], text: "" };
  }
  const fields = fieldsOf(resource, path, findings);
  const labels = readMatchLabels(fields);
  const expressions = readExpressions(fields);
  const selector = [...labels, ...expressions].sort((a, b) =>
    a.key < b.key ? -1 : a.key > b.key ? 1 : 0,
  );
  return { selector, text: JSON.stringify([labels, expressions]) };
}

function readMatchLabels(fields: Fields): readonly Requirement[] {
  const labels = fieldsOf(
    fields.values["matchLabels"],
    pathOf(fields, "matchLabels"),
    fields.findings,
  );
  const requirements: Requirement[] = [];
  for (const key of Object.keys(labels.values).sort()) {
    checkKey(labels, key, key);
    const value = labels.values[key];
    if (checkValue(labels, key, value)) requirements.push({ key, operator: "In", values: [value] });
  }
  return requirements;
}

function readExpressions(fields: Fields): readonly Requirement[] {
  const seen = new Set<string>();
  const requirements: Requirement[] = [];
  for (const [index, item] of readList(fields, "matchExpressions").entries()) {
    const at = `matchExpressions[${index}]`;
    const requirement = readExpression(
      fieldsOf(item ?? false, pathOf(fields, at), fields.findings),
    );
    if (requirement === undefined) continue;
    const text = JSON.stringify(requirement);
    if (seen.has(text)) {
      report(
        fields,
        at,
        `Cannot use ${show(item)} twice: duplicate definition of an expression, want each only once`,
      );
    }
    seen.add(text);
    requirements.push(requirement);
  }
  return requirements;
}

function readExpression(fields: Fields): Requirement | undefined {
  const { key, operator } = fields.values;
  if (typeof key !== "string") {
    report(fields, "key", `Cannot use ${show(key)}: want a label key`);
    return undefined;
  }
  checkKey(fields, "key", key);
  const values: string[] = [];
  for (const [index, value] of readList(fields, "values").entries()) {
    if (!checkValue(fields, `values[${index}]`, value)) continue;
    if (values.includes(value)) {
      report(
        fields,
        `values[${index}]`,
        `Cannot use ${show(value)} twice: duplicate definition of a value, want each only once`,
      );
    }
    values.push(value);
  }
  values.sort();
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length === 0) {
        report(
          fields,
          "values",
          `Cannot use no values with operator "${operator}": want at least one`,
        );
      }
      return { key, operator, values };
    case "Exists":
    case "DoesNotExist":
      if (values.length > 0) {
        report(
          fields,
          "values",
          `Cannot use ${show(values)} with operator "${operator}": want no values`,
        );
      }
      return { key, operator, values };
    default:
      report(
        fields,
        "operator",
        `Cannot use ${show(operator)}: want In, NotIn, Exists or DoesNotExist`,
      );
      return undefined;
  }
}

/** Checks a qualified name: at most 63 characters, with an optional DNS subdomain before a "/". */
function checkKey(fields: Fields, at: string, key: string): void {
  const slash = key.indexOf("/");
  const valid =
    NAME.test(key.slice(slash + 1)) && (slash < 0 || isDnsSubdomain(key.slice(0, slash)));
  if (valid) return;
  report(
    fields,
    at,
    `Cannot use label key ${show(key)}: want a name of up to 63 letters, digits, "-", "_" and ".", with an optional "domain/" before it`,
  );
}

function checkValue(fields: Fields, at: string, value: unknown): value is string {
  if (typeof value === "string" && (value === "" || NAME.test(value))) return true;
  report(
    fields,
    at,
    `Cannot use label value ${show(value)}: want up to 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit`,
  );
  return false;
}

// A label may be called "constructor": only the object's own keys are labels.
function labelOf(labels: Labels | undefined, key: string): string | undefined {
  return labels !== undefined && Object.hasOwn(labels, key) ? labels[key] : undefined;
}

function meets(requirement: Requirement, value: string | undefined): boolean {
  switch (requirement.operator) {
    case "In":
      return value !== undefined && requirement.values.includes(value);
    case "NotIn":
      return value === undefined || !requirement.values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
