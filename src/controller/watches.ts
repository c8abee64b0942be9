// What the controller follows of the API server, each collection as narrow as is correct and pruned
// to what is read. Fills stores and says what changed; decides nothing.

import { isDeepStrictEqual } from "node:util";
import type { ConfigResources } from "../config/config.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  ConfigMapResource,
  IPAddressPoolResource,
  L2AdvertisementResource,
  NamespaceResource,
  ObjectMeta,
  SecretResource,
  ServiceResource,
} from "../config/resources.ts";
import type { Connection } from "../kube/connection.ts";
import { type Change, type Store, startStore } from "../kube/store.ts";
import {
  CONFIG_KINDS,
  CONFIGURATION_STATE,
  type ConfigKind,
  type ConfigObject,
  configFolder,
} from "./config-status.ts";
import { POOL_ANNOTATION } from "./request.ts";
import { carriesOurMarks, isServed } from "./service.ts";

export type WatchesOptions = {
  readonly connection: Connection;
  /** MetalLB's own namespace. */
  readonly namespace: string;
  /** `spec.loadBalancerClass` we serve; "": Services without one. */
  readonly loadBalancerClass: string;
  readonly sink: WatchesSink;
  readonly signal: AbortSignal;
};

/** Told synchronously, during the first lists too. */
export type WatchesSink = {
  readonly service: (change: Change<ServiceResource>) => void;
  /** Some object of the configuration says something else. */
  readonly config: () => void;
  /** An object of the configuration, or only its status, is another. */
  readonly configObject: (kind: ConfigKind, name: string) => void;
  /** Our ConfigurationState was removed. */
  readonly configurationStateGone: () => void;
  /** Every first list of what decisions need is complete; called once. */
  readonly synced: () => void;
  readonly problem: (what: string, problem: string | undefined) => void;
};

export type Watches = {
  readonly resources: () => ConfigResources;
  readonly configObject: (kind: ConfigKind, name: string) => ConfigObject | undefined;
  readonly configObjects: (kind: ConfigKind) => Iterable<ConfigObject>;
  /** What has not been listed yet, in words. */
  readonly waitingFor: () => readonly string[];
};

/** Starts to follow everything, until the signal fires. */
export function startWatches(options: WatchesOptions): Watches {
  const { connection, namespace, loadBalancerClass, sink, signal } = options;
  const needed = new Map<string, Store<unknown>>();
  let wasSynced = false;
  const tellSynced = () => {
    if (wasSynced || [...needed.values()].some((store) => !store.synced)) return;
    wasSynced = true;
    sink.synced();
  };
  const start = <T>(what: string, watch: FollowOptions<T>): Store<T> =>
    startStore<T>({
      connection,
      ...watch,
      // In a microtask: all stores are in the map by then.
      onSynced: () => queueMicrotask(tellSynced),
      onProblem: (problem) => sink.problem(what, problem),
      signal,
    });
  const follow = <T>(what: string, watch: FollowOptions<T>): Store<T> => {
    const store = start(what, watch);
    needed.set(what, store);
    return store;
  };
  /** For what configuration is made of and has no status that we write. */
  const followPart = <T>(what: string, watch: Omit<FollowOptions<T>, "onChange">): Store<T> =>
    follow<T>(what, {
      ...watch,
      onChange: (change) => {
        if (change.kind === "set" && isDeepStrictEqual(change.previous, change.object)) return;
        sink.config();
      },
    });
  const followKind = <T extends ConfigObject>(kind: ConfigKind): Store<T> =>
    follow<T>(CONFIG_KINDS[kind].title, {
      path: configFolder(kind, namespace),
      prune: (object) => pruneConfigObject(object as T),
      onChange: (change) => {
        const object = change.kind === "set" ? change.object : undefined;
        if (!saySame(change.previous, object)) sink.config();
        if (object !== undefined) sink.configObject(kind, object.metadata.name);
      },
    });

  const pools = followKind<IPAddressPoolResource>("IPAddressPool");
  const l2Advertisements = followKind<L2AdvertisementResource>("L2Advertisement");
  const bgpAdvertisements = followKind<BGPAdvertisementResource>("BGPAdvertisement");
  const peers = followKind<BGPPeerResource>("BGPPeer");
  const bfdProfiles = followKind<BFDProfileResource>("BFDProfile");
  const communities = followKind<CommunityResource>("Community");
  const namespaces = followPart<NamespaceResource>("Namespaces", {
    path: "/api/v1/namespaces",
    prune: (object) => {
      const { name, labels } = (object as NamespaceResource).metadata;
      return { metadata: { name, ...(labels !== undefined && { labels }) } };
    },
  });
  const secrets = followPart<SecretResource>("Secrets", {
    path: `/api/v1/namespaces/${namespace}/secrets`,
    fieldSelector: "type=kubernetes.io/basic-auth",
    prune: (object) => pruneSecret(object as SecretResource),
  });
  const extras = followPart<string>("ConfigMap bgpextras", {
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    fieldSelector: "metadata.name=bgpextras",
    prune: (object) => (object as ConfigMapResource).data?.["extras"] ?? "",
  });
  // Of every type: one that is no load balancer any more may still show what we gave it.
  follow<ServiceResource>("Services", {
    path: "/api/v1/services",
    prune: (object) => pruneService(object as ServiceResource, loadBalancerClass),
    onChange: sink.service,
  });
  start<true>("ConfigurationStates", {
    path: `/apis/metallb.io/v1beta1/namespaces/${namespace}/configurationstates`,
    fieldSelector: `metadata.name=${CONFIGURATION_STATE}`,
    prune: () => true,
    onChange: (change) => {
      if (change.kind === "delete") sink.configurationStateGone();
    },
  });

  const stores: Readonly<Record<ConfigKind, Store<ConfigObject>>> = {
    IPAddressPool: pools,
    L2Advertisement: l2Advertisements,
    BGPAdvertisement: bgpAdvertisements,
    BGPPeer: peers,
    BFDProfile: bfdProfiles,
    Community: communities,
  };
  return {
    resources: () => ({
      pools: [...pools.values()],
      l2Advertisements: [...l2Advertisements.values()],
      bgpAdvertisements: [...bgpAdvertisements.values()],
      peers: [...peers.values()],
      bfdProfiles: [...bfdProfiles.values()],
      communities: [...communities.values()],
      namespaces: [...namespaces.values()],
      secrets: [...secrets.values()],
      extras: extras.get(`${namespace}/bgpextras`) ?? "",
    }),
    configObject: (kind, name) => stores[kind].get(`${namespace}/${name}`),
    configObjects: (kind) => stores[kind].values(),
    waitingFor: () =>
      [...needed].flatMap(([what, store]) => {
        if (store.synced) return [];
        return [store.problem === undefined ? `list of ${what}` : `${what}: ${store.problem}`];
      }),
  };
}

type FollowOptions<T> = {
  readonly path: string;
  readonly fieldSelector?: string;
  readonly prune: (object: unknown) => T | undefined;
  readonly onChange: (change: Change<T>) => void;
};

/** What we read of a Service; undefined: it does not concern us. */
export function pruneService(
  service: ServiceResource,
  loadBalancerClass: string,
): ServiceResource | undefined {
  if (!isServed(service, loadBalancerClass)) {
    if (service.spec.type === "LoadBalancer" || !carriesOurMarks(service)) return undefined;
  }
  const { metadata, spec, status } = service;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => key === POOL_ANNOTATION || key.startsWith("metallb."),
  );
  const ingress = status?.loadBalancer?.ingress;
  return {
    metadata: {
      ...pruneMetadata(metadata),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
    },
    spec: {
      ...present("type", spec.type),
      ...present("clusterIP", spec.clusterIPs === undefined ? spec.clusterIP : undefined),
      ...present("clusterIPs", spec.clusterIPs),
      ...present("ipFamilies", spec.ipFamilies),
      ...present("ipFamilyPolicy", spec.ipFamilyPolicy),
      ...present("loadBalancerIP", spec.loadBalancerIP),
      ...present("loadBalancerClass", spec.loadBalancerClass),
      ...present("externalTrafficPolicy", spec.externalTrafficPolicy),
      ...present("selector", spec.externalTrafficPolicy === "Local" ? spec.selector : undefined),
      ports: (spec.ports ?? []).map(({ protocol, port }) => ({
        ...present("protocol", protocol),
        port,
      })),
    },
    status: {
      ...(ingress !== undefined && {
        loadBalancer: {
          ingress: ingress.map(({ ip, hostname }) => ({
            ...present("ip", ip),
            ...present("hostname", hostname),
          })),
        },
      }),
      ...present("conditions", status?.conditions),
    },
  };
}

function pruneConfigObject<T extends ConfigObject>(object: T): T {
  const { metadata, spec, status } = object;
  return {
    metadata: pruneMetadata(metadata),
    ...present("spec", spec),
    ...present("status", status),
  } as T;
}

/** Whether two versions of an object of the configuration ask for the same. */
function saySame(a: ConfigObject | undefined, b: ConfigObject | undefined): boolean {
  return (
    a !== undefined &&
    b !== undefined &&
    a.metadata.uid === b.metadata.uid &&
    isDeepStrictEqual([a.metadata.labels, a.spec], [b.metadata.labels, b.spec])
  );
}

function pruneSecret({ metadata, type, data }: SecretResource): SecretResource {
  const { resourceVersion: _, ...rest } = pruneMetadata(metadata);
  const password = data?.["password"];
  return {
    metadata: rest,
    ...present("type", type),
    ...(password !== undefined && { data: { password } }),
  };
}

function pruneMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion, generation, labels, creationTimestamp } = metadata;
  return {
    name,
    ...present("namespace", namespace),
    ...present("uid", uid),
    ...present("resourceVersion", resourceVersion),
    ...present("generation", generation),
    ...present("labels", labels),
    ...present("creationTimestamp", creationTimestamp),
  };
}

/** The field, unless it is absent. */
function present<Key extends string, Value>(
  key: Key,
  value: Value | undefined,
): { readonly [K in Key]?: Value } {
  // A computed key makes an index signature of it, which is what this function is there to hide.
  return (value === undefined ? {} : { [key]: value }) as { readonly [K in Key]?: Value };
}
