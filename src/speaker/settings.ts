// Config and Policy -> FrrSettings: everything of FRR's desired state but the routes. Pure.

import { createHash } from "node:crypto";
import { aggregationLengthOf } from "../config/advertisement-conflict.ts";
import type { BfdProfile } from "../config/bfd.ts";
import type { Config } from "../config/config.ts";
import type { Peer } from "../config/peer.ts";
import type { FrrBfdProfile, FrrSettings, Neighbor, RouteClass, Router } from "../frr/model.ts";
import type { LogLevel } from "../log.ts";
import { type Address, addressAt, familyOf } from "../net/address.ts";
import type { Policy, PolicyAdvertisement, PoolPolicy } from "./policy.ts";
import { mergeEntries } from "./routes.ts";
import type { NodeState } from "./service.ts";

export type FrrLogLevel = FrrSettings["logLevel"];

/** FRR's word for a value of --log-level. */
export function frrLogLevel(level: LogLevel): FrrLogLevel {
  switch (level) {
    case "all":
    case "debug":
      return "debugging";
    case "info":
      return "informational";
    case "warn":
      return "warnings";
    case "error":
      return "errors";
    case "none":
      return "emergencies";
  }
}

/** The settings of one node's FRR; equal inputs in any order give equal settings. */
export function frrSettings(
  config: Config,
  policy: Policy,
  node: NodeState,
  logLevel: FrrLogLevel,
): FrrSettings {
  return {
    hostname: node.name,
    logLevel,
    routers: routersOf(config.peers, node),
    bfdProfiles: [...config.bfdProfiles.values()]
      .sort((a, b) => compareTexts(a.name, b.name))
      .map(bfdProfileOf),
    classes: expectedClasses(policy),
    extras: config.extras,
  };
}

function routersOf(peers: readonly Peer[], node: NodeState): readonly Router[] {
  const groups = Map.groupBy(peers, ({ myAsn, vrf }) => JSON.stringify([vrf ?? "", myAsn]));
  return [...groups]
    .sort(([a], [b]) => compareTexts(a, b))
    .flatMap(([, group]) => {
      const [first] = group;
      if (first === undefined) return [];
      const configured = group.find(({ routerId }) => routerId !== undefined)?.routerId;
      return {
        asn: first.myAsn,
        vrf: first.vrf ?? null,
        routerId: configured ?? usualRouterId(node),
        neighbors: [...group].sort((a, b) => compareTexts(a.name, b.name)).map(neighborOf),
      };
    });
}

/**
 * The router ID of a node when the user sets none. Written out, because FRR's own choice follows
 * the addresses of the interfaces, and another router ID resets every session (FRR 8.4, 10.3).
 * A node without IPv4 address takes 32 bits made from its name (RFC 6286 asks for no more than
 * a number that is unique in the AS).
 */
function usualRouterId(node: NodeState): Address {
  if (node.internalIpv4 !== undefined) return node.internalIpv4;
  const hash = createHash("sha256").update(node.name).digest().readUInt32BE(0);
  // First octet 1 to 127: never zero, never a multicast address.
  return addressAt("ipv4", BigInt(((hash & 0x7fff_ffff) | 0x0100_0000) >>> 0));
}

function neighborOf(peer: Peer): Neighbor {
  const family = peer.address === undefined ? undefined : familyOf(peer.address);
  const both = family === undefined || peer.dualStack;
  return {
    peerName: peer.name,
    address: peer.address ?? null,
    interfaceName: peer.interfaceName ?? null,
    remoteAs: peer.remoteAs,
    localAs: peer.localAsn ?? null,
    port: peer.port,
    sourceAddress: peer.sourceAddress ?? null,
    keepaliveSeconds: peer.keepaliveTimeSeconds ?? null,
    holdTimeSeconds: peer.holdTimeSeconds ?? null,
    connectSeconds: peer.connectTimeSeconds ?? null,
    password: peer.password ?? null,
    ebgpMultihop: peer.ebgpMultihop,
    gracefulRestart: peer.gracefulRestart,
    bfdProfile: peer.bfdProfile ?? null,
    ipv4: both || family === "ipv4",
    ipv6: both || family === "ipv6",
  };
}

function bfdProfileOf(profile: BfdProfile): FrrBfdProfile {
  return {
    name: profile.name,
    receiveIntervalMs: profile.receiveIntervalMs ?? null,
    transmitIntervalMs: profile.transmitIntervalMs ?? null,
    echoIntervalMs: profile.echoIntervalMs ?? null,
    detectMultiplier: profile.detectMultiplier ?? null,
    echoMode: profile.echoMode,
    passiveMode: profile.passiveMode,
    minimumTtl: profile.minimumTtl ?? null,
  };
}

/**
 * The classes that Services of the pools are likely to have, so that the first route of one finds
 * its maps there: for each pool, family and length of prefix those advertisements that take every
 * Service, alone and with each one that selects.
 */
function expectedClasses(policy: Policy): readonly RouteClass[] {
  const classes = new Map<string, RouteClass>();
  for (const pool of policy.pools.values()) {
    for (const advertisements of advertisementsByLength(pool)) {
      const isSelecting = ({ advertisement }: PolicyAdvertisement) =>
        advertisement.serviceSelectors.length > 0;
      const always = advertisements.filter((candidate) => !isSelecting(candidate));
      const selecting = advertisements.filter(isSelecting);
      for (const chosen of [always, ...selecting.map((one) => [...always, one])]) {
        if (chosen.length === 0) continue;
        const keyed = chosen.map(({ entry, entryKey }) => [entryKey, entry] as const);
        const key = keyed.map(([entryKey]) => entryKey).sort();
        classes.set([...new Set(key)].join("\n"), mergeEntries(keyed));
      }
    }
  }
  return [...classes].sort(([a], [b]) => compareTexts(a, b)).map(([, routeClass]) => routeClass);
}

function advertisementsByLength({
  pool,
  advertisements,
}: PoolPolicy): readonly (readonly PolicyAdvertisement[])[] {
  const heard = advertisements.filter(({ hearers }) => hearers.length > 0);
  const families = new Set(pool.ranges.map(({ family }) => family));
  return [...families].flatMap((family) => [
    ...Map.groupBy(heard, ({ advertisement }) =>
      aggregationLengthOf(advertisement, family),
    ).values(),
  ]);
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
