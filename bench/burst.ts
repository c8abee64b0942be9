// Many Services with endpoints created at once, both programs running: how long after the last
// creation the peer has the last prefix.

import type { Benchmark } from "./benchmark.ts";
import { now } from "./clock.ts";
import { measureLoad } from "./reload.ts";
import { createEndpoint, createService, inParallel } from "./services.ts";
import { formatMs, formatRatio } from "./table.ts";
import { NODE, startController, startSpeaker, startTestbed } from "./testbed.ts";

const SERVICES = 1000;
const QUICK_SERVICES = 100;
const DEADLINE_MS = 120_000;

export const burst: Benchmark = {
  name: "burst",
  summary: "Services with endpoints created at once, until the last one is at the peer",
  isLong: false,
  run: async (bench) => {
    const services = bench.isQuick ? QUICK_SERVICES : SERVICES;
    const testbed = await startTestbed(bench);
    const { cluster, peer, router } = testbed;
    const controller = await startController(bench, cluster.kubeconfigPath, router.folder);
    const speaker = await startSpeaker(bench, testbed);
    await peer.until(() => peer.established > 0, "the session", DEADLINE_MS);

    bench.progress(`creating ${services} Services with endpoints`);
    const start = now();
    await inParallel({ from: 0, to: services }, async (n) => {
      await createService(cluster, n);
      await createEndpoint(cluster, n, NODE);
    });
    const created = now();
    await peer.until(() => peer.announced === services, "all prefixes", DEADLINE_MS);
    const ours = peer.lastUpdate - created;
    await Promise.all([controller.stop(), speaker.stop()]);

    const reference = await measureLoad(bench, services);
    return [
      {
        title: `${services} Services with endpoints created at once`,
        notes: [
          "From the API server's answer to the last creation until the peer has the last prefix.",
          "reference: as many prefixes on this FRR by vtysh in one transaction, configuration as",
          "MetalLB writes it; without everything before FRR. frr-reload.py takes far longer.",
        ],
        columns: ["", "creations took", "last at the peer", "resets", "reference", "ratio"],
        rows: [
          [
            "controller and speaker",
            formatMs(created - start),
            formatMs(ours),
            String(peer.ended.length),
            formatMs(reference),
            formatRatio(reference, ours),
          ],
        ],
      },
    ];
  },
};
