// Control messages of the error queue: only an ICMP "port unreachable" counts as a refusal.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { holdsPortUnreachable } from "./error-queue.ts";

/** A control message with a struct sock_extended_err. */
function control(level: number, type: number, errno: number, origin: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(16 + 32));
  view.setBigUint64(0, 48n, true);
  view.setInt32(8, level, true);
  view.setInt32(12, type, true);
  view.setUint32(16, errno, true);
  view.setUint8(20, origin);
  return new Uint8Array(view.buffer);
}

const REFUSED = 111;
const UNREACHABLE = 113;
const refusal = control(0, 11, REFUSED, 2);
const other = control(0, 8, 0, 0);

describe("holdsPortUnreachable()", () => {
  const rows: readonly (readonly [string, Uint8Array, boolean])[] = [
    ["a refusal over IPv4", refusal, true],
    ["a refusal over IPv6", control(41, 25, REFUSED, 3), true],
    ["a refusal after another message", Uint8Array.of(...other, ...refusal), true],
    ["an unreachable host", control(0, 11, UNREACHABLE, 2), false],
    ["an error of this host", control(0, 11, REFUSED, 1), false],
    ["another message", other, false],
    ["nothing", new Uint8Array(), false],
    ["a message cut short", refusal.subarray(0, 20), false],
    ["a message without length", new Uint8Array(64), false],
  ];
  for (const [what, octets, expected] of rows) {
    it(`says ${expected} for ${what}`, () => assert.equal(holdsPortUnreachable(octets), expected));
  }
});
