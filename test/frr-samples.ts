// Desired states of a node's FRR by name, each showing one thing: for golden files, planner and
// real daemons alike.

import type {
  ClassEntry,
  FrrBfdProfile,
  FrrSettings,
  Neighbor,
  RouteClass,
  Router,
  Routes,
} from "../src/frr/model.ts";
import { type Address, parseAddress } from "../src/net/address.ts";
import { type Prefix, parsePrefix } from "../src/net/prefix.ts";

export type DesiredSample = { readonly settings: FrrSettings; readonly routes: Routes };

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`Cannot parse address "${text}"`);
  return parsed;
}

export function prefix(text: string): Prefix {
  const parsed = parsePrefix(text);
  if (parsed === undefined) throw new Error(`Cannot parse prefix "${text}"`);
  return parsed;
}

/** A plain IPv4 session to AS 65100 at 10.88.0.2. */
export function neighborWith(changes: Partial<Neighbor> = {}): Neighbor {
  return {
    peerName: "leaf1",
    address: address("10.88.0.2"),
    interfaceName: null,
    remoteAs: 65100,
    localAs: null,
    port: 179,
    sourceAddress: null,
    keepaliveSeconds: null,
    holdTimeSeconds: null,
    connectSeconds: 1,
    password: null,
    ebgpMultihop: false,
    gracefulRestart: false,
    bfdProfile: null,
    ipv4: true,
    ipv6: false,
    ...changes,
  };
}

/** AS 65000 with one plain neighbor. */
export function routerWith(changes: Partial<Router> = {}): Router {
  return {
    asn: 65000,
    vrf: null,
    routerId: address("10.88.0.1"),
    neighbors: [neighborWith()],
    ...changes,
  };
}

export function settingsWith(changes: Partial<FrrSettings> = {}): FrrSettings {
  return {
    hostname: "node1",
    logLevel: "informational",
    routers: [routerWith()],
    bfdProfiles: [],
    classes: [],
    extras: "",
    ...changes,
  };
}

/** All of FRR's values left alone. */
export function profileWith(changes: Partial<FrrBfdProfile> = {}): FrrBfdProfile {
  return {
    name: "fast",
    receiveIntervalMs: null,
    transmitIntervalMs: null,
    echoIntervalMs: null,
    detectMultiplier: null,
    echoMode: false,
    passiveMode: false,
    minimumTtl: null,
    ...changes,
  };
}

/** A class of one entry: to all peers, without attributes. */
export function classWith(...entries: readonly Partial<ClassEntry>[]): RouteClass {
  return (entries.length === 0 ? [{}] : entries).map((changes) => ({
    peers: [],
    localPreference: null,
    communities: [],
    largeCommunities: [],
    ...changes,
  }));
}

export const PLAIN: RouteClass = classWith();

export function routesWith(routes: Readonly<Record<string, RouteClass>>): Routes {
  return new Map(Object.entries(routes).map(([text, value]) => [prefix(text), value]));
}

const onePrefix = routesWith({ "192.0.2.1/32": PLAIN });
const internal = { remoteAs: 65000 } as const;

/** Names are those of the files in test/golden. */
export const DESIRED_SAMPLES: Readonly<Record<string, DesiredSample>> = {
  "single peer": { settings: settingsWith(), routes: onePrefix },
  "no peer": { settings: settingsWith({ routers: [] }), routes: new Map() },
  // Other settings than above: classes out of use stay for a while with the same.
  "no route": { settings: settingsWith({ logLevel: "warnings" }), routes: new Map() },
  "dual stack": {
    settings: settingsWith({
      routers: [
        routerWith({
          neighbors: [
            neighborWith({ peerName: "both", ipv6: true }),
            neighborWith({
              peerName: "six",
              address: address("fd00:88::2"),
              ipv4: false,
              ipv6: true,
            }),
          ],
        }),
      ],
    }),
    routes: routesWith({ "192.0.2.1/32": PLAIN, "2001:db8::1/128": PLAIN }),
  },
  bfd: {
    settings: settingsWith({
      routers: [routerWith({ neighbors: [neighborWith({ bfdProfile: "fast" })] })],
      bfdProfiles: [
        profileWith({
          receiveIntervalMs: 100,
          transmitIntervalMs: 120,
          detectMultiplier: 5,
          minimumTtl: 10,
        }),
        profileWith({ name: "echo", echoMode: true, echoIntervalMs: 70, passiveMode: true }),
        profileWith({ name: "usual", receiveIntervalMs: 300, detectMultiplier: 3 }),
      ],
    }),
    routes: onePrefix,
  },
  password: {
    settings: settingsWith({
      routers: [routerWith({ neighbors: [neighborWith({ password: "s3cret<&>" })] })],
    }),
    routes: onePrefix,
  },
  unnumbered: {
    settings: settingsWith({
      routers: [
        routerWith({
          neighbors: [
            neighborWith({
              address: null,
              interfaceName: "eth0",
              remoteAs: "external",
              ipv6: true,
            }),
          ],
        }),
      ],
    }),
    routes: onePrefix,
  },
  vrf: {
    settings: settingsWith({
      routers: [
        routerWith(),
        routerWith({ asn: 65001, vrf: "red", neighbors: [neighborWith({ peerName: "red1" })] }),
      ],
    }),
    routes: routesWith({
      "192.0.2.1/32": PLAIN,
      "192.0.2.2/32": classWith({ peers: ["red1"] }),
    }),
  },
  multihop: {
    settings: settingsWith({
      routers: [
        routerWith({
          neighbors: [
            neighborWith({
              ebgpMultihop: true,
              port: 1790,
              sourceAddress: address("10.88.0.1"),
              localAs: 64999,
              keepaliveSeconds: 3,
              holdTimeSeconds: 9,
            }),
          ],
        }),
      ],
    }),
    routes: onePrefix,
  },
  "local preference": {
    settings: settingsWith({ routers: [routerWith({ neighbors: [neighborWith(internal)] })] }),
    routes: routesWith({
      "192.0.2.1/32": classWith({ localPreference: 300 }),
      "192.0.2.2/32": classWith({ localPreference: 1000 }),
    }),
  },
  communities: {
    settings: settingsWith({
      routers: [
        routerWith({
          neighbors: [
            neighborWith(),
            neighborWith({ peerName: "leaf2", address: address("10.88.0.3") }),
          ],
        }),
      ],
    }),
    routes: routesWith({
      "192.0.2.1/32": classWith({
        communities: ["65535:65281", "65000:2", "65000:1"],
        largeCommunities: ["65000:1:2"],
      }),
      "192.0.2.2/32": classWith(
        { communities: ["65000:9"] },
        { peers: ["leaf2"], communities: ["65000:10"] },
      ),
    }),
  },
  aggregated: {
    settings: settingsWith({ classes: [PLAIN, classWith({ communities: ["65000:7"] })] }),
    routes: routesWith({ "192.0.2.0/24": PLAIN, "192.0.2.128/25": PLAIN }),
  },
  "graceful restart": {
    settings: settingsWith({
      routers: [routerWith({ neighbors: [neighborWith({ gracefulRestart: true })] })],
    }),
    routes: onePrefix,
  },
  extras: {
    settings: settingsWith({
      extras: [
        "ip prefix-list learn seq 5 permit 10.0.0.0/8 le 24",
        "route-map 10.88.0.2-in permit 20",
        " match ip address prefix-list learn",
        "",
      ].join("\n"),
    }),
    routes: onePrefix,
  },
  debugging: { settings: settingsWith({ logLevel: "debugging" }), routes: onePrefix },
};
