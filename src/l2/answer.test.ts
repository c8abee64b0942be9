import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { corpus, hardware, ip, octets } from "../../test/frames.ts";
import type { Address } from "../net/address.ts";
import { type Answer, answer, type Known, type SilenceReason } from "./answer.ts";
import { decodeArp } from "./arp.ts";
import { decodeEthernet, ETHERTYPE_ARP } from "./ethernet.ts";
import { decodeNdp } from "./ndp.ts";
import { probeFrame, unsolicitedFrames } from "./unsolicited.ts";

const own = hardware("02:00:00:00:00:0a");
const other = hardware("02:00:00:00:00:0b");
const linkLocal = ip("fe80::ff:fe00:a");
const via = { mac: own, linkLocal };
const KNOWN: ReadonlyMap<string, Known> = new Map([
  ["192.0.2.1", { state: "answering", allowed: true }],
  ["2001:db8::1", { state: "answering", allowed: true }],
  ["192.0.2.7", { state: "answering", allowed: false }],
  ["2001:db8::7", { state: "answering", allowed: false }],
  ["192.0.2.9", { state: "watched", allowed: true }],
  ["2001:db8::9", { state: "watched", allowed: true }],
]);
const frames = corpus();

describe("answer() to the frames of test/corpus", () => {
  for (const { name, expected, frame } of frames) {
    it(`${name}: ${expected}`, () => {
      assert.equal(words(ask(frame)), expected);
    });
  }
});

describe("answer()", () => {
  it("answers a request as Linux does, octet by octet", () => {
    const result = ask(frameOf("arp-request-linux"));
    assert(result.kind === "reply");
    const reply = octets(`
      02 00 00 00 00 0b # destination
      02 00 00 00 00 0a # source
      08 06             # type
      00 01 08 00 06 04 # hardware and protocol
      00 02             # operation
      02 00 00 00 00 0a # sender hardware address
      c0 00 02 01       # sender protocol address
      02 00 00 00 00 0b # target hardware address
      c0 00 02 02       # target protocol address
    `);
    assert.deepEqual(result.frame, reply);
  });

  it("answers a probe to its sender, who has no address yet", () => {
    const result = ask(frameOf("arp-probe"));
    assert(result.kind === "reply");
    assert.equal(decodeEthernet(result.frame)?.destination, other);
    const expected = {
      operation: "reply",
      senderMac: own,
      senderIp: "192.0.2.1",
      targetMac: other,
      targetIp: "0.0.0.0",
    };
    assert.deepEqual(decodeArp(result.frame.subarray(14)), expected);
  });

  for (const name of [
    "ndp-solicitation-linux",
    "ndp-solicitation-unicast-without-option",
    "ndp-solicitation-relayed",
  ]) {
    it(`answers ${name} to its sender`, () => {
      const result = ask(frameOf(name));
      assert(result.kind === "reply");
      const header = { destination: other, source: own, type: 0x86dd };
      assert.deepEqual(decodeEthernet(result.frame), header);
      assert.deepEqual(decodeNdp(result.frame.subarray(14)), {
        kind: "advertisement",
        source: linkLocal,
        destination: "2001:db8::2",
        target: "2001:db8::1",
        router: false,
        solicited: true,
        override: false,
        targetMac: own,
      });
    });
  }

  it("answers duplicate address detection to all nodes", () => {
    const result = ask(frameOf("ndp-duplicate-detection-linux"));
    assert(result.kind === "reply");
    const [expected] = unsolicitedFrames(ip("2001:db8::1"), own, linkLocal);
    assert.deepEqual(result.frame, expected);
  });

  it("cannot answer a solicitation without a link-local address", () => {
    const frame = frameOf("ndp-solicitation-linux");
    const result = answer(frame, { mac: own, linkLocal: undefined }, lookup);
    assert.equal(words(result), "silent noLinkLocal");
  });

  for (const address of ["192.0.2.1", "2001:db8::1"]) {
    it(`answers what probeFrame() asks about ${address}`, () => {
      assert.equal(words(ask(probeFrame(ip(address), other))), `reply ${address}`);
    });

    it(`takes what unsolicitedFrames() says of ${address} for a claim, and our own for our own`, () => {
      for (const frame of unsolicitedFrames(ip(address), other, ip("fe80::ff:fe00:b"))) {
        assert.equal(words(ask(frame)), `claim ${address} ${other}`);
      }
      for (const frame of unsolicitedFrames(ip(address), own, linkLocal)) {
        assert.equal(words(ask(frame)), "silent own");
      }
    });
  }

  it("never answers an answer: a host that hears ours takes it for a claim or nothing", () => {
    for (const { frame } of frames) {
      const result = ask(frame);
      if (result.kind !== "reply") continue;
      const heard = answer(result.frame, { mac: other, linkLocal }, lookup);
      assert.equal(words(heard), `claim ${result.address} ${own}`);
    }
  });

  it("does not change the frame", () => {
    for (const { frame } of frames) {
      const before = Uint8Array.from(frame);
      ask(frame);
      assert.deepEqual(frame, before);
    }
  });

  it("gives a reason that is named for every frame that is cut short", () => {
    for (const { name, frame } of frames) {
      for (let length = 0; length < frame.length; length += 1) {
        const result = ask(frame.subarray(0, length));
        check(result);
        // Only padding and what stands after the length may go without notice.
        const isWhole = length >= wholeLength(frame);
        if (!isWhole) assert.equal(result.kind, "silent", `${name} with ${length} octets`);
      }
    }
  });

  it("takes any frame with a few wrong octets", () => {
    const changes = fc.array(fc.tuple(fc.nat(120), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.constantFrom(...frames), changes, ({ frame }, list) => {
        const bytes = Uint8Array.from(frame);
        for (const [offset, value] of list) {
          if (offset < bytes.length) bytes[offset] = value;
        }
        check(ask(bytes));
      }),
      { numRuns: 5000 },
    );
  });

  it("takes every frame with one wrong bit", () => {
    for (const { frame } of frames) {
      for (let bit = 0; bit < Math.min(frame.length, 128) * 8; bit += 1) {
        const bytes = Uint8Array.from(frame);
        bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        check(ask(bytes));
      }
    }
  });

  it("takes any octets, also after a type that it knows", () => {
    const types = fc.constantFrom([], [0x08, 0x06], [0x86, 0xdd]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1600 }), types, (bytes, type) => {
        if (bytes.length >= 14) bytes.set(type, 12);
        check(ask(bytes));
      }),
      { numRuns: 5000 },
    );
  });
});

const REASONS: Readonly<Record<SilenceReason, true>> = {
  foreign: true,
  malformed: true,
  hopLimit: true,
  checksum: true,
  own: true,
  otherDestination: true,
  notRequest: true,
  unknownAddress: true,
  otherInterface: true,
  watched: true,
  noLinkLocal: true,
  fenced: true,
};

/** What must hold of the answer to any frame. */
function check(result: Answer): void {
  if (result.kind === "silent") {
    assert(REASONS[result.reason]);
    assert.notEqual(result.reason, "fenced");
    return;
  }
  const known = KNOWN.get(result.address);
  assert.equal(known?.allowed, true);
  if (result.kind === "claim") {
    assert.notEqual(result.mac, own);
    return;
  }
  assert.equal(known?.state, "answering");
  const header = decodeEthernet(result.frame);
  assert.equal(header?.source, own);
  const payload = result.frame.subarray(14);
  if (header?.type === ETHERTYPE_ARP) assert.equal(decodeArp(payload)?.operation, "reply");
  else assert.equal(decodeNdp(payload).kind, "advertisement");
}

/** Octets that the frame needs to mean what it means. */
function wholeLength(frame: Uint8Array): number {
  if (decodeEthernet(frame)?.type === ETHERTYPE_ARP) return 14 + 28;
  return 14 + 40 + (frame[19] ?? 0) + 256 * (frame[18] ?? 0);
}

function ask(frame: Uint8Array): Answer {
  return answer(frame, via, lookup);
}

function lookup(address: Address): Known | undefined {
  return KNOWN.get(address);
}

function words(result: Answer): string {
  if (result.kind === "silent") return `silent ${result.reason}`;
  if (result.kind === "reply") return `reply ${result.address}`;
  return `claim ${result.address} ${result.mac}`;
}

function frameOf(name: string): Uint8Array {
  const found = frames.find((each) => each.name === name);
  assert(found !== undefined, name);
  return found.frame;
}
