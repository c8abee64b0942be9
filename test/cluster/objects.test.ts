// Each kind of object as the API server, its controllers and their readers see it.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import {
  apply,
  applyFolder,
  applyYaml,
  deleteAll,
  find,
  putEndpointSlice,
  putNamespace,
  putNode,
  putPod,
  putService,
} from "./objects.ts";
import { ApiError, type Json } from "./request.ts";

/** Of each definition two versions, so that waiting for the first is not enough. */
function crd(plural: string, kind: string): string {
  const schema = `
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              properties: {first: {type: integer}, last: {type: integer, default: 9}}
              x-kubernetes-validations:
                - {rule: self.first <= self.last, message: first must not be above last}`;
  return `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ${plural}.example.test}
spec:
  group: example.test
  names: {kind: ${kind}, plural: ${plural}}
  scope: Namespaced
  versions:
    - name: v1beta1
      served: true
      storage: false${schema}
    - name: v1
      served: true
      storage: true${schema}
`;
}

let cluster: Cluster;
before(async () => {
  cluster = await startCluster({ controllers: true });
});
after(() => cluster?.stop());

describe("applyYaml() and applyFolder()", () => {
  it("apply every document, and objects of the definitions are taken at once", async () => {
    const folder = await mkdtemp(join(tmpdir(), "metallb-ts-objects-test-"));
    try {
      await writeFile(join(folder, "ranges.yaml"), crd("ranges", "Range"));
      await writeFile(join(folder, "points.yaml"), crd("points", "Point"));
      await writeFile(join(folder, "README.md"), "not an object");
      await applyFolder(cluster, folder);
    } finally {
      await rm(folder, { recursive: true });
    }
    await applyYaml(
      cluster,
      `
apiVersion: example.test/v1
kind: Range
metadata: {name: one, namespace: default}
spec: {first: 1}
---
apiVersion: example.test/v1beta1
kind: Point
metadata: {name: two, namespace: default}
spec: {first: 2}
`,
    );
    const range = await find(cluster, "/apis/example.test/v1/namespaces/default/ranges/one");
    assert.deepEqual(range.spec, { first: 1, last: 9 });
    const point = await find(cluster, "/apis/example.test/v1/namespaces/default/points/two");
    assert.deepEqual(point.spec, { first: 2, last: 9 });
  });

  it("name the object that is refused", async () => {
    const yaml = "{apiVersion: v1, kind: Service, metadata: {name: bad}, spec: {ports: []}}";
    await assert.rejects(applyYaml(cluster, yaml), /Service "bad" is invalid: spec\.ports/);
  });
});

describe("apply()", () => {
  const range = (name: string, spec: Json) => ({
    apiVersion: "example.test/v1",
    kind: "Range",
    metadata: { name },
    spec,
  });
  const refused = (expected: RegExp) => (error: unknown) =>
    error instanceof ApiError && expected.test(error.message);

  it("makes and changes objects of any kind", async () => {
    await applyYaml(cluster, crd("ranges", "Range"));
    assert.deepEqual((await apply(cluster, range("some", { first: 1 }))).spec, {
      first: 1,
      last: 9,
    });
    const changed = await apply(cluster, range("some", { first: 2, last: 3 }));
    assert.deepEqual(changed.spec, { first: 2, last: 3 });
  });

  it("shows why the API server refuses an object", async () => {
    await applyYaml(cluster, crd("ranges", "Range"));
    await assert.rejects(
      apply(cluster, range("some", { first: 3, last: 2 })),
      refused(/HTTP status 422: .*first must not be above last/),
    );
    await assert.rejects(
      apply(cluster, range("some", { fist: 3 })),
      refused(/field not declared in schema/),
    );
    const unknown = { apiVersion: "v1", kind: "Nonsense", metadata: { name: "some" } };
    await assert.rejects(apply(cluster, unknown), /Nonsense some: v1 has no such kind/);
  });
});

describe("putNode()", () => {
  it("makes Nodes whose conditions, labels and addresses can change", async () => {
    await putNode(cluster, {
      name: "node2",
      addresses: ["192.0.2.2", "2001:db8::2"],
      labels: { rack: "a" },
    });
    const conditionsOf = (node: Json) =>
      Object.fromEntries(node.status.conditions.map((c: Json) => [c.type, c.status]));
    const first = await find(cluster, "/api/v1/nodes/node2");
    assert.equal(first.spec.taints, undefined);
    assert.deepEqual(conditionsOf(first), { Ready: "True" });
    assert.equal(first.metadata.labels.rack, "a");

    const conditions = { Ready: false, NetworkUnavailable: true };
    await putNode(cluster, { name: "node2", addresses: ["192.0.2.2"], conditions });
    const second = await find(cluster, "/api/v1/nodes/node2");
    assert.deepEqual(conditionsOf(second), { Ready: "False", NetworkUnavailable: "True" });
    assert.equal(second.metadata.labels.rack, undefined);
    assert.deepEqual(
      second.status.addresses.map(({ address }: Json) => address),
      ["node2", "192.0.2.2"],
    );
  });
});

describe("putPod() and putService()", () => {
  it("make what the controllers turn into EndpointSlices", async () => {
    await putNode(cluster, { name: "node1", addresses: ["192.0.2.1"] });
    const pod = {
      name: "web",
      nodeName: "node1",
      addresses: ["10.244.1.2"],
      labels: { app: "web" },
    };
    await putPod(cluster, pod);
    await putService(cluster, { name: "web", spec: { selector: { app: "web" } } });
    const slices = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
    const path = `${slices}?labelSelector=kubernetes.io/service-name%3Dweb`;
    const endpoint = async () => (await cluster.request("GET", path)).items[0]?.endpoints?.[0];
    await eventually(async () => (await endpoint())?.conditions.ready === true, {
      describe: "the endpoint to be ready",
    });
    assert.equal((await endpoint()).nodeName, "node1");

    await putPod(cluster, { ...pod, ready: false });
    await eventually(async () => (await endpoint())?.conditions.ready === false, {
      describe: "the endpoint to be unready",
    });
    await cluster.request("DELETE", "/api/v1/namespaces/default/services/web");
    await eventually(async () => (await endpoint()) === undefined, {
      describe: "the garbage collector to remove the EndpointSlice",
    });
  });
});

describe("putEndpointSlice()", () => {
  it("replaces the endpoints and their conditions", async () => {
    const slice = async (endpoints: Parameters<typeof putEndpointSlice>[1]["endpoints"]) => {
      await putEndpointSlice(cluster, { service: "lone", endpoints });
      const root = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
      return (await find(cluster, `${root}/lone`)).endpoints;
    };
    const endpoint = { address: "192.0.2.9", nodeName: "node1" };
    assert.equal((await slice([endpoint, { ...endpoint, address: "192.0.2.10" }])).length, 2);
    const [only, ...others] = await slice([
      { ...endpoint, ready: false, serving: true, terminating: true },
    ]);
    assert.deepEqual(others, []);
    assert.deepEqual(only.conditions, { ready: false, serving: true, terminating: true });
  });
});

describe("deleteAll()", () => {
  it("deletes what its selector names, in its Namespace only", async () => {
    await putNamespace(cluster, "crowded", { kind: "test" });
    for (const name of ["a", "b", "c"]) await putService(cluster, { namespace: "crowded", name });
    await putService(cluster, { namespace: "crowded", name: "d", spec: { type: "ClusterIP" } });
    const services = "/api/v1/namespaces/crowded/services";
    await deleteAll(cluster, `${services}?fieldSelector=spec.type%3DLoadBalancer`);
    const { items } = await cluster.request("GET", services);
    assert.deepEqual(
      items.map((item: Json) => item.metadata.name),
      ["d"],
    );
  });
});
