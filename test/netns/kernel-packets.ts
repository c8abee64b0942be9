// Hears with packet sockets what is sent into the other end of a cable, to be run in a namespace
// that has both ends: names of frames and the frames in hexadecimal come as JSON in the argument,
// the names that each socket heard go out as JSON.

import { setTimeout as sleep } from "node:timers/promises";
import type { PacketProtocol } from "../../src/kernel/packet-filter.ts";
import { PacketSocket } from "../../src/kernel/packet-socket.ts";

type Input = {
  readonly indexes: { readonly ear: number; readonly mouth: number };
  readonly frames: Readonly<Record<string, string>>;
};

const { indexes, frames } = JSON.parse(process.argv[2] ?? "") as Input;
const nameOf = new Map(Object.entries(frames).map(([name, hex]) => [hex, name]));
const open = (protocol: PacketProtocol, interfaceIndex: number) =>
  PacketSocket.open({ protocol, interfaceIndex });
const ears = { arp: open("arp", indexes.ear), ndp: open("ndp", indexes.ear) };
const mouth = open("arp", indexes.mouth);
const heard: Record<PacketProtocol, string[]> = { arp: [], ndp: [] };

function listen(): void {
  for (const protocol of ["arp", "ndp"] as const) {
    for (let frame = ears[protocol].receive(); frame !== undefined; ) {
      if (frame === "down") throw new Error("Cannot listen: the interface is down");
      const hex = Buffer.from(frame).toString("hex");
      heard[protocol].push(nameOf.get(hex) ?? hex);
      frame = ears[protocol].receive();
    }
  }
}

// What an ear says it must not hear itself.
for (const hex of Object.values(frames)) ears.arp.send(Buffer.from(hex, "hex"));
for (const hex of Object.values(frames)) mouth.send(Buffer.from(hex, "hex"));
// The last frame is one that is heard; all before it came before.
const last = Object.keys(frames).at(-1) ?? "";
while (!heard.arp.includes(last)) {
  listen();
  await sleep(1);
}
listen();
console.log(JSON.stringify(heard));
