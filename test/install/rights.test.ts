// The roles of the chart, held against what its two accounts asked of a real API server while everything
// they do was provoked: nothing was refused, and no verb is granted that nobody used.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { render } from "../../scripts/chart/helm.ts";
import { rightsOf } from "../../scripts/chart/rights.ts";
import { eventually } from "../cluster/eventually.ts";
import type { Json } from "../cluster/request.ts";
import { ClusterStand, NAMESPACE, NODES } from "./cluster-stand.ts";
import { compareRights } from "./rights-used.ts";

const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";
const SERVICE = "/api/v1/namespaces/default/services/web";
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/metallb-controller`;

const L2_ADVERTISEMENT = `
apiVersion: metallb.io/v1beta1
kind: L2Advertisement
metadata: { name: demo, namespace: ${NAMESPACE} }
spec: { ipAddressPools: [demo] }
`;
const BFD_PROFILE = `
apiVersion: metallb.io/v1beta1
kind: BFDProfile
metadata: { name: demo, namespace: ${NAMESPACE} }
spec: { receiveInterval: 300 }
`;
/** Of two pools with the same addresses the younger is refused, with an event. */
const poolOf = (addresses: string) => `
apiVersion: metallb.io/v1beta1
kind: IPAddressPool
metadata: { name: overlapping, namespace: ${NAMESPACE} }
spec: { addresses: [${addresses}] }
`;
describe("the chart's roles", () => {
  let stand: ClusterStand;
  before(async () => {
    stand = await ClusterStand.start({ audit: true });
    await stand.install();
  });
  after(() => stand?.stop());

  const kubectl = (...args: readonly string[]) => stand.kubectl("-n", NAMESPACE, ...args);
  const list = async (plural: string): Promise<readonly Json[]> => {
    const path = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/${plural}`;
    return (await stand.cluster.request("GET", path)).items;
  };
  const untilCount = (plural: string, isEnough: (count: number) => boolean) =>
    stand.until(`other ${plural}`, async () => isEnough((await list(plural)).length));
  const untilAccepted = (wanted: "True" | "False") =>
    stand.until(`condition Accepted=${wanted} of the pool`, async () => {
      const pool = (await list("ipaddresspools")).find((p) => p.metadata.name === "overlapping");
      const conditions: readonly Json[] = pool?.status?.conditions ?? [];
      return conditions.some(({ type, status }) => type === "Accepted" && status === wanted);
    });
  /** Does something again and again, until an account has made such a request. */
  const provoke = (account: string, verb: string, resource: string, act: () => Promise<unknown>) =>
    eventually(
      async () => {
        await act();
        const requests = await stand.cluster.audit();
        const user = `system:serviceaccount:${NAMESPACE}:${account}`;
        return requests.some((r) => r.user === user && r.verb === verb && r.resource === resource);
      },
      { describe: `${account} to ${verb} ${resource}`, timeoutMs: 120_000 },
    );

  it("let the speakers announce by BGP and on Layer 2, and stop that", async () => {
    await stand.apply(BFD_PROFILE);
    await stand.applyDemo("metallb.yaml");
    await stand.untilSessions();
    await stand.apply(L2_ADVERTISEMENT);
    await stand.applyDemo("web.yaml");
    await stand.addresses("web");
    await untilCount("servicebgpstatuses", (count) => count === NODES.length);
    await untilCount("servicel2statuses", (count) => count > 0);
    await kubectl("delete", "l2advertisement", "demo");
    await untilCount("servicel2statuses", (count) => count === 0);
    await kubectl("delete", "bgpadvertisement", "demo");
    await untilCount("servicebgpstatuses", (count) => count === 0);
  });

  it("let a speaker tell a Service that no node may announce it", async () => {
    await stand.apply(L2_ADVERTISEMENT);
    await untilCount("servicel2statuses", (count) => count > 0);
    await kubectl("label", "nodes", "--all", `${EXCLUDE_LABEL}=`);
    await stand.until("the condition metallb.io/L2Announced", async () => {
      const { status } = await stand.cluster.request("GET", SERVICE);
      return status.conditions?.some((c: Json) => c.type === "metallb.io/L2Announced");
    });
    await kubectl("label", "nodes", "--all", `${EXCLUDE_LABEL}-`);
  });

  it("let both tell the same event again", async () => {
    await provoke("controller", "patch", "events", async () => {
      await stand.apply(poolOf("203.0.113.0/28"));
      await untilAccepted("False");
      await stand.apply(poolOf("198.18.0.0/28"));
      await untilAccepted("True");
    });
    await provoke("speaker", "patch", "events", async () => {
      await kubectl("delete", "l2advertisement", "demo");
      await untilCount("servicel2statuses", (count) => count === 0);
      await stand.apply(L2_ADVERTISEMENT);
      await untilCount("servicel2statuses", (count) => count > 0);
    });
  });

  it("let the controller look again when somebody else was quicker", async () => {
    let round = 0;
    await provoke("controller", "get", "services", async () => {
      round += 1;
      const annotations = { "metallb.io/loadBalancerIPs": `203.0.113.${10 + (round % 10)}` };
      await stand.cluster.request("PATCH", SERVICE, { metadata: { annotations } });
      const others = Array.from({ length: 8 }, (_, i) =>
        stand.cluster.request("PATCH", SERVICE, {
          metadata: { labels: { round: `${round}-${i}` } },
        }),
      );
      await Promise.all(others);
    });
    await provoke("controller", "get", "leases", async () => {
      round += 1;
      const body = { metadata: { labels: { round: String(round) } } };
      await stand.cluster.request("PATCH", LEASE, body);
    });
  });

  it("let both ask who wants their metrics", async () => {
    const token = await stand.cluster.serviceAccountToken({
      namespace: NAMESPACE,
      name: "speaker",
    });
    const { netns } = stand.lab.node("control");
    assert.notEqual(netns, undefined);
    const pods = [...(await stand.pods("controller")), ...(await stand.pods("speaker"))];
    for (const { status } of pods) {
      const url = `https://${status.podIP}:9120/metrics`;
      const status403 = await stand.lab
        .node("control")
        .exec([
          ...["curl", "-ksS", "-o", "/dev/null", "-w", "%{http_code}"],
          ...["-H", `Authorization: Bearer ${token}`, url],
        ]);
      assert.equal(status403.trim(), "403");
    }
  });

  it("grant what was asked for, and nothing else", async () => {
    const rendered = await render();
    const rights = rightsOf(rendered);
    assert.ok(rights.some(({ subject }) => subject === "ServiceAccount speaker"));
    assert.ok(rights.some(({ subject }) => subject === "ServiceAccount controller"));
    const verdict = compareRights(rights, await stand.cluster.audit(), NAMESPACE);
    assert.deepEqual(verdict, { unused: [], refused: [] });
  });
});
