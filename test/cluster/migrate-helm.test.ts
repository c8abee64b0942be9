// What a migration does to objects, by a real helm and kubectl, with the real scheduler and the controllers
// of workloads: from MetalLB's chart and manifest to our chart and back. No Pod runs here, so which of
// them the scheduler lets on a node can be seen one by one. docs/migrate.md says the same steps.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type MetallbRelease, metallbRelease } from "../migration/metallb-release.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apply, find, putNode } from "./objects.ts";
import type { Json } from "./request.ts";

const CHART = fileURLToPath(new URL("../../charts/metallb/", import.meta.url));
const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const NAMESPACE = "metallb-system";
const NODES = ["node1", "node2"];
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const BGPPEERS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io";
const SPEAKER = `/apis/apps/v1/namespaces/${NAMESPACE}/daemonsets/speaker`;
const POOL = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools/kept`;

type Workload = "deployments/controller" | "daemonsets/speaker";

describe("migration of what is installed", () => {
  let release: MetallbRelease;
  let cluster: Cluster;

  const kubectl = (...args: readonly string[]) => cluster.kubectl([...args, "-n", NAMESPACE]);
  const helm = (...args: readonly string[]) => cluster.helm([...args, "-n", NAMESPACE]);
  /** The Pods there are; those told to end are ended, as there is no kubelet who would. */
  const pods = async (): Promise<Json[]> => {
    const { items } = await cluster.request("GET", PODS);
    const ending = ({ metadata }: Json) => metadata.deletionTimestamp !== undefined;
    for (const { metadata } of items.filter(ending)) {
      const path = `${PODS}/${metadata.name}?gracePeriodSeconds=0`;
      await cluster.request("DELETE", path).catch(() => {});
    }
    return items.filter((pod: Json) => !ending(pod));
  };
  /** Names of the speakers' Pods on a node, without what is random in them. */
  const speakersOn = async (node: string): Promise<readonly string[]> =>
    (await pods())
      .filter(({ metadata, spec }) => spec.nodeName === node && /speaker/.test(metadata.name))
      .map(({ metadata }) => metadata.generateName);
  const installMetallb = async (how: string) => {
    await helm(
      ...["install", "metallb", release.chart, "--create-namespace", `--server-side=${how}`],
      ...["--set", "frrk8s.enabled=false"],
    );
    await asItsControllerWould();
  };
  /** It puts its authority into the webhooks, as a field manager of its own. */
  const asItsControllerWould = async () => {
    const { clusters } = JSON.parse(readFileSync(cluster.kubeconfigPath, "utf8"));
    const caBundle = clusters[0].cluster["certificate-authority-data"];
    const patch = { spec: { conversion: { webhook: { clientConfig: { caBundle } } } } };
    const how = ["--type=merge", "--field-manager=MetalLB", "-p", JSON.stringify(patch)];
    await kubectl("patch", "crd", "bgppeers.metallb.io", ...how);
  };
  const takeWebhooksAway = async () => {
    await kubectl("delete", "validatingwebhookconfiguration", "metallb-webhook-configuration");
    const patch = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}';
    await kubectl("patch", "crd", "bgppeers.metallb.io", "--type=merge", "-p", patch);
  };
  const replaceDefinitions = (...more: readonly string[]) =>
    kubectl("apply", "--server-side", "--force-conflicts", ...more, "-f", CRDS);
  const makePool = async (): Promise<string> => {
    const { metadata } = await eventually(
      () =>
        apply(cluster, {
          apiVersion: "metallb.io/v1beta1",
          kind: "IPAddressPool",
          metadata: { namespace: NAMESPACE, name: "kept" },
          spec: { addresses: ["192.0.2.0/24"] },
        }),
      { describe: "a pool" },
    );
    return metadata.uid;
  };
  const untilSpeakers = (describe: string, ...wanted: readonly string[]) =>
    eventually(
      async () => {
        const seen = await Promise.all(NODES.map(speakersOn));
        return seen.every((names) => names.join() === wanted.join());
      },
      { describe },
    );
  const template = async (workload: Workload): Promise<Json> =>
    (await cluster.request("GET", `/apis/apps/v1/namespaces/${NAMESPACE}/${workload}`)).spec
      .template;
  /** What only MetalLB's Pods have. */
  const assertNothingOfMetallb = async () => {
    const templates = await Promise.all([
      template("deployments/controller"),
      template("daemonsets/speaker"),
    ]);
    assert.doesNotMatch(
      JSON.stringify(templates),
      /webhook|serving-certs|memberlist-tcp|memberlist-config|fsGroup|prometheus\.io/,
    );
  };
  const removeAll = async () => {
    if (await find(cluster, `/api/v1/namespaces/${NAMESPACE}`)) {
      await helm("uninstall", "metallb", "--ignore-not-found");
      await kubectl("delete", "-f", release.manifest, "--ignore-not-found", "--wait=false");
      await kubectl("delete", "crd", "--all");
      await kubectl("delete", "namespace", NAMESPACE, "--wait=false", "--ignore-not-found");
    }
    await eventually(
      async () => {
        await pods();
        return (await find(cluster, `/api/v1/namespaces/${NAMESPACE}`)) === undefined;
      },
      { describe: "the namespace to be gone" },
    );
  };

  before(async () => {
    release = await metallbRelease();
    cluster = await startCluster({ workloads: true });
    for (const [index, name] of NODES.entries()) {
      const labels = { "kubernetes.io/os": "linux" };
      await putNode(cluster, { name, addresses: [`192.0.2.${11 + index}`], labels });
      const allocatable = { cpu: "4", memory: "8Gi", pods: "110" };
      await cluster.request("PATCH", `/api/v1/nodes/${name}/status`, {
        status: { allocatable, capacity: allocatable },
      });
    }
  });
  beforeEach(() => removeAll());
  after(() => cluster?.stop());

  for (const [how, title] of [
    ["false", "client-side, as Helm 3 does"],
    ["true", "server-side, as Helm 4 does"],
  ] as const) {
    test(`MetalLB's chart, ${title}: upgrade, rollback`, async () => {
      await installMetallb(how);
      await untilSpeakers("MetalLB's speakers", "metallb-speaker-");
      if (how === "true") {
        // The step for webhooks left out: it stops half-way, and can be repeated.
        await assert.rejects(
          helm("upgrade", "metallb", CHART, "--reset-values"),
          /bgppeers.*should not be set when strategy is not set/s,
        );
      }
      await takeWebhooksAway();
      await replaceDefinitions("--field-manager=helm");
      const uid = await makePool();
      await helm("upgrade", "metallb", CHART, "--reset-values");
      assert.equal((await find(cluster, POOL))?.metadata.uid, uid);
      assert.deepEqual((await find(cluster, BGPPEERS))?.spec.conversion, { strategy: "None" });
      await untilSpeakers("our speakers instead", "speaker-");
      const left = await kubectl(
        ...["get", "all,configmap,role,rolebinding,serviceaccount,clusterrole,clusterrolebinding"],
        ...["-A", "-o", "name"],
      );
      assert.doesNotMatch(left, /metallb-(?!excludel2|system:)|metallb:/);
      assert.equal(await kubectl("get", "validatingwebhookconfiguration", "-o", "name"), "");

      // kubectl's patch of the conversion is another manager's value to a server-side apply.
      const force = how === "true" ? ["--force-conflicts"] : [];
      await helm("rollback", "metallb", "1", ...force);
      assert.equal((await find(cluster, POOL))?.metadata.uid, uid);
      assert.equal((await find(cluster, BGPPEERS))?.spec.conversion.strategy, "Webhook");
      await untilSpeakers("MetalLB's speakers again", "metallb-speaker-");
    });
  }

  test("orphaned Pods of MetalLB's speakers keep ours off their nodes, one by one", async () => {
    await installMetallb("true");
    await untilSpeakers("MetalLB's speakers", "metallb-speaker-");
    await takeWebhooksAway();
    await kubectl("delete", "daemonset", "metallb-speaker", "--cascade=orphan");
    // By default they have a priority by which the scheduler evicts MetalLB's at once.
    const priority = ["metallb-speaker", "--value=1000000", "--preemption-policy=Never"];
    await cluster.kubectl(["create", "priorityclass", ...priority]);
    const set = ["--set", "speaker.priorityClassName=metallb-speaker"];
    await helm("upgrade", "metallb", CHART, "--reset-values", ...set);
    await eventually(
      async () => {
        const waiting = (await pods()).filter(
          ({ metadata, spec }) => metadata.generateName === "speaker-" && !spec.nodeName,
        );
        return (
          waiting.length === NODES.length &&
          waiting.every(({ status }) =>
            status.conditions?.some(({ message }: Json) => /free ports/.test(message)),
          )
        );
      },
      { describe: "our Pods to wait for free ports" },
    );
    const old = ["-l", "app.kubernetes.io/component=speaker,!component"];
    for (const node of NODES) {
      assert.deepEqual(await speakersOn(node), ["metallb-speaker-"]);
      await kubectl(
        "delete",
        "pod",
        "--wait=false",
        ...old,
        "--field-selector",
        `spec.nodeName=${node}`,
      );
      await eventually(async () => (await speakersOn(node)).join() === "speaker-", {
        describe: `our speaker on ${node}`,
      });
    }
  });

  test("MetalLB's manifest under our chart: orphans are taken over, and replaced one by one", async () => {
    await cluster.kubectl(["apply", "-f", release.manifest]);
    await asItsControllerWould();
    await untilSpeakers("MetalLB's speakers", "speaker-");
    const before = (await pods()).map(({ metadata }) => metadata.name);
    await takeWebhooksAway();
    const uid = await makePool();
    await kubectl("delete", "daemonset/speaker", "deployment/controller", "--cascade=orphan");
    await helm("install", "metallb", CHART, "--take-ownership", "--force-conflicts");
    assert.equal((await find(cluster, POOL))?.metadata.uid, uid);
    await assertNothingOfMetallb();
    // Both are of generation 1 of a DaemonSet, so MetalLB's Pods count as ours, and stay.
    await eventually(
      async () => (await find(cluster, SPEAKER))?.status.updatedNumberScheduled === 2,
      {
        describe: "MetalLB's speakers to be taken over",
      },
    );
    await kubectl("rollout", "restart", "daemonset/speaker");
    await eventually(
      async () => {
        const now = (await pods()).filter(({ metadata }) => /^speaker-/.test(metadata.name));
        return now.length === 2 && now.every(({ metadata }) => !before.includes(metadata.name));
      },
      { describe: "our speakers instead" },
    );
  });

  test("our manifest over MetalLB's: nothing of it is left in the Pods", async () => {
    await cluster.kubectl(["apply", "-f", release.manifest]);
    await asItsControllerWould();
    await takeWebhooksAway();
    await replaceDefinitions();
    const ours = fileURLToPath(new URL("../../config/manifests/metallb.yaml", import.meta.url));
    await cluster.kubectl(["apply", "-f", ours]);
    await assertNothingOfMetallb();
    await kubectl(
      ...["delete", "service/metallb-webhook-service", "secret/metallb-webhook-cert"],
      ...["role/pod-lister", "rolebinding/pod-lister"],
    );
    await kubectl("delete", "daemonset/speaker", "deployment/controller");
    const rest = ["poddisruptionbudget/controller", "configmap/frr-startup", "role/speaker"];
    await kubectl("delete", ...rest, "rolebinding/speaker");
    await cluster.kubectl(["apply", "-f", release.manifest]);
    assert.equal((await find(cluster, BGPPEERS))?.spec.conversion.strategy, "Webhook");
    const { spec } = await template("daemonsets/speaker");
    assert.deepEqual(
      spec.containers.map(({ image }: Json) => image),
      ["quay.io/metallb/speaker:v0.16.1"],
    );
  });
});
