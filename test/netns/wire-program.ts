// The wire of a speaker without the rest of it, in a namespace of its own, whose port for members is
// in use until standard input ends. Tells each new problem, and what it answers for, as lines of JSON.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { Want } from "../../src/l2/handover.ts";
import { DEFAULT_TIMINGS } from "../../src/members/view.ts";
import { parseAddress } from "../../src/net/address.ts";
import { startWire } from "../../src/speaker/wire.ts";

const PORT = 7946;
const own = parseAddress("192.0.2.1");
const vip = parseAddress("192.0.2.100");
if (own === undefined || vip === undefined) throw new Error("Cannot start: bad address");
const want: Want = { role: "elected", interfaces: [], failbackDelayMs: 0, hasOthers: false };

const holder = createSocket("udp4").bind(PORT, own);
await once(holder, "listening");
process.stdin.once("end", () => holder.close()).resume();

let told = "";
const tell = () => {
  const { problem, addresses } = wire.status();
  const line = JSON.stringify({ problem, state: addresses.get(vip)?.kind });
  if (line !== told) process.stdout.write(`${line}\n`);
  told = line;
};
const wire = startWire(
  {
    nodeName: "node1",
    excludedInterfaces: [],
    refreshIntervalMs: 0,
    membership: {
      bindAddresses: [own],
      port: PORT,
      secret: "s3cret",
      timings: DEFAULT_TIMINGS,
    },
    isolated: "silent",
  },
  {
    onEvent: () => {},
    onAddresses: tell,
    onMembers: () => {},
    onStatus: tell,
    askApi: () => Promise.reject(new Error("Cannot ask: no API server here")),
  },
);
wire.setPeers([{ name: "node1", addresses: [own] }]);
wire.change(new Map([[vip, want]]));
const awake = setInterval(() => {}, 1_000);
process.once("SIGTERM", async () => {
  clearInterval(awake);
  await wire.close();
});
