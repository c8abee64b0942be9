// What several Services want of one address, as one wish.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { address } from "../../test/speaker-config.ts";
import type { Want } from "../l2/handover.ts";
import { L2Table } from "./l2-table.ts";
import type { L2Announcement, L2Decision } from "./layer2.ts";

const A = address("192.0.2.1");
const B = address("2001:db8::1");

function announcement(changes: Partial<L2Announcement> = {}): L2Announcement {
  const candidates = ["node1", "node2"];
  return { interfaces: [], failbackDelayMs: 0, candidates, why: "", ...changes };
}

function elected(changes: Partial<L2Announcement> = {}): L2Decision {
  return { kind: "elected", announcement: announcement(changes) };
}

function standby(changes: Partial<L2Announcement> = {}): L2Decision {
  return { kind: "standby", owner: "node2", announcement: announcement(changes) };
}

function refused(successor: string | undefined): L2Decision {
  const refusal = { reason: "notOwner", message: "" } as const;
  return { kind: "refused", refusal, excludedOnly: undefined, successor };
}

const leaving = refused("node2");
const gone = refused(undefined);

let table: L2Table;

beforeEach(() => {
  table = new L2Table();
});

/** The wish for one address of Services with these decisions. */
function wantOf(...decisions: readonly L2Decision[]): Want | undefined {
  for (const [index, decision] of decisions.entries()) table.set(`default/${index}`, [A], decision);
  return table.get(A);
}

function want(changes: Partial<Want> = {}): Want {
  return { role: "elected", interfaces: [], failbackDelayMs: 0, hasOthers: true, ...changes };
}

describe("L2Table.get() makes one wish", () => {
  const eth1 = { interfaces: ["eth1"] };
  const rows: readonly (readonly [string, readonly L2Decision[], Want | undefined])[] = [
    ["of a Service that is elected", [elected()], want()],
    ["of one that stands by", [standby()], want({ role: "standby" })],
    ["of one that another node announces", [leaving], want({ role: "leaving" })],
    ["none of one that nobody announces", [gone], undefined],
    [
      "with interfaces and delay",
      [elected({ interfaces: ["eth0", "eth1"], failbackDelayMs: undefined })],
      want({ interfaces: ["eth0", "eth1"], failbackDelayMs: undefined }),
    ],
    ["of the only candidate", [elected({ candidates: ["node1"] })], want({ hasOthers: false })],
    ["elected before standby", [standby(), elected()], want()],
    ["standby before leaving", [leaving, standby()], want({ role: "standby" })],
    ["elected before what nobody announces", [gone, elected()], want()],
    ["leaving twice", [leaving, leaving], want({ role: "leaving" })],
    [
      "with the interfaces of all, each once, sorted",
      [elected(eth1), elected({ interfaces: ["eth0", "eth1"] })],
      want({ interfaces: ["eth0", "eth1"] }),
    ],
    ["on all interfaces when one says so", [elected(eth1), elected()], want()],
    [
      "with the longest delay",
      [elected({ failbackDelayMs: 30_000 }), elected({ failbackDelayMs: 1000 })],
      want({ failbackDelayMs: 30_000 }),
    ],
    [
      "for ever before any delay",
      [elected({ failbackDelayMs: undefined }), elected({ failbackDelayMs: 1000 })],
      want({ failbackDelayMs: undefined }),
    ],
    [
      "with others when one Service has some",
      [elected({ candidates: ["node1"] }), elected()],
      want(),
    ],
    [
      "by those in the role alone",
      [
        elected({ ...eth1, candidates: ["node1"] }),
        standby({ interfaces: ["eth2"], failbackDelayMs: undefined }),
      ],
      want({ ...eth1, hasOthers: false }),
    ],
  ];
  for (const [name, decisions, expected] of rows) {
    it(name, () => assert.deepEqual(wantOf(...decisions), expected));
    it(`${name}, in any order`, () =>
      assert.deepEqual(wantOf(...decisions.toReversed()), expected));
  }
});

describe("L2Table.set()", () => {
  it("replaces what the Service wanted before", () => {
    table.set("default/web", [A, B], elected());
    table.set("default/web", [B], standby());
    assert.deepEqual([table.get(A), table.get(B)?.role], [undefined, "standby"]);
    table.set("default/web", [B], leaving);
    assert.equal(table.get(B)?.role, "leaving");
    table.set("default/web", [B], gone);
    assert.equal(table.get(B), undefined);
  });

  it("forgets a Service that has no address any more", () => {
    table.set("default/web", [A], elected());
    table.set("default/web", [], gone);
    assert.equal(table.get(A), undefined);
  });

  it("leaves what other Services want", () => {
    table.set("default/web", [A], elected());
    table.set("default/mail", [A, B], standby());
    table.set("default/web", [], gone);
    assert.deepEqual([table.get(A)?.role, table.get(B)?.role], ["standby", "standby"]);
  });
});
