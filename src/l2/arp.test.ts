import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hardware, ip, ipv4s, macs, octets } from "../../test/frames.ts";
import { ARP_LENGTH, type ArpPacket, arpOperation, decodeArp, encodeArp } from "./arp.ts";

const request: ArpPacket = {
  operation: "request",
  senderMac: hardware("02:00:00:00:00:0b"),
  senderIp: ip("192.0.2.2"),
  targetMac: hardware("00:00:00:00:00:00"),
  targetIp: ip("192.0.2.1"),
};
const requestBytes = octets(`
  00 01             # hardware type
  08 00             # protocol type
  06 04             # lengths of hardware and protocol addresses
  00 01             # operation
  02 00 00 00 00 0b # sender hardware address
  c0 00 02 02       # sender protocol address
  00 00 00 00 00 00 # target hardware address
  c0 00 02 01       # target protocol address
`);

const packets: fc.Arbitrary<ArpPacket> = fc.record(
  {
    operation: fc.constantFrom("request", "reply"),
    senderMac: macs,
    senderIp: ipv4s,
    targetMac: macs,
    targetIp: ipv4s,
  },
  { noNullPrototype: true },
);

describe("encodeArp()", () => {
  it("writes a request", () => {
    assert.deepEqual(encodeArp(request), requestBytes);
  });

  it("writes a reply", () => {
    assert.deepEqual(encodeArp({ ...request, operation: "reply" }), requestBytes.with(7, 2));
  });
});

describe("decodeArp()", () => {
  it("reads a request", () => {
    assert.deepEqual(decodeArp(requestBytes), request);
  });

  it("reads a reply with padding", () => {
    const padded = new Uint8Array(46).fill(0xaa);
    padded.set(requestBytes.with(7, 2));
    assert.deepEqual(decodeArp(padded), { ...request, operation: "reply" });
  });

  for (const [why, offset, value] of [
    ["a hardware type other than Ethernet", 1, 6],
    ["a hardware type with a high octet", 0, 1],
    ["a protocol type other than IPv4", 2, 0x86],
    ["eight-octet hardware addresses", 4, 8],
    ["sixteen-octet protocol addresses", 5, 16],
    ["operation 0", 7, 0],
    ["an operation other than request or reply", 7, 8],
    ["an operation with a high octet", 6, 1],
  ] as const) {
    it(`ignores ${why}`, () => {
      assert.equal(decodeArp(requestBytes.with(offset, value)), undefined);
      assert.equal(arpOperation(requestBytes.with(offset, value), 0), "foreign");
    });
  }

  for (let length = 0; length < ARP_LENGTH; length += 1) {
    it(`ignores ${length} octets`, () => {
      assert.equal(decodeArp(requestBytes.subarray(0, length)), undefined);
      assert.equal(arpOperation(requestBytes.subarray(0, length), 0), "malformed");
    });
  }

  it("reads back what encodeArp() writes", () => {
    fc.assert(
      fc.property(packets, (packet) => {
        const bytes = encodeArp(packet);
        assert.equal(bytes.length, ARP_LENGTH);
        assert.deepEqual(decodeArp(bytes), packet);
      }),
    );
  });

  it("takes any octets, and only those that encodeArp() writes", () => {
    fc.assert(
      fc.property(packets, fc.nat(ARP_LENGTH - 1), fc.nat(255), (packet, offset, value) => {
        const bytes = encodeArp(packet).with(offset, value);
        const read = decodeArp(bytes);
        if (read !== undefined) assert.deepEqual(encodeArp(read), bytes);
      }),
    );
  });
});
