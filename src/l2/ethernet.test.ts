import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hardware, macs, octets } from "../../test/frames.ts";
import { decodeEthernet, encodeEthernet, etherType } from "./ethernet.ts";

const header = {
  destination: hardware("ff:ff:ff:ff:ff:ff"),
  source: hardware("02:00:5e:10:00:0a"),
  type: 0x0806,
};
const bytes = octets(`
  ff ff ff ff ff ff # destination
  02 00 5e 10 00 0a # source
  08 06             # type
  01 02 03          # payload
`);

describe("encodeEthernet()", () => {
  it("puts the header before the payload", () => {
    assert.deepEqual(encodeEthernet(header, Uint8Array.of(1, 2, 3)), bytes);
  });
});

describe("decodeEthernet()", () => {
  it("reads the header", () => {
    assert.deepEqual(decodeEthernet(bytes), header);
  });

  for (let length = 0; length < 14; length += 1) {
    it(`ignores ${length} octets`, () => {
      assert.equal(decodeEthernet(bytes.subarray(0, length)), undefined);
    });
  }

  for (const [why, type] of [
    ["a tag of 802.1Q", 0x8100],
    ["a tag of 802.1ad", 0x88a8],
    ["a length", 0x05dc],
    ["the highest length", 0x05ff],
  ] as const) {
    it(`ignores ${why}`, () => {
      assert.equal(decodeEthernet(bytes.with(12, type >> 8).with(13, type)), undefined);
    });
  }

  it("reads back what encodeEthernet() writes", () => {
    const types = fc.integer({ min: 0x600, max: 0xffff });
    fc.assert(
      fc.property(macs, macs, types, fc.uint8Array(), (destination, source, type, payload) => {
        fc.pre(type !== 0x8100 && type !== 0x88a8);
        const frame = encodeEthernet({ destination, source, type }, payload);
        assert.deepEqual(decodeEthernet(frame), { destination, source, type });
        assert.equal(etherType(frame), type);
        assert.deepEqual(frame.subarray(14), payload);
      }),
    );
  });
});
