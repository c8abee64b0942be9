// The comparison of rights and requests, so that the proof by it can fail.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditedRequest } from "../cluster/audit.ts";
import { compareRights } from "./rights-used.ts";

const USER = "system:serviceaccount:lb:controller";
const RIGHTS = [
  right("cluster", "services", ["get", "list"]),
  right("lb", "leases.coordination.k8s.io", ["update"], ["leader"]),
  right("lb", "configurationstates.metallb.io", ["create", "patch"]),
];

function right(scope: string, resource: string, verbs: string[], names: string[] = []) {
  return { subject: "ServiceAccount controller", scope, resource, names, verbs };
}

function request(verb: string, resource: string, more: Partial<AuditedRequest> = {}) {
  const nothing = { group: "", subresource: "", namespace: "lb", name: "", path: "/", code: 200 };
  return { ...nothing, user: USER, verb, resource, ...more };
}

/** All requests, one of them with something else. */
function but(index: number, more: Partial<AuditedRequest>): readonly AuditedRequest[] {
  return ALL.map((one, i) => (i === index ? { ...one, ...more } : one));
}

const state = { group: "metallb.io", name: "controller" };
const ALL = [
  request("get", "services", { namespace: "default", name: "web" }),
  request("list", "services", { namespace: "" }),
  request("update", "leases", { group: "coordination.k8s.io", name: "leader" }),
  request("patch", "configurationstates", { ...state, code: 201 }),
];

describe("compareRights()", () => {
  it("finds nothing where each verb was used, an apply that creates as both", () => {
    assert.deepEqual(compareRights(RIGHTS, ALL, "lb"), { unused: [], refused: [] });
  });

  for (const [what, requests, unused] of [
    ["another account's", but(0, { user: "admin" }), "get services"],
    ["another namespace's", but(2, { namespace: "other" }), "update leases"],
    ["another object's", but(2, { name: "other" }), "update leases"],
    ["a subresource's", but(0, { subresource: "status" }), "get services"],
    ["a refused", but(0, { code: 403 }), "get services"],
    ["no creating", but(3, { code: 200 }), "create configurationstates"],
  ] as const) {
    it(`does not count ${what} request as use`, () => {
      const verdict = compareRights(RIGHTS, requests, "lb");
      assert.equal(verdict.unused.length, 1);
      assert.ok(verdict.unused[0]?.includes(unused), verdict.unused[0]);
    });
  }

  it("names what was refused", () => {
    const refused = request("delete", "pods", { code: 403, path: "/api/v1/pods/a" });
    const verdict = compareRights(RIGHTS, [...ALL, refused], "lb");
    assert.deepEqual(verdict.refused, [`${USER}: delete /api/v1/pods/a`]);
  });
});
