// kube-proxy for one node: programs the addresses of Services into nftables of the node's network
// namespace.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Cluster } from "./cluster.ts";
import type { Daemon } from "./daemon.ts";
import { eventually, GiveUp } from "./eventually.ts";

export type KubeProxyOptions = {
  /** Started with `netns` and `bindAddress`, so that nodes reach it. */
  readonly cluster: Cluster;
  /** The node's namespace. */
  readonly netns: string;
  /** A Node of this name should exist: kube-proxy asks it for the node's addresses. */
  readonly nodeName: string;
};

/**
 * Starts kube-proxy and waits until its tables are there. It ends with the cluster, or by `stop`;
 * either leaves the tables, as on a node.
 */
export async function startKubeProxy(options: KubeProxyOptions): Promise<Daemon> {
  const { cluster, netns, nodeName } = options;
  const command = cluster.assets.kubeProxy;
  if (command === undefined) {
    throw new Error(`Cannot run kube-proxy: ${cluster.assets.folder} holds none`);
  }
  const kubeconfig = await cluster.writeKubeconfig({
    token: cluster.kubeProxyToken,
    forNodes: true,
  });
  const config = {
    apiVersion: "kubeproxy.config.k8s.io/v1alpha1",
    kind: "KubeProxyConfiguration",
    mode: "nftables",
    hostnameOverride: nodeName,
    clientConnection: { kubeconfig },
    // The limit on connections is the machine's, not the namespace's: leave it alone.
    conntrack: { maxPerCore: 0 },
  };
  const configPath = await cluster.writeFile(`kube-proxy-${nodeName}.json`, JSON.stringify(config));
  const name = `kube-proxy-${nodeName}`;
  const daemon = cluster.startDaemon(name, command, [`--config=${configPath}`], netns);
  try {
    await eventually(
      async () => {
        if (daemon.ended !== undefined)
          throw new GiveUp(`Cannot start ${name}: it ended ${daemon.ended}`);
        const look = ["nft", "list", "chain", "ip", "kube-proxy", "services"];
        await promisify(execFile)("ip", ["netns", "exec", netns, ...look]);
        return true;
      },
      { describe: `the tables of ${name}`, timeoutMs: 60_000 },
    );
  } catch (cause) {
    await daemon.stop();
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${daemon.logTail()}`, {
      cause,
    });
  }
  return daemon;
}
