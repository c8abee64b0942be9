// What a speaker follows of the API server, each collection as narrow as the server can make it and
// pruned to what is read. Fills stores and says what changed; decides nothing.

import { isDeepStrictEqual } from "node:util";
import type { ConfigResources } from "../config/config.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  ConfigMapResource,
  EndpointSliceResource,
  IPAddressPoolResource,
  L2AdvertisementResource,
  NodeResource,
  ObjectMeta,
  PodResource,
  SecretResource,
  ServiceResource,
} from "../config/resources.ts";
import type { Connection } from "../kube/connection.ts";
import { KubeError } from "../kube/error.ts";
import { sleep } from "../kube/sleep.ts";
import { type Change, type Store, startStore } from "../kube/store.ts";
import { pruneSlice, SERVICE_LABEL, type ServingSlice } from "./endpoints.ts";
import {
  type NodeState,
  pruneNode,
  pruneService,
  pruneSpeakerPod,
  type ServiceFacts,
  type SpeakerPod,
} from "./service.ts";
import {
  BGP_STATUS,
  configurationStateName,
  L2_STATUS,
  NODE_LABEL,
  pruneConfigurationState,
  pruneServiceStatus,
  type ServiceStatus,
  type StatusKind,
  type WrittenReport,
} from "./status.ts";

export type WatchesOptions = {
  readonly connection: Connection;
  /** MetalLB's own namespace. */
  readonly namespace: string;
  readonly nodeName: string;
  readonly loadBalancerClass: string | undefined;
  /** Labels of the Pods of speakers; undefined: membership is off. */
  readonly speakerSelector: string | undefined;
  readonly sink: WatchesSink;
  readonly signal: AbortSignal;
};

/** Told synchronously, during the first lists too; never without a real difference. */
export type WatchesSink = {
  readonly service: (change: Change<ServiceFacts>) => void;
  readonly slice: (change: Change<ServingSlice>) => void;
  /** A Node, our own among them. */
  readonly node: (change: Change<NodeState>) => void;
  /** A Pod of a speaker, or that all are known now; never told where membership is off. */
  readonly speakerPod: () => void;
  /** Some object of the configuration is another. */
  readonly config: () => void;
  /** A ServiceBGPStatus of this node, or a ServiceL2Status of any; the key is that of the Service. */
  readonly serviceStatus: (service: string) => void;
  /** Our ConfigurationState was removed. */
  readonly configurationStateGone: () => void;
  /** Every first list of what decisions need is complete; called once. */
  readonly synced: () => void;
  /** The first lists of the status objects of Services are complete; called once. */
  readonly statusesSynced: () => void;
  readonly problem: (what: string, problem: string | undefined) => void;
};

export type Watches = {
  readonly resources: () => ConfigResources;
  /** What has not been listed yet or cannot be followed now, in words. */
  readonly waitingFor: () => readonly string[];
  /** The Pods of speakers, none where membership is off; undefined: not all are known yet. */
  readonly speakerPods: () => Iterable<SpeakerPod> | undefined;
  readonly bgpStatuses: StatusIndex;
  /** Of all nodes. */
  readonly l2Statuses: StatusIndex;
  /** What our ConfigurationState says; undefined: there is none, or it says nothing. */
  readonly configurationState: () => WrittenReport | undefined;
};

/** Status objects by Service, "namespace/name". */
export type StatusIndex = {
  readonly of: (service: string) => readonly ServiceStatus[];
  readonly services: () => Iterable<string>;
};

const METALLB = "/apis/metallb.io";

/** Starts to follow everything, until the signal fires. */
export function startWatches(options: WatchesOptions): Watches {
  const { connection, namespace, nodeName, loadBalancerClass, sink, signal } = options;
  /** What decisions wait for. */
  const needed = new Map<string, Store<unknown> | undefined>();
  /** What readiness waits for beside that: without it a part of the work is not done. */
  const wanted = new Map<string, Store<unknown>>();
  let wasSynced = false;
  const tellSynced = () => {
    if (wasSynced || [...needed.values()].some((store) => store?.synced !== true)) return;
    wasSynced = true;
    sink.synced();
  };

  const problems = new Map<string, string>();
  const tellProblem = (what: string, problem: string | undefined) => {
    if (problems.get(what) === problem) return;
    if (problem === undefined) problems.delete(what);
    else problems.set(what, problem);
    sink.problem(what, problem);
  };

  const follow = <T>(what: string, watch: FollowOptions<T>): Store<T> => {
    const store = startStore<T>({
      connection,
      path: watch.path,
      fieldSelector: watch.fieldSelector,
      labelSelector: watch.labelSelector,
      prune: watch.prune,
      onChange: (change) => {
        if (change.kind === "set" && isDeepStrictEqual(change.previous, change.object)) return;
        watch.onChange(change);
      },
      // In a microtask: the store is in the map by then.
      onSynced: () => queueMicrotask(watch.isNeeded ? tellSynced : watch.onSynced),
      onProblem: (problem) => tellProblem(what, problem),
      signal,
    });
    if (watch.isNeeded) needed.set(what, store);
    return store;
  };
  const followConfig = <T extends ConfigObject>(
    what: string,
    path: string,
    fieldSelector?: string,
  ) =>
    follow<T>(what, {
      path,
      fieldSelector,
      prune: (object) => pruneConfigObject(object as T),
      onChange: sink.config,
      isNeeded: true,
    });
  const inNamespace = (version: string, plural: string) =>
    `${METALLB}/${version}/namespaces/${namespace}/${plural}`;

  const pools = followConfig<IPAddressPoolResource>(
    "IPAddressPools",
    inNamespace("v1beta1", "ipaddresspools"),
  );
  const l2Advertisements = followConfig<L2AdvertisementResource>(
    "L2Advertisements",
    inNamespace("v1beta1", "l2advertisements"),
  );
  const bgpAdvertisements = followConfig<BGPAdvertisementResource>(
    "BGPAdvertisements",
    inNamespace("v1beta1", "bgpadvertisements"),
  );
  const peers = followConfig<BGPPeerResource>("BGPPeers", inNamespace("v1beta2", "bgppeers"));
  const bfdProfiles = followConfig<BFDProfileResource>(
    "BFDProfiles",
    inNamespace("v1beta1", "bfdprofiles"),
  );
  const communities = followConfig<CommunityResource>(
    "Communities",
    inNamespace("v1beta1", "communities"),
  );
  const secrets = follow<SecretResource>("Secrets", {
    path: `/api/v1/namespaces/${namespace}/secrets`,
    // Not only those of type basic-auth: a peer may name another, and then that is the problem.
    fieldSelector: "type!=helm.sh/release.v1",
    prune: (object) => pruneSecret(object as SecretResource),
    onChange: sink.config,
    isNeeded: true,
  });
  const extras = follow<string>("ConfigMap bgpextras", {
    path: `/api/v1/namespaces/${namespace}/configmaps`,
    fieldSelector: "metadata.name=bgpextras",
    prune: (object) => (object as ConfigMapResource).data?.["extras"] ?? "",
    onChange: sink.config,
    isNeeded: true,
  });
  const nodes = "Nodes";
  const ownNode = `Node "${nodeName}"`;
  const nodeStore = follow<NodeState>(nodes, {
    path: "/api/v1/nodes",
    prune: (object) => pruneNode(object as NodeResource),
    onChange: sink.node,
    isNeeded: true,
  });
  const { speakerSelector } = options;
  const podsOfSpeakers = "Pods of the speakers";
  const speakerPods =
    speakerSelector === undefined
      ? undefined
      : follow<SpeakerPod>(podsOfSpeakers, {
          path: `/api/v1/namespaces/${namespace}/pods`,
          labelSelector: speakerSelector,
          prune: (object) => pruneSpeakerPod(object as PodResource),
          onChange: sink.speakerPod,
          // Only Layer 2 asks who is alive: BGP does not wait.
          isNeeded: false,
          onSynced: sink.speakerPod,
        });
  if (speakerPods !== undefined) wanted.set(podsOfSpeakers, speakerPods);
  follow<ServingSlice>("EndpointSlices", {
    path: "/apis/discovery.k8s.io/v1/endpointslices",
    labelSelector: `${SERVICE_LABEL},!service.kubernetes.io/headless`,
    prune: (object) => pruneSlice(object as EndpointSliceResource),
    onChange: sink.slice,
    isNeeded: true,
  });

  const services = "Services";
  needed.set(services, undefined);
  const startServices = async () => {
    const onProblem = (problem: string | undefined) => tellProblem(services, problem);
    const fieldSelector = await serviceSelector(connection, signal, onProblem);
    if (signal.aborted) return;
    follow<ServiceFacts>(services, {
      path: "/api/v1/services",
      fieldSelector,
      prune: (object) => pruneService(object as ServiceResource, loadBalancerClass),
      onChange: sink.service,
      isNeeded: true,
    });
  };
  void startServices();

  let unsyncedStatuses = 2;
  const followStatuses = (kind: StatusKind, labelSelector: string | undefined): StatusIndex => {
    const byService = new Map<string, Map<string, ServiceStatus>>();
    follow<ServiceStatus>(kind.plural, {
      path: inNamespace("v1beta1", kind.plural),
      labelSelector,
      prune: pruneServiceStatus(kind),
      onChange: (change) => {
        const { service, name } = change.kind === "set" ? change.object : change.previous;
        const known = byService.get(service) ?? new Map<string, ServiceStatus>();
        if (change.kind === "set") known.set(name, change.object);
        else known.delete(name);
        if (known.size === 0) byService.delete(service);
        else byService.set(service, known);
        sink.serviceStatus(service);
      },
      isNeeded: false,
      onSynced: () => {
        unsyncedStatuses -= 1;
        if (unsyncedStatuses === 0) sink.statusesSynced();
      },
    });
    return {
      of: (service) => [...(byService.get(service)?.values() ?? [])],
      services: () => byService.keys(),
    };
  };
  const bgpStatuses = followStatuses(BGP_STATUS, `${NODE_LABEL}=${nodeName}`);
  const l2Statuses = followStatuses(L2_STATUS, undefined);
  const configurationStates = follow<WrittenReport>("ConfigurationStates", {
    path: inNamespace("v1beta1", "configurationstates"),
    fieldSelector: `metadata.name=${configurationStateName(nodeName)}`,
    prune: pruneConfigurationState,
    onChange: (change) => {
      if (change.kind === "delete") sink.configurationStateGone();
    },
    isNeeded: false,
    onSynced: () => undefined,
  });

  return {
    resources: () => ({
      pools: [...pools.values()],
      l2Advertisements: [...l2Advertisements.values()],
      bgpAdvertisements: [...bgpAdvertisements.values()],
      peers: [...peers.values()],
      bfdProfiles: [...bfdProfiles.values()],
      communities: [...communities.values()],
      // Who may be given an address of a pool is the controller's business.
      namespaces: [],
      secrets: [...secrets.values()],
      extras: extras.get(`${namespace}/bgpextras`) ?? "",
    }),
    waitingFor: () => {
      const reasons = new Set<string>();
      for (const [what, store] of [...needed, ...wanted]) {
        const problem = problems.get(what);
        if (problem !== undefined) reasons.add(problem.replace(SILENCE, "$1"));
        else if (store?.synced !== true) reasons.add(`The list of ${what} is not complete yet`);
        else if (what === nodes && nodeStore.get(nodeName) === undefined) {
          reasons.add(`${ownNode} does not exist`);
        }
      }
      return [...reasons];
    },
    speakerPods: () => {
      if (speakerPods === undefined) return [];
      return speakerPods.synced ? speakerPods.values() : undefined;
    },
    bgpStatuses,
    l2Statuses,
    configurationState: () => {
      return configurationStates.get(`${namespace}/${configurationStateName(nodeName)}`);
    },
  };
}

type FollowOptions<T> = {
  readonly path: string;
  readonly fieldSelector?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly prune: (object: unknown) => T | undefined;
  readonly onChange: (change: Change<T>) => void;
} & (
  | { readonly isNeeded: true }
  /** Kept for people; no decision waits for it. */
  | { readonly isNeeded: false; readonly onSynced: () => void }
);

type ConfigObject = { readonly metadata: ObjectMeta; readonly spec?: object };

/** Without status: what the controller counts in a pool changes with every Service. */
function pruneConfigObject<T extends ConfigObject>(object: T): T {
  const { metadata, spec } = object;
  return { metadata: pruneMetadata(metadata), ...(spec !== undefined && { spec }) } as T;
}

function pruneMetadata(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, labels, creationTimestamp } = metadata;
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(labels !== undefined && { labels }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
  };
}

function pruneSecret(secret: SecretResource): SecretResource {
  const { metadata, type, data } = secret;
  const password = type === "kubernetes.io/basic-auth" ? data?.["password"] : undefined;
  return {
    metadata: pruneMetadata(metadata),
    ...(type !== undefined && { type }),
    ...(password !== undefined && { data: { password } }),
  };
}

/** The beginning that all watches of an API server that is away have in common. */
const SILENCE = /^(API server \S+ does not answer): .*/s;

const PROBE_PAUSE_MS = 1_000;
const SELECTOR = "spec.type=LoadBalancer";

/** The field selector for Services; undefined where the API server does not know it: all come. */
async function serviceSelector(
  connection: Connection,
  signal: AbortSignal,
  onProblem: (problem: string | undefined) => void,
): Promise<string | undefined> {
  while (!signal.aborted) {
    try {
      const query = { fieldSelector: SELECTOR, limit: "1" };
      await connection.request("GET", "/api/v1/services", { query, signal });
      onProblem(undefined);
      return SELECTOR;
    } catch (error) {
      if (signal.aborted) return undefined;
      if (!(error instanceof KubeError)) throw error;
      if (error.status === 400) return undefined;
      onProblem(
        error.status === undefined
          ? `API server ${connection.server} does not answer: ${error.message}`
          : error.message,
      );
      await sleep(PROBE_PAUSE_MS, signal);
    }
  }
  return undefined;
}
