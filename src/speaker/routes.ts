// Announcements of all Services -> prefix and class, kept up to date change by change: what one
// Service changes costs as much as that Service has prefixes, however many there are. Pure state.

import type { ClassEntry, RouteClass, Routes } from "../frr/model.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Announcement } from "./announce.ts";

/** The announcements behind one prefix, by entry key. */
type Contributions = Map<string, { readonly entry: ClassEntry; count: number }>;

/** A class in use; one object per meaning, so that equal classes are the same object. */
type UsedClass = { readonly routeClass: RouteClass; uses: number };

export class RouteTable {
  readonly #byService = new Map<string, readonly Announcement[]>();
  readonly #contributions = new Map<Prefix, Contributions>();
  readonly #classKeys = new Map<Prefix, string>();
  readonly #classes = new Map<string, UsedClass>();
  readonly #routes = new Map<Prefix, RouteClass>();

  /** The live map: changes with every `set`. */
  get routes(): Routes {
    return this.#routes;
  }

  /**
   * Replaces what a Service announces; an empty list takes it out. Returns the prefixes whose
   * class is another now, or that came or went.
   */
  set(service: string, announcements: readonly Announcement[]): readonly Prefix[] {
    const before = this.#byService.get(service) ?? [];
    if (sameAnnouncements(before, announcements)) return [];
    if (announcements.length === 0) this.#byService.delete(service);
    else this.#byService.set(service, announcements);
    const touched = new Set<Prefix>();
    for (const announcement of announcements) {
      this.#add(announcement);
      touched.add(announcement.prefix);
    }
    for (const announcement of before) {
      this.#remove(announcement);
      touched.add(announcement.prefix);
    }
    return [...touched].filter((prefix) => this.#updateClass(prefix));
  }

  #add({ prefix, entry, entryKey }: Announcement): void {
    let contributions = this.#contributions.get(prefix);
    if (contributions === undefined) {
      contributions = new Map();
      this.#contributions.set(prefix, contributions);
    }
    const known = contributions.get(entryKey);
    if (known === undefined) contributions.set(entryKey, { entry, count: 1 });
    else known.count += 1;
  }

  #remove({ prefix, entryKey }: Announcement): void {
    const contributions = this.#contributions.get(prefix);
    const known = contributions?.get(entryKey);
    if (contributions === undefined || known === undefined) return;
    known.count -= 1;
    if (known.count === 0) contributions.delete(entryKey);
    if (contributions.size === 0) this.#contributions.delete(prefix);
  }

  /** Brings the class of a prefix in line with its contributions; tells whether it changed. */
  #updateClass(prefix: Prefix): boolean {
    const contributions = this.#contributions.get(prefix);
    const oldKey = this.#classKeys.get(prefix);
    const newKey = contributions === undefined ? undefined : classKeyOf(contributions.keys());
    if (oldKey === newKey) return false;
    if (contributions === undefined || newKey === undefined) {
      this.#classKeys.delete(prefix);
      this.#routes.delete(prefix);
    } else {
      const used = this.#classes.get(newKey) ?? {
        routeClass: mergeEntries([...contributions].map(([key, { entry }]) => [key, entry])),
        uses: 0,
      };
      used.uses += 1;
      this.#classes.set(newKey, used);
      this.#classKeys.set(prefix, newKey);
      this.#routes.set(prefix, used.routeClass);
    }
    if (oldKey !== undefined) this.#release(oldKey);
    return true;
  }

  #release(classKey: string): void {
    const used = this.#classes.get(classKey);
    if (used === undefined) return;
    used.uses -= 1;
    if (used.uses === 0) this.#classes.delete(classKey);
  }
}

/** The class of a prefix that is announced with these entries, each given with its key. */
export function mergeEntries(entries: readonly (readonly [string, ClassEntry])[]): RouteClass {
  return [...new Map(entries)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

function classKeyOf(entryKeys: Iterable<string>): string {
  return [...entryKeys].sort().join("\n");
}

function sameAnnouncements(a: readonly Announcement[], b: readonly Announcement[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every(({ prefix, entryKey }, index) => {
      const other = b[index];
      return other?.prefix === prefix && other.entryKey === entryKey;
    })
  );
}
