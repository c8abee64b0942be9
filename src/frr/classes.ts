// Route classes -> tags, names and the outbound policies of neighbors. Stateless: tags and names
// are hashes of the content, so a restarted speaker finds its own maps again. Pure.

import { createHash } from "node:crypto";
import type { Family } from "../net/address.ts";
import type { ClassEntry, FrrSettings, Neighbor, RouteClass, Router } from "./model.ts";

/** A class as FRR knows it. */
export type NamedClass = {
  /** Name of its route map. */
  readonly name: string;
  /** 1 to 4294967295; marks its routes inside bgpd, never sent. */
  readonly tag: number;
  readonly routeClass: RouteClass;
};

/** One clause of an outbound policy: routes with the tag pass, with these attributes. */
export type PolicyClause = {
  readonly tag: number;
  readonly localPreference: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
};

/** What a neighbor hears, under a name made of its content; shared by neighbors that hear the same. */
export type Policy = { readonly name: string; readonly clauses: readonly PolicyClause[] };

const classTexts = new WeakMap<RouteClass, string>();

/** The same text for classes that mean the same, however their entries and names are ordered. */
export function classText(routeClass: RouteClass): string {
  const known = classTexts.get(routeClass);
  if (known !== undefined) return known;
  const entries = routeClass.map((entry) =>
    JSON.stringify([
      sortedUnique(entry.peers),
      entry.localPreference,
      sortedUnique(entry.communities),
      sortedUnique(entry.largeCommunities),
    ]),
  );
  const text = sortedUnique(entries).join("\n");
  classTexts.set(routeClass, text);
  return text;
}

/**
 * Names classes: tag and name are the first 32 bits of the hash of the class text. Where two
 * classes of one configuration collide, the one later in text order takes the next 32 bits.
 *
 * Returns them by class text, in name order.
 */
export function nameClasses(classes: Iterable<RouteClass>): ReadonlyMap<string, NamedClass> {
  const byText = new Map<string, RouteClass>();
  for (const routeClass of classes) byText.set(classText(routeClass), routeClass);
  const taken = new Set<number>();
  const named: [string, NamedClass][] = [];
  for (const text of [...byText.keys()].sort()) {
    const routeClass = byText.get(text) ?? [];
    const tag = freeTag(createHash("sha256").update(text).digest("hex"), taken);
    taken.add(tag);
    named.push([text, { name: `c-${hex32(tag)}`, tag, routeClass }]);
  }
  return new Map(named.sort(([, a], [, b]) => (a.name < b.name ? -1 : 1)));
}

function freeTag(digest: string, taken: ReadonlySet<number>): number {
  for (let start = 0; start < digest.length; start += 8) {
    const tag = Number.parseInt(digest.slice(start, start + 8), 16);
    if (tag !== 0 && !taken.has(tag)) return tag;
  }
  // All eight words of the hash taken: count up from the last one.
  let tag = Number.parseInt(digest.slice(-8), 16);
  while (tag === 0 || taken.has(tag)) tag = (tag + 1) >>> 0;
  return tag;
}

/** What a neighbor hears of a class; undefined: nothing. Several entries for it are merged. */
export function heardBy(peerName: string, named: NamedClass): PolicyClause | undefined {
  const entries = named.routeClass.filter((entry) => includesPeer(entry, peerName));
  if (entries.length === 0) return undefined;
  const preferences = entries.flatMap((entry) => entry.localPreference ?? []);
  return {
    tag: named.tag,
    localPreference: preferences.length === 0 ? null : Math.max(...preferences),
    communities: sortedUnique(entries.flatMap((entry) => entry.communities)),
    largeCommunities: sortedUnique(entries.flatMap((entry) => entry.largeCommunities)),
  };
}

/** The outbound policy of a neighbor: a clause for each class it hears. */
export function policyOf(neighbor: Neighbor, classes: ReadonlyMap<string, NamedClass>): Policy {
  const clauses: PolicyClause[] = [];
  for (const named of classes.values()) {
    const clause = heardBy(neighbor.peerName, named);
    if (clause !== undefined) clauses.push(clause);
  }
  const digest = createHash("sha256").update(JSON.stringify(clauses)).digest("hex");
  return { name: `out-${digest.slice(0, 12)}`, clauses };
}

/** Whether some neighbor of the router hears prefixes of the family in the class. */
export function routerHears(router: Router, family: Family, routeClass: RouteClass): boolean {
  return router.neighbors.some(
    (neighbor) =>
      neighbor[family] && routeClass.some((entry) => includesPeer(entry, neighbor.peerName)),
  );
}

/** The classes a configuration defines: those asked for and those of routes. */
export function classesOf(settings: FrrSettings, used: Iterable<RouteClass>): RouteClass[] {
  return [...settings.classes, ...used];
}

function includesPeer(entry: ClassEntry, peerName: string): boolean {
  return entry.peers.length === 0 || entry.peers.includes(peerName);
}

function sortedUnique(values: readonly string[]): string[] {
  return [...new Set(values)].sort();
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, "0");
}
