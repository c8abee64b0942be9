// A measuring instrument: asks by ARP or NDP who has an address and measures how soon it is told, or
// how often in a time. A worker thread that blocks on the wire, so that nothing else delays a time
// stamp. Started by l2-questions.ts.

import { parentPort, workerData } from "node:worker_threads";
import { question } from "../lab/clients/frames.ts";
import { addressOf, WireEnd } from "../lab/clients/wire-end.ts";
import { Poller } from "../src/kernel/poller.ts";
import { now } from "./clock.ts";

export type AskerOptions = {
  readonly interfaceName: string;
  /** Whom the asked one sees: addresses it can reach on that interface. */
  readonly asker: { readonly ipv4: string; readonly ipv6: string };
  readonly target: string;
  /** Questions that wait for an answer at once. */
  readonly atOnce: number;
  readonly durationMs: number;
  /** From an answer to the next question. */
  readonly pauseMs: number;
};

export type AskerReport = {
  /** Milliseconds from each question to its answer; meant for one question at once. */
  readonly roundTrips: readonly number[];
  readonly answers: number;
  /** Questions without an answer in time. */
  readonly unanswered: number;
};

const PATIENCE_MS = 200;

const options = workerData as AskerOptions;
const poller = new Poller({ onWake: () => undefined });
const wire = new WireEnd(options.interfaceName);
const target = addressOf(options.target);
const frame = question(target, {
  mac: wire.mac,
  ipv4: addressOf(options.asker.ipv4),
  ipv6: addressOf(options.asker.ipv6),
});

const roundTrips: number[] = [];
let answers = 0;
let unanswered = 0;
let waiting = 0;
let askedAt = 0;
let giveUp: () => void = () => undefined;

wire.listen(poller, ({ address, kind }) => {
  if (address !== target || kind !== "answer" || waiting === 0) return;
  roundTrips.push(now() - askedAt);
  answers += 1;
  waiting -= 1;
  if (options.pauseMs === 0) ask();
  else poller.at(performance.now() + options.pauseMs, ask);
});
poller.at(performance.now() + options.durationMs, () => poller.stop());
for (let i = 0; i < options.atOnce; i++) ask();
poller.run();
poller.close();
const report: AskerReport = { roundTrips, answers, unanswered };
parentPort?.postMessage(report);

function ask(): void {
  waiting += 1;
  giveUp();
  giveUp = poller.at(performance.now() + PATIENCE_MS, () => {
    // All that is still on its way is lost.
    unanswered += waiting;
    const lost = waiting;
    waiting = 0;
    for (let i = 0; i < lost; i++) ask();
  });
  askedAt = now();
  wire.send(target, frame);
}
