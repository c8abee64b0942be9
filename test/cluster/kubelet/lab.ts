// Kubelets for the cluster nodes of the lab.

import { join } from "node:path";
import { run } from "../../../lab/netns/command.ts";
import type { Lab } from "../../../lab/netns/lab.ts";
import type { Cluster } from "../cluster.ts";
import type { Images } from "./image.ts";
import { type Kubelet, startKubelet } from "./kubelet.ts";

const NODES = ["node1", "node2", "node3"] as const;

export type LabKubelets = {
  /** The kubelet of a node. */
  node(name: string): Kubelet;
  /** Starts the kubelet of a node that was stopped. */
  start(name: string): Promise<void>;
  /** Ends all of them. */
  stop(): Promise<void>;
};

/**
 * A kubelet on node1, node2 and node3. The lab is started without FRR on them (`bareNodes`): here it
 * comes in Pods. The logs of containers are in the lab's log folder, by namespace_pod.
 */
export async function startKubelets(
  lab: Lab,
  cluster: Cluster,
  images: Images,
): Promise<LabKubelets> {
  const kubelets = new Map<string, Kubelet>();
  const start = async (name: string) => {
    const { netns, addresses, loopbackAddresses } = lab.node(name);
    const kubelet = await startKubelet({
      cluster,
      node: { name, netns, addresses, podAddresses: loopbackAddresses },
      images,
      folder: join(lab.folder, "kubelets", name),
      logFolder: join(lab.folder, "logs"),
    });
    kubelets.set(name, kubelet);
  };
  const stop = async () => {
    await Promise.all([...kubelets.values()].map((kubelet) => kubelet.stop()));
  };
  try {
    await routeToPods(lab);
    await Promise.all(NODES.map(start));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    node(name) {
      const kubelet = kubelets.get(name);
      if (kubelet === undefined) throw new Error(`Cannot find the kubelet of ${name}`);
      return kubelet;
    },
    start,
    stop,
  };
}

/** The answers of the API server to Pods with a network of their own. */
async function routeToPods(lab: Lab): Promise<void> {
  const routes = NODES.flatMap((name) => {
    const { addresses, loopbackAddresses } = lab.node(name);
    return loopbackAddresses.map((pod, family) => {
      const range = family === 0 ? pod.replace(/\d+$/, "0/24") : pod.replace(/::.*$/, "::/64");
      return `route replace ${range} via ${addresses[family]}`;
    });
  });
  const { netns } = lab.node("control");
  await run(["ip", "-netns", netns, "-batch", "-"], { input: `${routes.join("\n")}\n` });
}
