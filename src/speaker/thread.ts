// One life of the wire thread: its start, what is said in both directions, its end. Knows nothing of
// what is said.

import { writeSync } from "node:fs";
import { MessageChannel, Worker } from "node:worker_threads";
import type { FromWire, ToWire, WireSettings } from "./wire-messages.ts";

export type ThreadHooks = {
  readonly onMessage: (message: FromWire) => void;
  /** It has ended, though nobody closed it: why, in words. Called once. */
  readonly onEnd: (why: string) => void;
};

export type Thread = {
  readonly send: (message: ToWire) => void;
  /** Resolves when it has ended. */
  readonly close: () => Promise<void>;
};

const WAKE = new Uint8Array(new BigUint64Array([1n]).buffer);

/** Enough for a hundred thousand addresses; a thread of ours that needs more has gone wrong. */
const HEAP_MIB = 96;

export function startThread(settings: WireSettings, hooks: ThreadHooks): Thread {
  const { port1: port, port2 } = new MessageChannel();
  const ended = Promise.withResolvers<void>();
  let wakeFd: number | undefined;
  let isOver = false;

  const worker = new Worker(threadPath(), {
    workerData: { settings, port: port2 },
    transferList: [port2],
    name: "wire",
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB, maxYoungGenerationSizeMb: 4 },
  });
  worker.unref();
  worker.once("error", (error) => end(`Layer 2 has stopped: ${error.message}`));
  worker.once("exit", () => {
    ended.resolve();
    end("Layer 2 has stopped");
  });
  port.on("message", (message: FromWire) => {
    if (message.kind === "started") {
      ({ wakeFd } = message);
      // What was said before it could be woken.
      wake();
    }
    hooks.onMessage(message);
  });
  port.unref();

  function end(why: string): void {
    if (isOver) return;
    isOver = true;
    port.close();
    hooks.onEnd(why);
  }

  function send(message: ToWire): void {
    // The number of the descriptor may be another's once the thread has closed it.
    if (isOver) return;
    port.postMessage(message);
    wake();
  }

  function wake(): void {
    if (wakeFd !== undefined) writeSync(wakeFd, WAKE);
  }

  return {
    send,
    async close() {
      send({ kind: "end" });
      isOver = true;
      // Else the process ends, with an error, before the thread has.
      worker.ref();
      await ended.promise;
      port.close();
    },
  };
}

/** The bundle beside this one, or the source beside this source. */
function threadPath(): URL {
  const extension = import.meta.url.endsWith(".ts") ? ".ts" : ".js";
  return new URL(`./wire-thread${extension}`, import.meta.url);
}
