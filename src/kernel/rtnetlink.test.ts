// Messages of the kernel octet by octet, and octets that are none.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decodeLinkEvents, encodeDump, type LinkFacts } from "./rtnetlink.ts";

function hex(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
}

function u16(value: number): string {
  return Buffer.from(Uint16Array.of(value).buffer).toString("hex");
}

function u32(value: number): string {
  return Buffer.from(Uint32Array.of(value).buffer).toString("hex");
}

/** One message; sequence and port do not matter. */
function message(type: number, body: string, flags = 0): string {
  const octets = hex(body).length;
  const padding = "00".repeat((4 - (octets % 4)) % 4);
  return u32(16 + octets) + u16(type) + u16(flags) + u32(1) + u32(0) + body + padding;
}

function attribute(type: number, value: string): string {
  const octets = hex(value).length;
  return u16(4 + octets) + u16(type) + value + "00".repeat((4 - (octets % 4)) % 4);
}

/** A link with index 3: hardware type, flags, attributes. */
function link(hardwareType: number, flags: number, ...attributes: string[]): string {
  return `0000${u16(hardwareType)}${u32(3)}${u32(flags)}${u32(0)}${attributes.join("")}`;
}

function address(family: string, flags: string, scope: string, ...attributes: string[]): string {
  return `${family}40${flags}${scope}${u32(3)}${attributes.join("")}`;
}

const NAME = attribute(3, Buffer.from("eth0\0").toString("hex"));
const MAC = attribute(1, "02005e100001");
const FE80 = `fe80${"00".repeat(13)}01`;

const ETH0: LinkFacts = {
  index: 3,
  name: "eth0",
  mac: "02:00:5e:10:00:01" as LinkFacts["mac"],
  isUp: true,
  isRunning: true,
  isBroadcast: true,
  isLoopback: false,
  noArp: false,
  masterIndex: 0,
};
const UP = 0x1 | 0x2 | 0x40;

describe("decodeLinkEvents() reads", () => {
  const linkLocal = { kind: "linkLocal", index: 3, address: "fe80::1" } as const;
  const rows: readonly (readonly [string, string, readonly unknown[]])[] = [
    ["an Ethernet link", message(16, link(1, UP, NAME, MAC)), [{ kind: "link", link: ETH0 }]],
    [
      "a link that is down, without ARP, part of another",
      message(16, link(1, 0x82, NAME, MAC, attribute(10, u32(9)))),
      [
        {
          kind: "link",
          link: { ...ETH0, isUp: false, isRunning: false, noArp: true, masterIndex: 9 },
        },
      ],
    ],
    [
      "the loopback, whose hardware address is none",
      message(16, link(772, 0x49, NAME, attribute(1, "000000000000"))),
      [
        {
          kind: "link",
          link: { ...ETH0, mac: undefined, isBroadcast: false, isLoopback: true },
        },
      ],
    ],
    ["a deleted link", message(17, link(1, 0, NAME)), [{ kind: "linkGone", index: 3 }]],
    ["no bridge port that left its bridge", message(17, `07${link(1, 0, NAME).slice(2)}`), []],
    [
      "a link-local address",
      message(20, address("0a", "80", "fd", attribute(1, FE80))),
      [{ ...linkLocal, isTentative: false }],
    ],
    [
      "a tentative one, by its long flags",
      message(20, address("0a", "00", "fd", attribute(1, FE80), attribute(8, u32(0x40)))),
      [{ ...linkLocal, isTentative: true }],
    ],
    [
      "a duplicate",
      message(20, address("0a", "88", "fd", attribute(1, FE80))),
      [{ ...linkLocal, isTentative: true }],
    ],
    [
      "the own end of a link with two",
      message(
        20,
        address("0a", "80", "fd", attribute(1, `${FE80.slice(0, -2)}02`), attribute(2, FE80)),
      ),
      [{ ...linkLocal, isTentative: false }],
    ],
    [
      "a deleted address",
      message(21, address("0a", "80", "fd", attribute(1, FE80))),
      [{ kind: "linkLocalGone", index: 3, address: "fe80::1" }],
    ],
    ["no global address", message(20, address("0a", "80", "00", attribute(1, FE80))), []],
    ["no IPv4 address", message(20, address("02", "80", "fd", attribute(1, "c0000201"))), []],
    ["the end of an answer", message(3, u32(0)), [{ kind: "done" }]],
    [
      "that the list changed meanwhile",
      message(16, link(1, UP, NAME, MAC), 0x12),
      [{ kind: "interrupted" }, { kind: "link", link: ETH0 }],
    ],
    ["a refusal", message(2, u32(-16 >>> 0)), [{ kind: "refused", errno: 16 }]],
    [
      "several messages, foreign ones between them",
      message(17, link(1, 0)) + message(24, "00") + message(3, u32(0)),
      [{ kind: "linkGone", index: 3 }, { kind: "done" }],
    ],
  ];
  for (const [what, octets, events] of rows) {
    it(what, () => assert.deepEqual(decodeLinkEvents(hex(octets)), events));
  }

  it("nothing from a message that is cut short anywhere", () => {
    const whole = hex(message(16, link(1, UP, NAME, MAC)));
    for (let length = 0; length < whole.length; length++) {
      assert.deepEqual(decodeLinkEvents(whole.subarray(0, length)), []);
    }
  });

  it("any octets without an error", () => {
    const types = fc.constantFrom(2, 3, 16, 17, 20, 21);
    const body = fc.uint8Array({ maxLength: 80 });
    fc.assert(
      fc.property(types, body, fc.nat(255), (type, octets, noise) => {
        const bytes = hex(message(type, Buffer.from(octets).toString("hex")));
        bytes[noise % bytes.length] = noise;
        decodeLinkEvents(bytes);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("encodeDump()", () => {
  for (const [what, expected] of [
    ["links", `20000000 1200 0103 ${"00".repeat(24)}`],
    ["addresses", `20000000 1600 0103 ${"00".repeat(8)} 0a ${"00".repeat(15)}`],
  ] as const) {
    it(`asks for all ${what}`, () => assert.deepEqual(encodeDump(what), hex(expected)));
  }
});
