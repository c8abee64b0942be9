// FRR's settings from peers and profiles, the same whatever the order.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ConfigText, configOf, nodeState } from "../../test/speaker-config.ts";
import { LOG_LEVELS } from "../log.ts";
import { compilePolicy } from "./policy.ts";
import { frrLogLevel, frrSettings } from "./settings.ts";

function settingsOf(text: ConfigText = {}, node = nodeState()) {
  const config = configOf(text, {});
  return frrSettings(config, compilePolicy(config), node, "informational");
}

describe("frrSettings()", () => {
  it("writes a plain peer with nothing but what is set", () => {
    const { hostname, logLevel, routers, bfdProfiles, extras } = settingsOf();
    assert.deepEqual([hostname, logLevel, bfdProfiles, extras], ["node1", "informational", [], ""]);
    assert.deepEqual(routers, [
      {
        asn: 65000,
        vrf: null,
        routerId: "10.0.0.1",
        neighbors: [
          {
            peerName: "leaf1",
            address: "10.0.1.1",
            interfaceName: null,
            remoteAs: 65100,
            localAs: null,
            port: 179,
            sourceAddress: null,
            keepaliveSeconds: null,
            holdTimeSeconds: null,
            connectSeconds: null,
            password: null,
            ebgpMultihop: false,
            gracefulRestart: false,
            bfdProfile: null,
            ipv4: true,
            ipv6: false,
          },
        ],
      },
    ]);
  });

  it("writes everything a peer can say", () => {
    const [router] = settingsOf({
      bfdProfiles: { fast: { receiveInterval: 300, echoMode: true, minimumTtl: 10 } },
      pools: { pool: ["192.0.2.0/24"] },
      peers: {
        leaf1: {
          vrf: "red",
          routerID: "1.2.3.4",
          sourceAddress: "10.0.0.7",
          peerPort: 1179,
          holdTime: "9s",
          keepaliveTime: "3s",
          connectTime: "5s",
          password: "s3cret",
          bfdProfile: "fast",
          enableGracefulRestart: true,
          ebgpMultiHop: true,
          localASN: 65009,
          dualStackAddressFamily: true,
        },
      },
    }).routers;
    assert.deepEqual([router?.vrf, router?.routerId], ["red", "1.2.3.4"]);
    assert.deepEqual(router?.neighbors[0], {
      peerName: "leaf1",
      address: "10.0.1.1",
      interfaceName: null,
      remoteAs: 65100,
      localAs: 65009,
      port: 1179,
      sourceAddress: "10.0.0.7",
      keepaliveSeconds: 3,
      holdTimeSeconds: 9,
      connectSeconds: 5,
      password: "s3cret",
      ebgpMultihop: true,
      gracefulRestart: true,
      bfdProfile: "fast",
      ipv4: true,
      ipv6: true,
    });
  });

  for (const [name, spec, ipv4, ipv6] of [
    ["IPv4 session", { peerAddress: "10.0.0.2" }, true, false],
    ["IPv6 session", { peerAddress: "2001:db8::2" }, false, true],
    ["unnumbered session", { interface: "eth0", peerAddress: undefined }, true, true],
    [
      "session of both families",
      { peerAddress: "2001:db8::2", dualStackAddressFamily: true },
      true,
      true,
    ],
  ] as const) {
    it(`activates the families of an ${name}`, () => {
      const [router] = settingsOf({ peers: { leaf1: spec } }).routers;
      assert.deepEqual([router?.neighbors[0]?.ipv4, router?.neighbors[0]?.ipv6], [ipv4, ipv6]);
    });
  }

  it("groups peers into one router for each VRF, all in a fixed order", () => {
    const peers = { z: {}, a: {}, red: { vrf: "red", myASN: 65001 } };
    const turned = { red: { vrf: "red", myASN: 65001, peerAddress: "10.0.1.3" } };
    const { routers } = settingsOf({ peers });
    assert.deepEqual(
      routers.map(({ vrf, asn, neighbors }) => [vrf, asn, neighbors.map((one) => one.peerName)]),
      [
        [null, 65000, ["a", "z"]],
        ["red", 65001, ["red"]],
      ],
    );
    const again = settingsOf({
      peers: { ...turned, a: { peerAddress: "10.0.1.2" }, z: { peerAddress: "10.0.1.1" } },
    });
    assert.deepEqual(again.routers, routers);
  });

  it("takes a router ID from the name of a node without IPv4 address", () => {
    const idOf = (name: string) =>
      settingsOf({}, nodeState({ name, internalIpv4: undefined })).routers[0]?.routerId ?? "";
    assert.equal(idOf("node1"), idOf("node1"));
    assert.notEqual(idOf("node1"), idOf("node2"));
    for (let index = 0; index < 200; index += 1) {
      const first = Number(idOf(`node${index}`).split(".")[0]);
      assert(first >= 1 && first <= 127, idOf(`node${index}`));
    }
  });

  it("defines the classes that Services may get", () => {
    const BLUE = { serviceSelectors: [{ matchLabels: { color: "blue" } }] };
    const { classes } = settingsOf({
      advertisements: {
        always: { communities: ["65000:1"] },
        blue: { ...BLUE, communities: ["65000:2"] },
        wide: { aggregationLength: 26, aggregationLengthV6: 96, communities: ["65000:3"] },
        unheard: { peers: ["elsewhere"], communities: ["65000:4"] },
      },
    });
    const texts = classes.map((one) => one.map(({ communities }) => communities.join()));
    assert.deepEqual(texts, [["65000:1"], ["65000:1", "65000:2"], ["65000:3"]]);
  });

  it("hands on the user's own lines", () => {
    assert.equal(
      settingsOf({ extras: "ip prefix-list x permit any\n" }).extras.trim(),
      "ip prefix-list x permit any",
    );
  });
});

it("frrLogLevel() knows every level", () => {
  assert.deepEqual(LOG_LEVELS.map(frrLogLevel), [
    "debugging",
    "debugging",
    "informational",
    "warnings",
    "errors",
    "emergencies",
  ]);
});
