// Runs as a process on a port of the nodes' network: asks again and again who has some addresses, by
// ARP and by NDP, and writes one line for each frame that says so.

import { writeSync } from "node:fs";
import { setPriority } from "node:os";
import { now } from "../../bench/clock.ts";
import { Poller } from "../../src/kernel/poller.ts";
import { question } from "./frames.ts";
import { formatSighting } from "./sighting.ts";
import { addressOf, WireEnd } from "./wire-end.ts";

/** Whom the nodes see asking: addresses that nobody has. */
const ASKS_FROM = { ipv4: addressOf("192.0.2.31"), ipv6: addressOf("2001:db8:0:1::31") } as const;

const [interfaceName = "", askEvery = "", ...targets] = process.argv.slice(2);

// Times are taken here, not by the kernel: no other process may be in the way.
setPriority(-15);
const poller = new Poller({ onWake: () => undefined });
const wire = new WireEnd(interfaceName);
const wanted = new Set(targets);
wire.listen(poller, (claim) => {
  if (!wanted.has(claim.address)) return;
  writeSync(1, `${formatSighting({ atMs: now(), ...claim })}\n`);
});
const questions = targets.map(addressOf).map((address) => ({
  address,
  frame: question(address, { mac: wire.mac, ...ASKS_FROM }),
}));
const ask = () => {
  for (const { address, frame } of questions) wire.send(address, frame);
  poller.at(performance.now() + Number(askEvery), ask);
};
writeSync(1, "watching\n");
ask();
poller.run();
