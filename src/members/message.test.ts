// Octets of each message, every truncation, and octets of nobody.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeMessage, encodeMessage, type Message, OPINIONS, STATES, WHYS } from "./message.ts";

const name = fc.string({ unit: "grapheme-ascii", maxLength: 253 });
const long = fc.maxSafeNat();
const word = fc.nat(2 ** 32 - 1);
/** The parser's objects are plain ones. */
const PLAIN = { noNullPrototype: true } as const;
const row = fc.record(
  {
    name,
    state: fc.constantFrom(...STATES),
    incarnation: long,
    why: fc.constantFrom(...WHYS),
  },
  PLAIN,
);
const message: fc.Arbitrary<Message> = fc.oneof(
  fc.record(
    {
      kind: fc.constantFrom("probe" as const, "ack" as const),
      nonce: long,
      incarnation: long,
      state: fc.constantFrom(...STATES),
      digest: word,
    },
    PLAIN,
  ),
  fc.record(
    {
      kind: fc.constant("vote" as const),
      subject: name,
      incarnation: long,
      opinion: fc.constantFrom(...OPINIONS),
      wantsReply: fc.boolean(),
    },
    PLAIN,
  ),
  fc.record({ kind: fc.constant("rows" as const), id: word, rows: fc.array(row) }, PLAIN),
  fc.record({ kind: fc.constant("confirm" as const), id: word }, PLAIN),
  fc.constant({ kind: "pull" as const }),
  fc.record({ kind: fc.constant("payload" as const), bytes: fc.uint8Array() }, PLAIN),
);

describe("encodeMessage()", () => {
  it("writes a probe as the table in message.ts says", () => {
    const probe: Message = {
      kind: "probe",
      nonce: 2 ** 52 + 7,
      incarnation: 0x0102_0304_0506,
      state: "alive",
      digest: 0xdeadbeef,
    };
    const expected = [
      [0],
      [0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x00, 0x07], // nonce
      [0x00, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06], // incarnation
      [1], // state
      [0xde, 0xad, 0xbe, 0xef], // digest
    ];
    assert.deepEqual([...encodeMessage(probe)], expected.flat());
  });

  it("writes what decodeMessage() reads", () => {
    fc.assert(
      fc.property(message, (sent) => {
        assert.deepEqual(decodeMessage(encodeMessage(sent)), sent);
      }),
    );
  });
});

describe("decodeMessage()", () => {
  it("refuses every truncation, or reads fewer rows or a shorter payload", () => {
    fc.assert(
      fc.property(message, fc.nat(), (sent, at) => {
        const bytes = encodeMessage(sent);
        const read = decodeMessage(bytes.subarray(0, at % bytes.length));
        if (read === undefined) return;
        assert.equal(read.kind, sent.kind);
        assert(read.kind === "rows" || read.kind === "payload");
      }),
    );
  });

  it("takes any octets without a crash", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void decodeMessage(bytes)));
  });

  const rows: readonly (readonly [string, readonly number[]])[] = [
    ["nothing", []],
    ["a kind that is none", [7]],
    ["octets after the end", [5, 0]],
    ["a state that is none", [0, ...new Array(16).fill(0), 4, 0, 0, 0, 0]],
    ["a number of more than 53 bits", [0, 0, 0x20, ...new Array(19).fill(0)]],
    ["a name that is longer than the rest", [2, ...new Array(10).fill(0), 5, 97]],
    ["a wish that is neither yes nor no", [2, ...new Array(9).fill(0), 2, 1, 97]],
  ];
  for (const [why, bytes] of rows) {
    it(`refuses ${why}`, () => assert.equal(decodeMessage(Uint8Array.from(bytes)), undefined));
  }
});
