// The API server of the demo: the real one where it is at hand, else the double. Both are reached
// from the lab at the address of its control node.

import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { assetsAtHand } from "../../test/cluster/assets.ts";
import { type Cluster, startCluster } from "../../test/cluster/cluster.ts";
import {
  applyFolder,
  applyYaml,
  type PodOptions,
  putNamespace,
  putNode,
  putPod,
} from "../../test/cluster/objects.ts";
import type { Json } from "../../test/cluster/request.ts";
import { type FakeApiServer, pathOf, startApiServer } from "../../test/fakes/api-server.ts";
import type { Lab } from "../netns/lab.ts";
import { openInlet } from "./inlet.ts";
import { NAMESPACE, SPEAKER_LABELS, speakerPodName } from "./programs.ts";

const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const DOUBLE_PORT = 8080;

export type ApiChoice = "auto" | "real" | "double";

export type ControlPlane = {
  /** What it is, for people. */
  readonly title: string;
  /** Path of an administrator's kubeconfig for programs in the lab. */
  readonly kubeconfig: string;
  /** The real one; undefined: it is the double. */
  readonly cluster: Cluster | undefined;
  /** Makes the namespace, the nodes, the speakers' Pods and MetalLB's kinds of object known. */
  prepare(nodes: readonly NodeObject[]): Promise<void>;
  /** Makes or changes every object of the YAML text. */
  apply(yaml: string): Promise<void>;
  get(path: string): Promise<Json>;
  stop(): Promise<void>;
};

export type NodeObject = { readonly name: string; readonly addresses: readonly string[] };

/** Which it will be, and why, in words. */
export function chooseApi(choice: ApiChoice): { readonly real: boolean; readonly why: string } {
  if (choice === "double") return { real: false, why: "the double, as asked for" };
  if (assetsAtHand() !== undefined) return { real: true, why: "the real one, which is at hand" };
  if (choice === "real") return { real: true, why: "the real one, built or downloaded once" };
  return {
    real: false,
    why: "the double test/fakes/api-server.ts, as the real one is not at hand (make demo API=real gets it)",
  };
}

export function startControlPlane(lab: Lab, real: boolean): Promise<ControlPlane> {
  return real ? startReal(lab) : startDouble(lab);
}

async function startReal(lab: Lab): Promise<ControlPlane> {
  const { netns, addresses } = lab.node("control");
  const cluster = await startCluster({
    netns,
    ...(addresses[0] !== undefined && { bindAddress: addresses[0] }),
    logFolder: join(lab.folder, "logs"),
  });
  const { gitVersion } = await cluster.request("GET", "/version");
  return {
    title: `kube-apiserver ${gitVersion} and etcd`,
    kubeconfig: await cluster.writeKubeconfig({ forNodes: true }),
    cluster,
    async prepare(nodes) {
      await applyFolder(cluster, CRDS);
      await putNamespace(cluster, NAMESPACE);
      for (const node of nodes) {
        await putNode(cluster, node);
        await putPod(cluster, speakerPod(node));
      }
    },
    apply: (yaml) => applyYaml(cluster, yaml),
    get: (path) => cluster.request("GET", path),
    stop: () => cluster.stop(),
  };
}

async function startDouble(lab: Lab): Promise<ControlPlane> {
  const { netns, addresses } = lab.node("control");
  const host = addresses[0] ?? "";
  const server = await startApiServer();
  const inlet = await openInlet({
    netns,
    host,
    port: DOUBLE_PORT,
    to: server.port,
    logPath: join(lab.folder, "logs", "inlet.log"),
  });
  const kubeconfig = join(lab.folder, "kubeconfig");
  await writeFile(kubeconfig, kubeconfigText(`http://${host}:${DOUBLE_PORT}`));
  return {
    title: "the double test/fakes/api-server.ts: no schemas, no defaults, no kubectl",
    kubeconfig,
    cluster: undefined,
    async prepare(nodes) {
      for (const name of (await readdir(CRDS)).filter((file) => file.endsWith(".yaml"))) {
        putAll(server, await readFile(join(CRDS, name), "utf8"));
      }
      for (const node of nodes) {
        server.put(nodeManifest(node));
        server.put(podManifest(speakerPod(node)));
      }
    },
    async apply(yaml) {
      putAll(server, yaml);
    },
    async get(path) {
      return server.get(path);
    },
    async stop() {
      inlet.close();
      await server.close();
    },
  };
}

/** As a user's apply would: what others wrote into the status stays. */
function putAll(server: FakeApiServer, yaml: string): void {
  for (const document of parseAllDocuments(yaml)) {
    const object = document.toJS();
    if (object === null) continue;
    const { status } = server.get(pathOf(object)) ?? {};
    server.put({ ...object, ...(status && { status }) });
  }
}

/** The Pod that a DaemonSet would make for the speaker of a node; it has the node's network. */
function speakerPod({ name, addresses }: NodeObject): PodOptions & { readonly namespace: string } {
  return {
    namespace: NAMESPACE,
    name: speakerPodName(name),
    nodeName: name,
    addresses,
    labels: SPEAKER_LABELS,
  };
}

function podManifest(pod: ReturnType<typeof speakerPod>): Json {
  const { namespace, name, labels, nodeName, addresses } = pod;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels },
    spec: { nodeName },
    status: {
      phase: "Running",
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

function nodeManifest({ name, addresses }: NodeObject): Json {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: { "kubernetes.io/hostname": name } },
    status: {
      addresses: [
        { type: "Hostname", address: name },
        ...addresses.map((address) => ({ type: "InternalIP", address })),
      ],
      conditions: [{ type: "Ready", status: "True" }],
    },
  };
}

function kubeconfigText(server: string): string {
  // JSON is YAML.
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "demo", cluster: { server } }],
    users: [{ name: "demo", user: {} }],
    contexts: [{ name: "demo", context: { cluster: "demo", user: "demo" } }],
    "current-context": "demo",
  });
}
