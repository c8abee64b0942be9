import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseBfdProfile } from "./bfd.ts";
import { fieldsOf } from "./field.ts";
import { secretPassword } from "./password.ts";
import { type Peer, parsePeer } from "./peer.ts";
import type { BGPPeerResource } from "./resources.ts";

const BASE = { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" };
const PASSWORD = "correct-horse";
const SECRETS: Readonly<Record<string, object>> = {
  good: secretOf({ password: btoa(PASSWORD) }),
  plain: { type: "kubernetes.io/basic-auth", stringData: { password: PASSWORD } },
  opaque: { type: "Opaque", data: { password: btoa(PASSWORD) } },
  keyless: secretOf({ username: btoa("me") }),
  empty: secretOf({ password: "" }),
  newline: secretOf({ password: btoa(`${PASSWORD}\n`) }),
  blank: secretOf({ password: btoa("correct horse") }),
  long: secretOf({ password: btoa("x".repeat(81)) }),
  broken: secretOf({ password: "%%%" }),
  latin1: secretOf({ password: btoa("\xff") }),
  number: secretOf({ password: 12 }),
};

describe("parsePeer()", () => {
  it("fills in what the schema would", () => {
    assert.deepEqual(peerOf({}), {
      name: "router",
      myAsn: 64500,
      remoteAs: 64501,
      localAsn: undefined,
      address: "192.0.2.1",
      interfaceName: undefined,
      port: 179,
      sourceAddress: undefined,
      holdTimeSeconds: undefined,
      keepaliveTimeSeconds: undefined,
      connectTimeSeconds: undefined,
      routerId: undefined,
      password: undefined,
      bfdProfile: undefined,
      gracefulRestart: false,
      ebgpMultihop: false,
      vrf: undefined,
      dualStack: false,
      nodeSelectors: [],
    });
  });

  for (const [why, spec, expected] of [
    ["an internal peer", { peerASN: 64500 }, { remoteAs: 64500 }],
    ["the highest AS number", { peerASN: 4294967295 }, { remoteAs: 4294967295 }],
    [
      "dynamicASN internal",
      { peerASN: undefined, dynamicASN: "internal" },
      { remoteAs: "internal" },
    ],
    ["dynamicASN external", { peerASN: 0, dynamicASN: "external" }, { remoteAs: "external" }],
    ["an external peer with multihop", { ebgpMultiHop: true }, { ebgpMultihop: true }],
    [
      "multihop on dynamicASN internal, where it means nothing",
      { peerASN: 0, dynamicASN: "internal", ebgpMultiHop: true },
      { remoteAs: "internal", ebgpMultihop: false },
    ],
    [
      "an unnumbered session, where multihop means nothing",
      { peerAddress: undefined, interface: "eth1", ebgpMultiHop: true },
      { address: undefined, interfaceName: "eth1", ebgpMultihop: false },
    ],
    ["an empty interface beside an address", { interface: "" }, { interfaceName: undefined }],
    ["an IPv6 address", { peerAddress: "2001:DB8::1" }, { address: "2001:db8::1" }],
    ["a mapped address", { peerAddress: "::ffff:192.0.2.9" }, { address: "192.0.2.9" }],
    ["a local AS number", { localASN: 64999 }, { localAsn: 64999 }],
    ["a local AS number that is our own", { localASN: 64500 }, { localAsn: undefined }],
    ["a port", { peerPort: 16384 }, { port: 16384 }],
    ["port 0 of old objects", { peerPort: 0 }, { port: 179 }],
    ["a source address", { sourceAddress: "192.0.2.7" }, { sourceAddress: "192.0.2.7" }],
    ["a router ID", { routerID: "192.0.2.8" }, { routerId: "192.0.2.8" }],
    ["a VRF", { vrf: "red" }, { vrf: "red" }],
    ["the default VRF by name", { vrf: "default" }, { vrf: undefined }],
    ["a BFD profile", { bfdProfile: "fast" }, { bfdProfile: "fast" }],
    [
      "the switches",
      { enableGracefulRestart: true, dualStackAddressFamily: true },
      { gracefulRestart: true, dualStack: true },
    ],
    ["disableMP, which does nothing", { disableMP: true }, {}],
    ["connectTime", { connectTime: "90s" }, { connectTimeSeconds: 90 }],
    ["the highest connectTime", { connectTime: "65535s" }, { connectTimeSeconds: 65535 }],
    ["both timers", { holdTime: "90s", keepaliveTime: "30s" }, timers(90, 30)],
    ["both timers 0", { holdTime: "0s", keepaliveTime: "0s" }, timers(0, 0)],
    ["holdTime only", { holdTime: "90s" }, timers(90, 30)],
    ["holdTime only, not divisible", { holdTime: "10s" }, timers(10, 3)],
    ["holdTime 0 only", { holdTime: "0" }, timers(0, 0)],
    ["keepaliveTime only", { keepaliveTime: "20s" }, timers(60, 20)],
    ["keepaliveTime 0 only", { keepaliveTime: "0s" }, timers(0, 0)],
    ["the lowest holdTime", { holdTime: "3s" }, timers(3, 1)],
    ["a holdTime that is cut down to 0", { holdTime: "500ms" }, timers(0, 0)],
    ["a holdTime with a part of a second", { holdTime: "1m30.9s" }, timers(90, 30)],
    ["no keepalives with a holdTime", { holdTime: "90s", keepaliveTime: "0s" }, timers(90, 0)],
    [
      "a keepaliveTime that FRR cuts down",
      { holdTime: "60s", keepaliveTime: "30s" },
      timers(60, 20),
    ],
    ["a password", { password: PASSWORD }, { password: PASSWORD }],
    ["a password of 80 octets", { password: "ä".repeat(40) }, { password: "ä".repeat(40) }],
    ["a password of signs", { password: "!|#?\"'\\$" }, { password: "!|#?\"'\\$" }],
    ["an empty password", { password: "" }, { password: undefined }],
    ["a Secret", { passwordSecret: { name: "good" } }, { password: PASSWORD }],
    [
      "a Secret of another namespace by name",
      { passwordSecret: { name: "good", namespace: "x" } },
      { password: PASSWORD },
    ],
    ["a Secret with stringData", { passwordSecret: { name: "plain" } }, { password: PASSWORD }],
    ["a Secret without a name", { passwordSecret: {} }, { password: undefined }],
  ] as const) {
    it(`takes ${why}`, () => {
      assert.deepEqual(peerOf(spec), { ...peerOf({}), ...expected });
    });
  }

  it("takes node selectors", () => {
    const { nodeSelectors } = peerOf({ nodeSelectors: [{ matchLabels: { rack: "1" } }] });
    assert.deepEqual(nodeSelectors, [[{ key: "rack", operator: "In", values: ["1"] }]]);
  });

  for (const [why, spec, field, message] of [
    ["no myASN", { myASN: undefined }, "myASN", /missing local ASN/],
    ["myASN 0", { myASN: 0 }, "myASN", /missing local ASN/],
    ["myASN above 32 bits", { myASN: 4294967296 }, "myASN", /want an integer from 0 to 4294967295/],
    ["myASN as a text", { myASN: "64500" }, "myASN", /want an integer/],
    ["neither peerASN nor dynamicASN", { peerASN: 0 }, "peerASN", /missing peerASN and dynamicASN/],
    ["both peerASN and dynamicASN", { dynamicASN: "internal" }, "dynamicASN", /both.*specified/],
    ["dynamicASN foo", { peerASN: 0, dynamicASN: "foo" }, "dynamicASN", /invalid dynamicASN/],
    [
      "multihop with an internal peer",
      { peerASN: 64500, ebgpMultiHop: true },
      "ebgpMultiHop",
      /internal peer/,
    ],
    ["localASN 0", { localASN: 0 }, "localASN", /want an integer from 1/],
    ["localASN on an internal session", { peerASN: 64500, localASN: 1 }, "localASN", /internal/],
    [
      "localASN on dynamicASN internal",
      { peerASN: 0, dynamicASN: "internal", localASN: 1 },
      "localASN",
      /internal/,
    ],
    ["localASN equal to peerASN", { localASN: 64501 }, "localASN", /another number than peerASN/],
    ["neither address nor interface", { peerAddress: "" }, "peerAddress", /not specified/],
    ["both address and interface", { interface: "eth0" }, "interface", /both.*specified/],
    ["1.2.3.400", { peerAddress: "1.2.3.400" }, "peerAddress", /invalid BGPPeer address/],
    ["1.1.1", { peerAddress: "1.1.1" }, "peerAddress", /invalid BGPPeer address/],
    [
      "an address with a zone",
      { peerAddress: "fe80::1%eth0" },
      "peerAddress",
      /invalid BGPPeer address/,
    ],
    [
      "an address with a line break",
      { peerAddress: "192.0.2.1\n no bgp" },
      "peerAddress",
      /control characters/,
    ],
    ["a number for the address", { peerAddress: 1 }, "peerAddress", /want a text/],
    ["an interface with a blank", unnumbered("eth0 remote-as"), "interface", /network device/],
    ["an interface of 16", unnumbered("e".repeat(16)), "interface", /network device/],
    ["an interface with a line break", unnumbered("eth0\nx"), "interface", /control characters/],
    ["an interface that is an address", unnumbered("192.0.2.1"), "interface", /network device/],
    ["an interface named ..", unnumbered(".."), "interface", /network device/],
    ["an alias interface", unnumbered("eth0:1"), "interface", /network device/],
    ["a VRF with a blank", { vrf: "a b" }, "vrf", /network device/],
    ["a VRF of 16", { vrf: "v".repeat(16) }, "vrf", /network device/],
    ["a VRF with a line break", { vrf: "a\nb" }, "vrf", /control characters/],
    ["holdTime 1s", { holdTime: "1s" }, "holdTime", /invalid peer timers/],
    ["holdTime 2.9s", { holdTime: "2.9s" }, "holdTime", /invalid peer timers/],
    ["holdTime above 16 bits", { holdTime: "65536s" }, "holdTime", /invalid peer timers/],
    ["a negative holdTime", { holdTime: "-90s" }, "holdTime", /want a duration/],
    [
      "holdTime 30s with keepaliveTime 90s",
      { holdTime: "30s", keepaliveTime: "90s" },
      "keepaliveTime",
      /at most the hold time/,
    ],
    [
      "holdTime 0 with keepaliveTime 30s",
      { holdTime: "0s", keepaliveTime: "30s" },
      "keepaliveTime",
      /at most the hold time/,
    ],
    [
      "keepaliveTime 500ms alone",
      { keepaliveTime: "500ms" },
      "keepaliveTime",
      /invalid peer timers/,
    ],
    [
      "keepaliveTime 900ms",
      { holdTime: "90s", keepaliveTime: "900ms" },
      "keepaliveTime",
      /want 0s or at least 1s/,
    ],
    ["holdTime without a unit", { holdTime: "90" }, "holdTime", /want a duration/],
    ["holdTime as a number", { holdTime: 90 }, "holdTime", /want a text/],
    ["connectTime 0s", { connectTime: "0s" }, "connectTime", /1 to 65535 whole seconds/],
    ["connectTime 65536s", { connectTime: "65536s" }, "connectTime", /1 to 65535 whole seconds/],
    ["connectTime 1500ms", { connectTime: "1500ms" }, "connectTime", /1 to 65535 whole seconds/],
    ["a router ID that is text", { routerID: "router" }, "routerID", /invalid router ID/],
    ["an IPv6 router ID", { routerID: "2001:db8::1" }, "routerID", /want an IPv4 address.*FRR/],
    ["router ID 0.0.0.0", { routerID: "0.0.0.0" }, "routerID", /invalid router ID/],
    [
      "a source address that is text",
      { sourceAddress: "x" },
      "sourceAddress",
      /invalid source address/,
    ],
    [
      "a source of the other family",
      { sourceAddress: "2001:db8::1" },
      "sourceAddress",
      /one family/,
    ],
    [
      "equal node selectors",
      { nodeSelectors: [{}, {}] },
      "nodeSelectors[1]",
      /duplicate definition/,
    ],
    [
      "a bad node selector",
      { nodeSelectors: [{ matchExpressions: [{ key: "a", operator: "Is" }] }] },
      "nodeSelectors[0].matchExpressions[0].operator",
      /want In/,
    ],
    [
      "both passwords",
      { password: PASSWORD, passwordSecret: { name: "good" } },
      "passwordSecret.name",
      /[Cc]annot have both/,
    ],
    [
      "a Secret of another type",
      { passwordSecret: { name: "opaque" } },
      "passwordSecret.name",
      /type mismatch.*"Opaque".*"kubernetes.io\/basic-auth" is expected/,
    ],
    [
      "a Secret without the key",
      { passwordSecret: { name: "keyless" } },
      "passwordSecret.name",
      /want key "password"/,
    ],
    [
      "a Secret with an empty password",
      { passwordSecret: { name: "empty" } },
      "passwordSecret.name",
      /0 octets/,
    ],
    [
      "a Secret with a line break",
      { passwordSecret: { name: "newline" } },
      "passwordSecret.name",
      /control character.*echo -n/,
    ],
    [
      "a Secret with a blank",
      { passwordSecret: { name: "blank" } },
      "passwordSecret.name",
      /blank/,
    ],
    [
      "a Secret of 81 octets",
      { passwordSecret: { name: "long" } },
      "passwordSecret.name",
      /81 octets/,
    ],
    [
      "a Secret that is no base64",
      { passwordSecret: { name: "broken" } },
      "passwordSecret.name",
      /base64/,
    ],
    [
      "a Secret that is no UTF-8",
      { passwordSecret: { name: "latin1" } },
      "passwordSecret.name",
      /UTF-8/,
    ],
    [
      "a Secret with a number",
      { passwordSecret: { name: "number" } },
      "passwordSecret.name",
      /want key/,
    ],
    ["a password for an object", { passwordSecret: PASSWORD }, "passwordSecret", /want an object/],
    [
      "a password with a line break",
      { password: `${PASSWORD}\n` },
      "password",
      /control character/,
    ],
    ["a password with a tab", { password: `${PASSWORD}\t1` }, "password", /control character/],
    ["a password with a blank", { password: `${PASSWORD} 1` }, "password", /blank/],
    ["a password that ends in a blank", { password: `${PASSWORD} ` }, "password", /blank/],
    [
      "a password of 81 octets",
      { password: `${PASSWORD}${"x".repeat(68)}` },
      "password",
      /81 octets/,
    ],
    [
      "a password of 82 octets in 41 letters",
      { password: "ä".repeat(41) },
      "password",
      /82 octets/,
    ],
    ["a password that is a list", { password: [PASSWORD] }, "password", /want a text/],
    ["port 16385", { peerPort: 16385 }, "peerPort", /want an integer/],
    [
      "a text for graceful restart",
      { enableGracefulRestart: "on" },
      "enableGracefulRestart",
      /want true/,
    ],
    ["a text for disableMP", { disableMP: "on" }, "disableMP", /want true/],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = parse(spec);
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => [finding.field, finding.transient]),
        [[`spec.${field}`, false]],
      );
      assert.match(result.findings[0]?.message ?? "", message);
      assert.ok(!JSON.stringify(result).includes(PASSWORD), "a password in a message");
    });
  }

  for (const [why, spec, field, message] of [
    ["a missing Secret", { passwordSecret: { name: "absent" } }, "passwordSecret.name", /"absent"/],
    [
      "a missing BFD profile",
      { bfdProfile: "slow" },
      "bfdProfile",
      /peer "router" referencing non existing bfd profile slow/,
    ],
  ] as const) {
    it(`waits for ${why}`, () => {
      const result = parse(spec);
      assert.equal(result.kind, "invalid");
      assert.deepEqual(
        result.findings.map((finding) => [finding.field, finding.transient]),
        [[`spec.${field}`, true]],
      );
      assert.match(result.findings[0]?.message ?? "", message);
    });
  }

  it("reports everything that is wrong, in the order of the checks", () => {
    const result = parse({
      myASN: 0,
      holdTime: "1s",
      peerAddress: "x",
      routerID: "y",
      sourceAddress: "z",
      bfdProfile: "slow",
    });
    assert.equal(result.kind, "invalid");
    assert.deepEqual(
      result.findings.map(({ field }) => field.slice("spec.".length)),
      ["myASN", "holdTime", "peerAddress", "routerID", "sourceAddress", "bfdProfile"],
    );
  });

  for (const spec of [undefined, null, "text", [PASSWORD], { ...BASE, nodeSelectors: 1 }]) {
    it(`does not throw for a spec of ${JSON.stringify(spec)?.slice(0, 12)}`, () => {
      const result = parsePeer(
        { metadata: { name: "router" }, spec } as BGPPeerResource,
        REFERENCES,
      );
      assert.equal(result.kind, "invalid");
      assert.ok(!JSON.stringify(result).includes(PASSWORD), "a password in a message");
    });
  }
});

const PROFILE = parseBfdProfile({ metadata: { name: "fast" } });

const REFERENCES = {
  findPassword: (name: string) => {
    const secret = SECRETS[name];
    return secretPassword(name, secret === undefined ? undefined : fieldsOf(secret, "", []));
  },
  findBfdProfile: (name: string) =>
    PROFILE.kind === "value" && name === "fast" ? PROFILE.value : undefined,
};

function parse(spec: object) {
  const resource = { metadata: { name: "router" }, spec: { ...BASE, ...spec } } as BGPPeerResource;
  return parsePeer(resource, REFERENCES);
}

function peerOf(spec: object): Peer {
  const result = parse(spec);
  assert.ok(result.kind === "value", JSON.stringify(result));
  return result.value;
}

function timers(holdTimeSeconds: number, keepaliveTimeSeconds: number) {
  return { holdTimeSeconds, keepaliveTimeSeconds };
}

function unnumbered(name: string) {
  return { peerAddress: undefined, interface: name };
}

function secretOf(data: object) {
  return { type: "kubernetes.io/basic-auth", data };
}
