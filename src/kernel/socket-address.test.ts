// Socket addresses against octets as the kernel writes them.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAddress } from "../net/address.ts";
import { decodeSocketAddress, encodeLinkAddress, encodeSocketAddress } from "./socket-address.ts";

const rows: readonly (readonly [string, number, string])[] = [
  ["192.0.2.1", 7946, "0200 1f0a c0000201 0000000000000000"],
  ["2001:db8::17", 80, "0a00 0050 00000000 20010db8000000000000000000000017 00000000"],
];

describe("encodeSocketAddress() and decodeSocketAddress()", () => {
  for (const [text, port, hex] of rows) {
    it(`agree on ${text}`, () => {
      const address = parseAddress(text);
      assert(address !== undefined);
      const bytes = encodeSocketAddress(address, port);
      assert.equal(Buffer.from(bytes).toString("hex"), hex.replaceAll(" ", ""));
      assert.deepEqual(decodeSocketAddress(bytes), { address, port });
    });
  }

  it("know no other family", () => {
    assert.equal(decodeSocketAddress(new Uint8Array(28)), undefined);
  });
});

describe("encodeLinkAddress()", () => {
  it("names protocol and interface", () => {
    const hex = Buffer.from(encodeLinkAddress(0x0003, 259)).toString("hex");
    assert.equal(hex, "1100000303010000000000000000000000000000");
  });
});
