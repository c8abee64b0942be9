// Leads connections for the Service's addresses from a node to the pods: with kube-proxy, or with the
// few nftables rules that kube-proxy would write for this one Service.

import { startKubeProxy } from "../../test/cluster/kube-proxy.ts";
import type { LabNode } from "../netns/lab.ts";
import { WEB_PORT } from "../netns/web.ts";
import type { ControlPlane } from "./control-plane.ts";

const SERVICE_PORT = 80;

/** Whether the control plane comes with kube-proxy; a folder of setup-envtest has none. */
export function hasKubeProxy({ cluster }: ControlPlane): boolean {
  return cluster?.assets.kubeProxy !== undefined;
}

/** kube-proxy on every node. */
export async function startKubeProxies(
  controlPlane: ControlPlane,
  nodes: readonly LabNode[],
): Promise<void> {
  const { cluster } = controlPlane;
  if (cluster === undefined) throw new Error("Cannot run kube-proxy: it wants the real API server");
  await Promise.all(
    nodes.map(({ name, netns }) => startKubeProxy({ cluster, netns, nodeName: name })),
  );
}

/** The rules that stand in for kube-proxy, on every node: to these pods, of either family. */
export async function writeForwardingRules(
  nodes: readonly LabNode[],
  serviceAddresses: readonly string[],
  pods: readonly string[],
): Promise<void> {
  const tables = serviceAddresses.map((address) => forwardingTable(address, pods));
  await Promise.all(nodes.map((node) => node.exec(["nft", "-f", "-"], { input: tables.join("") })));
}

/**
 * One table for one address: any pod at random, also of another node (externalTrafficPolicy
 * Cluster), which then answers this node instead of the client.
 */
export function forwardingTable(serviceAddress: string, pods: readonly string[]): string {
  const isIpv6 = serviceAddress.includes(":");
  const family = isIpv6 ? "ip6" : "ip";
  const targets = pods.filter((pod) => pod.includes(":") === isIpv6);
  const map = targets.map((pod, i) => `${i} : ${pod}`).join(", ");
  const numgen = `numgen random mod ${targets.length} map { ${map} }`;
  return `
table ${family} demo {
  chain prerouting {
    type nat hook prerouting priority dstnat;
    ${family} daddr ${serviceAddress} tcp dport ${SERVICE_PORT} dnat to ${numgen} : ${WEB_PORT}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ct status dnat masquerade
  }
}
`;
}
