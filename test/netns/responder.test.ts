// The responder beside real kernels: clients resolve, probe and claim addresses while interfaces
// come, change and go.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../lab/netns/command.ts";
import { eventually } from "../cluster/eventually.ts";
import {
  type Host,
  type LabOptions,
  type ResponderLab,
  startResponderLab,
} from "./responder-lab.ts";
import { ResponderProcess, type ResponderProcessOptions } from "./responder-process.ts";

const V4 = "192.0.2.240";
const V6 = "2001:db8::f0:1234";
const V6_GROUP = "ff02::1:fff0:1234";
const STRANGER = "02:00:00:00:00:99";

type Options = LabOptions & Partial<ResponderProcessOptions>;

/** Two hosts, and a responder on the node; all gone after the test. */
async function start(
  test: TestContext,
  options: Options = {},
): Promise<ResponderLab & { readonly responder: ResponderProcess }> {
  const lab = await startResponderLab(options);
  test.after(() => lab.remove());
  const responder = await ResponderProcess.start({ netns: lab.node.netns, ...options });
  if (options.duplicateDetection !== true) await responder.interface("eth0", ({ ndp }) => ndp);
  return { ...lab, responder };
}

/** Whether anybody answers an ARP request of the client. */
async function answersArp(client: Host, address = V4, at = "eth0"): Promise<boolean> {
  return (await client.exitCode(`arping -f -c 1 -w 1 -I ${at} ${address}`)) === 0;
}

/** What the client's kernel found out about the address, by asking for it when it has to. */
async function neighbor(client: Host, address: string, at = "eth0"): Promise<string | undefined> {
  await client.exitCode(`ping -c 1 -W 0.1 -I ${at} ${address}`);
  return knownNeighbor(client, address, at);
}

/** What the client's kernel knows about the address without asking. */
async function knownNeighbor(
  client: Host,
  address: string,
  at = "eth0",
): Promise<string | undefined> {
  const [entry] = JSON.parse(await client.ip(`-j neigh show ${address} dev ${at}`)) as readonly {
    readonly lladdr?: string;
  }[];
  return entry?.lladdr;
}

/** Makes the client believe that a stranger has the address, until it is told otherwise. */
async function forget(client: Host, address: string, at = "eth0"): Promise<void> {
  await client.ip(`neigh replace ${address} lladdr ${STRANGER} dev ${at} nud stale`);
}

async function resolves(client: Host, address: string, mac: string, at = "eth0"): Promise<void> {
  await eventually(async () => (await neighbor(client, address, at)) === mac, {
    describe: `${address} at ${mac} in the client's neighbor table`,
  });
}

async function isTold(client: Host, address: string, mac: string, at = "eth0"): Promise<void> {
  await eventually(async () => (await knownNeighbor(client, address, at)) === mac, {
    describe: `${address} at ${mac} told to the client unasked`,
  });
}

async function isMember(node: Host, at: string): Promise<void> {
  await eventually(async () => (await node.ip(`-6 maddr show dev ${at}`)).includes(V6_GROUP), {
    describe: `membership of ${V6_GROUP} on ${at}`,
  });
}

describe("responder", () => {
  it("answers a client's kernel for both families, and stops", async (t) => {
    const { node, client, responder } = await start(t);
    const mac = await node.macOf("eth0");
    assert.equal(await answersArp(client), false);
    assert.equal(await neighbor(client, V6), undefined);
    responder.set(V4);
    responder.set(V6);
    await resolves(client, V4, mac);
    await resolves(client, V6, mac);
    assert(await answersArp(client));
    for (const address of [V4, V6]) {
      // The first one may have been resolved by what was told unasked.
      const counters = await eventually(
        async () => {
          await client.ip("neigh flush dev eth0");
          await neighbor(client, address);
          const counters = (await responder.counters()).addresses[address];
          return counters !== undefined && counters.responsesSent > 0 && counters;
        },
        { describe: `an answer for ${address}` },
      );
      assert.equal(counters.requestsReceived, counters.responsesSent);
      assert(counters.gratuitousSent > 0);
    }
    responder.delete(V4);
    responder.delete(V6);
    await responder.counters();
    assert.equal(await answersArp(client), false);
    await client.ip("neigh flush dev eth0");
    assert.equal(await neighbor(client, V6), undefined);
    await responder.stop();
  });

  it("keeps a client's neighbor entry reachable: it answers unicast probes of both families", async (t) => {
    const { node, client, responder } = await start(t);
    const mac = await node.macOf("eth0");
    for (const address of [V4, V6]) {
      responder.set(address);
      await resolves(client, address, mac);
      await responder.counters();
      await client.ip(`neigh replace ${address} lladdr ${mac} dev eth0 nud probe`);
      await eventually(
        async () => (await client.ip(`neigh show ${address}`)).includes("REACHABLE"),
        { describe: `an answer to the probe for ${address}` },
      );
    }
    await responder.stop();
  });

  it("tells clients unasked that an address moved here", async (t) => {
    const { node, client, responder } = await start(t);
    const mac = await node.macOf("eth0");
    for (const address of [V4, V6]) {
      await forget(client, address);
      responder.set(address);
      await isTold(client, address, mac);
      await forget(client, address);
      responder.defend(address);
      await isTold(client, address, mac);
    }
    await responder.stop();
  });

  it("defends its addresses against a host that looks for duplicates", async (t) => {
    const { client, responder } = await start(t);
    const probe = `arping -D -c 1 -w 2 -I eth0 ${V4}`;
    assert.equal(await client.exitCode(probe), 0, "nobody has it yet");
    responder.set(V4);
    responder.set(V6);
    await responder.counters();
    assert.equal(await client.exitCode(probe), 1, "the duplicate was seen");
    await run([
      "ip",
      "netns",
      "exec",
      client.netns,
      "sh",
      "-c",
      "echo 1 > /proc/sys/net/ipv6/conf/eth0/accept_dad",
    ]);
    await client.ip(`addr add ${V6}/64 dev eth0`);
    await eventually(async () => (await client.ip(`addr show dev eth0`)).includes("dadfailed"), {
      describe: "a failed duplicate address detection",
    });
    await responder.stop();
  });

  it("hears who has an address, when it asks and when the other one says so by itself", async (t) => {
    const { client, responder } = await start(t);
    const mac = await client.macOf("eth0");
    for (const address of ["192.0.2.1", "2001:db8::1"]) {
      responder.probe(address);
      const { claim } = await responder.seen("claim", (told) => told.claim.address === address);
      assert.deepEqual(claim, { address, mac, interfaceName: "eth0" });
      responder.unwatch(address);
    }
    const claims = (): number => responder.told.filter(({ kind }) => kind === "claim").length;
    const before = claims();
    assert.equal(await client.exitCode("arping -U -c 1 -I eth0 192.0.2.1"), 0);
    await responder.counters();
    assert.equal(claims(), before, "nobody watches it any more");
    responder.set("192.0.2.1");
    await responder.counters();
    assert.equal(await client.exitCode("arping -A -c 1 -I eth0 192.0.2.1"), 0);
    await eventually(() => claims() > before, { describe: "the claim of an announcement" });
    await responder.stop();
  });

  it("is silent while it must not answer", async (t) => {
    const { client, responder } = await start(t);
    responder.set(V4);
    await responder.counters();
    assert(await answersArp(client));
    responder.mayAnswer(false);
    const before = await responder.counters();
    assert.equal(await answersArp(client), false);
    const after = await responder.counters();
    assert((after.silences["fenced"] ?? 0) > (before.silences["fenced"] ?? 0));
    responder.mayAnswer(true);
    await responder.counters();
    assert(await answersArp(client));
    await responder.stop();
  });

  it("answers only where it may, and says why not elsewhere", async (t) => {
    const { node, client, responder, addCable } = await start(t, { excluded: ["^eth2"] });
    for (const name of ["eth1", "eth2"]) {
      await addCable(name);
      await node.ip(`link set ${name} up`);
    }
    const { index } = await responder.interface("eth1", ({ arp, ndp }) => arp && ndp);
    assert.equal(index, Number((await node.ip("-o link show eth1")).split(":")[0]));
    responder.set(V4, ["eth1"]);
    await responder.counters();
    assert(await answersArp(client, V4, "eth1"));
    assert.equal(await answersArp(client, V4, "eth0"), false);
    const { silences } = await responder.counters();
    assert((silences["otherInterface"] ?? 0) > 0);
    responder.set(V4, ["eth0"]);
    await responder.counters();
    assert(await answersArp(client, V4, "eth0"));
    assert.equal(await answersArp(client, V4, "eth1"), false);
    responder.set(V4);
    await responder.counters();
    assert(await answersArp(client, V4, "eth1"));
    assert.equal(await answersArp(client, V4, "eth2"), false);
    const told = await responder.seen("interfaces", () => true);
    const names = told.interfaces.map(({ name, whyNot }) => `${name} ${whyNot ?? "answers"}`);
    assert.deepEqual(names.sort(), ["eth0 answers", "eth1 answers", "lo down"]);
    await responder.stop();
  });

  it("serves an interface that comes later, and announces there what is set", async (t) => {
    const { node, client, responder, addCable } = await start(t);
    responder.set(V4);
    responder.set(V6);
    await addCable("eth1");
    await client.ip("addr add 2001:db8:1::1/64 dev eth1 nodad");
    for (const address of [V4, V6]) await forget(client, address, "eth1");
    await responder.interface("eth1", ({ whyNot }) => whyNot === "down");
    await node.ip("link set eth1 up");
    const mac = await node.macOf("eth1");
    for (const address of [V4, V6]) await isTold(client, address, mac, "eth1");
    assert(await answersArp(client, V4, "eth1"));
    await isMember(node, "eth1");
    await responder.stop();
  });

  it("waits for the end of duplicate address detection on its own link-local address", async (t) => {
    const { node, client, responder } = await start(t, { duplicateDetection: true });
    const mac = await node.macOf("eth0");
    responder.set(V6);
    const { linkLocal } = await responder.interface("eth0", ({ ndp }) => ndp);
    assert.match(linkLocal ?? "", /^fe80::/);
    await resolves(client, V6, mac);
    await responder.stop();
  });

  it("follows an interface that gets another name or hardware address", async (t) => {
    const { node, client, responder } = await start(t);
    responder.set(V4, ["lan0"]);
    await responder.counters();
    assert.equal(await answersArp(client), false);
    await node.ip("link set eth0 down");
    await node.ip("link set eth0 name lan0");
    await node.ip("link set lan0 up");
    await responder.interface("lan0", ({ arp }) => arp);
    assert(await answersArp(client));
    await forget(client, V4);
    const mac = "02:00:00:00:00:42";
    await node.ip(`link set lan0 address ${mac}`);
    await isTold(client, V4, mac);
    await client.ip("neigh flush dev eth0");
    await resolves(client, V4, mac);
    await responder.stop();
  });

  it("outlives an interface that is deleted, and serves the one that follows", async (t) => {
    const { node, client, responder, addCable } = await start(t);
    responder.set(V4);
    responder.set(V6);
    for (let round = 0; round < 3; round++) {
      await node.ip("link del eth0");
      await responder.seen("interfaces", ({ interfaces }) =>
        interfaces.every(({ name }) => name !== "eth0"),
      );
      await addCable("eth0");
      await client.ip("addr add 192.0.2.1/24 dev eth0");
      await client.ip("addr add 2001:db8::1/64 dev eth0 nodad");
      await node.ip("link set eth0 up");
      const mac = await node.macOf("eth0");
      for (const address of [V4, V6]) await resolves(client, address, mac);
    }
    await responder.stop();
  });

  it("serves an interface that was away and came back before it could look", async (t) => {
    const { node, client, responder } = await start(t);
    responder.set(V4);
    responder.set(V6);
    await responder.counters();
    const before = await responder.interface("eth0", () => true);
    const away = `${node.netns}-away`;
    await run(["ip", "netns", "add", away]);
    responder.freeze();
    await node.ip(`link set eth0 netns ${away}`);
    await run(["ip", "-n", away, "link", "set", "eth0", "netns", node.netns]);
    await node.ip("link set eth0 up");
    const linkLocal = before.linkLocal ?? "";
    await eventually(async () => (await node.ip("addr show dev eth0")).includes(linkLocal), {
      describe: "the link-local address again",
    });
    await client.ip("addr replace 2001:db8::1/64 dev eth0 nodad");
    await client.ip("neigh flush dev eth0");
    responder.thaw();
    const mac = await node.macOf("eth0");
    for (const address of [V4, V6]) await resolves(client, address, mac);
    const after = await responder.interface("eth0", ({ ndp }) => ndp);
    assert.equal(after.index, before.index, "the same index: only the sockets know");
    await isMember(node, "eth0");
    await responder.stop();
  });

  it("sees an interface whose news the kernel had to drop", async (t) => {
    const { node, client, responder, addCable } = await start(t);
    responder.set(V4);
    await responder.counters();
    responder.freeze();
    const changes = Array.from({ length: 5000 }, (_, i) => `link set eth0 mtu ${1400 + (i % 2)}`);
    await run(["ip", "-n", node.netns, "-batch", "-"], { input: changes.join("\n") });
    await addCable("eth1");
    await node.ip("link set eth1 up");
    const sockets = await run(["ip", "netns", "exec", node.netns, "cat", "/proc/net/netlink"]);
    const drops = sockets.split("\n").map((line) => Number(line.trim().split(/ +/)[8] ?? 0));
    assert(
      drops.some((count) => count > 0),
      "the kernel had room for all news",
    );
    responder.thaw();
    await responder.interface("eth1", ({ arp }) => arp);
    assert(await answersArp(client, V4, "eth1"));
    await responder.stop();
  });

  it("announces again when a link was down, by the administrator or by its cable", async (t) => {
    const { node, client, responder } = await start(t);
    const mac = await node.macOf("eth0");
    responder.set(V4);
    responder.set(V6);
    for (const address of [V4, V6]) await resolves(client, address, mac);
    for (const [down, up] of [
      [() => node.ip("link set eth0 down"), () => node.ip("link set eth0 up")],
      [() => client.ip("link set eth0 down"), () => client.ip("link set eth0 up")],
    ] as const) {
      await down();
      await responder.interface("eth0", ({ isRunning }) => !isRunning);
      await up();
      // The addresses of an interface that was down are gone with it.
      await client.ip("addr replace 2001:db8::1/64 dev eth0 nodad");
      for (const address of [V4, V6]) await forget(client, address);
      for (const address of [V4, V6]) await isTold(client, address, mac);
      assert(await answersArp(client));
    }
    await responder.stop();
  });

  it("answers on a bridge instead of on its ports", async (t) => {
    const { node, client, responder } = await start(t);
    responder.set(V4);
    await node.ip("link add br0 type bridge");
    await node.ip("link set br0 address 02:00:00:00:00:b0");
    await node.ip("link set eth0 master br0");
    await node.ip("link set br0 up");
    await responder.interface("br0", ({ arp }) => arp);
    await responder.interface("eth0", ({ whyNot }) => whyNot === "enslaved");
    await resolves(client, V4, "02:00:00:00:00:b0");
    await node.ip("link set eth0 nomaster");
    await responder.interface("eth0", ({ arp }) => arp);
    await forget(client, V4);
    await client.ip("neigh flush dev eth0");
    await resolves(client, V4, await node.macOf("eth0"));
    await responder.stop();
  });

  it("answers on an interface without ARP not at all", async (t) => {
    const { node, client, responder } = await start(t);
    responder.set(V4);
    await node.ip("link set eth0 arp off");
    await responder.interface("eth0", ({ whyNot }) => whyNot === "noArp");
    assert.equal(await answersArp(client), false);
    await node.ip("link set eth0 arp on");
    await responder.interface("eth0", ({ arp }) => arp);
    assert(await answersArp(client));
    await responder.stop();
  });

  it("tells switches of its solicited-node groups, each once however many addresses share it", async (t) => {
    const { node, client, responder } = await start(t);
    // A switch of the client's that listens to reports.
    await client.ip("link add br0 type bridge mcast_snooping 1");
    await client.ip("link set eth0 master br0");
    await client.ip("link set br0 up");
    const groups = () => run(["bridge", "-n", client.netns, "mdb", "show"]);
    const sharing = "2001:db8:1::f0:1234";
    responder.set(V6);
    responder.set(sharing);
    await eventually(async () => (await groups()).includes(V6_GROUP), {
      describe: "a report about the group at the switch",
    });
    const joined = async () => (await node.ip("-6 maddr show dev eth0")).includes(V6_GROUP);
    assert(await joined());
    responder.delete(V6);
    await responder.counters();
    assert(await joined(), "another address still wants it");
    responder.delete(sharing);
    await responder.counters();
    assert.equal(await joined(), false);
    await responder.stop();
  });

  it("says what it wants without the capability NET_RAW, and goes on", async (t) => {
    const { client, responder } = await start(t, { withoutNetRaw: true });
    const { problem } = await responder.seen("problem", () => true);
    assert.match(problem ?? "", /^Cannot open a packet socket: .* want the capability NET_RAW$/);
    responder.set(V4);
    responder.set(V6);
    await responder.interface("eth0", ({ arp }) => arp);
    assert.equal(await answersArp(client), false);
    await responder.stop();
  });

  for (const [what, add] of [
    ["VLAN", "link add link eth0 name eth0.7 type vlan id 7"],
    ["bond", "link add bond0 type bond mode active-backup"],
  ] as const) {
    it(`answers on a ${what} where the kernel has such`, async (t) => {
      const { node, client, responder } = await start(t);
      responder.set(V4);
      const refusal = await node.ip(add).then(
        () => undefined,
        (error: Error) => error.message,
      );
      if (refusal !== undefined) {
        // What it does there is tested with made-up links in src/l2/interfaces.test.ts.
        t.diagnostic(`this kernel has no ${what}: ${refusal}`);
        await responder.stop();
        return;
      }
      if (what === "VLAN") {
        await client.ip(add);
        await client.ip("link set eth0.7 up");
        await node.ip("link set eth0.7 up");
        await responder.interface("eth0.7", ({ arp }) => arp);
        responder.set(V4, ["eth0.7"]);
        await responder.counters();
        assert(await answersArp(client, V4, "eth0.7"));
        assert.equal(await answersArp(client, V4, "eth0"), false);
      } else {
        await node.ip("link set eth0 down");
        await node.ip("link set eth0 master bond0");
        await node.ip("link set bond0 up");
        await responder.interface("bond0", ({ arp }) => arp);
        await responder.interface("eth0", ({ whyNot }) => whyNot === "enslaved");
        await resolves(client, V4, await node.macOf("bond0"));
      }
      await responder.stop();
    });
  }
});
