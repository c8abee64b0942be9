// What the demo makes of the routers' words, and how it tells people.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { forwardingTable } from "./demo/forwarding.ts";
import { parseBirdRoute, parseFrrRoute } from "./demo/routers.ts";
import { formatSummary } from "./demo/summary.ts";

describe("parseFrrRoute()", () => {
  const path = (values: object) => ({
    aspath: { string: "64501 64500" },
    community: { string: "64500:100 64500:200" },
    nexthops: [{ ip: "192.0.2.11", afi: "ipv4" }],
    ...values,
  });
  const cases = [
    {
      what: "takes the best path and those of equal cost, and no other",
      paths: [
        path({ multipath: true, nexthops: [{ ip: "192.0.2.12" }] }),
        path({ multipath: true, bestpath: { overall: true } }),
        path({ bestpath: { bestpathFromAs: 64502 }, nexthops: [{ ip: "192.0.2.13" }] }),
        path({ aspath: { string: "64502 64500" }, nexthops: [{ ip: "192.0.2.14" }] }),
      ],
      expected: {
        nextHops: ["192.0.2.11", "192.0.2.12"],
        asPaths: ["64501 64500"],
        communities: ["64500:100", "64500:200"],
      },
    },
    {
      what: "takes the global one of two IPv6 next hops",
      paths: [
        path({
          bestpath: { overall: true },
          community: undefined,
          nexthops: [
            { ip: "2001:db8:0:1::11", scope: "global" },
            { ip: "fe80::1", scope: "link-local", used: true },
          ],
        }),
      ],
      expected: { nextHops: ["2001:db8:0:1::11"], asPaths: ["64501 64500"], communities: [] },
    },
  ];
  for (const { what, paths, expected } of cases) {
    it(what, () => assert.deepEqual(parseFrrRoute(JSON.stringify({ paths })), expected));
  }

  it("sees nothing where FRR knows no such route", () => {
    assert.deepEqual(parseFrrRoute("{}"), { nextHops: [], asPaths: [], communities: [] });
  });
});

describe("parseBirdRoute()", () => {
  it("takes the attributes of every path", () => {
    const text = [
      "BIRD 2.0.12 ready.",
      "Table master6:",
      "2001:db8:0:f::1/128  unicast [node6_1 08:43:32.543] * (100) [AS64500i]",
      "\tvia 2001:db8:0:1::12 on eth1",
      "\tType: BGP univ",
      "\tBGP.origin: IGP",
      "\tBGP.as_path: 64500",
      "\tBGP.next_hop: 2001:db8:0:1::12 fe80::2072:adff:fef0:7aac",
      "\tBGP.local_pref: 100",
      "\tBGP.community: (64500,100) (64500,200)",
      "                     unicast [node6_2 08:43:32.582] (100) [AS64500i]",
      "\tvia 2001:db8:0:1::11 on eth1",
      "\tType: BGP univ",
      "\tBGP.origin: IGP",
      "\tBGP.as_path: 64500",
      "\tBGP.next_hop: 2001:db8:0:1::11 fe80::e4dd:4dff:fed0:2bbb",
      "\tBGP.local_pref: 100",
      "\tBGP.community: (64500,100) (64500,200)",
    ].join("\n");
    assert.deepEqual(parseBirdRoute(text), {
      nextHops: ["2001:db8:0:1::11", "2001:db8:0:1::12"],
      asPaths: ["64500"],
      communities: ["64500:100", "64500:200"],
    });
  });

  it("sees nothing where BIRD knows no such route", () => {
    const none = { nextHops: [], asPaths: [], communities: [] };
    assert.deepEqual(parseBirdRoute("BIRD 2.0.12 ready.\nNetwork not found\n"), none);
  });
});

describe("forwardingTable()", () => {
  it("leads to the pods of the address's family", () => {
    const pods = ["10.244.1.10", "fd00:10:244:1::10", "10.244.2.10", "fd00:10:244:2::10"];
    const rule = (table: string) => /dnat to .*/.exec(table)?.[0];
    assert.equal(
      rule(forwardingTable("203.0.113.1", pods)),
      "dnat to numgen random mod 2 map { 0 : 10.244.1.10, 1 : 10.244.2.10 } : 8080",
    );
    assert.equal(
      rule(forwardingTable("2001:db8:0:f::1", pods)),
      "dnat to numgen random mod 2 map { 0 : fd00:10:244:1::10, 1 : fd00:10:244:2::10 } : 8080",
    );
  });
});

describe("formatSummary()", () => {
  it("tells who announces what, what each router sees, and who answered", () => {
    const route = { nextHops: ["192.0.2.11", "192.0.2.12"], asPaths: ["64500"], communities: [] };
    const text = formatSummary({
      service: "default/web",
      pool: "demo",
      addresses: ["203.0.113.1"],
      nodes: new Map([
        ["192.0.2.11", "node1"],
        ["192.0.2.12", "node2"],
      ]),
      routes: [
        { router: "leaf1", prefix: "203.0.113.1/32", route },
        {
          router: "client",
          prefix: "203.0.113.1/32",
          route: { ...route, communities: ["64500:100"] },
        },
      ],
      answers: [
        {
          url: "http://203.0.113.1/",
          counts: new Map([
            ["node2", 5],
            ["node1", 7],
          ]),
        },
      ],
    });
    assert.equal(
      text,
      [
        "Service       default/web, type LoadBalancer",
        "Addresses     203.0.113.1  from pool demo",
        "Announced by  node1 node2  by BGP, AS 64500",
        "",
        "ROUTER  ROUTE           NEXT HOPS    AS PATHS  COMMUNITIES",
        "leaf1   203.0.113.1/32  node1 node2  64500",
        "client  203.0.113.1/32  node1 node2  64500     64500:100",
        "",
        "THE CLIENT ASKS      THE PODS THAT ANSWER",
        "http://203.0.113.1/  node1 (7 times)  node2 (5 times)",
      ].join("\n"),
    );
  });
});
