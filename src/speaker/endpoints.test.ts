// Which endpoints count as serving, and how slices of a Service are joined.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { EndpointSliceResource } from "../config/resources.ts";
import { Endpoints, pruneSlice } from "./endpoints.ts";

type Endpoint = NonNullable<EndpointSliceResource["endpoints"]>[number];

function sliceWith(endpoints: readonly Endpoint[], labels?: Record<string, string>) {
  const metadata = {
    name: "web-1",
    namespace: "default",
    labels: labels ?? { "kubernetes.io/service-name": "web" },
  };
  return { metadata, endpoints } as EndpointSliceResource;
}

const ADDRESSES = ["10.1.0.1"];

describe("pruneSlice() keeps the node of an endpoint", () => {
  const rows: readonly (readonly [string, Endpoint, boolean])[] = [
    ["that is ready", { addresses: ADDRESSES, conditions: { ready: true } }, true],
    ["of unknown conditions", { addresses: ADDRESSES }, true],
    ["of empty conditions", { addresses: ADDRESSES, conditions: {} }, true],
    ["that is not ready", { addresses: ADDRESSES, conditions: { ready: false } }, false],
    [
      "that goes away but serves",
      { addresses: ADDRESSES, conditions: { ready: false, serving: true, terminating: true } },
      true,
    ],
    [
      "that goes away and does not serve",
      { addresses: ADDRESSES, conditions: { ready: false, serving: false, terminating: true } },
      false,
    ],
    [
      "that says ready but not serving",
      { addresses: ADDRESSES, conditions: { ready: true, serving: false } },
      true,
    ],
    ["without addresses", { addresses: [], conditions: { ready: true } }, false],
  ];
  for (const [name, endpoint, isKept] of rows) {
    it(`${name}: ${isKept ? "yes" : "no"}`, () => {
      const pruned = pruneSlice(sliceWith([{ nodeName: "node1", ...endpoint }]));
      assert.deepEqual(pruned?.nodes, isKept ? ["node1"] : []);
    });
  }

  it("once each, sorted; unknown nodes are one", () => {
    const nodeNames = ["b", "a", "b", undefined, undefined];
    const endpoints = nodeNames.map((nodeName) => ({
      addresses: ADDRESSES,
      ...(nodeName && { nodeName }),
    }));
    assert.deepEqual(pruneSlice(sliceWith(endpoints))?.nodes, ["", "a", "b"]);
  });

  it("and the name of its Service; a slice of none is dropped", () => {
    assert.equal(pruneSlice(sliceWith([]))?.service, "default/web");
    assert.equal(pruneSlice(sliceWith([], {})), undefined);
    assert.equal(pruneSlice(sliceWith([], { "kubernetes.io/service-name": "" })), undefined);
  });

  it("from a slice whose endpoints are null, as Go writes none", () => {
    const slice = { ...sliceWith([]), endpoints: null } as unknown as EndpointSliceResource;
    assert.deepEqual(pruneSlice(slice)?.nodes, []);
  });
});

describe("Endpoints", () => {
  const web = (...nodes: string[]) => ({ service: "default/web", nodes });

  it("joins the slices of a Service", () => {
    const endpoints = new Endpoints();
    assert.deepEqual(endpoints.set("v4", web("a"), undefined), ["default/web"]);
    assert.deepEqual(endpoints.set("v6", web("b"), undefined), ["default/web"]);
    assert.deepEqual(endpoints.nodesOf("default/web"), new Set(["a", "b"]));
    assert.deepEqual(endpoints.delete("v4", web("a")), ["default/web"]);
    assert.deepEqual(endpoints.nodesOf("default/web"), new Set(["b"]));
    endpoints.delete("v6", web("b"));
    assert.deepEqual(endpoints.nodesOf("default/web"), new Set());
  });

  it("changes nothing for equal nodes", () => {
    const endpoints = new Endpoints();
    endpoints.set("v4", web("a"), undefined);
    assert.deepEqual(endpoints.set("v4", web("a"), web("a")), []);
  });

  it("moves a slice that names another Service now", () => {
    const endpoints = new Endpoints();
    endpoints.set("v4", web("a"), undefined);
    const moved = { service: "default/new", nodes: ["a"] };
    assert.deepEqual(endpoints.set("v4", moved, web("a")), ["default/new", "default/web"]);
    assert.deepEqual(endpoints.nodesOf("default/web"), new Set());
    assert.deepEqual(endpoints.nodesOf("default/new"), new Set(["a"]));
  });
});
