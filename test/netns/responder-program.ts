// The responder as a program of its own, so that it can run in another namespace: commands come in
// as lines of JSON, and what it tells goes out as such lines. Ends with its standard input.

import { readSync, writeSync } from "node:fs";
import { Poller } from "../../src/kernel/poller.ts";
import type { AddressCounters } from "../../src/l2/counters.ts";
import { startResponder } from "../../src/l2/responder.ts";
import { parseAddress } from "../../src/net/address.ts";
import type { Command, Told } from "./responder-process.ts";

const STDIN = 0;
const STDOUT = 1;

function tell(told: Told): void {
  writeSync(STDOUT, `${JSON.stringify(told)}\n`);
}

const { excluded, refreshIntervalMs } = JSON.parse(process.argv[2] ?? "{}") as {
  readonly excluded: readonly string[];
  readonly refreshIntervalMs: number;
};
/** All that was ever told. */
const counted = new Map<string, AddressCounters>();
let mayAnswer = true;
const poller = new Poller({ onWake: () => {} });
const responder = startResponder({
  poller,
  excludedInterfaces: excluded.map((source) => new RegExp(source)),
  refreshIntervalMs,
  mayAnswer: () => mayAnswer,
  onClaim: (claim) => tell({ kind: "claim", claim }),
  onInterfaces: (interfaces) => tell({ kind: "interfaces", interfaces }),
  onProblem: (problem) => tell({ kind: "problem", problem: problem ?? null }),
});

function obey(command: Command): void {
  if (command.kind === "mayAnswer") {
    mayAnswer = command.mayAnswer;
    return;
  }
  if (command.kind === "counters") {
    const { addresses, silences } = responder.takeCounters();
    for (const [address, counters] of addresses) counted.set(address, counters);
    tell({
      kind: "counters",
      addresses: Object.fromEntries(counted),
      silences: Object.fromEntries(silences),
    });
    return;
  }
  const address = parseAddress(command.address);
  if (address === undefined) throw new Error(`Cannot obey: "${command.address}" is no address`);
  const interfaces = command.interfaces === null ? undefined : new Set(command.interfaces);
  if (command.kind === "set" || command.kind === "probe") {
    responder[command.kind](address, interfaces);
  } else {
    responder[command.kind](address);
  }
}

const input = Buffer.alloc(1 << 16);
let rest = "";
poller.watch(STDIN, () => {
  const length = readSync(STDIN, input);
  if (length === 0) poller.stop();
  const lines = (rest + input.toString("utf8", 0, length)).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) obey(JSON.parse(line) as Command);
});
poller.run();
responder.close();
poller.close();
