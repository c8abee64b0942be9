// A measuring instrument, not a router: takes BGP sessions and reports when which prefix was
// announced or withdrawn. A worker thread, so that what the benchmarks do meanwhile delays no
// time stamp. Started by peer.ts.

import { createServer, type Socket } from "node:net";
import { parentPort, workerData } from "node:worker_threads";
import { decodeMessages, encodeKeepalive, encodeOpen } from "./bgp.ts";
import { now } from "./clock.ts";

export type ListenerOptions = { readonly address: string; readonly asn: number };

export type ListenerReport =
  | { readonly kind: "listening" }
  | { readonly kind: "established" }
  | { readonly kind: "ended"; readonly reason: string }
  | {
      readonly kind: "update";
      readonly at: number;
      readonly announced: string[];
      readonly withdrawn: string[];
    };

const HOLD_TIME_SECONDS = 90;

const { address, asn } = workerData as ListenerOptions;
const report = (value: ListenerReport) => parentPort?.postMessage(value);

createServer((socket) => takeSession(socket)).listen(179, address, () =>
  report({ kind: "listening" }),
);

function takeSession(socket: Socket): void {
  let rest: Buffer = Buffer.alloc(0);
  let isEstablished = false;
  let reason = "connection closed";
  const keepalive = setInterval(() => socket.write(encodeKeepalive()), 1000);
  socket.setNoDelay(true);
  socket.on("error", (error) => {
    reason = error.message;
  });
  socket.on("close", () => {
    clearInterval(keepalive);
    if (isEstablished) report({ kind: "ended", reason });
  });
  socket.on("data", (bytes) => {
    const at = now();
    const decoded = decodeMessages(Buffer.concat([rest, bytes]));
    rest = decoded.rest;
    for (const message of decoded.messages) {
      switch (message.kind) {
        case "open":
          socket.write(encodeOpen(asn, HOLD_TIME_SECONDS, address));
          socket.write(encodeKeepalive());
          break;
        case "keepalive":
          if (!isEstablished) report({ kind: "established" });
          isEstablished = true;
          break;
        case "update":
          report({ at, ...message });
          break;
        case "notification":
          reason = `NOTIFICATION ${message.error}`;
          break;
        case "other":
          break;
      }
    }
  });
}
