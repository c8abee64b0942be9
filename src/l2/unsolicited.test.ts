import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { hardware, ip, octets } from "../../test/frames.ts";
import { decodeEthernet } from "./ethernet.ts";
import { decodeNdp } from "./ndp.ts";
import { probeFrame, unsolicitedFrames } from "./unsolicited.ts";

const mac = hardware("02:00:00:00:00:0a");
const linkLocal = ip("fe80::ff:fe00:a");
const ipv4 = ip("192.0.2.1");
const ipv6 = ip("2001:db8::1");

describe("unsolicitedFrames()", () => {
  it("makes gratuitous ARP in both forms", () => {
    const form = (operation: number): Uint8Array =>
      octets(`
        ff ff ff ff ff ff # destination
        02 00 00 00 00 0a # source
        08 06             # type
        00 01 08 00 06 04 # hardware and protocol
        00 0${operation}  # operation
        02 00 00 00 00 0a # sender hardware address
        c0 00 02 01       # sender protocol address
        ff ff ff ff ff ff # target hardware address
        c0 00 02 01       # target protocol address
      `);
    assert.deepEqual(unsolicitedFrames(ipv4, mac, undefined), [form(1), form(2)]);
  });

  it("makes one advertisement to all nodes", () => {
    const frames = unsolicitedFrames(ipv6, mac, linkLocal);
    assert.equal(frames.length, 1);
    const [frame = new Uint8Array()] = frames;
    const header = { destination: "33:33:00:00:00:01", source: mac, type: 0x86dd };
    assert.deepEqual(decodeEthernet(frame), header);
    assert.deepEqual(decodeNdp(frame.subarray(14)), {
      kind: "advertisement",
      source: linkLocal,
      destination: "ff02::1",
      target: ipv6,
      router: false,
      solicited: false,
      override: true,
      targetMac: mac,
    });
  });

  it("makes none for IPv6 without a link-local address", () => {
    assert.deepEqual(unsolicitedFrames(ipv6, mac, undefined), []);
  });
});

describe("probeFrame()", () => {
  it("makes an ARP probe", () => {
    const expected = octets(`
      ff ff ff ff ff ff # destination
      02 00 00 00 00 0a # source
      08 06             # type
      00 01 08 00 06 04 # hardware and protocol
      00 01             # operation
      02 00 00 00 00 0a # sender hardware address
      00 00 00 00       # sender protocol address
      00 00 00 00 00 00 # target hardware address
      c0 00 02 01       # target protocol address
    `);
    assert.deepEqual(probeFrame(ipv4, mac), expected);
  });

  it("makes a solicitation as in duplicate address detection", () => {
    const frame = probeFrame(ipv6, mac);
    const header = { destination: "33:33:ff:00:00:01", source: mac, type: 0x86dd };
    assert.deepEqual(decodeEthernet(frame), header);
    assert.deepEqual(decodeNdp(frame.subarray(14)), {
      kind: "solicitation",
      source: "::",
      destination: "ff02::1:ff00:1",
      target: ipv6,
      sourceMac: undefined,
    });
  });
});
