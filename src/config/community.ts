// Community texts and aliases -> CommunityValue (RFC 1997, RFC 8092).

import {
  type Finding,
  fieldsOf,
  type Parsed,
  parsed,
  pathOf,
  readFields,
  readList,
  readText,
  report,
  show,
} from "./field.ts";
import type { CommunityResource } from "./resources.ts";

/** A BGP community as FRR writes it: "65000:1" (standard) or "1:2:3" (large). */
export type CommunityValue = {
  readonly kind: "standard" | "large";
  readonly text: string;
};

/** The result of parsing a text that is not in the table of aliases. */
export type CommunityResult =
  | { readonly kind: "community"; readonly community: CommunityValue }
  /** Not the shape of a community: perhaps an alias that does not exist yet. */
  | { readonly kind: "format"; readonly message: string }
  /** The shape of a community, with a number or marker that is wrong. */
  | { readonly kind: "value"; readonly message: string };

/** A name for a community, from a Community object. */
export type CommunityAlias = {
  readonly name: string;
  readonly community: CommunityValue;
  /** Path of the entry inside its object. */
  readonly field: string;
};

const MAX_STANDARD_PART = 0xffff;
const MAX_LARGE_PART = 0xffff_ffff;

/** Parses "A:B" with numbers up to 65535, or "large:A:B:C" with numbers up to 4294967295. */
export function parseCommunity(text: string): CommunityResult {
  const parts = text.split(":");
  if (parts.length === 2) return communityOf("standard", text, parts, MAX_STANDARD_PART);
  if (parts.length !== 4) {
    return {
      kind: "format",
      message: `Cannot parse community ${show(text)}: invalid community format, want "A:B", "large:A:B:C" or an existing alias`,
    };
  }
  const [marker, ...numbers] = parts;
  if (marker === "large") return communityOf("large", text, numbers, MAX_LARGE_PART);
  return {
    kind: "value",
    message: `Cannot parse community ${show(text)}: invalid marker ${show(marker)}, want "large"`,
  };
}

function communityOf(
  kind: CommunityValue["kind"],
  text: string,
  parts: readonly string[],
  max: number,
): CommunityResult {
  for (const part of parts) {
    if (/^[0-9]+$/.test(part) && Number(part) <= max) continue;
    return {
      kind: "value",
      message: `Cannot parse community ${show(text)}: invalid community value ${show(part)}, want a number from 0 to ${max}`,
    };
  }
  return { kind: "community", community: { kind, text: parts.map(Number).join(":") } };
}

/** Parses the aliases of a Community object; a name may be given only once. */
export function parseCommunityAliases(
  resource: CommunityResource,
): Parsed<readonly CommunityAlias[]> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const aliases: CommunityAlias[] = [];
  const names = new Set<string>();
  for (const [index, item] of readList(spec, "communities").entries()) {
    const entry = fieldsOf(item ?? false, pathOf(spec, `communities[${index}]`), findings);
    const name = readText(entry, "name");
    const value = readText(entry, "value");
    if (name === undefined) report(entry, "name", "Cannot use an alias without a name");
    if (value === undefined) report(entry, "value", "Cannot use an alias without a value");
    if (name === undefined || value === undefined) continue;
    if (names.has(name)) report(entry, "name", duplicateAlias(name, resource.metadata.name));
    names.add(name);
    const result = parseCommunity(value);
    if (result.kind !== "community") report(entry, "value", result.message);
    else aliases.push({ name, community: result.community, field: entry.path });
  }
  return parsed(findings, () => aliases);
}

/** The message for an alias that exists already. */
export function duplicateAlias(name: string, owner: string): string {
  return `Cannot use alias ${show(name)}: duplicate definition of community ${show(name)}, already in Community ${show(owner)}`;
}

/** Sorts communities (standard first, then by number) and drops repetitions. */
export function sortCommunities(communities: Iterable<CommunityValue>): readonly CommunityValue[] {
  const distinct = new Map<string, CommunityValue>();
  for (const community of communities)
    distinct.set(`${community.kind} ${community.text}`, community);
  return [...distinct.values()].sort(compareCommunities);
}

function compareCommunities(a: CommunityValue, b: CommunityValue): number {
  if (a.kind !== b.kind) return a.kind === "standard" ? -1 : 1;
  const others = b.text.split(":");
  for (const [index, part] of a.text.split(":").entries()) {
    const difference = Number(part) - Number(others[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}
