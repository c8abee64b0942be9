// Membership over real UDP: speakers in namespaces on one switch are killed, cut off, frozen,
// heard by nobody, and say goodbye. Each test prints how long the others took to know.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../cluster/eventually.ts";
import { type MemberHost, startMembersLab } from "./members-lab.ts";
import { MemberProcess } from "./members-process.ts";

const NAMES = ["a", "b", "c"];
const SECRET = "IWJhYmFiYWJhYmFiYWJhYg";

type Trio = readonly {
  readonly host: MemberHost;
  readonly member: MemberProcess;
}[];

/** Three hosts with a member each that knows of the others; gone after the test. */
async function startThree(
  test: TestContext,
  secretOf: (name: string) => string = () => SECRET,
): Promise<Trio> {
  const lab = await startMembersLab(NAMES);
  const trio = lab.hosts.map((host) => ({
    host,
    member: new MemberProcess(host, secretOf(host.name)),
  }));
  test.after(() => {
    for (const { member } of trio) member.signal("SIGKILL");
    lab.remove();
  });
  for (const { member } of trio) member.send({ kind: "peers", peers: lab.hosts });
  return trio;
}

/** The same, when all three are members. */
async function startMembers(test: TestContext): Promise<Trio> {
  const trio = await startThree(test);
  await Promise.all(trio.map(({ member }) => member.agrees(NAMES)));
  for (const { member } of trio) member.listen();
  return trio;
}

function at(trio: Trio, name: string): Trio[number] {
  const found = trio.find(({ host }) => host.name === name);
  if (found === undefined) throw new Error(`Cannot find host "${name}"`);
  return found;
}

/** Waits until a and b agree on who is alive, and prints when that was. */
async function othersAgree(
  test: TestContext,
  trio: Trio,
  alive: readonly string[],
  sinceMs: number,
): Promise<void> {
  const times = await Promise.all(["a", "b"].map((name) => at(trio, name).member.agrees(alive)));
  test.diagnostic(`the others knew after ${(Math.max(...times) - sinceMs).toFixed(0)} ms`);
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

async function whyOf(trio: Trio, name: string, subject: string): Promise<string | undefined> {
  const last = at(trio, name).member.told.findLast((told) => told.kind === "snapshot");
  return last?.snapshot.members.find((member) => member.name === subject)?.why;
}

describe("three speakers", () => {
  it("know of one that is killed, by its host's refusals, and of its return", async (test) => {
    const trio = await startMembers(test);
    const killed = at(trio, "c");
    const sinceMs = nowMs();
    killed.member.signal("SIGKILL");
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    assert.equal(await whyOf(trio, "a", "c"), "refused");

    for (const name of ["a", "b"]) at(trio, name).member.listen();
    const againMs = nowMs();
    const again = new MemberProcess(killed.host, SECRET);
    test.after(() => again.signal("SIGKILL"));
    again.send({ kind: "peers", peers: trio.map(({ host }) => host) });
    await othersAgree(test, trio, NAMES, againMs);
    await again.agrees(NAMES);
  });

  it("know of one whose cable is pulled; nobody drops out when it is back", async (test) => {
    const trio = await startMembers(test);
    const sinceMs = nowMs();
    await at(trio, "c").host.setCable("down");
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    assert.equal(await whyOf(trio, "a", "c"), "silent");
    await at(trio, "c").member.agrees(["c"]);
    const { member } = at(trio, "c");
    const alone = await member.hears(
      "snapshot",
      ({ snapshot }) => snapshot.contact.kind === "alone",
      "to be alone",
    );
    assert.equal(alone.snapshot.isDeclaredDead, false);

    for (const { member } of trio) member.listen();
    const pluggedMs = nowMs();
    await at(trio, "c").host.setCable("up");
    await othersAgree(test, trio, NAMES, pluggedMs);
    await member.agrees(NAMES);
    for (const { member, host } of trio) {
      for (const told of member.told) {
        if (told.kind !== "snapshot") continue;
        assert(told.snapshot.alive.includes(host.name), `${host.name} dropped out`);
      }
    }
  });

  it("know of one that is frozen, which learns of it as soon as it runs", async (test) => {
    const trio = await startMembers(test);
    const sinceMs = nowMs();
    at(trio, "c").member.signal("SIGSTOP");
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    const { member } = at(trio, "c");
    member.listen();
    const thawedMs = nowMs();
    member.signal("SIGCONT");
    const first = await member.hears("snapshot", () => true, "anything");
    assert.equal(first.snapshot.isDeclaredDead, true);
    test.diagnostic(`it knew ${(first.atMs - thawedMs).toFixed(0)} ms after it ran again`);
    await member.agrees(NAMES);
  });

  it("know of one that is not heard, which hears of it", async (test) => {
    const trio = await startMembers(test);
    const { host, member } = at(trio, "c");
    const sinceMs = nowMs();
    await host.drop("output", "udp dport 7946");
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    const isTold = await member.hears(
      "snapshot",
      ({ snapshot }) => snapshot.isDeclaredDead,
      "its own death",
    );
    assert(!isTold.snapshot.alive.includes("c"));
    await host.drop("output", undefined);
    await member.agrees(NAMES);
  });

  it("know of one that hears nobody", async (test) => {
    const trio = await startMembers(test);
    const { host } = at(trio, "c");
    const sinceMs = nowMs();
    await host.drop("input", "udp dport 7946");
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    // It takes them for dead too, but they must not take its word.
    for (const name of ["a", "b"]) {
      for (const told of at(trio, name).member.told) {
        assert(told.kind !== "snapshot" || !told.snapshot.isDeclaredDead, `${name} dropped out`);
      }
    }
  });

  it("know of a goodbye at once", async (test) => {
    const trio = await startMembers(test);
    const sinceMs = nowMs();
    at(trio, "c").member.send({ kind: "leave" });
    await othersAgree(test, trio, ["a", "b"], sinceMs);
    assert.equal(await whyOf(trio, "b", "c"), "goodbye");
  });

  for (const family of ["ip", "ip6"]) {
    it(`do without ${family === "ip" ? "IPv4" : "IPv6"}, also when one is killed`, async (test) => {
      const trio = await startMembers(test);
      for (const { host } of trio) {
        const match = `meta nfproto ${family === "ip" ? "ipv4" : "ipv6"} udp dport 7946`;
        await host.drop("input", match);
      }
      const sinceMs = nowMs();
      at(trio, "c").member.signal("SIGKILL");
      await othersAgree(test, trio, ["a", "b"], sinceMs);
      const told = trio.flatMap(({ member }) => member.told);
      const deaths = told.filter(
        (each) => each.kind === "snapshot" && each.snapshot.alive.join() !== "a,b",
      );
      assert.deepEqual(deaths, []);
    });
  }

  it("carry payloads", async (test) => {
    const trio = await startMembers(test);
    at(trio, "a").member.send({ kind: "send", to: "b", text: "take over" });
    const told = await at(trio, "b").member.hears("message", () => true, "a message");
    assert.deepEqual(told, { kind: "message", from: "a", text: "take over" });
  });

  it("take nothing from one with another secret", async (test) => {
    const trio = await startThree(test, (name) => (name === "c" ? "another" : SECRET));
    await Promise.all(["a", "b"].map((name) => at(trio, name).member.agrees(["a", "b"])));
    const { member } = at(trio, "a");
    await eventually(
      () => {
        member.send({ kind: "counters" });
        const last = member.told.findLast((told) => told.kind === "counters");
        return (last?.counters["badMac"] ?? 0) > 0;
      },
      { describe: "datagrams refused for their MAC" },
    );
    const snapshots = member.told.filter((told) => told.kind === "snapshot");
    assert(snapshots.every(({ snapshot }) => !snapshot.alive.includes("c")));
  });
});
