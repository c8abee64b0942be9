// What is known about an address on an interface, after sets and watches.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, parseAddress } from "../net/address.ts";
import { AddressTable } from "./address-table.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined);
  return parsed;
}

const A = address("192.0.2.1");
const B = address("192.0.2.2");
const A6 = address("2001:db8::1");
const eth0 = new Set(["eth0"]);

describe("AddressTable", () => {
  it("knows nothing of other addresses", () => {
    assert.equal(new AddressTable().known(A, "eth0"), undefined);
    assert.equal(new AddressTable().answersOn(A)?.size, 0);
  });

  it("answers on all interfaces, or on those it was told", () => {
    const table = new AddressTable();
    table.set(A, undefined);
    table.set(B, eth0);
    assert.deepEqual(table.known(A, "eth7"), { state: "answering", allowed: true });
    assert.deepEqual(table.known(B, "eth0"), { state: "answering", allowed: true });
    assert.deepEqual(table.known(B, "eth1"), { state: "answering", allowed: false });
  });

  it("tells where it answered before", () => {
    const table = new AddressTable();
    assert.equal(table.set(A, undefined)?.size, 0);
    assert.equal(table.set(A, eth0), undefined);
    assert.equal(table.delete(A), eth0);
    assert.equal(table.delete(A)?.size, 0);
    assert.equal(table.known(A, "eth0"), undefined);
  });

  it("watches apart from answering, which counts more", () => {
    const table = new AddressTable();
    table.watch(A, eth0);
    assert.deepEqual(table.known(A, "eth0"), { state: "watched", allowed: true });
    assert.deepEqual(table.known(A, "eth1"), { state: "watched", allowed: false });
    table.set(A, undefined);
    assert.deepEqual(table.known(A, "eth1"), { state: "answering", allowed: true });
    table.delete(A);
    assert.deepEqual(table.known(A, "eth0"), { state: "watched", allowed: true });
    table.unwatch(A);
    assert.equal(table.known(A, "eth0"), undefined);
  });

  it("lists the addresses of a family on an interface", () => {
    const table = new AddressTable();
    table.set(A, undefined);
    table.set(B, eth0);
    table.set(A6, undefined);
    assert.deepEqual([...table.answeredOn("eth0", "ipv4")], [A, B]);
    assert.deepEqual([...table.answeredOn("eth1", "ipv4")], [A]);
    assert.deepEqual([...table.answeredOn("eth1", "ipv6")], [A6]);
  });
});
