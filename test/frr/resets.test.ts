// Which changes reset which sessions: a node with two leaves.

import assert from "node:assert/strict";
import { after, before, beforeEach, it } from "node:test";
import type { FrrSettings, Neighbor, Routes } from "../../src/frr/model.ts";
import type { FrrEvent } from "../../src/frr/status.ts";
import { eventually } from "../cluster/eventually.ts";
import {
  address,
  classWith,
  neighborWith,
  PLAIN,
  routerWith,
  routesWith,
  settingsWith,
} from "../frr-samples.ts";
import { FrrRouter, wire } from "./daemons.ts";
import { established, type KeptFrr, keep, pathsOf } from "./session.ts";

const LEAF1 = "10.88.0.2";
const LEAF2 = "10.89.0.2";
const routes = routesWith({ "192.0.2.1/32": PLAIN });

let node: FrrRouter;
let leaf1: FrrRouter;
let leaf2: FrrRouter;
let frr: KeptFrr;

const leafWith = (asn: number): string => `
router bgp ${asn}
 bgp router-id 10.9.${asn % 100}.1
 no bgp ebgp-requires-policy
 neighbor 10.88.0.1 remote-as external
 neighbor 10.89.0.1 remote-as external
`;

before(async () => {
  node = await FrrRouter.create("node");
  leaf1 = await FrrRouter.create("leaf1");
  leaf2 = await FrrRouter.create("leaf2");
  await wire([node, "eth0", ["10.88.0.1/24"]], [leaf1, "eth0", ["10.88.0.2/24"]]);
  await wire([node, "eth1", ["10.89.0.1/24"]], [leaf2, "eth0", ["10.89.0.2/24"]]);
  await Promise.all([node, leaf1, leaf2].map((router) => router.start("zebra", "bgpd")));
  await leaf1.configure(leafWith(65101));
  await leaf2.configure(leafWith(65102));
  frr = keep(node);
});

beforeEach(async () => {
  await apply(settingsOf({}, {}));
  // The first look may have begun before.
  await nextLook();
  await nextLook();
  await established(frr, LEAF1, LEAF2);
});

after(async () => {
  await frr?.close();
  for (const router of [node, leaf1, leaf2]) await router?.close();
});

function settingsOf(first: Partial<Neighbor>, second: Partial<Neighbor>, asn = 65000): FrrSettings {
  const common = { connectSeconds: 1 };
  return settingsWith({
    routers: [
      routerWith({
        asn,
        neighbors: [
          neighborWith({ ...common, remoteAs: 65101, ...first }),
          neighborWith({
            ...common,
            peerName: "leaf2",
            address: address(LEAF2),
            remoteAs: 65102,
            ...second,
          }),
        ],
      }),
    ],
  });
}

async function apply(settings: FrrSettings, wanted: Routes = routes): Promise<void> {
  frr.apply({ settings, routes: wanted, changed: undefined });
  await frr.settled();
}

/** How often each session came up. */
function establishments(): Record<string, number> {
  const { neighbors } = frr.status();
  return Object.fromEntries(
    neighbors.map(({ name, establishedCount }) => [name, establishedCount]),
  );
}

/** Waits for the next look at the sessions. */
async function nextLook(): Promise<void> {
  const seen = frr.status().neighbors;
  await eventually(() => frr.status().neighbors !== seen, { describe: "the next look" });
}

/** Resets and returns to Established since an event, in short. */
function story(from: number): string[] {
  return frr.events.slice(from).flatMap((event: FrrEvent) => {
    if (event.kind === "session-reset") return `reset ${event.peerName}`;
    if (event.kind === "session" && event.newState === "Established") {
      return `up ${event.neighbor.name}`;
    }
    return [];
  });
}

it("a restarted applier sends nothing and resets nobody", async () => {
  const past = establishments();
  await frr.close();
  frr = keep(node);
  await apply(settingsOf({}, {}));
  await established(frr, LEAF1, LEAF2);
  assert.equal(frr.status().counters.commands, 0);
  assert.deepEqual(establishments(), past);
});

it("attributes, routes and timers change under established sessions", async () => {
  const past = establishments();
  const coloured = classWith({ communities: ["65000:5"], localPreference: 300 });
  await apply(settingsOf({}, {}), routesWith({ "192.0.2.1/32": coloured }));
  await eventually(
    async () => (await pathsOf(leaf1, "192.0.2.1/32"))[0]?.communities === "65000:5",
    { describe: "the new community at leaf1" },
  );
  await apply(settingsOf({ keepaliveSeconds: 3, holdTimeSeconds: 9 }, {}));
  assert.deepEqual(frr.status().problems, [
    { kind: "next-session", peerName: "leaf1", line: "timers 3 9" },
  ]);
  await nextLook();
  assert.deepEqual(establishments(), past);
  assert.equal(frr.status().counters.sessionResets, 0);
});

it("another AS number of one neighbor resets that one, and says so", async () => {
  const past = establishments();
  const from = frr.events.length;
  const resets = frr.status().counters.sessionResets;
  await apply(settingsOf({ remoteAs: "external" }, {}));
  await eventually(() => establishments()[LEAF1] === (past[LEAF1] ?? 0) + 1, {
    describe: "leaf1 to come back",
  });
  assert.deepEqual(story(from), ["reset leaf1", `up ${LEAF1}`]);
  assert.equal(establishments()[LEAF2], past[LEAF2]);
  assert.equal(frr.status().counters.sessionResets, resets + 1);
});

it("two changes that reset go one after another, the second when the first is back", async () => {
  const from = frr.events.length;
  await apply(
    settingsOf({ sourceAddress: address("10.88.0.1") }, { sourceAddress: address("10.89.0.1") }),
  );
  await established(frr, LEAF1, LEAF2);
  await eventually(() => story(from).length === 4, { describe: "both to come back" });
  assert.deepEqual(story(from), ["reset leaf1", `up ${LEAF1}`, "reset leaf2", `up ${LEAF2}`]);
});

it("another AS number of the node resets all, and says so", async () => {
  const from = frr.events.length;
  await apply(settingsOf({}, {}, 65009));
  await eventually(() => story(from).length === 4, { describe: "both to come back" });
  assert.deepEqual(story(from).toSorted(), [
    "reset leaf1",
    "reset leaf2",
    `up ${LEAF1}`,
    `up ${LEAF2}`,
  ]);
  const paths = await eventually(
    async () => {
      const found = await pathsOf(leaf2, "192.0.2.1/32");
      return found.length > 0 && found;
    },
    { describe: "the route at leaf2" },
  );
  assert.equal(paths[0]?.asPath, "65009");
});

it("a neighbor that goes takes nobody with it", async () => {
  const past = establishments();
  const both = settingsOf({}, {});
  const [router] = both.routers;
  assert.ok(router !== undefined);
  await apply({ ...both, routers: [{ ...router, neighbors: router.neighbors.slice(1) }] });
  await nextLook();
  await nextLook();
  assert.deepEqual(establishments(), { [LEAF2]: past[LEAF2] });
});
