// How fast the speaker answers ARP and NDP, idle and while it decides 10 000 Services again and again,
// beside the answers of the same node's kernel for addresses it owns.

import { setTimeout as sleep } from "node:timers/promises";
import { apply } from "../test/cluster/objects.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import type { AskerReport } from "./l2-asker.ts";
import { type AskingEnd, askForRate, askForRoundTrips } from "./l2-questions.ts";
import { addressNumber } from "./prefixes.ts";
import { createEndpoint, createService, giveAddress, inParallel } from "./services.ts";
import { percentile } from "./statistics.ts";
import { formatMs, formatRatio, type Table } from "./table.ts";
import { NODE, startSpeaker, startTestbed, type Testbed } from "./testbed.ts";
import { ip } from "./wire.ts";

const SERVICES = 10_000;
const QUICK_SERVICES = 500;
const ROUND_TRIPS_MS = 15_000;
const RATE_MS = 5_000;
const QUICK_MS = 2_000;
/** From one change of the advertisement to the next: each has all Services decided again. */
const CHANGE_EVERY_MS = 1_000;
/** The first addresses of the pools, which Services of the family have. */
const OURS = { ipv4: addressNumber(0), ipv6: "fd00:64::1" } as const;
/** Of the node's end of the wire and of ours. */
const KERNEL_IPV6 = "fd00:220::2";
const OUR_IPV6 = "fd00:220::1";

type Families<T> = { readonly ipv4: T; readonly ipv6: T };

export const l2Answers: Benchmark = {
  name: "l2-answers",
  summary: "ARP and NDP round trips and answers in a second, beside the kernel's",
  isLong: false,
  run: async (bench) => {
    const testbed = await startTestbed(bench);
    await prepare(testbed);
    const end = {
      interfaceName: testbed.wire.nearInterface,
      asker: { ipv4: testbed.wire.near, ipv6: OUR_IPV6 },
    };
    const kernel = { ipv4: testbed.wire.far, ipv6: KERNEL_IPV6 };
    await startSpeaker(bench, testbed);
    await untilAnswered(bench, end);

    const rows: string[][] = [];
    const tripsMs = bench.isQuick ? QUICK_MS : ROUND_TRIPS_MS;
    const measure = async (state: string) => {
      for (const [name, family] of [
        ["ARP", "ipv4"],
        ["NDP", "ipv6"],
      ] as const) {
        bench.progress(`${name}, ${state}`);
        const ours = await askForRoundTrips(end, OURS[family], tripsMs);
        const reference = await askForRoundTrips(end, kernel[family], tripsMs);
        rows.push(row(`${name}, ${state}`, ours, reference));
      }
    };
    await measure("idle");
    const rates = await measureRates(bench, end, kernel);

    const services = bench.isQuick ? QUICK_SERVICES : SERVICES;
    bench.progress(`creating Services up to ${services}`);
    await inParallel({ from: 1, to: services }, (n) => serve(testbed, n));
    bench.progress("deciding them again and again");
    const changing = new AbortController();
    const changes = changeAdvertisement(testbed, changing.signal);
    await measure(`${services} Services decided again`);
    changing.abort();
    await changes;
    return [roundTripTable(rows), rates];
  },
};

/** IPv6 on the wire, and Layer 2 in the place of BGP. */
async function prepare(testbed: Testbed): Promise<void> {
  const { cluster, wire, router } = testbed;
  await router.ip("addr", "add", `${KERNEL_IPV6}/64`, "dev", "eth0", "nodad");
  await ip("addr", "add", `${OUR_IPV6}/64`, "dev", wire.nearInterface, "nodad");
  const metallb = "/apis/metallb.io/v1beta1/namespaces/metallb-system";
  await cluster.request("DELETE", `${metallb}/bgpadvertisements/all`);
  const metadata = (name: string) => ({ name, namespace: "metallb-system" });
  await apply(cluster, {
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: metadata("ipv6"),
    spec: { addresses: ["fd00:64::/112"] },
  });
  await apply(cluster, {
    apiVersion: "metallb.io/v1beta1",
    kind: "L2Advertisement",
    metadata: metadata("all"),
  });
  await serve(testbed, 0);
  await serveIpv6(testbed);
}

async function serve({ cluster }: Testbed, n: number): Promise<void> {
  await createService(cluster, n);
  await giveAddress(cluster, n);
  await createEndpoint(cluster, n, NODE);
}

async function serveIpv6({ cluster }: Testbed): Promise<void> {
  const name = "service-ipv6";
  const services = "/api/v1/namespaces/default/services";
  await apply(cluster, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { type: "LoadBalancer", ipFamilies: ["IPv6"], ports: [{ port: 80, protocol: "TCP" }] },
  });
  await cluster.request("PATCH", `${services}/${name}/status`, {
    status: { loadBalancer: { ingress: [{ ip: OURS.ipv6, ipMode: "VIP" }] } },
  });
  await apply(cluster, {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv6",
    ports: [{ name: "", port: 80, protocol: "TCP" }],
    endpoints: [{ addresses: ["fd00:10:244::10"], nodeName: NODE, conditions: { ready: true } }],
  });
}

/** Waits for the speaker's first answer in each family. */
async function untilAnswered(bench: Bench, end: AskingEnd): Promise<void> {
  for (const target of [OURS.ipv4, OURS.ipv6]) {
    bench.progress(`waiting for an answer for ${target}`);
    const deadline = performance.now() + 60_000;
    while ((await askForRoundTrips(end, target, 500)).answers === 0) {
      if (performance.now() > deadline) throw new Error(`Waited 60 s for an answer for ${target}`);
    }
  }
}

async function measureRates(
  bench: Bench,
  end: AskingEnd,
  kernel: Families<string>,
): Promise<Table> {
  const rows: string[][] = [];
  const durationMs = bench.isQuick ? QUICK_MS : RATE_MS;
  for (const [name, family] of [
    ["ARP", "ipv4"],
    ["NDP", "ipv6"],
  ] as const) {
    bench.progress(`${name}, as much as is answered`);
    const ours = await askForRate(end, OURS[family], durationMs);
    const reference = await askForRate(end, kernel[family], durationMs);
    const inSecond = ({ answers }: AskerReport) => ((answers / durationMs) * 1000).toFixed(0);
    rows.push([
      name,
      inSecond(ours),
      String(ours.unanswered),
      inSecond(reference),
      formatRatio(ours.answers, reference.answers),
    ]);
  }
  return {
    title: "Answers in a second",
    notes: ["32 questions at once, each answer followed by the next question."],
    columns: ["", "speaker", "lost", "kernel", "speaker to kernel"],
    rows,
  };
}

/** Has all Services decided again until the signal fires. */
async function changeAdvertisement({ cluster }: Testbed, signal: AbortSignal): Promise<void> {
  for (let change = 0; !signal.aborted; change++) {
    await apply(cluster, {
      apiVersion: "metallb.io/v1beta1",
      kind: "L2Advertisement",
      metadata: { name: "all", namespace: "metallb-system" },
      // One more interface, which is not there, or one less.
      spec: { interfaces: ["eth0", ...(change % 2 === 0 ? ["eth7"] : [])] },
    });
    await sleep(CHANGE_EVERY_MS);
  }
}

function row(what: string, ours: AskerReport, reference: AskerReport): string[] {
  const at = ({ roundTrips }: AskerReport, p: number) => percentile(roundTrips, p);
  return [
    what,
    String(ours.answers),
    String(ours.unanswered),
    ...[0.5, 0.99, 1].map((p) => formatUs(at(ours, p))),
    ...[0.5, 0.99, 1].map((p) => formatUs(at(reference, p))),
    formatRatio(at(ours, 0.99), at(reference, 0.99)),
  ];
}

/** Microseconds below a millisecond. */
function formatUs(ms: number): string {
  return ms < 1 ? `${(ms * 1000).toFixed(0)} us` : formatMs(ms);
}

function roundTripTable(rows: readonly (readonly string[])[]): Table {
  return {
    title: "From a question by ARP or NDP to its answer",
    notes: [
      "One question at a time, 2 ms after the last answer; lost: no answer within 200 ms.",
      "kernel: the same for addresses of the node itself, on the same wire; ratio: to its p99.",
      "decided again: an L2Advertisement changes every second, and with it every Service's address.",
    ],
    columns: ["", "answers", "lost", "p50", "p99", "max", "kernel p50", "p99", "max", "ratio"],
    rows,
  };
}
