// What end-to-end benchmarks run on: a real API server, one cluster node with a real FRR in a
// network namespace, and a peer that FRR has a session with.

import { join } from "node:path";
import { type Cluster, startCluster } from "../test/cluster/cluster.ts";
import { apply, applyFolder, putNamespace, putNode } from "../test/cluster/objects.ts";
import type { Manifest } from "../test/fakes/api-server.ts";
import { FrrRouter } from "../test/frr/daemons.ts";
import type { Bench } from "./benchmark.ts";
import { Peer } from "./peer.ts";
import { POOL } from "./prefixes.ts";
import { Program } from "./program.ts";
import { type Wire, wireTo } from "./wire.ts";

export const NODE = "node1";

const NAMESPACE = "metallb-system";
const ASN = 64_512;
const PEER_ASN = 64_513;
const SPEAKER_PORT = 7472;
const CONTROLLER_PORT = 7572;

export type Testbed = {
  readonly cluster: Cluster;
  readonly router: FrrRouter;
  readonly wire: Wire;
  readonly peer: Peer;
};

/** Starts all of it, with a pool, an advertisement and the peer configured; no program of ours. */
export async function startTestbed(bench: Bench): Promise<Testbed> {
  bench.progress("starting API server and FRR");
  const router = await FrrRouter.create("node");
  bench.defer(() => router.close());
  const wire = await wireTo(router);
  const peer = await Peer.listen({ address: wire.near, asn: PEER_ASN });
  bench.defer(() => peer.close());
  await router.start("zebra", "bgpd", "bfdd", "staticd");
  const cluster = await startBenchCluster(bench, wire.near);
  await putNode(cluster, { name: NODE, addresses: [wire.far] });
  await apply(cluster, {
    apiVersion: "metallb.io/v1beta2",
    kind: "BGPPeer",
    metadata: { name: "peer", namespace: NAMESPACE },
    spec: { myASN: ASN, peerASN: PEER_ASN, peerAddress: wire.near },
  });
  return { cluster, router, wire, peer };
}

/** A fresh API server with our definitions, the pool and an advertisement of it. */
export async function startBenchCluster(bench: Bench, bindAddress: string): Promise<Cluster> {
  const cluster = await startCluster({ bindAddress });
  bench.defer(() => cluster.stop());
  await applyFolder(cluster, join(import.meta.dirname, "../crds"));
  await putNamespace(cluster, NAMESPACE);
  for (const object of allocationObjects()) await apply(cluster, object);
  return cluster;
}

/** The pool and an advertisement of it. */
export function allocationObjects(): readonly (Manifest & { readonly spec?: object })[] {
  const apiVersion = "metallb.io/v1beta1";
  const metadata = (name: string) => ({ name, namespace: NAMESPACE });
  const addresses = [POOL];
  return [
    { apiVersion, kind: "IPAddressPool", metadata: metadata("pool"), spec: { addresses } },
    { apiVersion, kind: "BGPAdvertisement", metadata: metadata("all") },
  ];
}

/** Starts the bundled speaker beside the FRR of the testbed and waits until it is ready. */
export async function startSpeaker(bench: Bench, testbed: Testbed): Promise<Program> {
  const { cluster, router, wire } = testbed;
  const program = new Program({
    name: "speaker",
    args: [`--port=${SPEAKER_PORT}`],
    env: {
      KUBECONFIG: cluster.kubeconfigPath,
      METALLB_NODE_NAME: NODE,
      METALLB_NAMESPACE: NAMESPACE,
      METALLB_FRR_SOCKETS: router.folder,
      FRR_CONFIG_FILE: join(router.folder, "frr.conf"),
    },
    netns: router.namespace,
    folder: router.folder,
    url: `http://${wire.far}:${SPEAKER_PORT}`,
  });
  bench.defer(() => program.stop());
  await program.ready();
  return program;
}

/** Starts the bundled controller and waits until it is ready. */
export async function startController(
  bench: Bench,
  kubeconfigPath: string,
  folder: string,
): Promise<Program> {
  const program = new Program({
    name: "controller",
    args: [`--port=${CONTROLLER_PORT}`, "--health-probe-port=0"],
    env: { KUBECONFIG: kubeconfigPath, METALLB_NAMESPACE: NAMESPACE },
    netns: undefined,
    folder,
    url: `http://127.0.0.1:${CONTROLLER_PORT}`,
  });
  bench.defer(() => program.stop());
  await program.ready();
  return program;
}
