import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { formatRange, rangesOverlap } from "../net/range.ts";
import { type Accepted, type ConfigResources, type ParsedConfig, parseConfig } from "./config.ts";
import type { ObjectMeta } from "./resources.ts";

const NONE: Accepted = new Map();
const WORKER = { name: "worker-1", labels: { rack: "1" } };
const PASSWORD = "correct-horse";
const RACK_1 = [{ matchLabels: { rack: "1" } }];
const RACK_2 = [{ matchLabels: { rack: "2" } }];

describe("parseConfig()", () => {
  it("compiles a whole installation, in name order", () => {
    const { config, problems } = parse(installation());
    assert.deepEqual(problems, []);
    assert.deepEqual([...config.pools.keys()], ["dual", "gold"]);
    assert.deepEqual(named(config.peers), ["leaf-1", "leaf-2"]);
    assert.deepEqual([...config.bfdProfiles.keys()], ["fast"]);
    assert.deepEqual(named(config.bgpAdvertisements), ["all", "gold"]);
    assert.deepEqual(named(config.l2Advertisements), ["l2"]);
    assert.equal(config.peers[0]?.password, PASSWORD);
    assert.deepEqual(config.bgpAdvertisements[1]?.communities, [
      { kind: "standard", text: "65000:7" },
    ]);
    assert.equal(config.extras, "! mine\n");
  });

  it("is content with nothing", () => {
    const { config, problems, accepted } = parse({});
    assert.deepEqual(problems, []);
    assert.equal(config.pools.size, 0);
    assert.equal(accepted.size, 0);
  });

  it("gives the same result again when nothing changed", () => {
    const first = parse(installation());
    const second = parse(installation(), first.accepted);
    assert.deepEqual(second.config, first.config);
    assert.deepEqual(second.accepted, first.accepted);
  });

  it("gives the same result whatever the order of the objects", () => {
    const good = parse(installation());
    for (const accepted of [NONE, good.accepted]) {
      const resources = quarrel();
      const expected = parse(resources, accepted);
      assert.ok(expected.problems.length > 5);
      fc.assert(
        fc.property(shuffled(resources), (inOtherOrder) => {
          const { config, problems, accepted: next } = parse(inOtherOrder, accepted);
          assert.deepEqual(config, expected.config);
          assert.deepEqual([...config.pools.keys()], [...expected.config.pools.keys()]);
          assert.deepEqual(problems, expected.problems);
          assert.deepEqual(new Map([...next].sort()), new Map([...expected.accepted].sort()));
        }),
        { numRuns: 50 },
      );
    }
  });

  it("never throws, whatever the objects are", () => {
    const anything = fc.oneof(fc.anything({ withBigInt: true }), fc.constant(null));
    const metadata = fc.oneof(
      { weight: 4, arbitrary: fc.constantFrom(meta("a"), meta("b", 2)) },
      { weight: 1, arbitrary: anything },
    );
    const specOf = (keys: readonly string[]) =>
      fc.dictionary(fc.constantFrom(...keys), fc.oneof(anything, fc.array(anything)));
    const objects = (...keys: readonly string[]) =>
      fc.array(
        fc.oneof(
          { weight: 1, arbitrary: anything },
          { weight: 6, arbitrary: fc.record({ metadata, spec: fc.oneof(specOf(keys), anything) }) },
        ),
        { maxLength: 4 },
      );
    const arbitrary = fc.record({
      pools: objects("addresses", "autoAssign", "serviceAllocation"),
      peers: objects("myASN", "peerASN", "peerAddress", "password", "passwordSecret", "holdTime"),
      bfdProfiles: objects("receiveInterval", "echoMode"),
      communities: objects("communities"),
      bgpAdvertisements: objects("communities", "localPref", "nodeSelectors", "ipAddressPools"),
      l2Advertisements: objects("interfaces", "preferredNodeSelectors", "serviceSelectors"),
      namespaces: objects("finalizers"),
      secrets: fc.array(
        fc.oneof(anything, fc.record({ metadata, type: anything, data: anything })),
      ),
      extras: anything,
    });
    fc.assert(
      fc.property(arbitrary, (resources) => {
        const first = parse(resources as Partial<ConfigResources>);
        for (const { object, field, message } of first.problems) {
          assert.ok(typeof field === "string" && message.length > 0 && object.kind.length > 0);
        }
        parse(resources as Partial<ConfigResources>, first.accepted);
      }),
    );
  });

  describe("accepts per object:", () => {
    for (const [kind, change] of [
      ["IPAddressPool", { pools: [pool("bad", ["x"]), ...installation().pools] }],
      ["BGPPeer", { peers: [peer("bad", { myASN: 0 }), ...installation().peers] }],
      [
        "BFDProfile",
        { bfdProfiles: [bfd("bad", { minimumTtl: 0 }), ...installation().bfdProfiles] },
      ],
      ["Community", { communities: [community("bad", { a: "x" }), ...installation().communities] }],
      [
        "BGPAdvertisement",
        { bgpAdvertisements: [bgp("bad", { localPref: -1 }), ...installation().bgpAdvertisements] },
      ],
      [
        "L2Advertisement",
        { l2Advertisements: [l2("bad", { interfaces: 1 }), ...installation().l2Advertisements] },
      ],
    ] as const) {
      it(`a bad ${kind} stops nothing else`, () => {
        const { config, problems } = parse({ ...installation(), ...change });
        assert.deepEqual(blamed(problems), [`${kind}/bad`]);
        assert.deepEqual(config, parse(installation()).config);
      });
    }

    it("names the object with namespace and uid", () => {
      const { problems } = parse({
        pools: [{ metadata: { ...meta("bad"), uid: "u-1" }, spec: { addresses: [] } }],
      });
      assert.deepEqual(problems[0]?.object, {
        kind: "IPAddressPool",
        namespace: "metallb-system",
        name: "bad",
        uid: "u-1",
      });
    });

    it("an object without a proper name is a problem of its own", () => {
      const good = pool("good", ["10.0.0.0/24"]);
      const { config, problems } = parse({
        pools: [
          good,
          { ...good, metadata: { name: "" } },
          { ...good, metadata: { name: "a b\n" } },
          { ...good, metadata: { name: "labelled", labels: { a: 1 } as never } },
          null as never,
        ],
      });
      assert.deepEqual([...config.pools.keys()], ["good"]);
      assert.deepEqual(problems.map(({ field }) => field).sort(), [
        "",
        "metadata.labels.a",
        "metadata.name",
        "metadata.name",
      ]);
    });

    it("the younger of two objects of one name is a problem", () => {
      const { config, problems } = parse({
        pools: [pool("twin", ["10.1.0.0/24"], 2), pool("twin", ["10.0.0.0/24"], 1)],
      });
      assert.match(problems[0]?.message ?? "", /already exists/);
      assert.deepEqual(rangesOf(config), { twin: ["10.0.0.0/24"] });
    });

    it("bad lines of bgpextras are a problem of the ConfigMap and left out", () => {
      const { config, problems } = parse({ extras: "one\ntwo\u0007\nthree" });
      assert.equal(config.extras, "one\nthree");
      assert.deepEqual(blamed(problems), ["ConfigMap/bgpextras"]);
    });
  });

  describe("keeps the last good version:", () => {
    it("of an object that is edited badly, until it is mended or gone", () => {
      const good = parse({ pools: [pool("a", ["10.0.0.0/24"]), pool("b", ["10.1.0.0/24"])] });
      const bad = { pools: [pool("a", ["nonsense"]), pool("b", ["10.2.0.0/24"])] };
      const edited = parse(bad, good.accepted);
      assert.deepEqual(blamed(edited.problems), ["IPAddressPool/a"]);
      assert.deepEqual(rangesOf(edited.config), { a: ["10.0.0.0/24"], b: ["10.2.0.0/24"] });

      const again = parse(bad, edited.accepted);
      assert.deepEqual(again.config, edited.config);
      assert.deepEqual(again.problems, edited.problems);

      const mended = parse({ pools: [pool("a", ["10.9.0.0/24"])] }, again.accepted);
      assert.deepEqual(rangesOf(mended.config), { a: ["10.9.0.0/24"] });
      assert.deepEqual([...mended.accepted.keys()], ["IPAddressPool/metallb-system/a"]);

      const gone = parse({}, again.accepted);
      const back = parse({ pools: [pool("a", ["nonsense"])] }, gone.accepted);
      assert.deepEqual(rangesOf(back.config), {});
    });

    it("but not of another object that had the same name", () => {
      const withUid = (uid: string, addresses: readonly string[]) => ({
        pools: [{ metadata: { ...meta("a"), uid }, spec: { addresses } }],
      });
      const good = parse(withUid("u-1", ["10.0.0.0/24"]));
      const other = parse(withUid("u-2", ["nonsense"]), good.accepted);
      assert.deepEqual(rangesOf(other.config), {});
    });

    it("of each other kind", () => {
      const good = parse(installation());
      const bad = parse(
        {
          ...installation(),
          peers: installation().peers.map(({ metadata }) => ({ metadata, spec: { myASN: 0 } })),
          bfdProfiles: [bfd("fast", { detectMultiplier: 1 })],
          communities: [community("names", { blue: "broken" })],
          bgpAdvertisements: [bgp("all", { localPref: -1 }), bgp("gold", { peers: 1 })],
          l2Advertisements: [l2("l2", { interfaces: 1 })],
        },
        good.accepted,
      );
      assert.deepEqual(bad.config, good.config);
      assert.equal(new Set(blamed(bad.problems)).size, 7);
    });

    it("with the namespaces there are now", () => {
      const spec = {
        addresses: ["10.0.0.0/24"],
        serviceAllocation: { namespaceSelectors: [{ matchLabels: { team: "red" } }] },
      };
      const metadata = meta("a");
      const namespace = (name: string) => ({ metadata: { name, labels: { team: "red" } } });
      const good = parse({ pools: [{ metadata, spec }], namespaces: [namespace("one")] });
      const bad = parse(
        { pools: [{ metadata, spec: { addresses: ["x"] } }], namespaces: [namespace("two")] },
        good.accepted,
      );
      assert.deepEqual(bad.config.pools.get("a")?.serviceAllocation?.namespaces, new Set(["two"]));
    });

    it("of a peer whose Secret or BFD profile is taken away, with what they said", () => {
      const good = parse(installation());
      const bare = { ...installation(), secrets: [], bfdProfiles: [] };
      const bereft = parse(bare, good.accepted);
      assert.deepEqual(
        bereft.problems.map(({ field, transient }) => [field, transient]),
        [
          ["spec.passwordSecret.name", true],
          ["spec.bfdProfile", true],
        ],
      );
      assert.deepEqual(bereft.config, good.config);
      assert.deepEqual(parse(bare, bereft.accepted).config, good.config);
    });

    it("of an advertisement whose alias is taken away", () => {
      const good = parse(installation());
      const bereft = parse({ ...installation(), communities: [] }, good.accepted);
      assert.deepEqual(
        bereft.problems.map(({ object, transient }) => [object.name, transient]),
        [["gold", true]],
      );
      assert.deepEqual(bereft.config, good.config);
    });
  });

  describe("blames, for a conflict,", () => {
    const twoPeers = (a: object, b: object) => ({
      peers: [peer("a", { peerAddress: "192.0.2.9", ...a }, 2), peer("b", b, 1)],
    });
    for (const [what, resources, message] of [
      [
        "overlapping pools",
        { pools: [pool("a", ["10.0.0.0/24"], 2), pool("b", ["10.0.0.9-10.0.1.9"], 1)] },
        /"10.0.0.0\/24": overlaps with already defined CIDR "10.0.0.9-10.0.1.9" of IPAddressPool "b"/,
      ],
      [
        "one alias in two objects",
        { communities: [community("a", { x: "1:1" }, 2), community("b", { x: "1:2" }, 1)] },
        /duplicate definition of community "x"/,
      ],
      [
        "two sessions to one address",
        twoPeers({ peerAddress: "2001:db8::1" }, { peerAddress: "2001:DB8:0::1" }),
        /"2001:db8::1": it already exists for BGPPeer "b"/,
      ],
      ["two sessions over one interface", twoPeers(over("eth0"), over("eth0")), /already exists/],
      [
        "two sessions to one address in one VRF",
        twoPeers({ peerAddress: "1.1.1.1", vrf: "red" }, { peerAddress: "1.1.1.1", vrf: "red" }),
        /already exists/,
      ],
      [
        "differing router IDs",
        twoPeers({ routerID: "1.1.1.1" }, { routerID: "1.1.1.2" }),
        /router ID "1.1.1.1".*"1.1.1.2"/,
      ],
      ["one router ID set, one unset", twoPeers({}, { routerID: "1.1.1.2" }), /router ID unset/],
      ["differing AS numbers of ours", twoPeers({ myASN: 1 }, { myASN: 2 }), /myASN 1/],
      [
        "differing local preferences",
        {
          pools: [pool("p", ["10.0.0.0/24"])],
          bgpAdvertisements: [bgp("a", { localPref: 1 }, 2), bgp("b", { localPref: 2 }, 1)],
        },
        /Cannot use 1: invalid local preference .* has set 2/,
      ],
    ] as const) {
      it(`the younger object: ${what}`, () => {
        for (const node of [WORKER, undefined]) {
          const { problems } = parseConfig(resourcesOf(resources), { node, accepted: NONE });
          assert.deepEqual(
            problems.map(({ object }) => object.name),
            ["a"],
          );
          assert.match(problems[0]?.message ?? "", message);
        }
      });
    }

    for (const [what, resources] of [
      ["IPv4 and IPv6 pools", { pools: [pool("a", ["0.0.0.0/0"]), pool("b", ["::/0"])] }],
      ["pools side by side", { pools: [pool("a", ["10.0.0.0/25"]), pool("b", ["10.0.0.128/25"])] }],
      [
        "one address in two VRFs",
        twoPeers({ peerAddress: "1.1.1.1", vrf: "red" }, { peerAddress: "1.1.1.1" }),
      ],
      ["AS numbers of ours in two VRFs", twoPeers({ myASN: 1, vrf: "red" }, { myASN: 2 })],
      [
        "peers of different nodes",
        twoPeers({ myASN: 1, nodeSelectors: RACK_1 }, { myASN: 2, nodeSelectors: RACK_2 }),
      ],
      [
        "advertisements of different nodes",
        ads({ localPref: 1, nodeSelectors: RACK_1 }, { localPref: 2, nodeSelectors: RACK_2 }),
      ],
      [
        "advertisements of different pools",
        ads({ localPref: 1, ipAddressPools: ["p"] }, { localPref: 2, ipAddressPools: ["q"] }),
      ],
      [
        "an advertisement with service selectors",
        ads({ localPref: 1, serviceSelectors: [{}] }, { localPref: 2 }),
      ],
    ] as const) {
      it(`nobody: ${what}`, () => {
        for (const node of [WORKER, undefined]) {
          const { problems } = parseConfig(resourcesOf(resources), { node, accepted: NONE });
          assert.deepEqual(problems, []);
        }
      });
    }

    it("the later name when both are of one second, and neither time when none is known", () => {
      for (const creationTimestamp of ["2026-01-01T00:00:00Z", undefined]) {
        const { problems } = parse({
          pools: ["b", "a"].map((name) => ({
            metadata: creationTimestamp === undefined ? { name } : { name, creationTimestamp },
            spec: { addresses: ["10.0.0.0/24"] },
          })),
        });
        assert.deepEqual(blamed(problems), ["IPAddressPool/b"]);
      }
    });

    it("the object that is edited, not the younger one that was in force", () => {
      const first = parse({
        pools: [pool("old", ["10.0.0.0/24"], 1), pool("young", ["10.1.0.0/24"], 2)],
      });
      const second = parse(
        { pools: [pool("old", ["10.0.0.0/8"], 1), pool("young", ["10.1.0.0/24"], 2)] },
        first.accepted,
      );
      assert.deepEqual(blamed(second.problems), ["IPAddressPool/old"]);
      assert.deepEqual(rangesOf(second.config), { old: ["10.0.0.0/24"], young: ["10.1.0.0/24"] });
    });

    it("a new object that wants what a badly edited one still has", () => {
      const first = parse({ pools: [pool("z", ["10.0.0.0/24"], 1)] });
      const second = parse(
        { pools: [pool("z", ["nonsense"], 1), pool("a", ["10.0.0.0/24"], 0)] },
        first.accepted,
      );
      assert.deepEqual(blamed(second.problems), ["IPAddressPool/a", "IPAddressPool/z"]);
      assert.deepEqual(rangesOf(second.config), { z: ["10.0.0.0/24"] });
    });

    it("an object kept out no less when it could not come back before", () => {
      const both = { pools: [pool("a", ["10.0.0.0/24"], 1), pool("b", ["10.0.0.0/25"], 2)] };
      const second = parse(both, parse(both).accepted);
      assert.deepEqual(rangesOf(second.config), { a: ["10.0.0.0/24"] });
      const freed = parse({ pools: both.pools.slice(1) }, second.accepted);
      assert.deepEqual(rangesOf(freed.config), { b: ["10.0.0.0/25"] });
    });

    it("exactly the pools whose version of now is not in force, which never overlap", () => {
      const sets = fc.dictionary(
        fc.constantFrom("a", "b", "c", "d", "e"),
        fc.array(fc.constantFrom("10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.9/32", "x"), {
          minLength: 1,
          maxLength: 2,
        }),
      );
      fc.assert(
        fc.property(fc.array(sets, { minLength: 1, maxLength: 5 }), (history) => {
          let accepted = NONE;
          for (const set of history) {
            const resources = Object.entries(set).map(([name, addresses]) => pool(name, addresses));
            const parsed = parse({ pools: resources }, accepted);
            const inForce = rangesOf(parsed.config);
            const good = Object.keys(set).filter(
              (name) => inForce[name]?.join() === set[name]?.join(),
            );
            const bad = Object.keys(set).filter((name) => !good.includes(name));
            assert.deepEqual(
              [...new Set(blamed(parsed.problems))].sort(),
              bad.map((name) => `IPAddressPool/${name}`).sort(),
            );
            const ranges = [...parsed.config.pools.values()].flatMap((value) => value.ranges);
            for (const [index, range] of ranges.entries()) {
              assert.ok(!ranges.slice(index + 1).some((other) => rangesOverlap(range, other)));
            }
            accepted = parsed.accepted;
          }
        }),
      );
    });
  });

  describe("compiles for one node:", () => {
    const resources = {
      pools: [pool("p", ["10.0.0.0/24"])],
      peers: [
        peer("here", { nodeSelectors: RACK_1 }),
        peer("there", { nodeSelectors: RACK_2, peerAddress: "192.0.2.2" }),
        peer("anywhere", { peerAddress: "192.0.2.3" }),
        peer("either", { peerAddress: "192.0.2.4", nodeSelectors: [...RACK_2, ...RACK_1] }),
      ],
      bgpAdvertisements: [
        bgp("here", { nodeSelectors: RACK_1 }),
        bgp("there", { nodeSelectors: RACK_2 }),
      ],
      l2Advertisements: [
        l2("here", { nodeSelectors: RACK_1 }),
        l2("there", { nodeSelectors: RACK_2 }),
      ],
    };

    it("its peers and BGP advertisements, and all L2 advertisements", () => {
      const { config } = parse(resources);
      assert.deepEqual(named(config.peers), ["anywhere", "either", "here"]);
      assert.deepEqual(named(config.bgpAdvertisements), ["here"]);
      assert.deepEqual(named(config.l2Advertisements), ["here", "there"]);
    });

    it("all of them without a node", () => {
      const { config } = parseConfig(resourcesOf(resources), { node: undefined, accepted: NONE });
      assert.deepEqual(named(config.peers), ["anywhere", "either", "here", "there"]);
      assert.deepEqual(named(config.bgpAdvertisements), ["here", "there"]);
    });

    it("without a word about bad objects of other nodes", () => {
      const { problems } = parse({
        peers: [peer("there", { nodeSelectors: RACK_2, myASN: 0 })],
        bgpAdvertisements: [bgp("there", { nodeSelectors: RACK_2, localPref: -1 })],
      });
      assert.deepEqual(problems, []);
    });

    it("but with one about node selectors nobody can read", () => {
      const nodeSelectors = [{ matchExpressions: [{ key: "rack", operator: "Is" }] }];
      const { problems } = parse({ peers: [peer("p", { nodeSelectors })] });
      assert.equal(problems.length, 1);
    });

    it("without a peer that has moved away, even if it was good here", () => {
      const first = parse({ peers: [peer("p", { nodeSelectors: RACK_1 })] });
      const second = parse({ peers: [peer("p", { nodeSelectors: RACK_2 })] }, first.accepted);
      assert.deepEqual(second.config.peers, []);
      assert.equal(second.accepted.size, 0);
    });
  });

  describe("holds advertisements against what they refer to:", () => {
    it("an alias that comes later mends the advertisement", () => {
      const resources = { bgpAdvertisements: [bgp("ad", { communities: ["blue"] })] };
      const first = parse(resources);
      assert.deepEqual(first.config.bgpAdvertisements, []);
      assert.equal(first.problems[0]?.transient, true);
      const second = parse(
        { ...resources, communities: [community("c", { blue: "large:1:2:3" })] },
        first.accepted,
      );
      assert.deepEqual(second.problems, []);
      assert.equal(second.config.bgpAdvertisements[0]?.communities[0]?.text, "1:2:3");
    });

    it("pools out of force are not announced", () => {
      const { config } = parse({
        pools: [pool("good", ["10.0.0.0/24"]), pool("bad", ["x"])],
        bgpAdvertisements: [bgp("all", {}), bgp("both", { ipAddressPools: ["bad", "good"] })],
      });
      for (const { pools } of config.bgpAdvertisements) assert.deepEqual([...pools], ["good"]);
    });

    it("an aggregate wider than the pool is a problem of the advertisement of the same second", () => {
      const { config, problems } = parse({
        pools: [pool("a", ["1.1.1.0/28"])],
        bgpAdvertisements: [bgp("ad", { aggregationLength: 26 })],
      });
      assert.deepEqual(blamed(problems), ["BGPAdvertisement/ad"]);
      assert.match(problems[0]?.message ?? "", /invalid aggregation length 26/);
      assert.equal(problems[0]?.field, "spec.aggregationLength");
      assert.deepEqual(config.bgpAdvertisements, []);
    });

    it("an edited pool that an advertisement in force cannot aggregate goes back", () => {
      const ad = bgp("ad", { aggregationLength: 26 });
      const first = parse({ pools: [pool("a", ["1.1.1.0/24"])], bgpAdvertisements: [ad] });
      const second = parse(
        { pools: [pool("a", ["1.1.1.0/24", "2.2.2.0/28"])], bgpAdvertisements: [ad] },
        first.accepted,
      );
      assert.deepEqual(blamed(second.problems), ["IPAddressPool/a"]);
      assert.deepEqual(second.config, first.config);
    });

    const echo = {
      bfdProfiles: [bfd("echo", { echoMode: true })],
      peers: [peer("leaf", { bfdProfile: "echo" }), peer("other", { peerAddress: "192.0.2.2" })],
    };
    for (const [why, addresses, spec, expected] of [
      ["an IPv6 pool to a peer with BFD echo", ["2001:db8::/64"], {}, ["BGPAdvertisement/ad"]],
      [
        "the same with the peer named",
        ["2001:db8::/64"],
        { peers: ["leaf"] },
        ["BGPAdvertisement/ad"],
      ],
      ["a pool of both families", ["10.0.0.0/24", "2001:db8::/64"], {}, ["BGPAdvertisement/ad"]],
      ["an IPv4 pool", ["10.0.0.0/24"], {}, []],
      ["an IPv6 pool to another peer", ["2001:db8::/64"], { peers: ["other", "absent"] }, []],
      ["an IPv6 pool that is not announced", ["2001:db8::/64"], { ipAddressPools: ["b"] }, []],
    ] as const) {
      it(`${why}: ${expected.length === 0 ? "fine" : "a problem"}`, () => {
        const { problems } = parse({
          ...echo,
          pools: [pool("a", addresses)],
          bgpAdvertisements: [bgp("ad", spec)],
        });
        assert.deepEqual(blamed(problems), expected);
        if (expected.length > 0) {
          assert.match(problems[0]?.message ?? "", /"a".*"ad".*"leaf".*"echo" has echo mode on/);
        }
      });
    }

    it("echo mode turned on under announced IPv6 pools goes back in the profile", () => {
      const resources = {
        ...echo,
        pools: [pool("a", ["2001:db8::/64"])],
        bgpAdvertisements: [bgp("ad", {})],
      };
      const first = parse({ ...resources, bfdProfiles: [bfd("echo", {})] });
      assert.deepEqual(first.problems, []);
      const second = parse(resources, first.accepted);
      assert.deepEqual(blamed(second.problems), ["BFDProfile/echo"]);
      assert.deepEqual(second.config, first.config);
    });

    it("a new peer with BFD echo is refused rather than the advertisement it would hear", () => {
      const resources = {
        pools: [pool("a", ["2001:db8::/64"])],
        bgpAdvertisements: [bgp("ad", {})],
      };
      const first = parse(resources);
      const second = parse({ ...resources, ...echo }, first.accepted);
      assert.deepEqual(blamed(second.problems), ["BGPPeer/leaf"]);
      assert.deepEqual(named(second.config.peers), ["other"]);
      assert.equal(second.config.bgpAdvertisements.length, 1);
    });
  });

  it("shows no password in any problem", () => {
    const secret = (name: string, type: string, value: string) => ({
      metadata: meta(name),
      type,
      data: { password: value },
    });
    const { problems } = parse({
      secrets: [
        secret("opaque", "Opaque", btoa(PASSWORD)),
        secret("newline", "kubernetes.io/basic-auth", btoa(`${PASSWORD}\n`)),
        secret("plain", "kubernetes.io/basic-auth", PASSWORD),
      ],
      peers: [
        peer("a", { passwordSecret: { name: "opaque" } }),
        peer("b", { passwordSecret: { name: "newline" } }),
        peer("c", { passwordSecret: { name: "plain" } }),
        peer("d", { password: `${PASSWORD}\n` }),
        peer("e", { password: { value: PASSWORD } }),
        peer("f", { passwordSecret: [PASSWORD] }),
        peer("g", { password: PASSWORD, passwordSecret: { name: "opaque" } }),
        { metadata: meta("h"), spec: [{ password: PASSWORD }] as never },
      ],
      extras: `neighbor 192.0.2.1 password ${PASSWORD}\u0007`,
    });
    assert.equal(new Set(blamed(problems)).size, 9);
    assert.doesNotMatch(JSON.stringify(problems), new RegExp(`${PASSWORD}|${btoa(PASSWORD)}`));
  });
});

function parse(resources: Partial<ConfigResources>, accepted = NONE): ParsedConfig {
  return parseConfig(resourcesOf(resources), { node: WORKER, accepted });
}

function resourcesOf(resources: Partial<ConfigResources>): ConfigResources {
  return {
    pools: [],
    l2Advertisements: [],
    bgpAdvertisements: [],
    peers: [],
    bfdProfiles: [],
    communities: [],
    namespaces: [],
    secrets: [],
    extras: "",
    ...resources,
  };
}

function installation() {
  return resourcesOf({
    pools: [pool("gold", ["10.0.0.0/24"]), pool("dual", ["10.1.0.0/24", "2001:db8::/64"])],
    peers: [
      peer("leaf-2", { peerAddress: "192.0.2.2", nodeSelectors: RACK_1 }),
      peer("leaf-1", { bfdProfile: "fast", passwordSecret: { name: "leaf" } }),
    ],
    bfdProfiles: [bfd("fast", { receiveInterval: "300ms", transmitInterval: 300 })],
    communities: [community("names", { blue: "65000:7" })],
    bgpAdvertisements: [
      bgp("gold", { ipAddressPools: ["gold"], communities: ["blue"] }),
      bgp("all", {}),
    ],
    l2Advertisements: [l2("l2", { ipAddressPools: ["gold"] })],
    secrets: [
      {
        metadata: meta("leaf"),
        type: "kubernetes.io/basic-auth",
        data: { password: btoa(PASSWORD) },
      },
    ],
    extras: "! mine\n",
  });
}

/** Objects that contradict each other in every way there is. */
function quarrel() {
  return resourcesOf({
    pools: [
      pool("gold", ["10.0.0.0/23"], 3),
      pool("dual", ["10.1.0.0/24", "2001:db8::/64"], 1),
      pool("a", ["10.0.1.0/24"], 2),
      pool("b", ["10.0.1.9-10.0.1.10", "2001:db8::1/128"], 2),
      pool("c", ["10.9.0.0/28"], 5),
    ],
    peers: [
      peer("leaf-1", { bfdProfile: "echo", routerID: "1.1.1.1" }, 3),
      peer("leaf-2", { peerAddress: "192.0.2.2", myASN: 9 }, 2),
      peer("leaf-3", { peerAddress: "192.0.2.2" }, 1),
      peer("leaf-4", { peerAddress: "192.0.2.4", bfdProfile: "echo" }, 1),
    ],
    bfdProfiles: [bfd("echo", { echoMode: true }), bfd("fast", { minimumTtl: 0 })],
    communities: [
      community("x", { blue: "1:1", red: "1:2" }, 2),
      community("y", { red: "1:3", green: "1:4" }, 2),
    ],
    bgpAdvertisements: [
      bgp("all", { localPref: 1, communities: ["green"] }, 2),
      bgp("gold", { localPref: 2, ipAddressPools: ["gold", "c"], aggregationLength: 24 }, 3),
      bgp("v4", { localPref: 3, ipAddressPools: ["gold", "a"], communities: ["blue"] }, 4),
      bgp("v4-too", { localPref: 4, ipAddressPools: ["a"] }, 4),
    ],
    l2Advertisements: [l2("l2", {}), l2("bad", { interfaces: 1 })],
    namespaces: [{ metadata: { name: "n" } }],
  });
}

function shuffled(resources: ConfigResources): fc.Arbitrary<ConfigResources> {
  const order = <Item>(items: readonly Item[]) =>
    fc.shuffledSubarray([...items], { minLength: items.length });
  return fc.record({
    pools: order(resources.pools),
    l2Advertisements: order(resources.l2Advertisements),
    bgpAdvertisements: order(resources.bgpAdvertisements),
    peers: order(resources.peers),
    bfdProfiles: order(resources.bfdProfiles),
    communities: order(resources.communities),
    namespaces: order(resources.namespaces),
    secrets: order(resources.secrets),
    extras: fc.constant(resources.extras),
  });
}

/** Metadata of an object made at the given second. */
function meta(name: string, second = 0): ObjectMeta {
  const creationTimestamp = `2026-01-01T00:00:${String(second).padStart(2, "0")}Z`;
  return { name, namespace: "metallb-system", creationTimestamp };
}

function pool(name: string, addresses: readonly string[], second = 0) {
  return { metadata: meta(name, second), spec: { addresses } };
}

function peer(name: string, spec: object, second = 0) {
  const base = { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" };
  return { metadata: meta(name, second), spec: { ...base, ...spec } };
}

function bfd(name: string, spec: object) {
  return { metadata: meta(name), spec };
}

function bgp(name: string, spec: object, second = 0) {
  return { metadata: meta(name, second), spec };
}

function l2(name: string, spec: object) {
  return { metadata: meta(name), spec };
}

function community(name: string, aliases: Readonly<Record<string, string>>, second = 0) {
  const communities = Object.entries(aliases).map(([alias, value]) => ({ name: alias, value }));
  return { metadata: meta(name, second), spec: { communities } };
}

function ads(a: object, b: object) {
  return {
    pools: [pool("p", ["10.0.0.0/24"]), pool("q", ["10.1.0.0/24"])],
    bgpAdvertisements: [bgp("a", a), bgp("b", b)],
  };
}

function over(name: string) {
  return { peerAddress: undefined, interface: name };
}

function named(values: readonly { readonly name: string }[]): readonly string[] {
  return values.map(({ name }) => name);
}

function blamed(problems: ParsedConfig["problems"]): readonly string[] {
  return problems.map(({ object }) => `${object.kind}/${object.name}`);
}

function rangesOf(config: ParsedConfig["config"]): Readonly<Record<string, readonly string[]>> {
  return Object.fromEntries(
    [...config.pools].map(([name, { ranges }]) => [name, ranges.map(formatRange)]),
  );
}
