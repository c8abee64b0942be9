// The metadata of objects: who they are, and which of two with one name counts.

import { type Finding, fieldsOf, hasField, readFields, readText, report, show } from "./field.ts";
import { objectRef, type Problem } from "./problem.ts";
import type { Labels } from "./resources.ts";
import { isDnsSubdomain } from "./selector.ts";
import {
  type AcceptedVersion,
  compareTexts,
  type Subject,
  subjectOf,
  textOf,
  type VersionedResource,
} from "./version.ts";

/**
 * Prepares the objects of one kind. One without a proper name, or with labels that are no texts,
 * becomes a problem; so does the younger of two that have the same name.
 */
export function sortOut<Resource extends VersionedResource>(
  kind: string,
  resources: readonly Resource[],
  accepted: ReadonlyMap<string, AcceptedVersion>,
  problems: Problem[],
): readonly Subject<Resource>[] {
  const byName = new Map<string, Subject<Resource>>();
  for (const resource of resources) {
    const findings = metadataFindings(resource);
    if (findings.length > 0) {
      const object = objectRef(kind, { name: nameOf(resource), namespace: namespaceOf(resource) });
      problems.push(...findings.map((finding) => ({ object, ...finding })));
      continue;
    }
    const subject = subjectOf(kind, resource, accepted);
    const other = byName.get(subject.object.name);
    const first = other !== undefined && compareAge(other, subject) <= 0 ? other : subject;
    byName.set(subject.object.name, first);
    if (other === undefined) continue;
    const second = first === other ? subject : other;
    problems.push({
      object: second.object,
      field: "metadata.name",
      message: `Cannot use a second ${kind} named ${show(first.object.name)}: it already exists in namespace ${show(first.object.namespace)}`,
      transient: false,
    });
  }
  return [...byName.values()];
}

/** The name of any object; "" when it has none. */
export function nameOf(resource: unknown): string {
  const { name } = readFields(fieldsOf(resource, "", []), "metadata").values;
  return typeof name === "string" ? name : "";
}

/** The labels of any object that are texts. */
export function labelsOf(resource: unknown): Labels {
  const { values } = readFields(readFields(fieldsOf(resource, "", []), "metadata"), "labels");
  const texts = Object.entries(values).filter(
    (entry): entry is [string, string] => typeof entry[1] === "string",
  );
  return Object.fromEntries(texts);
}

function namespaceOf(resource: unknown): string {
  const { namespace } = readFields(fieldsOf(resource, "", []), "metadata").values;
  return typeof namespace === "string" ? namespace : "";
}

function metadataFindings(resource: unknown): readonly Finding[] {
  const findings: Finding[] = [];
  const metadata = readFields(fieldsOf(resource ?? false, "", findings), "metadata");
  const name = readText(metadata, "name");
  if (findings.length === 0 && (name === undefined || !isDnsSubdomain(name))) {
    report(
      metadata,
      "name",
      `Cannot use name ${show(name ?? "")}: want lower-case letters, digits, "-" and "." (RFC 1123), up to 253`,
    );
  }
  for (const key of ["namespace", "uid", "creationTimestamp"]) readText(metadata, key);
  if (!hasField(metadata, "labels")) return findings;
  const labels = readFields(metadata, "labels");
  for (const [key, value] of Object.entries(labels.values)) {
    if (typeof value !== "string") report(labels, key, `Cannot use ${show(value)}: want a text`);
  }
  return findings;
}

// With equal times, names and contents it does not matter which one stays.
function compareAge<Resource extends VersionedResource>(
  a: Subject<Resource>,
  b: Subject<Resource>,
): number {
  if (a.createdMs !== b.createdMs) return a.createdMs < b.createdMs ? -1 : 1;
  return compareTexts(a.key, b.key) || compareTexts(textOf(a.current), textOf(b.current));
}
