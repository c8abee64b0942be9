// Which interfaces answer what, as MetalLB's rules say; VLANs, bridges, bonds and macvlans are
// ordinary interfaces, their parts are not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Link } from "../kernel/links.ts";
import { parseAddress } from "../net/address.ts";
import { parseMac } from "../net/mac.ts";
import { carries, l2Interfaces } from "./interfaces.ts";

const MAC = parseMac("02:00:00:00:00:01");

function linkLocal(text: string, isTentative = false): Link["linkLocals"][number] {
  const address = parseAddress(text);
  assert(address !== undefined);
  return { address, isTentative };
}

function link(more: Partial<Link> = {}): Link {
  return {
    index: 2,
    name: "eth0",
    mac: MAC,
    isUp: true,
    isRunning: true,
    isBroadcast: true,
    isLoopback: false,
    noArp: false,
    masterIndex: 0,
    linkLocals: [linkLocal("fe80::1")],
    ...more,
  };
}

/** What an interface answers, from where, and why not. */
function told(links: readonly Link[], excluded: readonly RegExp[] = []): string[] {
  return l2Interfaces(links, excluded).map(({ name, arp, ndp, linkLocal: from, whyNot }) =>
    [name, arp && "arp", ndp && "ndp", from, whyNot].filter(Boolean).join(" "),
  );
}

describe("l2Interfaces()", () => {
  const rows: readonly (readonly [string, Partial<Link>, string])[] = [
    ["both families", {}, "eth0 arp ndp fe80::1"],
    ["a VLAN on another interface", { name: "eth0.7" }, "eth0.7 arp ndp fe80::1"],
    ["a bond", { name: "bond0" }, "bond0 arp ndp fe80::1"],
    ["no carrier: the kernel tells when it comes", { isRunning: false }, "eth0 arp ndp fe80::1"],
    ["no link-local address", { linkLocals: [] }, "eth0 arp"],
    ["a tentative one", { linkLocals: [linkLocal("fe80::1", true)] }, "eth0 arp"],
    [
      "a tentative one beside a usable one",
      { linkLocals: [linkLocal("fe80::1", true), linkLocal("fe80::2")] },
      "eth0 arp ndp fe80::2",
    ],
    ["no broadcast", { isBroadcast: false }, "eth0 ndp fe80::1"],
    ["neither", { isBroadcast: false, linkLocals: [] }, "eth0 noBroadcast"],
    ["switched off", { isUp: false }, "eth0 fe80::1 down"],
    ["part of a bridge, bond or VRF", { masterIndex: 7 }, "eth0 fe80::1 enslaved"],
    ["flag NOARP", { noArp: true }, "eth0 fe80::1 noArp"],
    ["no Ethernet", { mac: undefined }, "eth0 fe80::1 notEthernet"],
  ];
  for (const [what, more, expected] of rows) {
    it(what, () => assert.deepEqual(told([link(more)]), [expected]));
  }

  it("leaves excluded names out", () => {
    const links = ["lo", "eth0", "veth12", "myveth"].map((name, index) => link({ name, index }));
    const names = l2Interfaces(links, [/^veth.*/u, /^lo$/u]).map(({ name }) => name);
    assert.deepEqual(names, ["eth0", "myveth"]);
  });
});

describe("carries()", () => {
  it("tells by family", () => {
    const [at] = l2Interfaces([link({ linkLocals: [] })], []);
    assert(at !== undefined);
    assert.deepEqual([carries(at, "ipv4"), carries(at, "ipv6")], [true, false]);
  });
});
