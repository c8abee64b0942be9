// The prober as a program of its own, so that it can run in another namespace: commands come in as
// lines of JSON, and what it tells goes out as such lines. Ends with its standard input.

import { readSync, writeSync } from "node:fs";
import { Poller } from "../../src/kernel/poller.ts";
import { startProber } from "../../src/members/prober.ts";
import { DEFAULT_TIMINGS } from "../../src/members/view.ts";
import { type Address, parseAddress } from "../../src/net/address.ts";
import type { MemberSettings, MemberTold, ToMember } from "./members-process.ts";

const STDIN = 0;
const STDOUT = 1;

function tell(told: MemberTold): void {
  writeSync(STDOUT, `${JSON.stringify(told)}\n`);
}

function parsed(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot read address "${text}": want IPv4 or IPv6`);
  return address;
}

const settings: MemberSettings = JSON.parse(process.argv[2] ?? "{}");
const poller = new Poller({ onWake: () => {} });
const prober = startProber({
  poller,
  self: settings.name,
  bindAddresses: settings.addresses.map(parsed),
  port: 7946,
  secret: settings.secret,
  timings: DEFAULT_TIMINGS,
  onChange: (snapshot) => {
    tell({ kind: "snapshot", atMs: Number(process.hrtime.bigint()) / 1e6, snapshot });
  },
  onMessage: (from, payload) => {
    tell({ kind: "message", from, text: Buffer.from(payload).toString() });
  },
});

function obey(command: ToMember): void {
  switch (command.kind) {
    case "peers": {
      const peers = command.peers.map(({ name, addresses }) => ({
        name,
        addresses: addresses.map(parsed),
      }));
      prober.setPeers(peers);
      return;
    }
    case "send":
      prober.send(command.to, Buffer.from(command.text));
      return;
    case "leave":
      prober.leave();
      return;
    case "counters":
      tell({ kind: "counters", counters: prober.counters() });
      return;
  }
}

let rest = "";
const buffer = Buffer.alloc(65_536);
poller.watch(STDIN, () => {
  const length = readSync(STDIN, buffer);
  if (length === 0) {
    prober.close();
    poller.stop();
    return;
  }
  const lines = (rest + buffer.toString("utf8", 0, length)).split("\n");
  rest = lines.pop() ?? "";
  for (const line of lines) obey(JSON.parse(line));
});
poller.run();
poller.close();
