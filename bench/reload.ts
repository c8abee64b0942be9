// The reference of announce.ts: the same change on the same FRR by `frr-reload.py --reload`, on a
// configuration of MetalLB's shape.

import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { FrrRouter } from "../test/frr/daemons.ts";
import type { Bench } from "./benchmark.ts";
import { now } from "./clock.ts";
import { metallbConfiguration } from "./metallb-shape.ts";
import { Peer } from "./peer.ts";
import { prefixNumber } from "./prefixes.ts";
import { wireTo } from "./wire.ts";

const run = promisify(execFile);

export type ReloadOptions = {
  /** Announced at the most, the one that comes and goes included. */
  readonly prefixes: number;
  readonly rounds: number;
};

/** Milliseconds from the change to the UPDATE, or to the WITHDRAW, at the peer. */
export type ReloadFigures = {
  readonly announce: readonly number[];
  readonly withdraw: readonly number[];
};

const ASN = 64_512;
const PEER_ASN = 64_513;
const DEADLINE_MS = 120_000;
/** FRR's default delay between the change of a prefix list and its effect, and a little more. */
const ROUTE_MAP_DELAY_MS = 5500;

/** Lets one prefix come and go while the others are announced. */
export async function measureReload(
  bench: Bench,
  { prefixes, rounds }: ReloadOptions,
): Promise<ReloadFigures> {
  bench.progress(`frr-reload.py: ${prefixes} prefixes, ${rounds} rounds`);
  const { router, peer, configuration } = await startReference(bench, `reload${prefixes}`);
  const all = Array.from({ length: prefixes }, (_, i) => prefixNumber(i));
  // In the middle: those behind it get new sequence numbers.
  const one = prefixNumber(Math.floor(prefixes / 2));
  const others = all.filter((prefix) => prefix !== one);
  await load(router, configuration(others));
  await heardAll(peer, others.length);
  await sleep(ROUTE_MAP_DELAY_MS);

  const change = async (isComing: boolean) => {
    const file = await configurationFile(router, configuration(isComing ? all : others));
    const start = now();
    const heard = peer.heard(one, isComing, DEADLINE_MS);
    await Promise.all([heard, reload(router, file)]);
    return (await heard) - start;
  };
  const announce: number[] = [];
  const withdraw: number[] = [];
  for (let round = 0; round < rounds; round++) {
    announce.push(await change(true));
    withdraw.push(await change(false));
  }
  return { announce, withdraw };
}

/** Milliseconds from loading so many prefixes at once until the peer has the last one. */
export async function measureLoad(bench: Bench, prefixes: number): Promise<number> {
  bench.progress(`vtysh: ${prefixes} prefixes at once`);
  const { router, peer, configuration } = await startReference(bench, "load");
  await load(router, configuration([]));
  await heardAll(peer, 0);
  await sleep(ROUTE_MAP_DELAY_MS);
  const all = Array.from({ length: prefixes }, (_, i) => prefixNumber(i));
  const start = now();
  await load(router, configuration(all));
  await heardAll(peer, prefixes);
  return peer.lastUpdate - start;
}

type Reference = {
  readonly router: FrrRouter;
  readonly peer: Peer;
  /** The whole configuration that announces these prefixes. */
  readonly configuration: (prefixes: readonly string[]) => string;
};

async function startReference(bench: Bench, name: string): Promise<Reference> {
  const router = await FrrRouter.create(name);
  bench.defer(() => router.close());
  const { near, far } = await wireTo(router);
  const peer = await Peer.listen({ address: near, asn: PEER_ASN });
  bench.defer(() => peer.close());
  await router.start("zebra", "bgpd", "bfdd", "staticd");
  const neighbors = [peer];
  return {
    router,
    peer,
    configuration: (prefixes) =>
      metallbConfiguration({ asn: ASN, routerId: far, neighbors, prefixes }),
  };
}

/** In one transaction, which frr-reload.py does not do: 10 s instead of minutes for 1000. */
async function load(router: FrrRouter, text: string): Promise<void> {
  await router.configure(`XFRR_start_configuration\n${text}XFRR_end_configuration\n`);
}

async function heardAll(peer: Peer, prefixes: number): Promise<void> {
  const hasAll = () => peer.established > 0 && peer.announced === prefixes;
  await peer.until(hasAll, `${prefixes} prefixes at the peer`, DEADLINE_MS);
}

async function configurationFile(router: FrrRouter, text: string): Promise<string> {
  const file = join(router.folder, "new.conf");
  await writeFile(file, text);
  // Without it frr-reload.py refuses.
  await writeFile(join(router.folder, "vtysh.conf"), "service integrated-vtysh-config\n");
  return file;
}

async function reload({ folder }: FrrRouter, file: string): Promise<void> {
  const folders = ["--vty_socket", folder, "--confdir", folder, "--rundir", folder];
  await run("/usr/lib/frr/frr-reload.py", ["--reload", ...folders, file]);
}
