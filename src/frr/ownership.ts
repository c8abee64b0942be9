// Which daemon keeps which line of the configuration; it moved between FRR versions. Pure.

import type { Daemon } from "./client.ts";
import type { FrrTree } from "./tree.ts";

/** What of an FRR decides who owns a line. */
export type FrrFlavor = {
  /** 10.x: mgmtd keeps interfaces, static routes and zebra's options. */
  readonly mgmtd: boolean;
  readonly major: number;
  readonly minor: number;
};

/** Reads "8.4.4" and the like; undefined for text without a version. */
export function parseFlavor(version: string, mgmtd: boolean): FrrFlavor | undefined {
  const match = /^(\d+)\.(\d+)/.exec(version);
  if (match === null) return undefined;
  return { mgmtd, major: Number(match[1]), minor: Number(match[2]) };
}

/** The version in "show running-config" or "show version". */
export function versionIn(text: string): string | undefined {
  return /(?:frr version|FRRouting) (\d+\.\d+[\w.+~-]*)/.exec(text)?.[1];
}

/** The daemons that keep a line of the top level; none: FRR has it by itself. */
export function ownersOf(key: string, flavor: FrrFlavor): readonly Daemon[] {
  const forwarding: readonly Daemon[] = [flavor.mgmtd ? "mgmtd" : "zebra"];
  if (/^(log |hostname)/.test(key)) {
    // 10.7 shows log settings in mgmtd alone, 10.3 in every daemon.
    const central = flavor.mgmtd && (flavor.major > 10 || flavor.minor >= 5);
    return central ? ["mgmtd"] : ["zebra", "bgpd", "bfdd"];
  }
  // On by default, and hidden, from 10.x on.
  if (/^ip(v6)? nht resolve-via-default$/.test(key)) return flavor.major >= 10 ? [] : ["zebra"];
  if (/^ip(v6)? (nht|protocol) |^debug zebra /.test(key)) return ["zebra"];
  if (/^(interface|vrf) /.test(key)) return forwarding;
  if (/^ip(v6)? route /.test(key)) return [flavor.mgmtd ? "mgmtd" : "staticd"];
  if (key === "bfd" || /^(no )?debug bfd /.test(key)) return ["bfdd"];
  return ["bgpd"];
}

/**
 * Whether a line found in a daemon, but not wanted, is ours to remove. bgpd and bfdd are ours as
 * a whole; in the others only what we write ourselves. A host name always exists.
 */
export function isOurs(daemon: Daemon, key: string): boolean {
  if (key === "hostname") return false;
  if (daemon === "bgpd" || daemon === "bfdd") {
    // Copies that vtysh leaves in every daemon do nothing in bfdd.
    return daemon === "bgpd" || !/^(ip|ipv6) prefix-list |^route-map |^access-list /.test(key);
  }
  return /^(log |debug zebra |ip(v6)? nht resolve-via-default$)/.test(key);
}

/** Whether somebody would notice that the daemon is missing: not for log settings alone. */
export function isNeeded(daemon: Daemon, tree: FrrTree): boolean {
  if (daemon === "bgpd" || daemon === "zebra") return true;
  return [...tree.keys()].some((key) => !/^(log |hostname|debug )/.test(key));
}

/** Divides a configuration among the daemons. */
export function divide(tree: FrrTree, flavor: FrrFlavor): ReadonlyMap<Daemon, FrrTree> {
  const parts = new Map<Daemon, Map<string, ReturnType<FrrTree["get"]> & object>>();
  for (const [key, line] of tree) {
    for (const daemon of ownersOf(key, flavor)) {
      const part = parts.get(daemon) ?? new Map();
      part.set(key, line);
      parts.set(daemon, part);
    }
  }
  return parts;
}
