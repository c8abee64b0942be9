// How long a change of one route takes, among a thousand others: our share, and all of it until
// the peer has the UPDATE (bgpd holds its queue for 50 ms).

import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { createVtyClient } from "../../src/frr/vty.ts";
import type { Prefix } from "../../src/net/prefix.ts";
import { eventually } from "../cluster/eventually.ts";
import { PLAIN, prefix, settingsWith } from "../frr-samples.ts";
import type { FrrRouter } from "./daemons.ts";
import { createPair, established, type KeptFrr, keep, LEAF, pathsOf } from "./session.ts";

let node: FrrRouter;
let leaf: FrrRouter;
let frr: KeptFrr;

before(async () => {
  ({ node, leaf } = await createPair());
  await leaf.configure(LEAF);
  frr = keep(node);
});

after(async () => {
  await frr?.close();
  await node?.close();
  await leaf?.close();
});

it("a thousand prefixes go in one batch, and one among them in milliseconds", async (t) => {
  const settings = settingsWith();
  const routes = new Map<Prefix, typeof PLAIN>();
  for (let index = 0; index < 1000; index += 1) {
    routes.set(prefix(`198.18.${index >> 8}.${index & 255}/32`), PLAIN);
  }
  frr.apply({ settings, routes: new Map(routes), changed: undefined });
  await frr.settled();
  await established(frr, "10.88.0.2");
  await eventually(async () => (await pathsOf(leaf, "198.18.3.231/32")).length === 1, {
    describe: "the last of 1000 prefixes at the leaf",
  });
  const sentBefore = frr.status().counters.commands;

  const peer = createVtyClient({
    socketsFolder: leaf.folder,
    deadlineMs: 10_000,
    onLost: () => undefined,
  });
  const one = prefix("192.0.2.1/32");
  const has = async (): Promise<boolean> =>
    (await peer.show("bgpd", `show bgp ipv4 unicast ${one} json`)).includes("aspath");
  const ours: number[] = [];
  const updates: number[] = [];
  const withdraws: number[] = [];
  for (let round = 0; round < 40; round += 1) {
    const wanted = !routes.has(one);
    if (wanted) routes.set(one, PLAIN);
    else routes.delete(one);
    const start = performance.now();
    frr.apply({ settings, routes, changed: new Set([one]) });
    await frr.settled();
    ours.push(performance.now() - start);
    const deadline = start + 20_000;
    while ((await has()) !== wanted) assert.ok(performance.now() < deadline, "UPDATE at the leaf");
    (wanted ? updates : withdraws).push(performance.now() - start);
  }
  peer.close();
  t.diagnostic(`apply to accepted: p50 ${p(ours, 0.5)} ms, p95 ${p(ours, 0.95)} ms`);
  t.diagnostic(`apply to UPDATE: p50 ${p(updates, 0.5)} ms, p95 ${p(updates, 0.95)} ms`);
  // The leaf has a queue of its own before a route is gone from its table: another 50 ms.
  t.diagnostic(`apply to WITHDRAW: p50 ${p(withdraws, 0.5)} ms, p95 ${p(withdraws, 0.95)} ms`);
  assert.equal(frr.status().counters.commands - sentBefore, 40);
  // Ten times the goals: this machine may be busy, but not by that much.
  assert.ok(p(ours, 0.5) < 80);
  assert.ok(p(updates, 0.5) < 620);
});

function p(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round((sorted[Math.floor(sorted.length * share)] ?? 0) * 10) / 10;
}
