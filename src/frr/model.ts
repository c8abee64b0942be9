// What a node wants of its FRR: the values the templates read and the routes to announce.
// Knows routers, not Kubernetes.

import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";

/**
 * Who hears a prefix, and with which attributes: the merge of all advertisements of a prefix.
 * Prefixes of equal classes share one class route map; see classes.ts.
 */
export type RouteClass = readonly ClassEntry[];

export type ClassEntry = {
  /** Names of the peers that hear it (`Neighbor.peerName`); empty: all. */
  readonly peers: readonly string[];
  /** 1 to 4294967295; null: not set. */
  readonly localPreference: number | null;
  /** Standard communities such as "65000:1", sorted. */
  readonly communities: readonly string[];
  /** Large communities such as "65000:1:2", sorted. */
  readonly largeCommunities: readonly string[];
};

/** The prefixes a node announces, each with its class. */
export type Routes = ReadonlyMap<Prefix, RouteClass>;

/** The whole desired state of one FRR, without the routes: changes seldom. */
export type FrrSettings = {
  /** Host name in prompts and in the hostname capability; null: FRR's own. */
  readonly hostname: string | null;
  readonly logLevel: "debugging" | "informational" | "warnings" | "errors" | "emergencies";
  readonly routers: readonly Router[];
  readonly bfdProfiles: readonly FrrBfdProfile[];
  /**
   * Classes to define although no route may use them yet, so that the first route of a class
   * does not change the outbound maps of its peers.
   */
  readonly classes: readonly RouteClass[];
  /** The user's own lines, appended to ours; "" for none. */
  readonly extras: string;
};

/** One `router bgp`. */
export type Router = {
  readonly asn: number;
  readonly vrf: string | null;
  readonly routerId: Address | null;
  readonly neighbors: readonly Neighbor[];
};

/** One session of a router. */
export type Neighbor = {
  /** Name under which classes refer to it. */
  readonly peerName: string;
  /** Address of the router, or null for an unnumbered session over `interfaceName`. */
  readonly address: Address | null;
  readonly interfaceName: string | null;
  readonly remoteAs: number | "internal" | "external";
  readonly localAs: number | null;
  /** 179 is never written: a default in the file would flap the session. */
  readonly port: number;
  readonly sourceAddress: Address | null;
  readonly keepaliveSeconds: number | null;
  readonly holdTimeSeconds: number | null;
  readonly connectSeconds: number | null;
  readonly password: string | null;
  readonly ebgpMultihop: boolean;
  readonly gracefulRestart: boolean;
  /** Name of one of `bfdProfiles`; null: no BFD. */
  readonly bfdProfile: string | null;
  readonly ipv4: boolean;
  readonly ipv6: boolean;
};

export type FrrBfdProfile = {
  readonly name: string;
  readonly receiveIntervalMs: number | null;
  readonly transmitIntervalMs: number | null;
  readonly echoIntervalMs: number | null;
  readonly detectMultiplier: number | null;
  readonly echoMode: boolean;
  readonly passiveMode: boolean;
  readonly minimumTtl: number | null;
};
