import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  divide,
  type FrrFlavor,
  isNeeded,
  isOurs,
  ownersOf,
  parseFlavor,
  versionIn,
} from "./ownership.ts";
import { parseConfiguration } from "./tree.ts";

const flavors = {
  "8.4": { mgmtd: false, major: 8, minor: 4 },
  "10.3": { mgmtd: true, major: 10, minor: 3 },
  "10.7": { mgmtd: true, major: 10, minor: 7 },
} as const satisfies Record<string, FrrFlavor>;

describe("ownersOf()", () => {
  // Seen by asking each daemon of each version for its configuration.
  const everywhere = ["zebra", "bgpd", "bfdd"];
  for (const [key, on84, on103, on107] of [
    ["router bgp", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["router bgp vrf red", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["route-map a 1", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["ip prefix-list a seq 5", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["bgp route-map delay-timer", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["debug bgp updates in", ["bgpd"], ["bgpd"], ["bgpd"]],
    ["bfd", ["bfdd"], ["bfdd"], ["bfdd"]],
    ["debug bfd peer", ["bfdd"], ["bfdd"], ["bfdd"]],
    ["ip nht resolve-via-default", ["zebra"], [], []],
    ["debug zebra rib", ["zebra"], ["zebra"], ["zebra"]],
    ["interface eth0", ["zebra"], ["mgmtd"], ["mgmtd"]],
    ["ip route 10.0.0.0/8 Null0", ["staticd"], ["mgmtd"], ["mgmtd"]],
    ["log stdout", everywhere, everywhere, ["mgmtd"]],
    ["hostname", everywhere, everywhere, ["mgmtd"]],
  ] as const) {
    it(`of ${key}`, () => {
      assert.deepEqual(
        Object.values(flavors).map((flavor) => ownersOf(key, flavor)),
        [on84, on103, on107],
      );
    });
  }
});

it("divide() keeps the order, and copies what several daemons keep", () => {
  const { tree } = parseConfiguration("log stdout informational\nrouter bgp 1\nexit\nbfd\n");
  const parts = [...divide(tree, flavors["8.4"])].map(([daemon, part]) => [daemon, ...part.keys()]);
  assert.deepEqual(parts, [
    ["zebra", "log stdout"],
    ["bgpd", "log stdout", "router bgp"],
    ["bfdd", "log stdout", "bfd"],
  ]);
});

describe("isOurs()", () => {
  for (const [daemon, key, expected] of [
    ["bgpd", "route-map theirs 1", true],
    ["bgpd", "hostname", false],
    ["bfdd", "bfd", true],
    ["bfdd", "route-map copy 1", false],
    ["zebra", "ip protocol bgp", false],
    ["zebra", "log stdout", true],
    ["mgmtd", "interface eth0", false],
  ] as const) {
    it(`${expected ? "removes" : "leaves"} ${key} in ${daemon}`, () => {
      assert.equal(isOurs(daemon, key), expected);
    });
  }
});

describe("isNeeded()", () => {
  const tree = (text: string) => parseConfiguration(text).tree;
  it("does not miss a BFD daemon that would only log", () => {
    assert.equal(isNeeded("bfdd", tree("log stdout informational\nhostname a\n")), false);
    assert.equal(isNeeded("bfdd", tree("bfd\nprofile a\n")), true);
    assert.equal(isNeeded("bgpd", tree("")), true);
  });
});

describe("versions", () => {
  for (const [text, version] of [
    ["Current configuration:\n!\nfrr version 8.4.4\nfrr defaults traditional\n", "8.4.4"],
    ["FRRouting 10.3 (host) on Linux(6.18).\nCopyright", "10.3"],
    ["frr version 10.5.1-my-build\n", "10.5.1-my-build"],
    ["nothing", undefined],
  ] as const) {
    it(`versionIn() finds ${version}`, () => assert.equal(versionIn(text), version));
  }

  it("parseFlavor() reads major and minor", () => {
    assert.deepEqual(parseFlavor("10.5.1-my-build", true), { mgmtd: true, major: 10, minor: 5 });
    assert.equal(parseFlavor("", false), undefined);
  });
});
