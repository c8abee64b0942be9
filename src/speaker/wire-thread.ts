// The wire thread: one loop over packet sockets, the members' datagrams and timers. Answers ARP and
// NDP, probes the other speakers and hands addresses over, however busy the speaker's main thread is.
// Wires what src/l2 and src/members decide; see wire.ts for the other side.

import { type MessagePort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { Poller } from "../kernel/poller.ts";
import { wantShortSlices } from "../kernel/time-slice.ts";
import { type Effect, Handover } from "../l2/handover.ts";
import { decodeHandover, encodeHandover } from "../l2/handover-message.ts";
import { startResponder } from "../l2/responder.ts";
import { startProber } from "../members/prober.ts";
import type { Member } from "../members/view.ts";
import { Backlog } from "./backlog.ts";
import { isApiDue, Lease, type Ties } from "./lease.ts";
import type { FromWire, ToWire, WireSettings } from "./wire-messages.ts";

/** Fence and lease are looked at this often; each frame looks too. */
const LOOK_MS = 50;
const ASK_API_PAUSE_MS = 150;
const COUNTERS_MS = 1_000;
/** Longest piece of work between two looks at the sockets. */
const WORK_MS = 0.3;
const NO_WATCHERS = { watchers: 0, quorumHeardAtMs: 0 };

function run(settings: WireSettings, port: MessagePort): void {
  const { nodeName } = settings;
  const tell = (message: FromWire) => port.postMessage(message);
  const poller = new Poller({ onWake: drainPort });
  const handover = new Handover(nodeName);
  const lease = new Lease(settings.isolated);
  const backlog = new Backlog();
  let isDraining = false;
  let isDrained = false;
  let apiAnsweredAtMs = Number.NEGATIVE_INFINITY;
  let askedApiAtMs = Number.NEGATIVE_INFINITY;
  let toldFence: string | undefined | null = null;
  /** A thread that was frozen sees from it that it was. */
  let lookedAtMs = performance.now();
  let silentSinceMs: readonly number[] = [];
  let hasEnded = false;

  const prober =
    settings.membership === undefined
      ? undefined
      : startProber({
          ...settings.membership,
          poller,
          self: nodeName,
          onChange: () => flush(onMembers),
          onMessage: (from, payload) => {
            const message = decodeHandover(payload);
            if (message !== undefined) flush((nowMs) => handover.receive(from, message, nowMs));
          },
        });
  const responder = startResponder({
    poller,
    excludedInterfaces: settings.excludedInterfaces,
    refreshIntervalMs: settings.refreshIntervalMs,
    // Asked anew for each frame: a thread that was frozen must not answer what waited for it.
    mayAnswer: () => fenceNow(performance.now()) === undefined,
    onClaim: ({ address, mac }) => flush((nowMs) => handover.claim(address, mac, nowMs)),
    onInterfaces: (interfaces) => tell({ kind: "interfaces", interfaces }),
    onProblem: (problem) => tell({ kind: "problem", problem }),
  });

  function ties(): Omit<Ties, "stalledMs"> {
    if (prober === undefined || settings.membership === undefined) {
      return { membership: undefined, apiAnsweredAtMs, isDraining };
    }
    const { alive, contact } = prober;
    const membership = {
      isAlive: alive.has(nodeName),
      ...(contact.kind === "alone" ? NO_WATCHERS : contact),
      probeIntervalMs: settings.membership.timings.probeIntervalMs,
      living: alive.size,
      silentSinceMs,
    };
    return { membership, apiAnsweredAtMs, isDraining };
  }

  function fenceNow(nowMs: number): string | undefined {
    return lease.fence({ ...ties(), stalledMs: nowMs - lookedAtMs }, nowMs);
  }

  function onMembers(nowMs: number): void {
    if (prober === undefined) return;
    const others = new Set(prober.alive);
    others.delete(nodeName);
    handover.members(others, nowMs);
    const snapshot = prober.snapshot();
    silentSinceMs = snapshot.members.filter(isSilent).map(({ sinceMs }) => sinceMs);
    tell({ kind: "members", snapshot });
  }

  /** Takes what the speaker says: one message between two looks at the sockets. */
  function drainPort(): void {
    const next = receiveMessageOnPort(port);
    if (next === undefined) return;
    const message: ToWire = next.message;
    flush((nowMs) => hear(message, nowMs));
    if (!hasEnded) poller.at(performance.now(), drainPort);
  }

  function hear(message: ToWire, nowMs: number): void {
    switch (message.kind) {
      case "wants":
        handover.want(message.changes, nowMs);
        return;
      case "peers":
        prober?.setPeers(message.peers);
        return;
      case "apiAnswered":
        apiAnsweredAtMs = nowMs;
        return;
      case "drain":
        isDraining = true;
        handover.drain();
        prober?.leave();
        return;
      case "end":
        hasEnded = true;
        poller.stop();
        return;
    }
  }

  /** Lets something happen, then does what follows from it. */
  function flush(happen: (nowMs: number) => void): void {
    const nowMs = performance.now();
    const fence = fenceNow(nowMs);
    handover.fence(fence, nowMs);
    happen(nowMs);
    // What happened may have changed it, such as the word that this node counts as dead.
    handover.fence(fenceNow(nowMs), nowMs);
    for (const effect of backlog.add(handover.takeEffects())) carryOut(effect);
    scheduleWork();
    const changes = handover.takeChanges();
    if (changes.size > 0) tell({ kind: "addresses", changes });
    if (isDraining && !isDrained && handover.isDrained) {
      isDrained = true;
      tell({ kind: "drained" });
    }
    schedule();
  }

  function carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "answer":
        responder.set(effect.address, interfacesOf(effect.interfaces));
        return;
      case "silence":
        responder.delete(effect.address);
        return;
      case "probe":
        responder.probe(effect.address, interfacesOf(effect.interfaces));
        return;
      case "unwatch":
        responder.unwatch(effect.address);
        return;
      case "defend":
        responder.defend(effect.address);
        return;
      case "send":
        prober?.send(effect.to, encodeHandover(effect.message));
        return;
      case "tell":
        tell({ kind: "event", event: effect.event });
        return;
    }
  }

  let isWorkDue = false;
  function scheduleWork(): void {
    if (isWorkDue || backlog.isEmpty) return;
    isWorkDue = true;
    poller.at(performance.now(), work);
  }

  /** A little of what is kept; the sockets are looked at before the next. */
  function work(): void {
    isWorkDue = false;
    const untilMs = performance.now() + WORK_MS;
    do {
      for (const effect of backlog.take()) carryOut(effect);
    } while (!backlog.isEmpty && performance.now() < untilMs);
    if (backlog.isEmpty) schedule();
    else scheduleWork();
  }

  let cancelTick = () => {};
  function schedule(): void {
    cancelTick();
    const next = handover.nextAtMs;
    // Not before what is kept is done: the wire must have time to answer a question.
    const isWanted = next !== undefined && backlog.isEmpty;
    cancelTick = isWanted ? poller.at(next, () => flush((ms) => handover.tick(ms))) : () => {};
  }

  function look(): void {
    const nowMs = performance.now();
    poller.at(nowMs + LOOK_MS, look);
    // After a stall the first drops everything, the second asks for it anew.
    flush(() => {});
    lookedAtMs = nowMs;
    flush(() => {});
    const fence = fenceNow(nowMs);
    if (fence !== toldFence) {
      toldFence = fence;
      tell({ kind: "fence", why: fence });
    }
    if (isApiDue(ties(), nowMs) && nowMs >= askedApiAtMs + ASK_API_PAUSE_MS) {
      askedApiAtMs = nowMs;
      tell({ kind: "askApi" });
    }
  }

  function count(): void {
    poller.at(performance.now() + COUNTERS_MS, count);
    const datagrams = prober?.counters() ?? {};
    tell({ kind: "counters", counters: { responder: responder.takeCounters(), datagrams } });
  }

  tell({ kind: "started", wakeFd: poller.wakeFd, epochMs: performance.timeOrigin });
  flush(onMembers);
  look();
  count();
  drainPort();
  if (!hasEnded) poller.run();
  responder.close();
  prober?.close();
  poller.close();
  port.close();
}

/** It may be at work, out of our reach: not one that said goodbye, or whose host says that it ended. */
function isSilent({ state, why }: Member): boolean {
  return state === "unknown" || (state === "dead" && why === "silent");
}

/** No names: all interfaces. */
function interfacesOf(names: readonly string[]): ReadonlySet<string> | undefined {
  return names.length === 0 ? undefined : new Set(names);
}

wantShortSlices();
const { settings, port } = workerData as {
  readonly settings: WireSettings;
  readonly port: MessagePort;
};
run(settings, port);
