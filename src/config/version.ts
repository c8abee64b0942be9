// Which version of an object is tried, the one it has now or its last good one, and which object
// yields when two cannot be in force together.

import type { BfdProfile } from "./bfd.ts";
import type { CommunityValue } from "./community.ts";
import type { Finding } from "./field.ts";
import { type ObjectRef, objectKey, objectRef } from "./problem.ts";
import type { ObjectMeta } from "./resources.ts";

/** Any object of the API server, as far as versions of it are compared. */
export type VersionedResource = { readonly metadata: ObjectMeta; readonly spec?: object };

/** What an object referred to when it was good: kept, because it may be gone by now. */
export type References = {
  readonly password: string | undefined;
  readonly bfdProfile: BfdProfile | undefined;
  readonly aliases: ReadonlyMap<string, CommunityValue>;
};

export const NO_REFERENCES: References = {
  password: undefined,
  bfdProfile: undefined,
  aliases: new Map(),
};

/** The last good version of an object. */
export type AcceptedVersion = {
  readonly resource: VersionedResource;
  readonly references: References;
  /** False while a conflict keeps it out. */
  readonly inForce: boolean;
};

/** One object to compile. */
export type Subject<Resource> = {
  readonly object: ObjectRef;
  readonly key: string;
  readonly current: Resource;
  /** The last good version of this very object; undefined: there was none. */
  readonly last: { readonly resource: Resource; readonly accepted: AcceptedVersion } | undefined;
  /** The object says what its last good version says. */
  readonly unchanged: boolean;
  readonly createdMs: number;
};

/** A version of an object that parsed. */
export type Version<Resource, Value> = {
  readonly subject: Subject<Resource>;
  readonly which: "current" | "last";
  readonly value: Value;
  readonly references: References;
  /** It was in force before. */
  readonly incumbent: boolean;
};

/** What decides who yields; any version has it. */
export type Standing = Version<unknown, unknown>;

/** What a parser made of one version; "elsewhere": it is for other nodes. */
export type Attempt<Value> =
  | { readonly kind: "value"; readonly value: Value; readonly references: References }
  | { readonly kind: "invalid"; readonly findings: readonly Finding[] }
  | { readonly kind: "elsewhere" };

/** Findings about the current versions, and the versions that lost a conflict. */
export type Verdicts = {
  readonly findings: Map<string, readonly Finding[]>;
  readonly yielded: Set<string>;
};

/** Prepares an object: finds its last good version, unless that was another object's of its name. */
export function subjectOf<Resource extends VersionedResource>(
  kind: string,
  current: Resource,
  accepted: ReadonlyMap<string, AcceptedVersion>,
): Subject<Resource> {
  const object = objectRef(kind, current.metadata);
  const key = objectKey(object);
  const created = Date.parse(current.metadata.creationTimestamp ?? "");
  const version = accepted.get(key);
  const sameObject = version !== undefined && (version.resource.metadata.uid ?? "") === object.uid;
  return {
    object,
    key,
    current,
    // The key begins with the kind, so what is kept under it is of this kind.
    last: sameObject ? { resource: version.resource as Resource, accepted: version } : undefined,
    unchanged: sameObject && saySame(current, version.resource),
    // Not created yet, as in a file to be checked: younger than all that is.
    createdMs: Number.isNaN(created) ? Number.POSITIVE_INFINITY : created,
  };
}

function saySame(a: VersionedResource, b: VersionedResource): boolean {
  return a === b || textOf(a) === textOf(b);
}

/** What an object says, as text: its spec and labels. */
export function textOf({ spec, metadata }: VersionedResource): string {
  return JSON.stringify([spec, metadata.labels], (_key, value) =>
    typeof value === "bigint" ? `${value}n` : value,
  );
}

/**
 * Parses the current version of an object, or else its last good one. Findings about the current
 * one go into the verdicts. Undefined: neither can be used.
 */
export function chooseVersion<Resource, Value>(
  subject: Subject<Resource>,
  verdicts: Verdicts,
  parse: (resource: Resource, remembered: References) => Attempt<Value>,
): Version<Resource, Value> | "elsewhere" | undefined {
  const { last, unchanged, key } = subject;
  const wasInForce = last?.accepted.inForce === true;
  const currentYielded = verdicts.yielded.has(versionKey(key, "current"));
  if (!currentYielded) {
    const attempt = parse(subject.current, NO_REFERENCES);
    verdicts.findings.delete(key);
    if (attempt.kind === "elsewhere") return "elsewhere";
    if (attempt.kind === "value") {
      const { value, references } = attempt;
      return { subject, which: "current", value, references, incumbent: unchanged && wasInForce };
    }
    verdicts.findings.set(key, attempt.findings);
  }
  if (last === undefined || verdicts.yielded.has(versionKey(key, "last"))) return undefined;
  if (currentYielded && unchanged) return undefined;
  const attempt = parse(last.resource, last.accepted.references);
  if (attempt.kind !== "value") return undefined;
  const { value, references } = attempt;
  return { subject, which: "last", value, references, incumbent: wasInForce };
}

/** Takes a version out because of a conflict. */
export function yieldVersion(verdicts: Verdicts, version: Standing, finding: Finding): void {
  const { key } = version.subject;
  verdicts.yielded.add(versionKey(key, version.which));
  if (version.which === "current") verdicts.findings.set(key, [finding]);
}

/** Tells whether a version was taken out. */
export function hasYielded(verdicts: Verdicts, version: Standing): boolean {
  return verdicts.yielded.has(versionKey(version.subject.key, version.which));
}

/**
 * Orders versions so that the one to yield comes last. What was in force stays before what is
 * new or edited, so that an edit never pushes out another object; then older before younger
 * (creationTimestamp, then name). Of kinds created in the same second the advertisement yields.
 */
export function compareStanding(a: Standing, b: Standing): number {
  if (a.incumbent !== b.incumbent) return a.incumbent ? -1 : 1;
  const [one, other] = [a.subject, b.subject];
  if (one.createdMs !== other.createdMs) return one.createdMs < other.createdMs ? -1 : 1;
  const rank = kindRank(one.object.kind) - kindRank(other.object.kind);
  return rank === 0 ? compareTexts(one.key, other.key) : rank;
}

const KIND_ORDER: readonly string[] = [
  "BFDProfile",
  "IPAddressPool",
  "BGPPeer",
  "BGPAdvertisement",
];

function kindRank(kind: string): number {
  return KIND_ORDER.indexOf(kind);
}

/** Orders texts by code unit, the same everywhere. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function versionKey(key: string, which: "current" | "last"): string {
  return `${which} ${key}`;
}
