// The lab on a real kernel with real routers: it comes up, its routers learn, it leaves nothing.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/cluster/eventually.ts";
import { belongsTo, namedNamespaces } from "./identity.ts";
import { type Lab, startLab } from "./lab.ts";
import { startOf } from "./process.ts";
import { labFolder, removeAbandonedLabs } from "./remains.ts";

const NODES = ["node1", "node2", "node3"] as const;

describe("the lab", () => {
  let lab: Lab;
  before(async () => {
    lab = await startLab();
  });
  after(() => lab?.stop());

  it("has the sessions between leaves and client up, in both families", async () => {
    await routersAgree(lab);
  });

  it("leads the client's router to the nodes through both leaves", async () => {
    await eventually(
      async () => {
        const routes = await lab.node("client").exec(["ip", "route", "show", "192.0.2.0/24"]);
        const routes6 = await lab
          .node("client")
          .exec(["ip", "-6", "route", "show", "2001:db8:0:1::/64"]);
        return (
          ["198.51.100.0", "198.51.100.2"].every((leaf) => routes.includes(`via ${leaf} `)) &&
          ["21::1", "22::1"].every((leaf) => routes6.includes(`via 2001:db8:0:${leaf} `))
        );
      },
      { describe: "routes through both leaves" },
    );
  });

  it("has a pod in each node that every node and the client's router can reach", async () => {
    for (const name of NODES) {
      const [address, address6] = lab.node(name).loopbackAddresses;
      for (const from of NODES) {
        assert.equal(await get(lab, from, `http://${address}:8080/`), `${name}\n`);
        assert.equal(await get(lab, from, `http://[${address6}]:8080/`), `${name}\n`);
      }
      const [onLan, onLan6] = lab.node(name).addresses;
      assert.equal(await get(lab, "client", `http://${onLan}:8080/`), `${name}\n`);
      assert.equal(await get(lab, "client", `http://[${onLan6}]:8080/`), `${name}\n`);
    }
  });

  it("has a host on the network of the nodes that reaches each of them, and knows no router", async () => {
    for (const name of NODES) {
      for (const address of lab.node(name).addresses) {
        const url = `http://${address.includes(":") ? `[${address}]` : address}:8080/`;
        assert.equal(await get(lab, "host", url), `${name}\n`);
      }
    }
    const host = lab.node("host");
    assert.equal(await host.exec(["ip", "route", "show", "default"]), "");
    assert.equal(await host.exec(["ip", "-6", "route", "show", "default"]), "");
  });

  it("gives what all nodes announce three next hops in the client's router and the leaves", async () => {
    const [ipv4, ipv6] = ["203.0.113.10", "2001:db8:0:f::10"];
    for (const name of NODES) await announce(lab, name, ipv4, ipv6);
    const onLan = NODES.map((name) => lab.node(name).addresses);
    const expected = [onLan.map((a) => a[0]), onLan.map((a) => a[1])];
    await eventually(
      async () => {
        for (const [i, show] of [
          `show ip route ${ipv4}/32 json`,
          `show ipv6 route ${ipv6}/128 json`,
        ].entries()) {
          const seen = await lab.node("client").exec(["vtysh", "-c", show]);
          const [route] = Object.values<{ installed?: boolean; nexthops: NextHop[] }[]>(
            JSON.parse(seen),
          ).flat();
          const nextHops = route?.nexthops.filter((hop) => hop.recursive).map((hop) => hop.ip);
          assert.deepEqual(nextHops?.sort(), expected[i]);
          assert.equal(route?.installed, true);
        }
        for (const leaf of ["leaf1", "leaf2"]) {
          const routes = await lab.node(leaf).exec(["ip", "route", "show", ipv4]);
          for (const hop of expected[0] ?? []) assert.match(routes, new RegExp(`via ${hop} `));
          const routes6 = await lab.node(leaf).exec(["ip", "-6", "route", "show", ipv6]);
          assert.equal(routes6.match(/nexthop via/g)?.length, 3);
        }
        return true;
      },
      { describe: "three next hops everywhere" },
    );
  });

  it("starts an FRR daemon that was killed again, with its configuration", async () => {
    const leaf = lab.node("leaf1");
    const killed = leaf.pid("bgpd");
    process.kill(killed, "SIGKILL");
    await eventually(() => leaf.pid("bgpd") !== killed, { describe: "another bgpd" });
    await routersAgree(lab);
  });

  it("says what it wants when a command fails, a node or a daemon is not there", async () => {
    await assert.rejects(lab.node("node1").exec(["sh", "-c", "echo why >&2; exit 3"]), {
      message: /^Cannot run .*: exit code 3: why$/,
    });
    assert.throws(() => lab.node("node9"), { message: /Cannot find node node9 .*: want one of/ });
    assert.throws(() => lab.node("leaf2").pid("bgpd"), { message: /leaf2 has no FRR/ });
  });
});

describe("labs side by side", () => {
  it("do not meet, and each leaves nothing", async () => {
    const [one, other] = await Promise.all([startLab(), startLab()]);
    try {
      await Promise.all([routersAgree(one), routersAgree(other)]);
      const pids = await processesOf(one);
      assert.ok(pids.length > 20, `only ${pids.length} processes`);
      await one.stop();
      assert.deepEqual(pids.filter(runs), []);
      assertNothingIsLeft(one.id);
      removeAbandonedLabs();
      await routersAgree(other);
    } finally {
      await Promise.all([one.stop(), other.stop()]);
    }
    assertNothingIsLeft(other.id);
  });
});

describe("startLab()", () => {
  it("leaves nothing when it is told to end half-way", async () => {
    for (const delayMs of [0, 100, 300]) {
      const started = new Set(namedNamespaces());
      const stopped = new AbortController();
      const starting = startLab({ signal: stopped.signal });
      setTimeout(() => stopped.abort(new Error("Told to end")), delayMs);
      await assert.rejects(starting, { message: "Told to end" });
      const own = namedNamespaces().filter((name) => belongsTo(name, ownLabs));
      assert.deepEqual(
        own.filter((name) => !started.has(name)),
        [],
      );
    }
  });

  it("says what is wrong with a topology that cannot be read", async () => {
    await assert.rejects(startLab({ topologyPath: new URL(import.meta.url).pathname }), {
      message: /^Cannot read the topology/,
    });
  });

  it("takes its daemons along when the owner is killed, and the next start removes the rest", async () => {
    const { owner, id, pids } = await labOfAnotherProcess("setInterval(() => {}, 1000)");
    try {
      assert.ok(pids.length > 20, `only ${pids.length} processes`);
      removeAbandonedLabs();
      assert.deepEqual(
        pids.filter((pid) => !runs(pid)),
        [],
        "a living lab was touched",
      );
    } finally {
      owner.kill("SIGKILL");
    }
    await eventually(() => !pids.some(runs), { describe: "the end of all daemons" });
    assert.ok(namedNamespaces().some((name) => belongsTo(name, id)));
    const next = await startLab();
    try {
      assertNothingIsLeft(id);
    } finally {
      await next.stop();
    }
  });

  it("leaves nothing when its owner ends without stopping it", async () => {
    const { owner, id, pids } = await labOfAnotherProcess("process.exit(0)");
    await eventually(() => owner.exitCode === 0, { describe: "the end of the owner" });
    await eventually(() => !pids.some(runs), { describe: "the end of all daemons" });
    assertNothingIsLeft(id);
  });
});

type NextHop = { readonly ip: string; readonly recursive?: boolean };

/** What the names of this process's labs begin with. */
const ownLabs = `metallb-lab-${process.pid}`;

/** Waits until the client's router has its four sessions, and the leaves have theirs with it. */
async function routersAgree(lab: Lab): Promise<void> {
  await eventually(
    async () => {
      const summary = await lab.node("client").exec(["vtysh", "-c", "show bgp summary json"]);
      const families = Object.values<{ peers: Record<string, { state: string }> }>(
        JSON.parse(summary),
      );
      const states = families.flatMap(({ peers }) => Object.values(peers).map((p) => p.state));
      assert.deepEqual(states, Array(4).fill("Established"));
      const protocols = await lab.node("leaf2").exec(["birdc", "show", "protocols"]);
      assert.equal(protocols.match(/^client[46] .* Established/gm)?.length, 2);
      return true;
    },
    { describe: "sessions between leaves and client" },
  );
}

/** What a speaker would have the FRR of a node do. */
async function announce(lab: Lab, nodeName: string, ipv4: string, ipv6: string): Promise<void> {
  const leaves = [lab.node("leaf1"), lab.node("leaf2")];
  const neighbors = leaves.flatMap(({ addresses: [address, address6] }, i) => [
    { family: "ipv4", address, asn: 64501 + i },
    { family: "ipv6", address: address6, asn: 64501 + i },
  ]);
  const family = (name: string, prefix: string) => [
    `address-family ${name} unicast`,
    `network ${prefix}`,
    ...neighbors.filter((n) => n.family === name).map((n) => `neighbor ${n.address} activate`),
    "exit-address-family",
  ];
  const input = [
    "configure terminal",
    "router bgp 64500",
    `bgp router-id ${lab.node(nodeName).addresses[0]}`,
    "no bgp ebgp-requires-policy",
    "no bgp default ipv4-unicast",
    "no bgp network import-check",
    ...neighbors.map(({ address, asn }) => `neighbor ${address} remote-as ${asn}`),
    ...family("ipv4", `${ipv4}/32`),
    ...family("ipv6", `${ipv6}/128`),
    "end",
  ];
  await lab.node(nodeName).exec(["vtysh"], { input: `${input.join("\n")}\n` });
}

function get(lab: Lab, from: string, url: string): Promise<string> {
  return eventually(() => lab.node(from).exec(["curl", "-gsS", "--max-time", "5", url]), {
    describe: `${from} to get ${url}`,
  });
}

async function processesOf(lab: Lab): Promise<readonly number[]> {
  const own = lab.nodes.filter(({ topology }) => topology.sharesWith === undefined);
  const pids = await Promise.all(own.map((node) => node.exec(["ip", "netns", "pids", node.netns])));
  return pids
    .flatMap((text) => text.split("\n"))
    .filter(Boolean)
    .map(Number)
    .filter(runs);
}

/** A lab that another process owns; the process goes on with `then` once it has told us. */
async function labOfAnotherProcess(
  then: string,
): Promise<{ owner: ChildProcess; id: string; pids: readonly number[] }> {
  const program = `
    import { startLab } from ${JSON.stringify(new URL("lab.ts", import.meta.url))};
    const lab = await startLab();
    const pids = [];
    for (const { netns } of lab.nodes) {
      pids.push(...(await lab.node("lan").exec(["ip", "netns", "pids", netns])).split("\\n"));
    }
    process.send({ id: lab.id, pids: pids.filter(Boolean).map(Number) }, () => { ${then} });
  `;
  const owner = spawn(process.execPath, ["--input-type=module", "-e", program], {
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const told = await new Promise<{ id: string; pids: number[] }>((resolve, reject) => {
    owner.once("message", (message) => resolve(message as { id: string; pids: number[] }));
    owner.once("exit", (code) => reject(new Error(`The owner ended with exit code ${code}`)));
  });
  owner.channel?.unref();
  // The command that listed them is among them and has ended.
  return { owner, id: told.id, pids: [...new Set(told.pids)].filter(runs) };
}

function assertNothingIsLeft(labId: string): void {
  assert.deepEqual(
    namedNamespaces().filter((name) => belongsTo(name, labId)),
    [],
  );
  assert.equal(existsSync(labFolder(labId)), false);
}

function runs(pid: number): boolean {
  return startOf(pid) !== undefined;
}
