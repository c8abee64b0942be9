// One move of the Service's addresses from a node to another, as seen from outside. Pure.

import { formatTable } from "../../src/cli/table.ts";
import { type Call, summarizeCalls } from "./call.ts";
import { longestGap, type Sighting, type Span, stintsOf } from "./sighting.ts";

/** What was seen of one address while a move went on. */
export type Takeover = {
  readonly what: string;
  readonly address: string;
  /** When this was seen, on the system's monotonic clock. */
  readonly span: Span;
  /** Nodes, one after the other; two at once show as back and forth. */
  readonly owners: readonly string[];
  /** The longest time in which nobody answered for the address. */
  readonly silenceMs: number;
  /** The longest time in which no answer came to the client. */
  readonly pauseMs: number;
  readonly requests: number;
  readonly late: number;
  readonly lost: number;
  /** The node that the client's neighbor table has for the address afterwards. */
  readonly neighbor: string;
};

/** More are not worth reading: two nodes have the address at once. */
const MOST_OWNERS = 6;

export type TakeoverFacts = {
  readonly what: string;
  readonly address: string;
  readonly sightings: readonly Sighting[];
  readonly calls: readonly Call[];
  readonly span: Span;
  readonly neighborMac: string | undefined;
  /** Names of nodes by hardware address. */
  readonly nodes: ReadonlyMap<string, string>;
};

export function takeoverOf(facts: TakeoverFacts): Takeover {
  const { what, address, span, nodes } = facts;
  const isInside = (atMs: number) => atMs > span.fromMs && atMs < span.toMs;
  const nameOf = (mac: string | undefined) => nodes.get(mac ?? "") ?? mac ?? "nobody";
  const seen = facts.sightings.filter((one) => one.address === address && isInside(one.atMs));
  const answers = seen.filter(({ kind }) => kind === "answer").map(({ atMs }) => atMs);
  const calls = facts.calls.filter(({ sentMs }) => isInside(sentMs));
  const answered = facts.calls.filter(({ failure }) => failure === undefined);
  const { late, failures } = summarizeCalls(calls);
  return {
    what,
    address,
    span,
    owners: stintsOf(seen).map(({ mac }) => nameOf(mac)),
    silenceMs: longestGap(answers, span),
    pauseMs: longestGap(
      answered.map(({ doneMs }) => doneMs),
      span,
    ),
    requests: calls.length,
    late,
    lost: [...failures.values()].reduce((sum, count) => sum + count, 0),
    neighbor: nameOf(facts.neighborMac),
  };
}

/** In one line, without what happened. */
export function takeoverText(takeover: Takeover): string {
  const { address, owners, silenceMs, pauseMs, requests, late, lost } = takeover;
  const served =
    requests === 0
      ? ""
      : `, the client waited ${pauseMs.toFixed(0)} ms: of ${requests} requests ${late} late, ${lost} lost`;
  return `${address}: ${ownersText(owners)}, nobody answered for ${silenceMs.toFixed(0)} ms${served}`;
}

/** Names in their order; of very many the first ones and the last. */
export function ownersText(owners: readonly string[]): string {
  if (owners.length <= MOST_OWNERS) return owners.join(" > ");
  const [first, second] = owners;
  return `${first} > ${second} > ... > ${owners.at(-1)} (${owners.length - 1} changes)`;
}

export function formatTakeovers(takeovers: readonly Takeover[]): string {
  return formatTable([
    [
      ...["WHAT HAPPENED", "ADDRESS", "ANSWERED BY", "NOBODY FOR", "CLIENT'S NEIGHBOR"],
      ...["WEB PAUSE", "REQUESTS", "LATE", "LOST"],
    ],
    ...takeovers.map((takeover, i) => [
      takeovers[i - 1]?.what === takeover.what ? "" : takeover.what,
      takeover.address,
      ownersText(takeover.owners),
      `${takeover.silenceMs.toFixed(0)} ms`,
      takeover.neighbor,
      `${takeover.pauseMs.toFixed(0)} ms`,
      String(takeover.requests),
      String(takeover.late),
      String(takeover.lost),
    ]),
  ]).join("\n");
}
