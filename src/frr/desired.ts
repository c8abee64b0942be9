// Settings compiled once: the static configuration as a tree, and where the networks of a class
// belong. What changes with each route is a lookup in here. Pure.

import type { Family } from "../net/address.ts";
import { type Prefix, prefixFamily } from "../net/prefix.ts";
import { classesOf, classText, type NamedClass, nameClasses, routerHears } from "./classes.ts";
import type { FrrSettings, RouteClass, Routes } from "./model.ts";
import { neighborName } from "./names.ts";
import type { Renderer } from "./render.ts";
import {
  type FrrTree,
  type Networks,
  networksKey,
  parseConfiguration,
  routerKeyOf,
} from "./tree.ts";
import { FAMILIES } from "./view.ts";

export type CompiledSettings = {
  readonly settings: FrrSettings;
  readonly classes: ReadonlyMap<string, NamedClass>;
  readonly tree: FrrTree;
  /** Networks of the user's extra text, by networksKey(). */
  readonly extraNetworks: ReadonlyMap<string, Networks>;
  /** Lines of the text before the extra text. */
  readonly linesBeforeExtras: number;
  /** Keys of the routers in the tree. */
  readonly routerKeys: readonly string[];
  /** The lines that lead to the networks of each router and family, by networksKey(). */
  readonly contexts: ReadonlyMap<string, readonly string[]>;
  /** Keys of the routers and families that hear a class, by class text and family. */
  readonly targets: ReadonlyMap<string, Readonly<Record<Family, readonly string[]>>>;
  /** Peer names by VRF and FRR's neighbor name. */
  readonly peerNames: ReadonlyMap<string, string>;
};

/** Compiles settings; `used` are the classes of routes, desired or still in FRR. */
export function compileSettings(
  renderer: Renderer,
  settings: FrrSettings,
  used: Iterable<RouteClass>,
): CompiledSettings {
  const classes = nameClasses(classesOf(settings, used));
  const text = renderer.renderStatic(settings, classes);
  const { tree, networks } = parseConfiguration(`${text}${settings.extras}`);
  // The user's text may have a router of its own.
  const routers = [...tree.values()].filter(({ key }) => key.startsWith("router bgp"));
  const contexts = new Map<string, readonly string[]>();
  for (const { key, text: line } of routers) {
    for (const family of FAMILIES) {
      contexts.set(networksKey(key, family), [line, `address-family ${family} unicast`]);
    }
  }
  const peerNames = new Map<string, string>();
  for (const router of settings.routers) {
    for (const neighbor of router.neighbors) {
      peerNames.set(peerKey(router.vrf, neighborName(neighbor)), neighbor.peerName);
    }
  }
  const targets = new Map<string, Readonly<Record<Family, readonly string[]>>>();
  for (const [key, { routeClass }] of classes) {
    const hearing = (family: Family): readonly string[] =>
      settings.routers
        .filter((router) => routerHears(router, family, routeClass))
        .map((router) => networksKey(routerKeyOf(router.vrf), family));
    targets.set(key, { ipv4: hearing("ipv4"), ipv6: hearing("ipv6") });
  }
  return {
    settings,
    classes,
    tree,
    extraNetworks: networks,
    linesBeforeExtras: text.split("\n").length - 1,
    routerKeys: routers.map(({ key }) => key),
    contexts,
    targets,
    peerNames,
  };
}

/** Names a neighbor across VRFs; null: the default VRF. */
export function peerKey(vrf: string | null, neighbor: string): string {
  return `${vrf ?? "default"} ${neighbor}`;
}

/** One network line to send, and what the running networks say afterwards. */
export type NetworkChange = {
  readonly key: string;
  readonly prefix: Prefix;
  /** What follows the prefix; undefined: the network goes. */
  readonly rest: string | undefined;
  readonly text: string;
};

/**
 * Compares the given prefixes with the running networks: O(prefixes). Every class of `routes`
 * that these prefixes have must be compiled.
 */
export function networkChanges(
  compiled: CompiledSettings,
  routes: Routes,
  running: ReadonlyMap<string, Networks>,
  prefixes: Iterable<Prefix>,
): readonly NetworkChange[] {
  const changes: NetworkChange[] = [];
  for (const prefix of prefixes) {
    const family = prefixFamily(prefix);
    const routeClass = routes.get(prefix);
    const text = routeClass === undefined ? "" : classText(routeClass);
    const hearing = compiled.targets.get(text)?.[family] ?? [];
    const className = compiled.classes.get(text)?.name;
    for (const routerKey of compiled.routerKeys) {
      const key = networksKey(routerKey, family);
      const ours =
        className !== undefined && hearing.includes(key) ? `route-map ${className}` : undefined;
      // The user's text comes last, and the last line counts.
      const rest = compiled.extraNetworks.get(key)?.get(prefix) ?? ours;
      const now = running.get(key)?.get(prefix);
      if (rest === now) continue;
      const line =
        rest === undefined ? `no network ${prefix}` : `network ${prefix} ${rest}`.trimEnd();
      changes.push({ key, prefix, rest, text: line });
    }
  }
  return changes;
}

/** All prefixes that may differ: those desired and those running. */
export function allPrefixes(
  compiled: CompiledSettings,
  routes: Routes,
  running: ReadonlyMap<string, Networks>,
): Iterable<Prefix> {
  const prefixes = new Set(routes.keys());
  for (const networks of running.values())
    for (const prefix of networks.keys()) prefixes.add(prefix);
  for (const networks of compiled.extraNetworks.values()) {
    for (const prefix of networks.keys()) prefixes.add(prefix);
  }
  return prefixes;
}
