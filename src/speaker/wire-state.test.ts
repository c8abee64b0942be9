// What people are told of the wire: all of it, in texts that survive JSON.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { livingMembers, wireStatus } from "../../test/fakes/recorded-wire.ts";
import { address } from "../../test/speaker-config.ts";
import type { AddressState } from "../l2/handover.ts";
import { wireState } from "./wire-state.ts";

/** The thread began its clock then. */
const EPOCH = "2026-11-01T00:00:00.000Z";
const epochMs = Date.parse(EPOCH);

describe("wireState()", () => {
  it("of a wire that has just started", () => {
    assert.deepEqual(wireState(wireStatus({ interfaces: [] }), []), {
      problems: [],
      fence: null,
      addresses: [],
      members: null,
      interfaces: [],
      lastTakeover: null,
    });
  });

  it("has every address in the order of numbers, since when, and who else is concerned", () => {
    const addresses = new Map<string, AddressState>([
      ["2001:db8::1", { kind: "answering", sinceMs: 1000, from: undefined }],
      ["192.0.2.10", { kind: "waiting", sinceMs: 2000, for: "02:00:00:00:00:09" }],
      ["192.0.2.9", { kind: "answering", sinceMs: 3500, from: "node2" }],
      ["192.0.2.100", { kind: "probing", sinceMs: 60_000 }],
      ["198.51.100.1", { kind: "asking", sinceMs: 0 }],
    ]);
    const status = wireStatus({
      epochMs,
      addresses: new Map([...addresses].map(([ip, state]) => [address(ip), state])),
    });
    assert.deepEqual(
      wireState(status, []).addresses.map((one) => Object.values(one)),
      [
        ["192.0.2.9", "answering", "2026-11-01T00:00:03.500Z", "node2"],
        ["192.0.2.10", "waiting", "2026-11-01T00:00:02.000Z", "02:00:00:00:00:09"],
        ["192.0.2.100", "probing", "2026-11-01T00:01:00.000Z", null],
        ["198.51.100.1", "asking", EPOCH, null],
        ["2001:db8::1", "answering", "2026-11-01T00:00:01.000Z", null],
      ],
    );
  });

  it("has members, interfaces, problems and the last take-over", () => {
    const snapshot = livingMembers("node1", "node2");
    const members = {
      ...snapshot,
      members: snapshot.members.map((member, index) => ({
        ...member,
        sinceMs: index * 1000,
        rttMs: index === 0 ? undefined : 0.42,
      })),
    };
    const [eth0] = wireStatus().interfaces;
    assert(eth0 !== undefined);
    const lastTakeover = { at: EPOCH, address: "192.0.2.1", from: null, durationMs: 51.5 };
    const state = wireState(
      wireStatus({
        epochMs,
        members,
        interfaces: [eth0, { ...eth0, name: "tun0", arp: false, whyNot: "notEthernet" }],
        fence: "cut off",
        lastTakeover,
      }),
      ["Cannot open a packet socket"],
    );
    assert.deepEqual(state, {
      problems: ["Cannot open a packet socket"],
      fence: "cut off",
      addresses: [],
      members: [
        { name: "node1", state: "alive", since: EPOCH, why: "answers", rttMs: null },
        {
          name: "node2",
          state: "alive",
          since: "2026-11-01T00:00:01.000Z",
          why: "answers",
          rttMs: 0.42,
        },
      ],
      interfaces: [
        { name: "eth0", mac: eth0.mac, arp: true, ndp: false, whyNot: null },
        { name: "tun0", mac: eth0.mac, arp: false, ndp: false, whyNot: "notEthernet" },
      ],
      lastTakeover,
    });
    assert.deepEqual(JSON.parse(JSON.stringify(state)), state);
  });
});
