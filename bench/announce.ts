// Endpoint ready to UPDATE and endpoint gone to WITHDRAW at the peer, end to end, with a growing
// number of other prefixes announced; and the same by frr-reload.py.

import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Benchmark } from "./benchmark.ts";
import { now } from "./clock.ts";
import { prefixNumber } from "./prefixes.ts";
import type { Program } from "./program.ts";
import { measureReload, type ReloadFigures } from "./reload.ts";
import { createEndpoint, createService, giveAddress, inParallel, setEndpoint } from "./services.ts";
import { histogramPercentile, histogramSince, percentile, readHistogram } from "./statistics.ts";
import { formatMs, formatRatio, type Table } from "./table.ts";
import { NODE, startSpeaker, startTestbed, type Testbed } from "./testbed.ts";

/** Milliseconds. */
type Figures = {
  readonly prefixes: number;
  readonly announce: readonly number[];
  readonly withdraw: readonly number[];
  /** Until the API server's answer to the change. */
  readonly request: readonly number[];
  /** First watch event to bgpd having taken the change, as the speaker measures it. */
  readonly ownP50: number;
  readonly ownP99: number;
  readonly sessionResets: number;
};

const SIZES = [1, 100, 1000, 10_000];
const QUICK_SIZES = [1, 100];
/** Changes up and changes down, for each size. */
const ROUNDS = 50;
const QUICK_ROUNDS = 10;
/** Longest pause between two changes; drawn by lot, so that nothing periodic falls in step. */
const PAUSE_MS = 80;
const DEADLINE_MS = 20_000;

export const announce: Benchmark = {
  name: "announce",
  summary: "endpoint ready to UPDATE, endpoint gone to WITHDRAW, beside frr-reload.py",
  isLong: false,
  run: async (bench) => {
    const ours = await measureSpeaker(bench);
    const references = await measureReloads(bench);
    return [table(ours, references)];
  },
};

async function measureSpeaker(bench: Bench): Promise<readonly Figures[]> {
  const testbed = await startTestbed(bench);
  const speaker = await startSpeaker(bench, testbed);
  const figures: Figures[] = [];
  let filled = 0;
  for (const size of bench.isQuick ? QUICK_SIZES : SIZES) {
    bench.progress(`creating Services up to ${size}`);
    await fill(testbed, filled, size);
    filled = size;
    bench.progress(`measuring with ${size} prefixes`);
    figures.push(await measure(testbed, speaker, size, bench.isQuick ? QUICK_ROUNDS : ROUNDS));
  }
  return figures;
}

async function fill({ cluster, peer }: Testbed, from: number, to: number): Promise<void> {
  await inParallel({ from, to }, async (n) => {
    await createService(cluster, n);
    await giveAddress(cluster, n);
    await createEndpoint(cluster, n, NODE);
  });
  await peer.until(() => peer.announced === to, `${to} prefixes at the peer`, 60_000);
}

async function measure(
  { cluster, peer }: Testbed,
  speaker: Program,
  prefixes: number,
  rounds: number,
): Promise<Figures> {
  const one = Math.floor(prefixes / 2);
  const request: number[] = [];
  const change = async (isReady: boolean) => {
    await sleep(Math.random() * PAUSE_MS);
    const start = now();
    const heard = peer.heard(prefixNumber(one), isReady, DEADLINE_MS);
    await setEndpoint(cluster, one, NODE, isReady);
    request.push(now() - start);
    return (await heard) - start;
  };
  // The first change may find lists and code cold; what is measured is the usual one.
  await change(false);
  await change(true);
  request.length = 0;

  const announce: number[] = [];
  const withdraw: number[] = [];
  const before = await applyDurations(speaker);
  for (let round = 0; round < rounds; round++) {
    withdraw.push(await change(false));
    announce.push(await change(true));
  }
  const own = histogramSince(before, await applyDurations(speaker));
  return {
    prefixes,
    announce,
    withdraw,
    request,
    ownP50: histogramPercentile(own, 0.5) * 1000,
    ownP99: histogramPercentile(own, 0.99) * 1000,
    sessionResets: peer.ended.length,
  };
}

async function applyDurations(speaker: Program) {
  return readHistogram(await speaker.metrics(), "metallb_speaker_apply_duration_seconds");
}

async function measureReloads(bench: Bench): Promise<ReadonlyMap<number, ReloadFigures>> {
  const figures = new Map<number, ReloadFigures>();
  for (const [prefixes, rounds] of [
    [1, 5],
    [100, 3],
    [1000, 1],
  ] as const) {
    if (bench.isQuick && prefixes > 1) continue;
    figures.set(prefixes, await measureReload(bench, { prefixes, rounds }));
  }
  return figures;
}

function table(ours: readonly Figures[], references: ReadonlyMap<number, ReloadFigures>): Table {
  return {
    title: "Endpoint ready -> UPDATE at the peer, endpoint gone -> WITHDRAW",
    notes: [
      "From sending the change of one EndpointSlice to the API server until the peer hears it.",
      "answer: the API server's own answer to that change. own: watch event -> taken by bgpd.",
      "reload: the same change by frr-reload.py --reload on this FRR, configuration as MetalLB",
      "writes it; without MetalLB's API server part, its 3 s debounce and its --test pass.",
      "Of 5 changes with 1 prefix, 3 with 100, 1 with 1000; with 10 000 left out: many minutes.",
      "With 1 prefix FRR's 5 s route-map delay timer is met or not, as chance will have it.",
    ],
    columns: [
      ...["prefixes", "change", "p50", "p99", "answer p50", "own p50", "own p99", "resets"],
      ...["reload p50", "max", "ratio"],
    ],
    rows: ours.flatMap((figures) => {
      const reference = references.get(figures.prefixes);
      return [
        row(figures, "UPDATE", figures.announce, reference?.announce),
        row(figures, "WITHDRAW", figures.withdraw, reference?.withdraw),
      ];
    }),
  };
}

function row(
  { prefixes, request, ownP50, ownP99, sessionResets }: Figures,
  change: string,
  sample: readonly number[],
  reference: readonly number[] = [],
): string[] {
  const usual = percentile(sample, 0.5);
  const reload = percentile(reference, 0.5);
  return [
    String(prefixes),
    change,
    ...[usual, percentile(sample, 0.99), percentile(request, 0.5), ownP50, ownP99].map(formatMs),
    String(sessionResets),
    formatMs(reload),
    formatMs(percentile(reference, 1)),
    formatRatio(reload, usual),
  ];
}
