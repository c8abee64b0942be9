import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type FrrTree, networksKey, parseConfiguration, routerKeyOf } from "./tree.ts";

/** The tree as indented values. */
function outline(text: string): string[] {
  const lines = (tree: FrrTree, indent: string): string[] =>
    [...tree.values()].flatMap((line) => [
      `${indent}${line.value}`,
      ...(line.inner === undefined ? [] : lines(line.inner, `${indent} `)),
    ]);
  return lines(parseConfiguration(text).tree, "");
}

function inRouter(...lines: string[]): string {
  return ["router bgp 65000", ...lines].join("\n");
}

describe("parseConfiguration() reads contexts", () => {
  it("nests what FRR nests, with and without indentation and exits", () => {
    const expected = [
      "router bgp 65000",
      " neighbor 10.0.0.1 remote-as 1",
      " address-family ipv4 unicast",
      "  neighbor 10.0.0.1 activate",
      "route-map a permit 1",
      " set tag 5",
      "bfd",
      " profile p",
      "  detect-multiplier 5",
    ];
    assert.deepEqual(
      outline(
        `Building configuration...
Current configuration:
!
frr version 8.4.4
frr defaults traditional
service integrated-vtysh-config
!
router bgp 65000
 neighbor 10.0.0.1 remote-as 1
 !
 address-family ipv4 unicast
  neighbor 10.0.0.1 activate
 exit-address-family
exit
!
route-map a permit 1
 set tag 5
exit
!
bfd
 profile p
  detect-multiplier 5
 exit
 !
exit
!
end
`,
      ),
      expected,
    );
    assert.deepEqual(
      outline(
        `router bgp 65000
neighbor 10.0.0.1 remote-as 1
address-family ipv4 unicast
neighbor 10.0.0.1 activate
route-map a permit 1
set tag 5
bfd
profile p
detect-multiplier 5`,
      ),
      expected,
    );
  });

  it("keeps VRFs apart, and merges two blocks of the same router", () => {
    const { tree } = parseConfiguration(
      "router bgp 1\nbgp router-id 1.1.1.1\nexit\nrouter bgp 2 vrf red\nexit\nrouter bgp 1\ncoalesce-time 0\n",
    );
    assert.deepEqual([...tree.keys()], ["router bgp", "router bgp vrf red"]);
    assert.deepEqual(
      [...(tree.get("router bgp")?.inner?.keys() ?? [])],
      ["bgp router-id", "coalesce-time"],
    );
  });

  it("keeps a block of another AS number apart: FRR will refuse it", () => {
    const { tree } = parseConfiguration("router bgp 1\ncoalesce-time 0\nrouter bgp 2\n bgp x\n");
    assert.deepEqual(
      [...tree].map(([key, { inner }]) => [key, ...(inner?.keys() ?? [])]),
      [
        ["router bgp", "coalesce-time"],
        ["router bgp 2", "bgp x"],
      ],
    );
  });

  it("keeps networks apart from the rest, by router and family", () => {
    const { tree, networks } = parseConfiguration(`router bgp 1
 network 192.0.2.9/32
 address-family ipv4 unicast
  network 192.0.2.1/32 route-map c-1
 exit-address-family
 address-family ipv6 unicast
  network 2001:DB8:0::1/128 route-map c-2
 exit-address-family
exit
router bgp 1 vrf red
 address-family ipv4 unicast
  network 192.0.2.1/32 route-map c-3
`);
    const found = Object.fromEntries(
      [...networks].map(([key, value]) => [key, Object.fromEntries(value)]),
    );
    assert.deepEqual(found, {
      [networksKey(routerKeyOf(null), "ipv4")]: {
        "192.0.2.9/32": "",
        "192.0.2.1/32": "route-map c-1",
      },
      [networksKey(routerKeyOf(null), "ipv6")]: { "2001:db8::1/128": "route-map c-2" },
      [networksKey(routerKeyOf("red"), "ipv4")]: { "192.0.2.1/32": "route-map c-3" },
    });
    assert.ok(!JSON.stringify([...tree]).includes("network "));
  });

  it("numbers lines from 1, for messages", () => {
    const { tree } = parseConfiguration("!\n\nrouter bgp 1\n coalesce-time 0\n");
    assert.equal(tree.get("router bgp")?.lineNumber, 3);
    assert.equal(tree.get("router bgp")?.inner?.get("coalesce-time")?.lineNumber, 4);
  });

  it("lets a later line of the same key replace the earlier one", () => {
    assert.deepEqual(
      outline("route-map x-in deny 20\nexit\nroute-map x-in permit 20\nmatch tag 1\n"),
      ["route-map x-in permit 20", " match tag 1"],
    );
    assert.deepEqual(outline(inRouter("coalesce-time 0", "coalesce-time 1000")), [
      "router bgp 65000",
      " coalesce-time 1000",
    ]);
  });

  for (const text of ["", "\n\n", "exit\nexit\nend\n", "!\n# remark\n", "exit-address-family"]) {
    it(`finds nothing in ${JSON.stringify(text)}`, () => assert.deepEqual(outline(text), []));
  }
});

describe("parseConfiguration() gives equal trees for", () => {
  const pairs: readonly (readonly [why: string, a: string, b: string])[] = [
    [
      "multihop without a number, which FRR shows as 255",
      inRouter("neighbor 10.0.0.1 ebgp-multihop"),
      inRouter("neighbor 10.0.0.1 ebgp-multihop 255"),
    ],
    [
      "the default port",
      inRouter("neighbor 10.0.0.1 remote-as 1", "neighbor 10.0.0.1 port 179"),
      inRouter("neighbor 10.0.0.1 remote-as 1"),
    ],
    [
      "spellings of an IPv6 address",
      inRouter("neighbor 2001:DB8:0:0::1 remote-as 1"),
      inRouter("neighbor 2001:db8::1 remote-as 1"),
    ],
    [
      "10.x's way to show a BFD profile",
      inRouter("neighbor 10.0.0.1 bfd", "neighbor 10.0.0.1 bfd profile p"),
      inRouter("neighbor 10.0.0.1 bfd profile p"),
    ],
    [
      "a family's attribute in the router's own node",
      inRouter("neighbor 10.0.0.1 activate"),
      inRouter("address-family ipv4 unicast", "neighbor 10.0.0.1 activate"),
    ],
    [
      "the short form of the family",
      inRouter("address-family ipv6", "neighbor fd00::1 activate"),
      inRouter("address-family ipv6 unicast", "neighbor fd00::1 activate"),
    ],
    [
      "the order of communities, and FRR's names for them",
      "route-map a permit 1\nset community 65535:65281 65000:2 65000:1 additive\n",
      "route-map a permit 1\nset community 65000:1 65000:2 no-export additive\n",
    ],
    [
      "the two lines shown for debug bgp updates",
      "debug bgp updates\n",
      "debug bgp updates in\ndebug bgp updates out\n",
    ],
    [
      "prefix list entries without numbers",
      "ip prefix-list a permit 10.0.0.0/8\nip prefix-list a deny any\n",
      "ip prefix-list a seq 5 permit 10.0.0.0/8\nip prefix-list a seq 10 deny any\n",
    ],
    [
      "BFD values that FRR has anyway",
      "bfd\nprofile p\ntransmit-interval 300\ndetect-multiplier 3\nminimum-ttl 254\n",
      "bfd\nprofile p\n",
    ],
    ["blanks between words", "log  stdout   informational\n", "log stdout informational\n"],
    ["the lowest level of logs, which has no name", "log stdout\n", "log stdout debugging\n"],
    [
      "the delay timer in the router, as some versions take it, and at the top",
      inRouter("bgp route-map delay-timer 1"),
      "router bgp 65000\nexit\nbgp route-map delay-timer 1\n",
    ],
  ];
  for (const [why, a, b] of pairs) it(why, () => assert.deepEqual(outline(a), outline(b)));
});

describe("parseConfiguration() gives different trees for", () => {
  const pairs: readonly (readonly [why: string, a: string, b: string])[] = [
    [
      "two hop counts",
      inRouter("neighbor 10.0.0.1 ebgp-multihop 2"),
      inRouter("neighbor 10.0.0.1 ebgp-multihop 255"),
    ],
    [
      "blanks inside a password",
      inRouter("neighbor 10.0.0.1 password a  b"),
      inRouter("neighbor 10.0.0.1 password a b"),
    ],
    ["a line and its negation", inRouter("no bgp x"), inRouter("bgp x")],
    [
      "communities that replace and that add",
      "route-map a permit 1\nset community 1:1\n",
      "route-map a permit 1\nset community 1:1 additive\n",
    ],
    ["permit and deny", "route-map a permit 1\n", "route-map a deny 1\n"],
    [
      "inbound and outbound maps",
      inRouter("neighbor 10.0.0.1 route-map a in"),
      inRouter("neighbor 10.0.0.1 route-map a out"),
    ],
  ];
  for (const [why, a, b] of pairs) it(why, () => assert.notDeepEqual(outline(a), outline(b)));
});

it("parseConfiguration() knows the modes of graceful restart as one setting", () => {
  assert.deepEqual(
    outline(
      inRouter("neighbor 10.0.0.1 graceful-restart", "neighbor 10.0.0.1 graceful-restart-disable"),
    ),
    ["router bgp 65000", " neighbor 10.0.0.1 graceful-restart-disable"],
  );
});
