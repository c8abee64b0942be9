// What a change of Services, slices or policy does to decisions and routes.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { address, facts, nodeState, policyOf } from "../../test/speaker-config.ts";
import { DesiredState } from "./desired.ts";
import type { ServingSlice } from "./endpoints.ts";

const WEB = "default/web";
const B = "192.0.2.1/32";
const ready: ServingSlice = { service: WEB, nodes: ["node2"] };

let state: DesiredState;

beforeEach(() => {
  state = new DesiredState({ ignoreExcludeLabel: false });
});

/** Everything known: one Service, announced. */
function announce(): void {
  state.setService(facts());
  state.setSlice("default/web-1", ready, undefined);
  state.setBasis({ policy: policyOf(), node: nodeState() });
  state.decide();
}

describe("DesiredState.decide()", () => {
  it("decides nothing before the basis is known", () => {
    state.setService(facts());
    state.setSlice("default/web-1", ready, undefined);
    assert.deepEqual(state.decide(), { transitions: [], changedPrefixes: new Set() });
    state.setBasis({ policy: policyOf(), node: nodeState() });
    assert.deepEqual([...state.decide().changedPrefixes], [B]);
  });

  it("does not mind in which order things are told", () => {
    const steps = [
      () => state.setService(facts()),
      () => state.setSlice("default/web-1", ready, undefined),
      () => state.setBasis({ policy: policyOf(), node: nodeState() }),
    ];
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      state = new DesiredState({ ignoreExcludeLabel: false });
      for (const index of order) {
        steps[index]?.();
        state.decide();
      }
      assert.deepEqual([...state.routes.keys()], [B], String(order));
    }
  });

  it("tells what became of a Service, and nothing of the others", () => {
    announce();
    state.setService(facts({ key: "default/new", addresses: [] }));
    const { transitions, changedPrefixes } = state.decide();
    assert.deepEqual(
      transitions.map(({ key, before, after }) => [key, before, after.bgp.kind]),
      [["default/new", undefined, "refused"]],
    );
    assert.equal(changedPrefixes.size, 0);
    assert.deepEqual(state.decide().transitions, []);
  });

  it("withdraws a Service that is deleted, and forgets it", () => {
    announce();
    state.deleteService(WEB);
    const { transitions, changedPrefixes } = state.decide();
    assert.deepEqual([...changedPrefixes], [B]);
    const [transition] = transitions;
    assert.equal(transition?.service, undefined);
    assert.equal(transition?.before?.bgp.kind, "announced");
    const after = transition?.after.bgp;
    assert.equal(after?.kind === "refused" && after.refusal.reason, "serviceDeleted");
    assert.equal(state.decisions.size, 0);
    assert.equal(state.routes.size, 0);
  });

  it("says nothing of a Service that came and went in between", () => {
    announce();
    state.setService(facts({ key: "default/brief" }));
    state.deleteService("default/brief");
    assert.deepEqual(state.decide().transitions, []);
  });

  it("moves a Service to its new address", () => {
    announce();
    state.setService(facts({ addresses: [address("192.0.2.7")] }));
    assert.deepEqual([...state.decide().changedPrefixes].sort(), [B, "192.0.2.7/32"]);
    assert.deepEqual([...state.routes.keys()], ["192.0.2.7/32"]);
  });

  it("follows the slices", () => {
    announce();
    const none: ServingSlice = { service: WEB, nodes: [] };
    state.setSlice("default/web-1", none, ready);
    assert.deepEqual([...state.decide().changedPrefixes], [B]);
    state.setSlice("default/web-2", ready, undefined);
    assert.deepEqual([...state.decide().changedPrefixes], [B]);
    state.deleteSlice("default/web-2", ready);
    assert.deepEqual([...state.decide().changedPrefixes], [B]);
    assert.equal(state.routes.size, 0);
  });

  it("does not look at slices of what is no Service of ours", () => {
    announce();
    state.setSlice("default/other-1", { service: "default/other", nodes: ["x"] }, undefined);
    assert.equal(state.isDirty, false);
  });

  it("knows the endpoints of a Service that comes after them", () => {
    announce();
    state.setSlice("default/new-1", { service: "default/new", nodes: ["x"] }, undefined);
    state.setService(facts({ key: "default/new", addresses: [address("192.0.2.2")] }));
    assert.deepEqual([...state.decide().changedPrefixes], ["192.0.2.2/32"]);
  });

  it("decides all anew when the policy changes, and tells the prefixes whose class does", () => {
    announce();
    state.setService(facts({ key: "default/two", addresses: [] }));
    state.decide();
    const policy = policyOf({ advertisements: { all: { communities: ["65000:1"] } } });
    state.setBasis({ policy, node: nodeState() });
    const { transitions, changedPrefixes } = state.decide();
    assert.equal(transitions.length, 2);
    assert.deepEqual([...changedPrefixes], [B]);
    state.setBasis({ policy, node: nodeState() });
    assert.equal(state.decide().changedPrefixes.size, 0);
  });
});
