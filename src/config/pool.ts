// IPAddressPool -> Pool, and the check that no address is in two pools.

import type { Family } from "../net/address.ts";
import { type AddressRange, formatRange, parseRange } from "../net/range.ts";
import {
  type Fields,
  type Finding,
  fieldsOf,
  hasField,
  type Parsed,
  parsed,
  readBoolean,
  readDistinctTexts,
  readFields,
  readInteger,
  readList,
  report,
  show,
} from "./field.ts";
import type { IPAddressPoolResource, Labels } from "./resources.ts";
import { matchesAny, readSelectors, type Selector } from "./selector.ts";

/** A named set of addresses the controller may give out. */
export type Pool = {
  readonly name: string;
  readonly labels: Labels;
  /** In the order they are written; never empty, never overlapping. */
  readonly ranges: readonly AddressRange[];
  /** False: given out only when asked for by name or address. Default true. */
  readonly autoAssign: boolean;
  /** True: IPv4 addresses ending in .0 and .255 are never given out. Default false. */
  readonly avoidBuggyIps: boolean;
  /** Who may use the pool; undefined: everybody. */
  readonly serviceAllocation: ServiceAllocation | undefined;
};

export type ServiceAllocation = {
  /** Lower positive numbers are tried first; 0, the default, is tried last. */
  readonly priority: number;
  /**
   * Names of the namespaces that may use the pool, selectors resolved; undefined: any namespace.
   * A selector that matches no namespace leaves an empty set: open to nobody.
   */
  readonly namespaces: ReadonlySet<string> | undefined;
  /** A Service must match one of them; empty: any Service. */
  readonly serviceSelectors: readonly Selector[];
};

/** A namespace as far as pools look at it. */
export type Namespace = { readonly name: string; readonly labels: Labels };

/** Parses a pool; its namespace selectors are resolved against the namespaces there are now. */
export function parsePool(
  resource: IPAddressPoolResource,
  labels: Labels,
  namespaces: readonly Namespace[],
): Parsed<Pool> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const pool: Pool = {
    name: resource.metadata.name,
    labels,
    ranges: readRanges(spec),
    autoAssign: readBoolean(spec, "autoAssign", true),
    avoidBuggyIps: readBoolean(spec, "avoidBuggyIPs", false),
    serviceAllocation: readServiceAllocation(spec, namespaces),
  };
  return parsed(findings, () => pool);
}

function readRanges(spec: Fields): readonly AddressRange[] {
  const entries = readList(spec, "addresses");
  if (entries.length === 0 && spec.findings.length === 0) {
    report(
      spec,
      "addresses",
      "Cannot use an empty list: pool has no prefixes defined, want at least one",
    );
  }
  const ranges: AddressRange[] = [];
  const taken: TakenRanges = { ipv4: [], ipv6: [] };
  for (const [index, entry] of entries.entries()) {
    const at = `addresses[${index}]`;
    if (typeof entry !== "string") {
      report(spec, at, `Cannot use ${show(entry)}: want "address/length" or "first-last"`);
      continue;
    }
    const result = parseRange(entry);
    if (result.kind === "invalid") {
      report(spec, at, result.message);
      continue;
    }
    const other = findOverlap(taken, result.range);
    if (other !== undefined) report(spec, at, overlapMessage(result.range, other));
    else takeRange(taken, result.range, "");
    ranges.push(result.range);
  }
  return ranges;
}

function readServiceAllocation(
  spec: Fields,
  namespaces: readonly Namespace[],
): ServiceAllocation | undefined {
  if (!hasField(spec, "serviceAllocation")) return undefined;
  const allocation = readFields(spec, "serviceAllocation");
  const names = readDistinctTexts(allocation, "namespaces");
  const namespaceSelectors = readSelectors(allocation, "namespaceSelectors");
  const pinned = names.length > 0 || namespaceSelectors.length > 0;
  const selected = namespaces
    .filter((namespace) => matchesAny(namespaceSelectors, namespace.labels))
    .map((namespace) => namespace.name);
  return {
    priority: readInteger(allocation, "priority", -0x8000_0000, 0x7fff_ffff) ?? 0,
    namespaces: pinned ? new Set([...names, ...selected].sort()) : undefined,
    serviceSelectors: readSelectors(allocation, "serviceSelectors"),
  };
}

/** The families of a pool's addresses. */
export function poolFamilies(pool: Pool): ReadonlySet<Family> {
  return new Set(pool.ranges.map((range) => range.family));
}

/** Ranges of pools in use by family, ascending, none overlapping another. */
export type TakenRanges = Record<Family, TakenRange[]>;

export type TakenRange = {
  readonly range: AddressRange;
  /** Name of its pool; "" for the pool being read. */
  readonly pool: string;
};

/** The lowest taken range that shares an address with the given one. */
export function findOverlap(taken: TakenRanges, range: AddressRange): TakenRange | undefined {
  const ranges = taken[range.family];
  const candidate = ranges[firstEndingAtOrAfter(ranges, range.first)];
  return candidate !== undefined && candidate.range.first <= range.last ? candidate : undefined;
}

/** Adds a range that overlaps none. */
export function takeRange(taken: TakenRanges, range: AddressRange, pool: string): void {
  const ranges = taken[range.family];
  ranges.splice(firstEndingAtOrAfter(ranges, range.first), 0, { range, pool });
}

function firstEndingAtOrAfter(ranges: readonly TakenRange[], value: bigint): number {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const last = ranges[middle]?.range.last;
    if (last !== undefined && last < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The message for a range whose addresses are taken. */
export function overlapMessage(range: AddressRange, other: TakenRange): string {
  const owner = other.pool === "" ? "of the same pool" : `of IPAddressPool "${other.pool}"`;
  return `Cannot use "${formatRange(range)}": overlaps with already defined CIDR "${formatRange(other.range)}" ${owner}`;
}
