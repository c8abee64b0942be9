// What a change of Services, slices, nodes or policy does to decisions, routes and wishes for addresses.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { address, type BasisText, basisOf, facts } from "../../test/speaker-config.ts";
import { DesiredState } from "./desired.ts";
import type { ServingSlice } from "./endpoints.ts";

const WEB = "default/web";
const B = "192.0.2.1/32";
const ready: ServingSlice = { service: WEB, nodes: ["node2"] };

let state: DesiredState;

beforeEach(() => {
  state = new DesiredState();
});

/** Everything known: one Service, announced. */
function announce(): void {
  state.setService(facts());
  state.setSlice("default/web-1", ready, undefined);
  state.setBasis(basisOf());
  state.decide();
}

describe("DesiredState.decide()", () => {
  it("decides nothing before the basis is known", () => {
    state.setService(facts());
    state.setSlice("default/web-1", ready, undefined);
    assert.deepEqual(state.decide(), {
      transitions: [],
      changedPrefixes: new Set(),
      changedWants: new Map(),
    });
    state.setBasis(basisOf());
    assert.deepEqual([...state.decide().changedPrefixes], [B]);
  });

  it("does not mind in which order things are told", () => {
    const steps = [
      () => state.setService(facts()),
      () => state.setSlice("default/web-1", ready, undefined),
      () => state.setBasis(basisOf()),
    ];
    for (const order of [
      [0, 1, 2],
      [0, 2, 1],
      [1, 0, 2],
      [1, 2, 0],
      [2, 0, 1],
      [2, 1, 0],
    ]) {
      state = new DesiredState();
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
    const basis = basisOf({ advertisements: { all: { communities: ["65000:1"] } } });
    state.setBasis(basis);
    const { transitions, changedPrefixes } = state.decide();
    assert.equal(transitions.length, 2);
    assert.deepEqual([...changedPrefixes], [B]);
    state.setBasis(basis);
    assert.equal(state.decide().changedPrefixes.size, 0);
  });
});

describe("DesiredState.decide() wants of Layer 2", () => {
  const BOTH: BasisText = {
    l2Advertisements: { all: {} },
    node: { l2Weight: 1 },
    others: { node2: {} },
  };
  const local = facts({ isLocal: true });

  /** Roles of the addresses that are to change; "-": nothing any more. */
  function changedRoles(): Readonly<Record<string, string>> {
    const { changedWants } = state.decide();
    return Object.fromEntries([...changedWants].map(([ip, want]) => [ip, want?.role ?? "-"]));
  }

  function start(service = facts(), text: BasisText = BOTH): Readonly<Record<string, string>> {
    state.setService(service);
    state.setSlice("default/web-1", ready, undefined);
    state.setBasis(basisOf(text));
    return changedRoles();
  }

  it("the whole wish once, and nothing while it stays", () => {
    state.setService(facts());
    state.setSlice("default/web-1", ready, undefined);
    state.setBasis(basisOf({ ...BOTH, l2Advertisements: { all: { interfaces: ["eth1"] } } }));
    assert.deepEqual(
      state.decide().changedWants,
      new Map([
        [
          address("192.0.2.1"),
          { role: "elected", interfaces: ["eth1"], failbackDelayMs: 0, hasOthers: true },
        ],
      ]),
    );
    state.setService(facts({ labels: { a: "b" } }));
    assert.deepEqual(changedRoles(), {});
    state.setBasis(basisOf({ ...BOTH, l2Advertisements: { all: { interfaces: ["eth1"] } } }));
    assert.deepEqual(changedRoles(), {});
  });

  it("every address of a Service", () => {
    const addresses = [address("192.0.2.1"), address("2001:db8::1")];
    assert.deepEqual(start(facts({ addresses })), {
      "192.0.2.1": "elected",
      "2001:db8::1": "elected",
    });
  });

  it("nothing for a pool that is not announced by it", () => {
    assert.deepEqual(start(facts(), {}), {});
  });

  it("another role when nodes come first or go", () => {
    start();
    state.setBasis(basisOf({ ...BOTH, others: { node2: { l2Weight: 2 } } }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "standby" });
    state.setBasis(basisOf({ ...BOTH, others: { node2: { l2Weight: 2 } }, members: ["node1"] }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "elected" });
    state.setBasis(basisOf({ ...BOTH, node: { networkUnavailable: true } }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "leaving" });
    state.setBasis(basisOf({ ...BOTH, node: { networkUnavailable: true }, others: {} }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "-" });
  });

  it("another way when only that changes", () => {
    start();
    state.setBasis(basisOf({ ...BOTH, l2Advertisements: { all: { failbackDelay: "1m" } } }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "elected" });
    state.setBasis(
      basisOf({ ...BOTH, l2Advertisements: { all: { failbackDelay: "1m" } }, others: {} }),
    );
    // No other node could take it over now.
    assert.deepEqual(changedRoles(), { "192.0.2.1": "elected" });
  });

  it("none without endpoints", () => {
    start();
    state.deleteSlice("default/web-1", ready);
    assert.deepEqual(changedRoles(), { "192.0.2.1": "-" });
  });

  it("follow the nodes of endpoints, policy Local", () => {
    assert.deepEqual(start(local), { "192.0.2.1": "leaving" });
    const here: ServingSlice = { service: WEB, nodes: ["node1", "node2"] };
    state.setSlice("default/web-1", here, ready);
    assert.deepEqual(changedRoles(), { "192.0.2.1": "elected" });
  });

  it("move to a new address, and go with the Service", () => {
    start();
    state.setService(facts({ addresses: [address("192.0.2.7")] }));
    assert.deepEqual(changedRoles(), { "192.0.2.1": "-", "192.0.2.7": "elected" });
    state.deleteService(WEB);
    assert.deepEqual(changedRoles(), { "192.0.2.7": "-" });
  });

  it("stay until the last Service of an address is gone", () => {
    start();
    state.setService(facts({ key: "default/mail" }));
    state.setSlice("default/mail-1", { service: "default/mail", nodes: ["node2"] }, undefined);
    assert.deepEqual(changedRoles(), {});
    state.deleteService(WEB);
    assert.deepEqual(changedRoles(), {});
    state.deleteService("default/mail");
    assert.deepEqual(changedRoles(), { "192.0.2.1": "-" });
  });

  it("say nothing of an address that goes from one Service to another", () => {
    start();
    state.setService(facts({ addresses: [address("192.0.2.2")] }));
    state.setService(facts({ key: "default/mail" }));
    state.setSlice("default/mail-1", { service: "default/mail", nodes: ["node2"] }, undefined);
    assert.deepEqual(changedRoles(), { "192.0.2.2": "elected" });
  });
});

describe("DesiredState.servicesAt()", () => {
  const keysAt = (ip: string) => [...state.servicesAt(address(ip))].sort();

  it("tells who has an address, whatever was decided", () => {
    state.setService(facts());
    state.setService(facts({ key: "default/mail", addresses: [address("192.0.2.1")] }));
    assert.deepEqual(keysAt("192.0.2.1"), ["default/mail", WEB]);
    state.setService(facts({ addresses: [address("192.0.2.2"), address("2001:db8::1")] }));
    assert.deepEqual(keysAt("192.0.2.1"), ["default/mail"]);
    assert.deepEqual(keysAt("2001:db8::1"), [WEB]);
    state.deleteService(WEB);
    assert.deepEqual(keysAt("192.0.2.2"), []);
  });
});
