import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { hardware, ip, ipv6s, macs, octets } from "../../test/frames.ts";
import { icmpv6Checksum } from "./checksum.ts";
import {
  decodeNdp,
  encodeNdp,
  isMulticast,
  multicastMac,
  type NdpMessage,
  type NeighborAdvertisement,
  type NeighborSolicitation,
  solicitedNodeGroup,
} from "./ndp.ts";

const solicitation: NeighborSolicitation = {
  kind: "solicitation",
  source: ip("2001:db8::2"),
  destination: ip("ff02::1:ff00:1"),
  target: ip("2001:db8::1"),
  sourceMac: hardware("02:00:00:00:00:0b"),
};
// As Linux sent it.
const solicitationBytes = octets(`
  60 00 00 00             # version, class, label
  00 20                   # payload length
  3a                      # next header
  ff                      # hop limit
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 # source
  ff 02 00 00 00 00 00 00 00 00 00 01 ff 00 00 01 # destination
  87 00                   # type, code
  1c 1e                   # checksum
  00 00 00 00             # reserved
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 # target
  01 01 02 00 00 00 00 0b # source link-layer address
`);

const advertisement: NeighborAdvertisement = {
  kind: "advertisement",
  source: ip("2001:db8::1"),
  destination: ip("2001:db8::2"),
  target: ip("2001:db8::1"),
  router: false,
  solicited: true,
  override: true,
  targetMac: hardware("02:00:00:00:00:0a"),
};
// As Linux answered.
const advertisementBytes = octets(`
  60 00 00 00             # version, class, label
  00 20                   # payload length
  3a                      # next header
  ff                      # hop limit
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 # source
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 02 # destination
  88 00                   # type, code
  8a 6a                   # checksum
  60 00 00 00             # flags, reserved
  20 01 0d b8 00 00 00 00 00 00 00 00 00 00 00 01 # target
  02 01 02 00 00 00 00 0a # target link-layer address
`);

const unicasts = ipv6s.filter((address) => !isMulticast(address) && address !== "::");
const options = fc.option(macs, { nil: undefined });
const messages: fc.Arbitrary<NdpMessage> = fc.oneof(
  fc.record(
    {
      kind: fc.constant("solicitation" as const),
      source: unicasts,
      destination: ipv6s,
      target: unicasts,
      sourceMac: options,
    },
    { noNullPrototype: true },
  ),
  fc.record(
    {
      kind: fc.constant("advertisement" as const),
      source: unicasts,
      destination: unicasts,
      target: unicasts,
      router: fc.boolean(),
      solicited: fc.boolean(),
      override: fc.boolean(),
      targetMac: options,
    },
    { noNullPrototype: true },
  ),
);

describe("encodeNdp()", () => {
  it("writes a solicitation as Linux does", () => {
    assert.deepEqual(encodeNdp(solicitation), solicitationBytes);
  });

  it("writes an advertisement as Linux does", () => {
    assert.deepEqual(encodeNdp(advertisement), advertisementBytes);
  });

  it("leaves out an option that is not there", () => {
    const bytes = encodeNdp({ ...solicitation, sourceMac: undefined });
    assert.equal(bytes.length, 64);
    assert.equal(bytes[5], 24);
    assert.deepEqual(decodeNdp(bytes), { ...solicitation, sourceMac: undefined });
  });
});

describe("decodeNdp()", () => {
  it("reads a solicitation", () => {
    assert.deepEqual(decodeNdp(solicitationBytes), solicitation);
  });

  it("reads an advertisement", () => {
    assert.deepEqual(decodeNdp(advertisementBytes), advertisement);
  });

  for (const [flags, expected] of [
    [0x00, { router: false, solicited: false, override: false }],
    [0x80, { router: true, solicited: false, override: false }],
    [0x40, { router: false, solicited: true, override: false }],
    [0x20, { router: false, solicited: false, override: true }],
    [0x1f, { router: false, solicited: false, override: false }],
  ] as const) {
    it(`reads the flags 0x${flags.toString(16)}`, () => {
      const bytes = summed(advertisementBytes.with(44, flags));
      assert.deepEqual(decodeNdp(bytes), { ...advertisement, ...expected });
    });
  }

  for (let length = 0; length < solicitationBytes.length; length += 1) {
    it(`calls ${length} octets malformed`, () => {
      assert.equal(refusalOf(solicitationBytes.subarray(0, length)), "malformed");
    });
  }

  // With right lengths and checksum, so that nothing but the end is wrong.
  for (let length = 0; length < 32; length += 1) {
    const name = `a message of ${length} octets`;
    const packet = summed(solicitationBytes.subarray(0, 40 + length).with(5, length));
    if (length === 24) {
      it(`reads ${name}`, () => {
        assert.deepEqual(decodeNdp(packet), { ...solicitation, sourceMac: undefined });
      });
    } else {
      it(`calls ${name} malformed or wrongly summed`, () => {
        // Below four octets there is no room for a checksum.
        assert.equal(refusalOf(packet), length > 0 && length < 4 ? "checksum" : "malformed");
      });
    }
  }

  it("calls any one wrong bit of a message a wrong checksum or something else", () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, seed) => {
        const bytes = encodeNdp(message);
        const bit = seed % ((bytes.length - 40) * 8);
        const reason = refusalOf(flipped(bytes, 40 * 8 + bit));
        assert(reason === "checksum" || reason === "foreign", reason);
      }),
    );
  });

  it("reads back what encodeNdp() writes", () => {
    fc.assert(
      fc.property(messages, (message) => {
        const bytes = encodeNdp(message);
        assert.deepEqual(decodeNdp(bytes), message);
        assert.equal(icmpv6Checksum(bytes.subarray(8, 40), bytes.subarray(40)), 0);
      }),
    );
  });

  it("takes any options with a right checksum", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (tail) => {
        const bytes = new Uint8Array(64 + tail.length);
        bytes.set(solicitationBytes.subarray(0, 64));
        bytes.set(tail, 64);
        bytes[5] = 24 + tail.length;
        const result = decodeNdp(summed(bytes));
        if (result.kind === "refused") assert.equal(result.reason, "malformed");
        else assert.equal(result.kind, "solicitation");
      }),
    );
  });
});

describe("solicitedNodeGroup() and multicastMac()", () => {
  for (const [address, group, mac] of [
    ["2001:db8::1", "ff02::1:ff00:1", "33:33:ff:00:00:01"],
    ["2001:db8::a:b:cdef", "ff02::1:ff0b:cdef", "33:33:ff:0b:cd:ef"],
    ["4037::1:800:200e:8c6c", "ff02::1:ff0e:8c6c", "33:33:ff:0e:8c:6c"],
  ] as const) {
    it(`give ${group} and ${mac} for ${address}`, () => {
      assert.equal(solicitedNodeGroup(ip(address)), group);
      assert.equal(multicastMac(ip(group)), mac);
    });
  }

  it("give 33:33:00:00:00:01 for all nodes", () => {
    assert.equal(multicastMac(ip("ff02::1")), "33:33:00:00:00:01");
  });
});

describe("isMulticast()", () => {
  for (const [address, expected] of [
    ["ff02::1", true],
    ["ff00::", true],
    ["ffff::1", true],
    ["ff::1", false],
    ["fe80::1", false],
    ["::ff02", false],
  ] as const) {
    it(`says ${expected} of ${address}`, () => {
      assert.equal(isMulticast(ip(address)), expected);
    });
  }
});

function refusalOf(packet: Uint8Array): string {
  const result = decodeNdp(packet);
  return result.kind === "refused" ? result.reason : result.kind;
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  return bytes.with(bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)));
}

/** The packet with the right checksum, if it has room for one. */
function summed(packet: Uint8Array): Uint8Array {
  const bytes = Uint8Array.from(packet);
  if (bytes.length < 44) return bytes;
  bytes.fill(0, 42, 44);
  const checksum = icmpv6Checksum(bytes.subarray(8, 40), bytes.subarray(40));
  bytes.set([checksum >> 8, checksum & 255], 42);
  return bytes;
}
