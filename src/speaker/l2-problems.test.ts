// What is told of Layer 2 that does not work.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { wireStatus } from "../../test/fakes/recorded-wire.ts";
import { arpInterfaces, l2Problems } from "./l2-problems.ts";

const OPEN = new Map([
  ["all", 0],
  ["eth0", 0],
]);

describe("l2Problems()", () => {
  it("has none of a wire that works", () => {
    assert.deepEqual(l2Problems(wireStatus(), undefined), []);
    assert.deepEqual(l2Problems(wireStatus({ fence: "starting" }), new Map([["all", 1]])), []);
  });

  it("has what the wire says, and that the kernel answers too", () => {
    const problem = "Cannot open a packet socket: EPERM";
    const [first, second, ...more] = l2Problems(wireStatus({ problem }), OPEN);
    assert.equal(first, problem);
    assert.match(second ?? "", /^kube-proxy is in IPVS mode without strictARP: .* on eth0, /);
    assert.deepEqual(more, []);
  });
});

it("arpInterfaces() names those that answer ARP", () => {
  const [eth0] = wireStatus().interfaces;
  assert(eth0 !== undefined);
  const interfaces = [eth0, { ...eth0, name: "tun0", arp: false }, { ...eth0, name: "br0" }];
  assert.deepEqual(arpInterfaces(wireStatus({ interfaces })), ["eth0", "br0"]);
});
