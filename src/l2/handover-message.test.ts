import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { ip, ipv4s, ipv6s, octets } from "../../test/frames.ts";
import {
  decodeHandover,
  encodeHandover,
  type HandoverMessage,
  MOST_ADDRESSES,
} from "./handover-message.ts";

/** The most that members take in one datagram. */
const MOST_OCTETS = 1024;

const take: HandoverMessage = {
  kind: "ask",
  round: 0x01020304,
  manner: "take",
  addresses: [ip("192.0.2.1"), ip("2001:db8::1")],
};
const takeBytes = octets(`
  01                                      # kind: ask
  00                                      # manner: take
  01 02 03 04                             # round
  00 04 c0 00 02 01                       # 192.0.2.1
  00 10 20 01 0d b8 00 00 00 00           # 2001:db8::1
        00 00 00 00 00 00 00 01
`);

const v4 = ip("192.0.2.1");
const rows: readonly (readonly [string, HandoverMessage, Uint8Array])[] = [
  ["an ask", take, takeBytes],
  ["a polite ask", { ...take, manner: "polite" }, takeBytes.with(1, 1)],
  [
    "an ask of a node that answers and comes first",
    { ...take, manner: "keep" },
    takeBytes.with(1, 2),
  ],
  ["an ask of a node that answers", { ...take, manner: "hold" }, takeBytes.with(1, 3)],
  ["an offer", { kind: "offer", addresses: [v4] }, octets("03 00 00000000 00 04 c0000201")],
  ["a reply: free", replyOf("free"), octets("02 00 00000009 00 04 c0000201")],
  ["a reply: released", replyOf("released"), octets("02 00 00000009 01 04 c0000201")],
  ["a reply: held", replyOf("held"), octets("02 00 00000009 02 04 c0000201")],
  ["a reply: wanted", replyOf("wanted"), octets("02 00 00000009 03 04 c0000201")],
  ["an ask for nothing", { ...take, addresses: [] }, takeBytes.subarray(0, 6)],
];

function replyOf(standing: "free" | "released" | "held" | "wanted"): HandoverMessage {
  return { kind: "reply", round: 9, standings: new Map([[v4, standing]]) };
}

const addresses = fc.uniqueArray(fc.oneof(ipv4s, ipv6s), { maxLength: MOST_ADDRESSES });
const rounds = fc.nat(0xffff_ffff);
const standings = fc.constantFrom("free", "released", "held", "wanted");
const asks = fc
  .tuple(rounds, fc.constantFrom("take", "polite", "keep", "hold"), addresses)
  .map(
    ([round, manner, list]): HandoverMessage => ({ kind: "ask", round, manner, addresses: list }),
  );
const replies = fc
  .tuple(rounds, addresses, fc.array(standings, { minLength: MOST_ADDRESSES }))
  .map(([round, list, some]): HandoverMessage => {
    const entries = list.map((address, index) => [address, some[index] ?? "free"] as const);
    return { kind: "reply", round, standings: new Map(entries) };
  });
const offers = addresses.map((list): HandoverMessage => ({ kind: "offer", addresses: list }));
const messages = fc.oneof(asks, replies, offers);

describe("encodeHandover() and decodeHandover()", () => {
  for (const [name, message, bytes] of rows) {
    it(`agree on ${name}`, () => {
      assert.deepEqual(encodeHandover(message), bytes);
      assert.deepEqual(decodeHandover(bytes), message);
    });
  }

  it("are each other's inverse, within a datagram", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeHandover(message);
        assert(bytes.length <= MOST_OCTETS);
        assert.deepEqual(decodeHandover(bytes), message);
      }),
    );
  });
});

describe("decodeHandover()", () => {
  for (const [why, bytes] of [
    ["nothing", octets("")],
    ["half a header", takeBytes.subarray(0, 5)],
    ["an unknown kind", takeBytes.with(0, 4)],
    ["kind 0", takeBytes.with(0, 0)],
    ["an unknown manner", takeBytes.with(1, 4)],
    ["an unknown standing", takeBytes.with(6, 4)],
    ["an address of five octets", takeBytes.with(7, 5)],
    ["an address that is cut off", takeBytes.subarray(0, takeBytes.length - 1)],
    ["a standing without address", takeBytes.subarray(0, 13)],
  ] as const) {
    it(`ignores ${why}`, () => assert.equal(decodeHandover(bytes), undefined));
  }

  it("reads from the middle of a buffer", () => {
    const buffer = new Uint8Array([9, 9, 9, ...takeBytes]);
    assert.deepEqual(decodeHandover(buffer.subarray(3)), take);
  });

  it("makes of any octets nothing, or a message that can be written again", () => {
    const headers = fc.tuple(fc.nat(4), fc.nat(4), fc.uint8Array({ minLength: 4, maxLength: 4 }));
    const entries = fc.array(
      fc.tuple(fc.nat(4), fc.constantFrom(4, 16, 5), fc.uint8Array({ maxLength: 16 })),
    );
    const shaped = fc.tuple(headers, entries).map(([[kind, manner, round], list]) => {
      const rest = list.flatMap(([standing, length, address]) => [standing, length, ...address]);
      return Uint8Array.of(kind, manner, ...round, ...rest);
    });
    fc.assert(
      fc.property(fc.oneof(shaped, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        const message = decodeHandover(bytes);
        if (message === undefined) return;
        assert.deepEqual(decodeHandover(encodeHandover(message)), message);
      }),
      { numRuns: 1_000 },
    );
  });
});
