// FRR that dies, hangs, is changed by others or refuses: told, and put right.

import assert from "node:assert/strict";
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import type { FrrSettings, Neighbor } from "../../src/frr/model.ts";
import type { FrrProblem } from "../../src/frr/status.ts";
import { eventually } from "../cluster/eventually.ts";
import {
  classWith,
  neighborWith,
  PLAIN,
  routerWith,
  routesWith,
  settingsWith,
} from "../frr-samples.ts";
import type { FrrRouter } from "./daemons.ts";
import { createPair, established, type KeptFrr, keep, LEAF, pathsOf } from "./session.ts";

const PEER = "10.88.0.2";
const routes = routesWith({ "192.0.2.1/32": PLAIN });

let node: FrrRouter;
let leaf: FrrRouter;
let frr: KeptFrr;
let configFile: string;

before(async () => {
  ({ node, leaf } = await createPair());
  await leaf.configure(LEAF);
  configFile = join(node.folder, "frr.conf");
  frr = keep(node, { configFile });
});

after(async () => {
  await frr?.close();
  await node?.close();
  await leaf?.close();
});

const settingsOf = (changes: Partial<Neighbor>): FrrSettings =>
  settingsWith({ routers: [routerWith({ neighbors: [neighborWith(changes)] })] });

async function apply(settings = settingsWith(), wanted = routes): Promise<void> {
  frr.apply({ settings, routes: wanted, changed: undefined });
  await frr.settled();
}

function lineNumberOf(problem: FrrProblem): number {
  return problem.kind === "refused-extra" ? problem.lineNumber : 0;
}

async function routeAtLeaf(): Promise<void> {
  await eventually(async () => (await pathsOf(leaf, "192.0.2.1/32")).length === 1, {
    describe: "the route at the leaf",
  });
}

describe("startFrr()", () => {
  it("puts bgpd right after SIGKILL", async () => {
    await apply();
    await routeAtLeaf();
    const from = frr.events.length;
    await node.kill("bgpd");
    await eventually(() => frr.status().connection.kind === "waiting", { describe: "the loss" });
    assert.deepEqual(frr.status().neighbors, []);
    await eventually(async () => (await pathsOf(leaf, "192.0.2.1/32")).length === 0, {
      describe: "the leaf to drop the route",
    });
    await node.start("bgpd");
    await routeAtLeaf();
    const kinds = frr.events.slice(from).map(({ kind }) => kind);
    assert.deepEqual(
      kinds.filter((kind) => kind === "connected" || kind === "disconnected"),
      ["disconnected", "connected"],
    );
    assert.equal(frr.status().counters.reconnects, 1);
  });

  it("goes on when bgpd was killed while routes kept changing", async () => {
    const settings = settingsWith();
    let round = 0;
    const changing = setInterval(() => {
      round += 1;
      const extra = routesWith({ [`198.51.100.${round % 200}/32`]: PLAIN });
      frr.apply({
        settings,
        routes: new Map([...routes, ...extra]),
        changed: new Set([
          ...extra.keys(),
          ...routesWith({ [`198.51.100.${(round - 1) % 200}/32`]: PLAIN }).keys(),
        ]),
      });
    }, 3);
    try {
      await eventually(() => round > 50, { describe: "changes" });
      await node.kill("bgpd");
      await node.start("bgpd");
      await eventually(() => frr.status().connection.kind === "connected" && round > 200, {
        describe: "changes after the return",
      });
    } finally {
      clearInterval(changing);
    }
    await apply(settings);
    await routeAtLeaf();
    const text = await node.show("bgpd", "show running-config");
    assert.deepEqual(text.match(/network \d\S+/g), ["network 192.0.2.1/32"]);
  });

  it("tells a bgpd that hangs within the deadline, and finds it unchanged afterwards", async () => {
    await apply();
    await established(frr, PEER);
    const commands = frr.status().counters.commands;
    const from = frr.events.length;
    const start = performance.now();
    node.signal("bgpd", "SIGSTOP");
    try {
      await eventually(() => frr.status().connection.kind === "hung", { describe: "the hang" });
      // A look each second, three seconds of patience, and as much again for a busy machine.
      assert.ok(performance.now() - start < 8000);
    } finally {
      node.signal("bgpd", "SIGCONT");
    }
    const told = frr.events.slice(from).find(({ kind }) => kind === "disconnected");
    assert.ok(told?.kind === "disconnected" && told.hung);
    assert.match(told.reason, /^Lost bgpd: no answer to "show [\w-]+" in 3000 ms$/);
    await eventually(() => frr.status().connection.kind === "connected", {
      describe: "bgpd's return",
    });
    await frr.settled();
    assert.equal(frr.status().counters.commands, commands);
  });

  it("puts back what somebody else changed, and takes away what nobody needs", async () => {
    const passing = classWith({ communities: ["65000:77"] });
    await apply(settingsWith(), routesWith({ "192.0.2.1/32": PLAIN, "192.0.2.2/32": passing }));
    await apply();
    const from = frr.events.length;
    await node.configure(`
router bgp 65000
 no neighbor ${PEER} timers connect 1
 address-family ipv4 unicast
  no network 192.0.2.1/32
  network 203.0.113.0/24
exit
route-map theirs permit 10
`);
    const drift = await eventually(
      () => frr.events.slice(from).find(({ kind }) => kind === "drift"),
      { describe: "the drift" },
    );
    assert.ok(drift.kind === "drift");
    assert.deepEqual(
      drift.lines.map((line) => line.replace(/(c|out)-[0-9a-f]+/, "$1-")).toSorted(),
      [
        `neighbor ${PEER} timers connect 1`,
        "network 192.0.2.1/32 route-map c-",
        "no network 203.0.113.0/24",
        "no route-map theirs permit 10",
      ].toSorted(),
    );
    await eventually(
      async () => {
        const text = await node.show("bgpd", "show running-config");
        return (
          !/theirs|203\.0\.113|65000:77/.test(text) &&
          text.includes(`neighbor ${PEER} timers connect 1`) &&
          text.includes("network 192.0.2.1/32 route-map c-")
        );
      },
      { describe: "all put back" },
    );
    await routeAtLeaf();
    assert.equal(frr.status().counters.drifts, 1);
  });

  it("keeps the whole text in a file that FRR's group may read, others not", async () => {
    await apply(settingsOf({ password: "s3cret" }));
    await eventually(async () => (await readFile(configFile, "utf8")).includes("s3cret"), {
      describe: "the file",
    });
    assert.equal((await stat(configFile)).mode & 0o777, 0o640);
    assert.ok(!frr.text().includes("s3cret"));
    assert.match(frr.text(), /password <hidden>/);
  });

  it("leaves out the user's lines that FRR refuses, names them, and applies the others", async () => {
    const extras = [
      "ip prefix-list learn permit 10.0.0.0/8",
      "route-map 10.88.0.2-in permitt 20",
      "router bgp 65000",
      " neighbor 10.88.0.2 descriptoin x",
      " neighbor 10.88.0.2 description password hunter2",
      "router bgp 64999",
      " coalesce-time 5",
      "",
    ].join("\n");
    await apply({ ...settingsWith(), extras });
    const byLine = frr.status().problems.toSorted((a, b) => lineNumberOf(a) - lineNumberOf(b));
    assert.deepEqual(byLine, [
      {
        kind: "refused-extra",
        lineNumber: 2,
        line: "route-map 10.88.0.2-in permitt 20",
        message: "Unknown command: route-map 10.88.0.2-in permitt 20",
      },
      {
        kind: "refused-extra",
        lineNumber: 4,
        line: "neighbor 10.88.0.2 descriptoin x",
        message: "Unknown command: neighbor 10.88.0.2 descriptoin x",
      },
      {
        kind: "refused-extra",
        lineNumber: 7,
        line: "coalesce-time 5",
        message: "BGP is already running; AS is 65000",
      },
    ]);
    const text = await node.show("bgpd", "show running-config");
    assert.match(text, /ip prefix-list learn seq 5 permit 10\.0\.0\.0\/8/);
    assert.match(text, /description password hunter2/);
    await eventually(
      async () => (await readFile(configFile, "utf8")).includes("! refused by FRR: route-map"),
      { describe: "the file without the refused lines" },
    );
    await routeAtLeaf();
    const commands = frr.status().counters.commands;
    await apply({ ...settingsWith(), extras });
    assert.equal(frr.status().counters.commands, commands);
    await apply();
    assert.deepEqual(frr.status().problems, []);
    assert.ok(!(await node.show("bgpd", "show running-config")).includes("hunter2"));
  });

  for (const [why, changes, reason] of [
    ["AS number", { remoteAs: 65111 }, /AS numbers of the two sides do not match \(2\/2\)/],
    ["password", { password: "x" }, /the passwords differ/],
  ] as const) {
    it(`shows a wrong ${why} as the session's reason`, async () => {
      await apply(settingsOf(changes));
      await eventually(() => reason.test(frr.status().neighbors[0]?.reason ?? ""), {
        describe: "the reason",
      });
      await apply();
      await established(frr, PEER);
      assert.equal(frr.status().neighbors[0]?.reason, undefined);
    });
  }

  it("reads BFD sessions, and their end", async () => {
    await leaf.configure("router bgp 65100\n neighbor 10.88.0.1 bfd\n");
    await apply({
      ...settingsOf({ bfdProfile: "usual" }),
      bfdProfiles: [
        {
          name: "usual",
          receiveIntervalMs: null,
          transmitIntervalMs: null,
          echoIntervalMs: null,
          detectMultiplier: null,
          echoMode: false,
          passiveMode: false,
          minimumTtl: null,
        },
      ],
    });
    await eventually(() => frr.status().bfd[0]?.state === "up", { describe: "BFD up" });
    assert.equal(frr.status().bfd[0]?.peer, PEER);
    await leaf.kill("bfdd");
    await eventually(() => frr.status().bfd[0]?.state === "down", { describe: "BFD down" });
    const changes = frr.events.flatMap((event) => (event.kind === "bfd" ? [event.newState] : []));
    // It may be seen on its way up.
    assert.deepEqual(
      changes.filter((state) => state !== "init"),
      ["up", "down"],
    );
  });
});
