import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  BROADCAST_MAC,
  isMacAt,
  isUnicastMac,
  macAt,
  parseMac,
  writeMac,
  ZERO_MAC,
} from "./mac.ts";

const frames = fc.uint8Array({ minLength: 12, maxLength: 40 });
const offsets = fc.nat(6);

describe("parseMac()", () => {
  it("makes lower-case text", () => {
    assert.equal(parseMac("02:00:5E:10:00:0a"), "02:00:5e:10:00:0a");
  });

  for (const [why, text] of [
    ["nothing", ""],
    ["five octets", "02:00:5e:10:00"],
    ["seven octets", "02:00:5e:10:00:0a:0b"],
    ["one digit", "2:0:5e:10:0:a"],
    ["dashes", "02-00-5e-10-00-0a"],
    ["another letter", "02:00:5g:10:00:0a"],
    ["a line break after", "02:00:5e:10:00:0a\n"],
  ] as const) {
    it(`refuses ${why}`, () => {
      assert.equal(parseMac(text), undefined);
    });
  }
});

describe("macAt() and writeMac()", () => {
  it("undo each other and touch six octets only", () => {
    fc.assert(
      fc.property(frames, frames, offsets, (from, to, offset) => {
        const mac = macAt(from, offset);
        assert.equal(parseMac(mac), mac);
        const expected = Uint8Array.from(to);
        expected.set(from.subarray(offset, offset + 6), offset);
        writeMac(to, offset, mac);
        assert.deepEqual(to, expected);
      }),
    );
  });
});

describe("isMacAt()", () => {
  it("agrees with macAt()", () => {
    const few = fc.uint8Array({ minLength: 12, maxLength: 12, max: 1 });
    fc.assert(
      fc.property(few, offsets, offsets, (bytes, one, other) => {
        const mac = macAt(bytes, one);
        assert.equal(isMacAt(bytes, one, mac), true);
        assert.equal(isMacAt(bytes, other, mac), macAt(bytes, other) === mac);
      }),
    );
  });

  it("sees a difference in each bit", () => {
    for (let bit = 0; bit < 48; bit += 1) {
      const bytes = Uint8Array.from([0x02, 0, 0x5e, 0x9a, 0xbc, 0xff]);
      const mac = macAt(bytes, 0);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.equal(isMacAt(bytes, 0, mac), false);
    }
  });

  it("finds nothing past the end", () => {
    assert.equal(isMacAt(new Uint8Array(5), 0, ZERO_MAC), false);
  });
});

describe("isUnicastMac()", () => {
  for (const [text, expected] of [
    ["02:00:5e:10:00:0a", true],
    ["fe:ff:ff:ff:ff:ff", true],
    ["00:00:00:00:00:01", true],
    [ZERO_MAC, false],
    [BROADCAST_MAC, false],
    ["33:33:00:00:00:01", false],
    ["01:00:5e:00:00:01", false],
  ] as const) {
    it(`says ${expected} of ${text}`, () => {
      const mac = parseMac(text);
      assert(mac !== undefined);
      assert.equal(isUnicastMac(mac), expected);
    });
  }
});
