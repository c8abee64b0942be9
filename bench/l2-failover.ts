// How long an address is away for its clients when its owner dies, is cut off, hangs or ends, and when
// it is back: on the wire and by HTTP through kube-proxy, in the lab with everything real.

import { createHash } from "node:crypto";
import { longestGap } from "../lab/clients/sighting.ts";
import type { Takeover } from "../lab/clients/takeover.ts";
import { Witness } from "../lab/clients/witness.ts";
import { NODES } from "../lab/demo/stage.ts";
import { L2Stand, Scene } from "../test/e2e/l2-stand.ts";
import type { Bench, Benchmark } from "./benchmark.ts";
import { percentile } from "./statistics.ts";
import { formatMs, type Table } from "./table.ts";

const ROUNDS = 50;
const QUICK_ROUNDS = 3;
const POOL = { prefix: "192.0.2.", from: 240, to: 250 } as const;
/** Its kernel answers for it, and nothing happens to it. */
const REFERENCE = "control";
const ASK_EVERY_MS = 5;

/** Something that happens to the owner of an address, and how it is undone. */
type Fault = {
  readonly happens: string;
  readonly isUndone: string;
  readonly act: (l2: L2Stand, owner: string) => Promise<void>;
  readonly undo: (l2: L2Stand, owner: string) => Promise<void>;
  /** The others count the node as dead, and remember it: they are started afresh now and then. */
  readonly isDeath: boolean;
};

const FAULTS: readonly Fault[] = [
  {
    happens: "SIGKILL of all in the owner",
    isUndone: "  started again",
    act: (l2, owner) => l2.killNode(owner),
    undo: (l2, owner) => l2.startNode(owner),
    isDeath: true,
  },
  {
    happens: "cable of the owner cut",
    isUndone: "  mended",
    act: (l2, owner) => l2.cutCable(owner, "port down"),
    undo: (l2, owner) => l2.mendCable(owner),
    isDeath: true,
  },
  {
    happens: "SIGSTOP of all in the owner",
    isUndone: "  SIGCONT",
    act: (l2, owner) => l2.freeze(owner),
    undo: (l2, owner) => l2.thaw(owner),
    isDeath: true,
  },
  {
    happens: "SIGTERM of its speaker",
    isUndone: "  started again",
    act: (l2, owner) => l2.endSpeaker(owner),
    undo: (l2, owner) => l2.startSpeaker(owner),
    isDeath: false,
  },
];

/** What was seen of one move, and of the reference in the same time. */
type Seen = Takeover & { readonly referenceMs: number };

export const l2Failover: Benchmark = {
  name: "l2-failover",
  summary: "an address on Layer 2 when its owner dies, is cut off, hangs, ends, and is back",
  isLong: true,
  run: async (bench) => {
    const l2 = await L2Stand.start();
    bench.defer(() => l2.stop());
    const rounds = bench.rounds ?? (bench.isQuick ? QUICK_ROUNDS : ROUNDS);
    const rows: string[][] = [];
    for (const fault of FAULTS) {
      const { lost, back } = await measure(bench, l2, fault, rounds);
      rows.push(row(fault.happens, lost), row(fault.isUndone, back));
    }
    return [table(rounds, rows)];
  },
};

async function measure(bench: Bench, l2: L2Stand, fault: Fault, rounds: number) {
  const lost: Seen[] = [];
  const back: Seen[] = [];
  for (let round = 0; round < rounds; round++) {
    bench.progress(`${fault.happens}: ${round + 1} of ${rounds}`);
    // Each node in turn, so that none has died lately when the speakers have been started afresh.
    const wanted = NODES[round % NODES.length] ?? NODES[0];
    if (fault.isDeath && wanted === NODES[0]) await l2.mend();
    await using reference = await watchReference(l2);
    await using scene = await Scene.start(l2, {
      name: "bench",
      annotations: { "metallb.io/loadBalancerIPs": addressOwnedBy(wanted) },
    });
    const see = async (takeovers: Promise<readonly Takeover[]>) =>
      (await takeovers).map((one) => ({ ...one, referenceMs: reference.longestGap(one) }));
    const { owner } = scene;
    lost.push(...(await see(scene.moves(fault.happens, () => fault.act(l2, owner)))));
    back.push(...(await see(scene.comesBack(fault.isUndone, () => fault.undo(l2, owner)))));
    await l2.untilMembers();
  }
  return { lost, back };
}

/** The first address of the pool for which the election's hash puts this node first. */
function addressOwnedBy(nodeName: string): string {
  for (let last = POOL.from; last <= POOL.to; last++) {
    const address = `${POOL.prefix}${last}`;
    const hash = (name: string) => createHash("sha256").update(`${name}#${address}`).digest("hex");
    const [first] = [...NODES].sort((a, b) => (hash(a) < hash(b) ? -1 : 1));
    if (first === nodeName) return address;
  }
  throw new Error(`Cannot find an address of the pool that ${nodeName} comes first for`);
}

/** The same questions to a kernel that is left alone: how well we measure. */
async function watchReference(l2: L2Stand) {
  const [address = ""] = l2.lab.node(REFERENCE).addresses;
  const witness = await Witness.start(l2.lab, [address], ASK_EVERY_MS);
  return {
    longestGap: ({ span }: Takeover) =>
      longestGap(
        witness.sightings().map(({ atMs }) => atMs),
        span,
      ),
    [Symbol.asyncDispose]: () => witness.stop(),
  };
}

function row(what: string, seen: readonly Seen[]): string[] {
  const silence = seen.map(({ silenceMs }) => silenceMs);
  const pause = seen.map(({ pauseMs }) => pauseMs);
  const sum = (value: (one: Seen) => number) => seen.reduce((all, one) => all + value(one), 0);
  return [
    what,
    ...[0.5, 0.99].map((p) => formatMs(percentile(silence, p))),
    formatMs(
      percentile(
        seen.map(({ referenceMs }) => referenceMs),
        0.99,
      ),
    ),
    ...[0.5, 0.99].map((p) => formatMs(percentile(pause, p))),
    ...[sum(({ requests }) => requests), sum(({ late }) => late), sum(({ lost }) => lost)].map(
      String,
    ),
    String(seen.filter(({ owners }) => owners.length !== 2).length),
  ];
}

function table(rounds: number, rows: readonly (readonly string[])[]): Table {
  return {
    title: "An address on Layer 2 when something happens to its owner",
    notes: [
      `Three nodes, kube-apiserver, kube-proxy; each ${rounds} times, the nodes in turn.`,
      "silence: the longest time without an answer to ARP, asked every 5 ms by a port of its own.",
      "kernel: the same for an address of a kernel that nothing happens to, asked in the same time.",
      "web: the longest time without an answer for a client that asks every 10 ms by HTTP, each time",
      "on a new connection; late: answered after TCP sent the first packet again, a second later.",
      "two owners: rounds in which a node answered again after another one had.",
    ],
    columns: [
      ...["", "silence p50", "p99", "kernel p99", "web p50", "p99"],
      ...["requests", "late", "lost", "two owners"],
    ],
    rows,
  };
}
