// What a channel takes, what it refuses and why: forged, misdirected, altered, replayed, of sessions
// that are over or not proven yet.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Channel, type Opened } from "./channel.ts";
import type { Message } from "./message.ts";

const SECRET = "IWJhYmFiYWJhYmFiYWJhYg";
const pull: Message = { kind: "pull" };

function channel(self: string, { session = 1000, secret = SECRET } = {}): Channel {
  const made = new Channel({ self, secret, session });
  made.setPeers(["a", "b", "c"]);
  return made;
}

function probe(nonce: number): Message {
  return { kind: "probe", nonce, incarnation: 1, state: "alive", digest: 0 };
}

function ack(nonce: number): Message {
  return { kind: "ack", nonce, incarnation: 1, state: "alive", digest: 0 };
}

function sealed(from: Channel, to: string, message: Message): Uint8Array {
  const bytes = from.seal(to, message);
  assert(bytes !== undefined);
  return bytes;
}

function reasonOf(opened: Opened): string {
  return opened.kind === "refused" ? opened.reason : opened.isFresh ? "fresh" : "not proven";
}

function messagesOf(opened: Opened): readonly Message[] {
  assert(opened.kind === "taken");
  return opened.messages;
}

/** Has `to` prove the session of `from` by a round trip. */
function prove(from: Channel, fromName: string, to: Channel, toName: string, nonce = 77): void {
  from.open(sealed(to, fromName, probe(nonce)));
  assert.equal(reasonOf(to.open(sealed(from, toName, ack(nonce)))), "fresh");
}

describe("Channel", () => {
  it("takes all of a session that a round trip has proven", () => {
    const [a, b] = [channel("a"), channel("b")];
    prove(a, "a", b, "b");
    const opened = b.open(sealed(a, "b", pull));
    assert.deepEqual(opened, { kind: "taken", from: "a", messages: [pull], isFresh: true });
  });

  it("takes a probe of any session, as one that proves nothing", () => {
    const [a, b] = [channel("a"), channel("b")];
    assert.equal(reasonOf(b.open(sealed(a, "b", probe(1)))), "not proven");
  });

  it("keeps the first other message until its session is proven", () => {
    const [a, b] = [channel("a"), channel("b")];
    assert.deepEqual(messagesOf(b.open(sealed(a, "b", pull))), []);
    assert.deepEqual(messagesOf(b.open(sealed(a, "b", { kind: "confirm", id: 1 }))), []);
    b.seal("a", probe(9));
    assert.deepEqual(messagesOf(b.open(sealed(a, "b", ack(9)))), [ack(9), pull]);
  });

  it("goes over to a later session once that is proven", () => {
    const [a, b, later] = [channel("a"), channel("b"), channel("a", { session: 2000 })];
    prove(a, "a", b, "b", 1);
    prove(later, "a", b, "b", 2);
    assert.equal(reasonOf(b.open(sealed(later, "b", pull))), "fresh");
    assert.equal(reasonOf(b.open(sealed(a, "b", pull))), "oldSession");
  });

  it("goes over to a lower session, of a clock that went back, only by a round trip", () => {
    const [a, b, back] = [channel("a"), channel("b"), channel("a", { session: 500 })];
    prove(a, "a", b, "b", 1);
    assert.equal(reasonOf(b.open(sealed(back, "b", pull))), "oldSession");
    prove(back, "a", b, "b", 2);
    assert.equal(reasonOf(b.open(sealed(back, "b", pull))), "fresh");
  });

  it("works without a secret", () => {
    const [a, b] = [channel("a", { secret: "" }), channel("b", { secret: "" })];
    prove(a, "a", b, "b");
  });

  it("takes datagrams that overtook each other, each once", () => {
    const [a, b] = [channel("a"), channel("b")];
    prove(a, "a", b, "b");
    const sent = Array.from({ length: 64 }, () => sealed(a, "b", pull));
    for (const bytes of sent.toReversed()) assert.equal(reasonOf(b.open(bytes)), "fresh");
    for (const bytes of sent) assert.equal(reasonOf(b.open(bytes)), "duplicate");
  });

  it("forgets nobody who stays when others come and go", () => {
    const [a, b] = [channel("a"), channel("b")];
    prove(a, "a", b, "b");
    b.setPeers(["a", "d"]);
    assert.equal(reasonOf(b.open(sealed(a, "b", pull))), "fresh");
  });

  it("seals nothing for who is not listed", () => {
    assert.equal(channel("a").seal("z", pull), undefined);
    assert.equal(channel("a").seal("a", pull), undefined);
  });

  const refusals: readonly (readonly [string, string, (a: Channel, b: Channel) => Uint8Array])[] = [
    ["nothing", "malformed", () => new Uint8Array()],
    ["another version", "malformed", (a) => sealed(a, "b", pull).with(0, 2)],
    ["an unknown sender", "unknownSender", () => sealed(channel("z"), "b", pull)],
    ["another secret", "badMac", () => sealed(channel("a", { secret: "x" }), "b", pull)],
    ["what was made for another node", "badMac", (a) => sealed(a, "c", pull)],
    ["an altered octet", "badMac", (a) => sealed(a, "b", pull).with(19, 4)],
    ["another sender's name", "badMac", (a) => sealed(a, "b", pull).with(18, 99)],
    ["its own datagrams", "unknownSender", (_, b) => sealed(b, "a", pull)],
    [
      "what is older than its window",
      "replay",
      (a, b) => {
        const old = sealed(a, "b", pull);
        for (let i = 0; i < 64; i++) b.open(sealed(a, "b", pull));
        return old;
      },
    ],
    [
      "an answer of an earlier session to an old nonce",
      "oldSession",
      (_, b) => {
        for (let nonce = 100; nonce < 120; nonce++) b.seal("a", probe(nonce));
        return sealed(channel("a", { session: 900 }), "b", ack(77));
      },
    ],
  ];
  for (const [what, reason, make] of refusals) {
    it(`refuses ${what}`, () => {
      const [a, b] = [channel("a"), channel("b")];
      prove(a, "a", b, "b");
      assert.equal(reasonOf(b.open(make(a, b))), reason);
    });
  }

  it("does not believe what was recorded before it started again", () => {
    const [a, b] = [channel("a"), channel("b")];
    const recorded = [probe(77), ack(77), pull, { kind: "confirm", id: 1 } as const].map(
      (message) => sealed(a, "b", message),
    );
    prove(a, "a", b, "b");
    const again = channel("b", { session: 5000 });
    again.seal("a", probe(78));
    assert.deepEqual(
      recorded.map((bytes) => reasonOf(again.open(bytes))),
      ["not proven", "oldSession", "not proven", "not proven"],
    );
  });

  it("takes any octets without a crash", () => {
    const [a, b] = [channel("a"), channel("b")];
    const valid = sealed(a, "b", probe(5));
    const changed = fc
      .tuple(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length))
      .map(([at, value, length]) => valid.with(at, value).subarray(0, length));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), changed), (bytes) => {
        const isIntact = Buffer.compare(bytes, valid) === 0;
        assert.equal(b.open(bytes).kind === "refused" || isIntact, true);
      }),
    );
  });
});
