// What we render, in front of the real daemons: taken as it is, kept as it is, and the same
// whichever state was there before.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type FrrTree, parseConfiguration } from "../../src/frr/tree.ts";
import { dryRun } from "../../src/frr/vtysh.ts";
import { DESIRED_SAMPLES } from "../frr-samples.ts";
import { FrrRouter } from "./daemons.ts";
import { keep } from "./session.ts";

const samples = Object.entries(DESIRED_SAMPLES);
const golden = (name: string): string =>
  join(import.meta.dirname, "../golden", `${name.replaceAll(" ", "-")}.conf`);

const DAEMONS = ["zebra", "bgpd", "bfdd"] as const;

let node: FrrRouter;

before(async () => {
  node = await FrrRouter.create("alone");
  await node.start(...DAEMONS);
});

after(() => node?.close());

/** What daemons have, in normal form. */
async function running(): Promise<object> {
  const parts = DAEMONS.map(async (daemon) => {
    const { tree, networks } = parseConfiguration(await node.show(daemon, "show running-config"));
    return [daemon, outline(tree), [...networks].map(([key, value]) => [key, [...value].sort()])];
  });
  return Promise.all(parts);
}

function outline(tree: FrrTree): object {
  const lines = [...tree]
    // It stays, empty, once it was there.
    .filter(([key, { inner }]) => key !== "bfd" || inner?.size !== 0)
    .map(([key, { value, inner }]) => [key, value, inner && outline(inner)]);
  return lines.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
}

async function restartDaemons(): Promise<void> {
  for (const daemon of DAEMONS) await node.kill(daemon);
  await node.start(...DAEMONS);
}

describe("FRR takes", () => {
  for (const [name, { settings, routes }] of samples) {
    it(`"${name}", keeps it, and needs no command afterwards`, async () => {
      const frr = keep(node);
      try {
        frr.apply({ settings, routes, changed: undefined });
        await frr.settled();
        assert.deepEqual(frr.status().problems, []);
        assert.equal(frr.status().connection.kind, "connected");
      } finally {
        await frr.close();
      }
      const again = keep(node);
      try {
        again.apply({ settings, routes, changed: undefined });
        await again.settled();
        assert.equal(again.status().counters.commands, 0);
      } finally {
        await again.close();
      }
    });
  }
});

describe("FRR started from the golden file of", () => {
  for (const [name, { settings, routes }] of samples) {
    it(`"${name}" needs no command but for the host name`, async () => {
      await restartDaemons();
      await node.load(golden(name));
      const frr = keep(node);
      try {
        frr.apply({ settings, routes, changed: undefined });
        await frr.settled();
        assert.deepEqual(frr.status().problems, []);
        // vtysh of 8.4 keeps it to itself: once for each daemon that started.
        assert.equal(frr.status().counters.commands, 3);
      } finally {
        await frr.close();
      }
    });
  }
});

it("FRR refuses a broken file", async (t) => {
  const options = { socketsFolder: node.folder, deadlineMs: 20_000, signal: t.signal };
  const broken = "router bgp 65000\n neighbor 10.0.0.1 remote-as\n neighbour 10.0.0.1 bfd\n";
  const complaints = await dryRun(options, broken);
  assert.equal(complaints.length, 2);
  assert.match(complaints.join("\n"), /remote-as[\s\S]*neighbour/);
  assert.deepEqual(await dryRun(options, "router bgp 65000\n bgp router-id 1.1.1.1\n"), []);
});

it("any state follows any other: the end is as from a fresh start", async (t) => {
  const fresh = new Map<string, object>();
  for (const [name, { settings, routes }] of samples) {
    await restartDaemons();
    const frr = keep(node);
    try {
      frr.apply({ settings, routes, changed: undefined });
      await frr.settled();
      fresh.set(name, await running());
    } finally {
      await frr.close();
    }
  }
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  const random = mulberry32(seed);
  const frr = keep(node);
  try {
    let path = "start";
    for (let step = 0; step < 60; step += 1) {
      const [name, desired] = samples[Math.floor(random() * samples.length)] ?? assert.fail();
      path += ` > ${name}`;
      frr.apply({ ...desired, changed: undefined });
      await frr.settled();
      assert.deepEqual(frr.status().problems, [], path);
      assert.deepEqual(await running(), fresh.get(name), path);
    }
  } finally {
    await frr.close();
  }
});

/** A small random source with a seed, so that a failure can be repeated. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
