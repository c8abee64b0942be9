// Makes by hand what a kubelet, a scheduler and a cloud would: Nodes, Pods, EndpointSlices, and the
// status that belongs to them. Each function can be called again with other values.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Cluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { ApiError, type Json } from "./request.ts";

type Texts = Readonly<Record<string, string>>;

/**
 * Makes the object, or changes it so that all we ever applied to it is as `object` says: a
 * server-side apply, strict about unknown fields. Its namespace is `default` unless it says.
 */
export async function apply(cluster: Cluster, object: Json): Promise<Json> {
  const path = await pathOf(cluster, object);
  const query = "fieldManager=test&force=true&fieldValidation=Strict";
  return cluster.request("PATCH", `${path}?${query}`, object, { patch: "apply" });
}

/**
 * Applies every document of the YAML text with kubectl, as a user would but server-side, and waits
 * until objects of the definitions in it are taken.
 */
export async function applyYaml(cluster: Cluster, yaml: string): Promise<void> {
  const args = ["apply", "--server-side", "--force-conflicts", "-o", "name", "-f", "-"];
  const names = (await cluster.kubectl(args, { input: yaml })).trim().split("\n");
  for (const name of names) {
    const [kind, crd] = name.split("/");
    if (kind !== "customresourcedefinition.apiextensions.k8s.io") continue;
    await eventually(() => served(cluster, crd), { describe: `${crd} to be served` });
  }
}

/** Applies every .yaml file of the folder, in the order of their names, as `applyYaml` does. */
export async function applyFolder(cluster: Cluster, folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => name.endsWith(".yaml")).sort();
  const texts = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  await applyYaml(cluster, texts.join("\n---\n"));
}

/** The object at the path, or undefined if there is none. */
export async function find(cluster: Cluster, path: string): Promise<Json | undefined> {
  try {
    return await cluster.request("GET", path);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}

/**
 * Deletes the objects of a collection in one request and waits until they are gone. The path may
 * end in a query with a selector. kubectl would take one after the other.
 */
export async function deleteAll(cluster: Cluster, path: string): Promise<void> {
  await cluster.request("DELETE", path);
  await eventually(async () => (await cluster.request("GET", path)).items.length === 0, {
    describe: `the objects at ${path} to be gone`,
  });
}

/** Makes or changes a Namespace. */
export async function putNamespace(
  cluster: Cluster,
  name: string,
  labels: Texts = {},
): Promise<void> {
  await apply(cluster, { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } });
}

export type NodeOptions = {
  readonly name: string;
  /** InternalIP addresses, IPv4 or IPv6. */
  readonly addresses: readonly string[];
  readonly labels?: Texts;
  readonly annotations?: Texts;
  /** By type, whether they hold; Ready does unless it is named. */
  readonly conditions?: Readonly<Record<string, boolean>>;
};

/** Makes or changes a Node. */
export async function putNode(cluster: Cluster, node: NodeOptions): Promise<void> {
  const { name, addresses, labels = {}, annotations = {} } = node;
  await apply(cluster, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name, ...labels }, annotations },
  });
  const conditions = Object.entries({ Ready: true, ...node.conditions });
  await cluster.request("PATCH", `/api/v1/nodes/${name}/status`, {
    status: {
      addresses: [
        { type: "Hostname", address: name },
        ...addresses.map((address) => ({ type: "InternalIP", address })),
      ],
      conditions: conditions.map(([type, holds]) => ({
        ...condition(type, holds),
        reason: "Test",
      })),
    },
  });
}

export type ServiceOptions = {
  /** Default `default`. */
  readonly namespace?: string;
  readonly name: string;
  readonly labels?: Texts;
  readonly annotations?: Texts;
  /** Over the defaults: type LoadBalancer, TCP port 80 to 8080, no selector. */
  readonly spec?: Json;
};

/** Makes or changes a Service. */
export async function putService(cluster: Cluster, service: ServiceOptions): Promise<void> {
  const { spec, ...metadata } = service;
  await apply(cluster, {
    apiVersion: "v1",
    kind: "Service",
    metadata,
    spec: { type: "LoadBalancer", ports: [{ port: 80, targetPort: 8080 }], ...spec },
  });
}

/** Sets what a load balancer would: the addresses a Service is reached at. */
export async function setLoadBalancerStatus(
  cluster: Cluster,
  namespace: string,
  service: string,
  addresses: readonly string[],
): Promise<void> {
  const path = `/api/v1/namespaces/${namespace}/services/${service}/status`;
  const ingress = addresses.map((ip) => ({ ip }));
  await cluster.request("PATCH", path, { status: { loadBalancer: { ingress } } });
}

export type PodOptions = {
  /** Default `default`. */
  readonly namespace?: string;
  readonly name: string;
  readonly nodeName: string;
  readonly addresses: readonly string[];
  readonly labels?: Texts;
  /** The Ready condition; default true. */
  readonly ready?: boolean;
};

/** Makes a Pod that runs on the node, or changes its status. No process belongs to it. */
export async function putPod(cluster: Cluster, pod: PodOptions): Promise<void> {
  const { namespace = "default", name, nodeName, addresses, labels = {}, ready = true } = pod;
  await apply(cluster, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: { nodeName, containers: [{ name: "main", image: "none" }] },
  });
  await cluster.request("PATCH", `/api/v1/namespaces/${namespace}/pods/${name}/status`, {
    status: {
      phase: "Running",
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      conditions: [condition("Ready", ready), condition("ContainersReady", ready)],
    },
  });
}

export type EndpointSliceOptions = {
  /** Default `default`. */
  readonly namespace?: string;
  readonly service: string;
  /** Default: the Service's name. Services of both families want a slice for each. */
  readonly name?: string;
  readonly addressType?: "IPv4" | "IPv6";
  /** Default 8080, TCP. */
  readonly port?: number;
  readonly endpoints: readonly EndpointOptions[];
};

export type EndpointOptions = {
  readonly address: string;
  readonly nodeName: string;
  /** Default true. */
  readonly ready?: boolean;
  /** Default: as `ready`. */
  readonly serving?: boolean;
  /** Default false. */
  readonly terminating?: boolean;
};

/** Makes or replaces the EndpointSlice of a Service without a selector. */
export async function putEndpointSlice(
  cluster: Cluster,
  slice: EndpointSliceOptions,
): Promise<void> {
  const { namespace, service, name = service, addressType = "IPv4", port = 8080 } = slice;
  await apply(cluster, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace, name, labels: { "kubernetes.io/service-name": service } },
    addressType,
    ports: [{ name: "", protocol: "TCP", port }],
    endpoints: slice.endpoints.map(
      ({ address, nodeName, ready = true, serving = ready, terminating = false }) => ({
        addresses: [address],
        nodeName,
        conditions: { ready, serving, terminating },
      }),
    ),
  });
}

/** Where the API server keeps objects of this kind; it is asked, so that kinds just made count. */
async function pathOf(cluster: Cluster, { apiVersion, kind, metadata }: Json): Promise<string> {
  const root = `${apiVersion.includes("/") ? "/apis" : "/api"}/${apiVersion}`;
  const { resources } = await cluster.request("GET", root);
  const resource = resources.find((r: Json) => r.kind === kind && !r.name.includes("/"));
  if (!resource) {
    throw new Error(`Cannot apply ${kind} ${metadata.name}: ${apiVersion} has no such kind`);
  }
  const namespace = resource.namespaced ? `/namespaces/${metadata.namespace ?? "default"}` : "";
  return `${root}${namespace}/${resource.name}/${metadata.name}`;
}

/** Whether the definition's objects are taken in every version: a little after it is Established. */
async function served(cluster: Cluster, crd: string | undefined): Promise<boolean> {
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${crd}`;
  const { spec } = await cluster.request("GET", path);
  for (const version of spec.versions.filter((v: Json) => v.served)) {
    const root = `/apis/${spec.group}/${version.name}`;
    await cluster.request("GET", `${root}/${spec.names.plural}`);
    const { resources } = await cluster.request("GET", root);
    if (!resources.some((resource: Json) => resource.kind === spec.names.kind)) return false;
  }
  return true;
}

function condition(type: string, holds: boolean): Json {
  const lastTransitionTime = new Date().toISOString();
  return { type, status: holds ? "True" : "False", lastTransitionTime };
}
