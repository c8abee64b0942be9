// containerlab.yml means the same to containerlab and to lab/netns, and the README tells its addresses.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { parse, stringify } from "yaml";
import { parseDaemons } from "./netns/frr.ts";
import { parseTopology } from "./netns/topology.ts";

const FOLDER = fileURLToPath(new URL(".", import.meta.url));
const read = (name: string) => readFileSync(resolve(FOLDER, name), "utf8");
const text = read("containerlab.yml");
const topology = parseTopology(text);

describe("containerlab.yml", () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(read("clab.schema.json")));

  it("is valid by the schema of containerlab", () => {
    assert.ok(validate(parse(text)), ajv.errorsText(validate.errors));
  });

  it("would not be valid with a key that containerlab does not know", () => {
    const file = parse(text);
    file.topology.nodes.leaf1.netns = "leaf1";
    assert.equal(validate(file), false);
  });

  it("has every bound file beside it", () => {
    for (const { source } of topology.nodes.flatMap(({ files }) => files)) {
      assert.ok(existsSync(resolve(FOLDER, source)), source);
    }
  });

  it("brings three nodes, a leaf of each kind, a client, and a web server in each node", () => {
    const programs = new Map(topology.nodes.map(({ name, runs }) => [name, runs]));
    assert.deepEqual(
      ["node1", "node2", "node3", "leaf1", "leaf2", "client"].map((name) => programs.get(name)),
      ["frr", "frr", "frr", "frr", "bird", "frr"],
    );
    const shared = topology.nodes.filter(({ runs }) => runs === "web").map((n) => n.sharesWith);
    assert.deepEqual(shared, ["node1", "node2", "node3"]);
  });

  it("has every address in the README's table", () => {
    const readme = read("README.md");
    for (const command of topology.nodes.flatMap(({ ipCommands }) => ipCommands)) {
      const address = /^address add ([^/]+)/.exec(command)?.[1];
      if (address !== undefined) assert.ok(readme.includes(`\`${address}\``), address);
    }
  });
});

describe("parseTopology()", () => {
  type Change = (file: {
    topology: { nodes: Record<string, Record<string, unknown>>; links: unknown[] };
  }) => void;
  const node =
    (values: Record<string, unknown>): Change =>
    ({ topology: { nodes } }) => {
      nodes["leaf1"] = { ...nodes["leaf1"], ...values };
    };
  const cases: readonly [string, Change, RegExp][] = [
    ["a key", node({ env: { A: "b" } }), /node leaf1 has key env, want one of kind, image, /],
    ["a kind", node({ kind: "bridge" }), /node leaf1 has kind bridge, want linux/],
    ["a label", node({ labels: { color: "red" } }), /labels of node leaf1 has key color/],
    ["a program", node({ labels: { runs: "gobgp" } }), /label runs gobgp, want frr, bird or web/],
    ["a network mode", node({ "network-mode": "host" }), /network-mode host, want container:NODE/],
    [
      "a partner that is not there",
      node({ "network-mode": "container:leaf9" }),
      /network-mode container:leaf9, want a node of this file/,
    ],
    [
      "a partner without a network",
      node({ "network-mode": "container:web1" }),
      /network-mode container:web1, want a node with a network/,
    ],
    [
      "a sysctl",
      node({ sysctls: { "kernel.domainname": 1 } }),
      /sysctl kernel.domainname: 1, want/,
    ],
    ["a mode of binding", node({ binds: ["a:/etc/frr/a:ro"] }), /bind a:\/etc\/frr\/a:ro, want/],
    ["a bind that leaves", node({ binds: ["a:/etc/frr/../x"] }), /bind a:.*, want SOURCE:\/TARGET/],
    ["a command but ip", node({ exec: ["reboot"] }), /exec reboot, want a command of ip/],
    ["two commands", node({ exec: ["ip link\nlink"] }), /exec ip link\nlink, want a command/],
    [
      "an interface of containerlab's own",
      ({ topology: { links } }) => links.push({ endpoints: ["leaf1:eth0", "lan:eth9"] }),
      /links has leaf1:eth0, want NODE:ethN/,
    ],
    [
      "a link to nowhere",
      ({ topology: { links } }) => links.push({ endpoints: ["leaf1:eth9", "leaf9:eth1"] }),
      /links has leaf9, want a node of this file/,
    ],
    [
      "a link with one end",
      ({ topology: { links } }) => links.push({ endpoints: ["leaf1:eth9"] }),
      /want two endpoints/,
    ],
  ];
  for (const [what, change, message] of cases) {
    it(`refuses ${what} that namespaces cannot stand in for`, () => {
      const file = parse(text);
      change(file);
      assert.throws(() => parseTopology(stringify(file)), { message });
    });
  }
});

describe("parseDaemons()", () => {
  it("names what FRR always runs and what the file turns on, in the order of starting", () => {
    const file = 'bgpd=yes\nospfd=no\nvtysh_enable=yes\nbgpd_options="  -A 127.0.0.1 -p 0"\n';
    const daemons = parseDaemons(file);
    assert.deepEqual(
      [...daemons.keys()].filter((name) => name !== "mgmtd"),
      ["zebra", "staticd", "bgpd"],
    );
    assert.deepEqual(daemons.get("bgpd"), ["-A", "127.0.0.1", "-p", "0"]);
    assert.deepEqual(daemons.get("zebra"), []);
  });
});
