// The table of links after news in any order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, parseAddress } from "../net/address.ts";
import { LinkTable } from "./links.ts";
import type { LinkEvent, LinkFacts } from "./rtnetlink.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined);
  return parsed;
}

function facts(index: number, name: string): LinkFacts {
  return {
    index,
    name,
    mac: undefined,
    isUp: true,
    isRunning: true,
    isBroadcast: true,
    isLoopback: false,
    noArp: false,
    masterIndex: 0,
  };
}

const link = (index: number, name: string): LinkEvent => ({
  kind: "link",
  link: facts(index, name),
});
const linkLocal = (index: number, text: string, isTentative: boolean): LinkEvent => ({
  kind: "linkLocal",
  index,
  address: address(text),
  isTentative,
});

describe("LinkTable", () => {
  const rows: readonly (readonly [string, readonly LinkEvent[], readonly string[]])[] = [
    ["knows links by index", [link(3, "eth1"), link(2, "eth0")], ["2 eth0", "3 eth1"]],
    ["follows a new name", [link(2, "eth0"), link(2, "lan0")], ["2 lan0"]],
    [
      "follows addresses",
      [
        link(2, "eth0"),
        linkLocal(2, "fe80::1", true),
        linkLocal(2, "fe80::2", false),
        linkLocal(2, "fe80::1", false),
        { kind: "linkLocalGone", index: 2, address: address("fe80::2") },
      ],
      ["2 eth0 fe80::1"],
    ],
    [
      "tells tentative addresses apart",
      [link(2, "eth0"), linkLocal(2, "fe80::1", true)],
      ["2 eth0 fe80::1?"],
    ],
    [
      "takes an address that comes before its link",
      [linkLocal(2, "fe80::1", false), link(2, "eth0")],
      ["2 eth0 fe80::1"],
    ],
    ["knows no link of which it has only an address", [linkLocal(2, "fe80::1", false)], []],
    [
      "forgets addresses with their link",
      [
        link(2, "eth0"),
        linkLocal(2, "fe80::1", false),
        { kind: "linkGone", index: 2 },
        link(2, "eth0"),
      ],
      ["2 eth0"],
    ],
    [
      "is not changed by an end",
      [link(2, "eth0"), { kind: "done" }, { kind: "interrupted" }],
      ["2 eth0"],
    ],
  ];
  for (const [what, events, expected] of rows) {
    it(what, () => {
      const table = new LinkTable();
      for (const event of events) table.apply(event);
      const seen = table.links().map(({ index, name, linkLocals }) => {
        const texts = linkLocals.map((it) => `${it.address}${it.isTentative ? "?" : ""}`);
        return [index, name, ...texts].join(" ");
      });
      assert.deepEqual(seen, expected);
    });
  }
});
