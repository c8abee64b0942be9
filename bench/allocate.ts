// Services created at once: how long after the last creation the last one has its address, beside
// as many bare status patches; and what a restart of the controller costs.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { ServiceResource } from "../src/config/resources.ts";
import { connect } from "../src/kube/connection.ts";
import { startStore } from "../src/kube/store.ts";
import { startApiServer } from "../test/fakes/api-server.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { now } from "./clock.ts";
import { addressNumber } from "./prefixes.ts";
import type { Program } from "./program.ts";
import { createService, giveAddress, inParallel, serviceName } from "./services.ts";
import { percentile } from "./statistics.ts";
import { formatMib, formatMs, formatRatio, type Table } from "./table.ts";
import { allocationObjects, startBenchCluster, startController } from "./testbed.ts";

const SERVICES = 2000;
const RESTART_SERVICES = 10_000;
const QUICK_SERVICES = 200;
const DEADLINE_MS = 120_000;
/** As long as its CPU time stands still, a program is quiet. */
const QUIET_MS = 1000;

export const allocate: Benchmark = {
  name: "allocate",
  summary: "Services created at once, until the last one has its address; controller restarts",
  isLong: false,
  run: async (bench) => {
    const folder = mkdtempSync(join(tmpdir(), "bench-allocate-"));
    bench.defer(() => rmSync(folder, { recursive: true, force: true }));
    const services = bench.isQuick ? QUICK_SERVICES : SERVICES;
    const { tables, kubeconfigPath } = await measureAllocation(bench, services, folder);
    const real = await measureRestart(bench, kubeconfigPath, folder);
    const many = bench.isQuick ? QUICK_SERVICES : RESTART_SERVICES;
    const double = await measureRestartWithDouble(bench, many, folder);
    return [
      ...tables,
      restartTable([
        [`${services}, real API server`, ...restartCells(real), "-"],
        [`${many}, double`, ...restartCells(double), String(double.writes)],
      ]),
    ];
  },
};

async function measureAllocation(bench: Bench, services: number, folder: string) {
  bench.progress("starting API server");
  const cluster = await startBenchCluster(bench, "127.0.0.1");
  const { kubeconfigPath } = cluster;
  const controller = await startController(bench, kubeconfigPath, folder);
  const sightings = followAddresses(bench, kubeconfigPath);
  const idleCpu = controller.cpuSeconds();

  bench.progress(`creating ${services} Services`);
  const answers = new Map<string, number>();
  const start = now();
  await inParallel({ from: 0, to: services }, async (n) => {
    await createService(cluster, n);
    answers.set(serviceName(n), now());
  });
  const created = now();
  await sightings.untilAll(services);
  const last = Math.max(...sightings.times.values());
  const each = [...sightings.times].map(([name, at]) => at - (answers.get(name) ?? Number.NaN));
  await quiet(controller);
  const cpu = controller.cpuSeconds() - idleCpu;
  const memory = controller.memory();
  await controller.stop();

  bench.progress(`${services} bare status patches`);
  const patchStart = now();
  await inParallel({ from: 0, to: services }, (n) => giveAddress(cluster, n, "Proxy"));
  const patches = now() - patchStart;
  // As it was, for the restart.
  await inParallel({ from: 0, to: services }, (n) => giveAddress(cluster, n));
  const table: Table = {
    title: `${services} Services created at once`,
    notes: [
      "last: from the API server's answer to the last creation to the last address in a watch.",
      "p50, p99: from the answer to a Service's creation to its address (both of 32 at once).",
      "reference: as many bare status patches, 32 at once, nothing else running.",
    ],
    columns: [
      ...["", "creations took", "last", "p50", "p99", "controller CPU", "RSS", "reference"],
      "ratio",
    ],
    rows: [
      [
        "controller",
        ...[created - start, last - created, percentile(each, 0.5), percentile(each, 0.99)].map(
          formatMs,
        ),
        formatMs(cpu * 1000),
        formatMib(memory.resident),
        formatMs(patches),
        formatRatio(patches, last - created),
      ],
    ],
  };
  return { tables: [table], kubeconfigPath };
}

type Sightings = {
  /** When each Service was first seen with an address, by name. */
  readonly times: ReadonlyMap<string, number>;
  readonly untilAll: (services: number) => Promise<void>;
};

function followAddresses(bench: Bench, kubeconfig: string): Sightings {
  const times = new Map<string, number>();
  const ended = new AbortController();
  const connection = connect({ kubeconfig });
  bench.defer(() => {
    ended.abort();
    connection.close();
  });
  startStore<boolean>({
    connection,
    path: "/api/v1/services",
    fieldSelector: "spec.type=LoadBalancer",
    prune: (object) => {
      const { metadata, status } = object as ServiceResource;
      const hasAddress = (status?.loadBalancer?.ingress ?? []).length > 0;
      if (hasAddress && !times.has(metadata.name)) times.set(metadata.name, now());
      return hasAddress;
    },
    onChange: () => undefined,
    onSynced: () => undefined,
    onProblem: () => undefined,
    signal: ended.signal,
  });
  return {
    times,
    untilAll: async (services) => {
      const deadline = now() + DEADLINE_MS;
      while (times.size < services) {
        if (now() > deadline) {
          throw new Error(`Waited 120 s for ${services} addresses: got ${times.size}`);
        }
        await sleep(20);
      }
    },
  };
}

type Restart = {
  /** From the start of the process. */
  readonly readyMs: number;
  readonly cpuSeconds: number;
  readonly resident: number;
  readonly peak: number;
};

async function measureRestart(bench: Bench, kubeconfig: string, folder: string): Promise<Restart> {
  bench.progress("restarting the controller");
  const start = now();
  const controller = await startController(bench, kubeconfig, folder);
  const readyMs = now() - start;
  await quiet(controller);
  const cpuSeconds = controller.cpuSeconds();
  const memory = controller.memory();
  await controller.stop();
  return { readyMs, cpuSeconds, ...memory };
}

async function measureRestartWithDouble(bench: Bench, services: number, folder: string) {
  bench.progress(`filling the double with ${services} Services`);
  const api = await startApiServer();
  bench.defer(() => api.close());
  for (const object of allocationObjects()) api.put(object);
  for (let n = 0; n < services; n++) api.put(allocatedService(n));
  // The first one writes conditions and annotations; a restart is the second one.
  await measureRestart(bench, api.kubeconfigFile(), folder);
  const before = api.count("patch");
  const restart = await measureRestart(bench, api.kubeconfigFile(), folder);
  return { ...restart, writes: api.count("patch") - before };
}

function allocatedService(n: number) {
  const clusterIP = `10.96.${n >> 8}.${n & 255}`;
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: serviceName(n), namespace: "default" },
    spec: {
      type: "LoadBalancer",
      clusterIP,
      clusterIPs: [clusterIP],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      externalTrafficPolicy: "Cluster",
      ports: [{ port: 80, protocol: "TCP" }],
    },
    status: { loadBalancer: { ingress: [{ ip: addressNumber(n), ipMode: "VIP" }] } },
  };
}

/** Waits until the program uses no CPU any more. */
async function quiet(program: Program): Promise<void> {
  for (let before = -1; before !== program.cpuSeconds(); ) {
    before = program.cpuSeconds();
    await sleep(QUIET_MS);
  }
}

function restartTable(rows: Table["rows"]): Table {
  return {
    title: "Controller restarted with Services that have addresses",
    notes: ["CPU: user and system time from the start of the process until it is quiet."],
    columns: ["Services", "ready after", "CPU until quiet", "RSS", "peak RSS", "patches"],
    rows,
  };
}

function restartCells({ readyMs, cpuSeconds, resident, peak }: Restart): string[] {
  return [formatMs(readyMs), formatMs(cpuSeconds * 1000), formatMib(resident), formatMib(peak)];
}
