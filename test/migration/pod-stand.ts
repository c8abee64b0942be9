// The small cluster of test/install/cluster-stand.ts with MetalLB's own release: installed by its chart or its
// manifest, running as Pods, with one Service announced by BGP and one on Layer 2.

import { readFile } from "node:fs/promises";
import { startKubeProxy } from "../cluster/kube-proxy.ts";
import { putEndpointSlice, putNode, putService } from "../cluster/objects.ts";
import type { Json } from "../cluster/request.ts";
import { hasRoute, LEAVES } from "../e2e/leaves.ts";
import { ClusterStand, NAMESPACE, NODES } from "../install/cluster-stand.ts";
import type { MetallbRelease } from "./metallb-release.ts";

/** Of MetalLB's speakers, by its chart and by its manifest; ours have the latter. */
const SPEAKERS = {
  chart: "app.kubernetes.io/component=speaker,!component",
  manifest: "component=speaker",
};
/** More than minReadySeconds of our DaemonSet. */
const SETTLED_MS = 12_000;
const CONVERSION = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}';

export class PodStand {
  readonly stand: ClusterStand;
  readonly release: MetallbRelease;

  private constructor(stand: ClusterStand, release: MetallbRelease) {
    this.stand = stand;
    this.release = release;
  }

  /** Nothing is installed yet. */
  static async start(release: MetallbRelease): Promise<PodStand> {
    const image = (program: string) => ({ layers: [release.root], entrypoint: [program] });
    const stand = await ClusterStand.start({
      images: {
        "quay.io/metallb/controller": image("/controller"),
        "quay.io/metallb/speaker": image("/speaker"),
      },
    });
    try {
      // The API server calls webhooks at the cluster address of their Service. As this Node says
      // nothing of an operating system, nothing is scheduled there.
      const control = stand.lab.node("control");
      await putNode(stand.cluster, control);
      await control.exec(["ip", "route", "add", "10.96.0.0/16", "dev", "eth1"]);
      const { cluster } = stand;
      await startKubeProxy({ cluster, netns: control.netns, nodeName: control.name });
      return new PodStand(stand, release);
    } catch (error) {
      await stand.stop();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.stand.stop();
  }

  /** kubectl, in MetalLB's namespace unless it says otherwise. */
  kubectl(...args: readonly string[]): Promise<string> {
    return this.stand.kubectl("-n", NAMESPACE, ...args);
  }

  /** MetalLB's chart in native mode, and its configuration. */
  async installByChart(): Promise<void> {
    await this.stand.cluster.helm([
      ...["install", "metallb", this.release.chart, "--namespace", NAMESPACE, "--create-namespace"],
      ...["--set", "frrk8s.enabled=false"],
    ]);
    await this.#configure();
  }

  async installByManifest(): Promise<void> {
    await this.stand.kubectl("apply", "-f", this.release.manifest);
    await this.#configure();
  }

  /** Makes a Service that the web servers of all nodes serve, in IPv4, and returns its address. */
  async serve(name: string, pool: string): Promise<string> {
    const { cluster } = this.stand;
    const annotations = { "metallb.universe.tf/address-pool": pool };
    await putService(cluster, { name, annotations });
    const endpoints = NODES.map((nodeName) => {
      const [address = ""] = this.stand.lab.node(nodeName).loopbackAddresses;
      return { address, nodeName };
    });
    await putEndpointSlice(cluster, { service: name, endpoints });
    const [address = ""] = await this.stand.addresses(name);
    return address;
  }

  /** Step 1 of the guide. */
  async takeWebhooksAway(): Promise<void> {
    const webhooks = ["validatingwebhookconfiguration", "metallb-webhook-configuration"];
    await this.stand.kubectl("delete", ...webhooks);
    await this.stand.kubectl(
      ...["patch", "crd", "bgppeers.metallb.io", "--type=merge", "-p", CONVERSION],
    );
  }

  async makeMemberlist(): Promise<void> {
    const key = "--from-literal=secretkey=AAAAAAAAAAAAAAAAAAAAAA==";
    await this.kubectl("create", "secret", "generic", "memberlist", key);
  }

  /** What every Service's status says of its addresses, by name. */
  async addresses(): Promise<Json> {
    const { items } = await this.stand.cluster.request("GET", "/api/v1/services");
    return Object.fromEntries(
      items
        .filter(({ spec }: Json) => spec.type === "LoadBalancer")
        .map(({ metadata, status }: Json) => [metadata.name, status.loadBalancer]),
    );
  }

  /** Deletes MetalLB's speaker on a node, and waits until ours announces the address from there. */
  async replaceSpeaker(node: string, address: string): Promise<void> {
    const on = ["--field-selector", `spec.nodeName=${node}`];
    await this.kubectl("delete", "pod", "-l", SPEAKERS.chart, ...on);
    await this.stand.until(`our speaker on ${node} to be ready`, async () => {
      const pods = await this.stand.pods("speaker");
      const pod = pods.find(({ spec }) => spec.nodeName === node);
      return pod?.status.conditions?.some(
        ({ type, status }: Json) => type === "Ready" && status === "True",
      );
    });
    await this.untilRoutes(address);
  }

  /** Waits until both leaves have a route to the address from every node. */
  untilRoutes(address: string): Promise<unknown> {
    return this.stand.until(`${address} from all nodes at both leaves`, async () => {
      const seen = await Promise.all(
        LEAVES.map((leaf) => hasRoute(this.stand.lab, leaf, `${address}/32`, NODES)),
      );
      return seen.every((isThere) => isThere);
    });
  }

  /**
   * Waits until MetalLB's speakers have run for longer than minReadySeconds of ours: a DaemonSet replaces
   * all at once that are not available by the new template.
   */
  async untilSettled(): Promise<void> {
    await this.stand.until("speakers that have been ready for long", async () => {
      const pods = await this.stand.pods("speaker");
      return pods.every(({ status }) =>
        status.conditions?.some(
          ({ type, status, lastTransitionTime }: Json) =>
            type === "Ready" &&
            status === "True" &&
            Date.now() - Date.parse(lastTransitionTime) > SETTLED_MS,
        ),
      );
    });
  }

  /** Waits until nothing of MetalLB's runs, or nothing else. */
  async untilImages(pattern: RegExp): Promise<void> {
    const path = `/api/v1/namespaces/${NAMESPACE}/pods`;
    await this.stand.until(`no Pods but those with image ${pattern.source}`, async () => {
      const { items } = await this.stand.cluster.request("GET", path);
      return items.every(({ spec }: Json) => pattern.test(spec.containers[0].image));
    });
  }

  /** Each status object belongs to one Pod that is there, and says that all is well. */
  async untilStatuses(): Promise<void> {
    const root = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}`;
    await this.stand.until("statuses of those that run, and no others", async () => {
      const pods = await this.stand.cluster.request("GET", `/api/v1/namespaces/${NAMESPACE}/pods`);
      const names = new Set(pods.items.map(({ metadata }: Json) => metadata.name));
      const kinds = ["configurationstates", "servicebgpstatuses", "servicel2statuses"];
      const lists = await Promise.all(
        kinds.map((kind) => this.stand.cluster.request("GET", `${root}/${kind}`)),
      );
      const [states, bgp, l2] = lists.map(({ items }) => items);
      const owned = [...states, ...bgp, ...l2].every(({ metadata }: Json) =>
        metadata.ownerReferences?.every(({ name }: Json) => names.has(name)),
      );
      const valid = states.filter(({ status }: Json) => status?.result === "Valid");
      return (
        owned && valid.length === NODES.length + 1 && bgp.length === NODES.length && l2.length === 1
      );
    });
  }

  /** Makes the L2Advertisement again. */
  async announceOnTheLan(): Promise<void> {
    await this.#configure();
  }

  async #configure(): Promise<void> {
    const yaml = await readFile(new URL("config.yaml", import.meta.url), "utf8");
    await this.stand.until("MetalLB to take its configuration", async () => {
      await this.stand.cluster.kubectl(["apply", "-f", "-"], { input: yaml });
      return true;
    });
  }
}
