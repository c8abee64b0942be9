// Membership in virtual time: how soon a death is known, what is wrongly taken for one, what it
// costs, and how splits and restarts end. Runs src/members/view.ts; the same figures every time.

import { parseArgs } from "node:util";
import { runningCluster, Simulation } from "../src/members/simulation.ts";
import { DEFAULT_TIMINGS } from "../src/members/view.ts";
import { percentile } from "./statistics.ts";
import { formatMs, formatTable, type Table } from "./table.ts";

type Condition = {
  readonly name: string;
  readonly lossRate: number;
  /** For how long a node does not run now and then, and for how long it does; undefined: always. */
  readonly stops: { readonly forMs: Range; readonly everyMs: Range } | undefined;
};

type Range = readonly [number, number];

type Size = {
  readonly nodes: number;
  /** Clusters that are made for each condition; undefined: one for all conditions. */
  readonly clusters: number | undefined;
  /** Of each kind in a cluster. */
  readonly deaths: number;
  /** Time without a death. */
  readonly quietHours: number;
};

const HOUR_MS = 3_600_000;

const CONDITIONS: readonly Condition[] = [
  { name: "no loss", lossRate: 0, stops: undefined },
  { name: "1 % loss", lossRate: 0.01, stops: undefined },
  { name: "5 % loss", lossRate: 0.05, stops: undefined },
  {
    name: "pauses of 300 ms",
    lossRate: 0,
    stops: { forMs: [300, 300], everyMs: [0, 10_000] },
  },
  { name: "starved", lossRate: 0, stops: { forMs: [20, 180], everyMs: [5, 20] } },
];

const SIZES: readonly Size[] = [
  { nodes: 3, clusters: 300, deaths: 1, quietHours: 20 },
  { nodes: 100, clusters: undefined, deaths: 50, quietHours: 0.1 },
  { nodes: 1000, clusters: undefined, deaths: 10, quietHours: 0.005 },
];
const QUICK_SIZES: readonly Size[] = [
  { nodes: 3, clusters: 30, deaths: 1, quietHours: 1 },
  { nodes: 100, clusters: undefined, deaths: 10, quietHours: 0.02 },
];

type DeathTimes = { readonly killedMs: number[]; readonly silentMs: number[] };

function deathRows(size: Size): string[][] {
  const { nodes, clusters, deaths, quietHours } = size;
  const shared = clusters === undefined ? runningCluster({ nodes, seed: nodes }) : undefined;
  return CONDITIONS.map((condition) => {
    const times: DeathTimes = { killedMs: [], silentMs: [] };
    for (let seed = 1; seed <= (clusters ?? 1); seed++) {
      const killing = shared ?? runningCluster({ nodes, seed });
      const cutting = shared ?? runningCluster({ nodes, seed: seed + 1000 });
      under(condition, killing, () =>
        times.killedMs.push(...detectionsMs(killing, "kill", deaths)),
      );
      under(condition, cutting, () =>
        times.silentMs.push(...detectionsMs(cutting, "powerOff", deaths)),
      );
    }
    const quiet = shared ?? runningCluster({ nodes, seed: nodes });
    return under(condition, quiet, () => rowOf(nodes, condition, times, costOf(quiet, quietHours)));
  });
}

/** Measures while the condition holds; the network is good before and afterwards. */
function under<T>({ lossRate, stops }: Condition, simulation: Simulation, measure: () => T): T {
  let isOver = false;
  const between = ([least, most]: Range) => least + (most - least) * simulation.random();
  if (stops !== undefined) {
    for (const name of simulation.names) {
      const again = () => {
        if (isOver) return;
        const forMs = between(stops.forMs);
        simulation.freeze(name, forMs);
        simulation.at(simulation.nowMs + forMs + between(stops.everyMs), again);
      };
      simulation.at(simulation.nowMs + between(stops.everyMs), again);
    }
  }
  simulation.lossRate = lossRate;
  simulation.run(1000);
  const measured = measure();
  isOver = true;
  simulation.lossRate = 0;
  simulation.run(1000);
  return measured;
}

/** When the last living node knew, for each of some deaths, after each of which the node returns. */
function detectionsMs(
  simulation: Simulation,
  how: "kill" | "powerOff",
  deaths: number,
): readonly number[] {
  const times: number[] = [];
  for (let death = 0; death < deaths; death++) {
    simulation.run(1000 * simulation.random());
    const { names } = simulation;
    const victim = names[Math.floor(names.length * simulation.random())] ?? "";
    const sinceMs = simulation.nowMs;
    simulation[how](victim);
    simulation.sightings.length = 0;
    const knowing = new Set<string>();
    const allKnow = () => {
      for (const { by, name, to } of simulation.sightings.splice(0)) {
        if (name === victim && to === "dead") knowing.add(by);
      }
      return knowing.size === names.length - 1;
    };
    const isKnown = simulation.runUntil(allKnow, sinceMs + 30_000);
    times.push(isKnown ? simulation.nowMs - sinceMs : Number.POSITIVE_INFINITY);
    simulation.start(victim);
    if (!simulation.runUntilAlive(names, simulation.nowMs + 120_000)) {
      throw new Error(`Cannot go on: "${victim}" is not back after 120 s`);
    }
  }
  return times;
}

/** "p50 / p99 / longest". */
function spread(times: readonly number[]): string {
  const values = [percentile(times, 0.5), percentile(times, 0.99), Math.max(...times)];
  return values.map((value) => value.toFixed(0)).join(" / ");
}

type Cost = {
  readonly nodeHours: number;
  readonly wrong: number;
  readonly datagrams: number;
  readonly octets: number;
};

/** What time without a death costs a node in a second, and whom somebody took for dead. */
function costOf(simulation: Simulation, hours: number): Cost {
  simulation.sightings.length = 0;
  const before = simulation.traffic;
  simulation.run(hours * HOUR_MS);
  const after = simulation.traffic;
  const nodeHours = hours * simulation.names.length;
  const nodeSeconds = 3600 * nodeHours;
  return {
    nodeHours,
    wrong: simulation.sightings.filter(({ to }) => to === "dead").length,
    datagrams: (after.datagrams - before.datagrams) / nodeSeconds,
    octets: (after.octets - before.octets) / nodeSeconds,
  };
}

function rowOf(
  nodes: number,
  { name }: Condition,
  { killedMs, silentMs }: DeathTimes,
  { nodeHours, wrong, datagrams, octets }: Cost,
): string[] {
  return [
    `${nodes} nodes, ${name}`,
    spread(killedMs),
    spread(silentMs),
    `${wrong} in ${nodeHours.toFixed(0)} h`,
    datagrams.toFixed(0),
    octets.toFixed(0),
  ];
}

type Division = {
  readonly name: string;
  /** Whether datagrams get from one node to another; `n` is how many nodes there are. */
  readonly connects: (from: number, to: number, n: number) => boolean;
};

const DIVISIONS: readonly Division[] = [
  { name: "halves", connects: (from, to, n) => from < n / 2 === to < n / 2 },
  { name: "one apart", connects: (from, to) => (from === 0) === (to === 0) },
  { name: "one not heard", connects: (from) => from !== 0 },
];

const SPLIT_MS = 20_000;

function splitRow(nodes: number, { name, connects }: Division): string[] {
  const simulation = runningCluster({ nodes, seed: nodes });
  const indexes = new Map(simulation.names.map((each, index) => [each, index]));
  const indexOf = (each: string) => indexes.get(each) ?? 0;
  simulation.connects = (from, to) => connects(indexOf(from), indexOf(to), nodes);
  const sinceMs = simulation.nowMs;
  simulation.run(SPLIT_MS);
  const during = simulation.sightings.splice(0);
  const isApart = ({ by, name }: { readonly by: string; readonly name: string }) =>
    !simulation.connects(by, name) || !simulation.connects(name, by);
  const wrong = during.filter(
    (each) => each.to === "dead" && !isApart(each) && each.by !== each.name,
  );
  const dead = during.filter(({ to }) => to === "dead");
  const lastMs = Math.max(...dead.map(({ atMs }) => atMs)) - sinceMs;

  simulation.connects = () => true;
  const healedMs = simulation.nowMs;
  const isWhole = simulation.runUntilAlive(simulation.names, healedMs + 60_000);
  const wholeMs = simulation.nowMs - healedMs;
  simulation.run(10_000);
  const after = simulation.sightings.filter(({ to }) => to === "dead").length;
  return [
    `${nodes} nodes, ${name}`,
    formatMs(lastMs),
    String(wrong.length),
    String(during.filter(({ to }) => to === "alive").length),
    isWhole ? formatMs(wholeMs) : "never",
    String(after),
  ];
}

function startRow(nodes: number, isRestart: boolean): string[] {
  const options = { nodes, seed: nodes, lossRate: 0, timings: DEFAULT_TIMINGS };
  const simulation = isRestart ? runningCluster(options) : new Simulation(options);
  if (isRestart) {
    simulation.run(5000);
    for (const name of simulation.names) simulation.kill(name);
    simulation.run(500);
  }
  const sinceMs = simulation.nowMs;
  const before = simulation.traffic.datagrams;
  simulation.startAll();
  const isWhole = simulation.runUntilAlive(simulation.names, sinceMs + 60_000);
  const sent = (simulation.traffic.datagrams - before) / nodes;
  const wholeMs = simulation.nowMs - sinceMs;
  simulation.sightings.length = 0;
  simulation.run(10_000);
  return [
    `${nodes} nodes, ${isRestart ? "all again" : "for the first time"}`,
    isWhole ? formatMs(wholeMs) : "never",
    sent.toFixed(0),
    String(simulation.sightings.filter(({ to }) => to === "dead").length),
  ];
}

function show(table: Table): void {
  process.stdout.write(`\n${formatTable(table)}\n`);
}

function main(): void {
  const { values } = parseArgs({ options: { quick: { type: "boolean", default: false } } });
  const sizes = values.quick ? QUICK_SIZES : SIZES;
  show({
    title: "Deaths: when the last living node knew, in milliseconds: p50 / p99 / longest",
    notes: [
      "killed: its host answers that nobody listens; silent: nothing comes any more",
      "wrong: nodes that somebody took for dead, in so many node-hours without a death",
      "sent by a node in a second, octets with IP and UDP headers; twice that with both families",
      "pauses: each node every 0-10 s; starved: each runs 5-20 ms, then is stopped 20-180 ms;",
      "  a node that does not run at that moment knows later, and often is the last one",
    ],
    columns: ["", "killed", "silent", "wrong", "datagrams", "octets"],
    rows: sizes.flatMap(deathRows),
  });
  const splits = values.quick ? [3, 10] : [3, 10, 100, 300];
  show({
    title: "Splits of 20 s, and their end",
    notes: [
      "last death: when the last node saw the last other one dead",
      "wrong: nodes dead on their own side; returns: nodes that came back during the split",
      "dead again: nodes that somebody took for dead after the end",
    ],
    columns: ["", "last death", "wrong", "returns", "whole after", "dead again"],
    rows: splits.flatMap((nodes) => DIVISIONS.map((division) => splitRow(nodes, division))),
  });
  const starts = values.quick ? [3] : [3, 100, 1000];
  show({
    title: "Starts: until all know all",
    columns: ["", "time", "datagrams of a node", "wrong in 10 s"],
    rows: starts.flatMap((nodes) => [startRow(nodes, false), startRow(nodes, true)]),
  });
}

main();
