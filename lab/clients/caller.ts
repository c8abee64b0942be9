// A client that asks a URL again and again, each time on a new connection and without waiting for the
// answers before. Runs as a process in a node's network namespace, which runs this very file.

import { once } from "node:events";
import { readFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { now } from "../../bench/clock.ts";
import { Daemon } from "../../test/cluster/daemon.ts";
import type { Lab } from "../netns/lab.ts";
import { type Call, formatCall, parseCall } from "./call.ts";

const PROGRAM = fileURLToPath(import.meta.url);
/** After so long a request counts as not answered: two packets in a row were lost. */
const PATIENCE_MS = 2500;

let count = 0;

export class Caller {
  readonly #logPath: string;
  readonly #daemon: Daemon;

  /** Asks port 80 of the address from the node, every so many milliseconds from now on. */
  constructor(lab: Lab, nodeName: string, address: string, everyMs: number) {
    count += 1;
    const name = `caller${count}`;
    this.#logPath = join(lab.folder, "logs", `${name}.log`);
    this.#daemon = new Daemon({
      name,
      command: process.execPath,
      args: [PROGRAM, address, String(everyMs)],
      netns: lab.node(nodeName).netns,
      logPath: this.#logPath,
    });
  }

  /** Those that have come to an end so far, in that order. */
  calls(): readonly Call[] {
    if (this.#daemon.ended !== undefined && this.#daemon.child.exitCode !== 0) {
      throw new Error(`Cannot go on: it ended ${this.#daemon.ended}\n${this.#daemon.logTail()}`);
    }
    const lines = readFileSync(this.#logPath, "utf8").split("\n");
    // The last one may be half written.
    return lines.slice(0, -1).flatMap((line) => parseCall(line) ?? []);
  }

  /** Sends no more, and waits until each request has come to an end; all of them. */
  async finish(): Promise<readonly Call[]> {
    const { child } = this.#daemon;
    if (this.#daemon.ended === undefined) {
      child.ref();
      child.kill("SIGTERM");
      await once(child, "exit");
    }
    return this.calls();
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
  }
}

function callAgainAndAgain([address = "", everyMs = ""]: readonly string[]): void {
  const timer = setInterval(() => call(address), Number(everyMs));
  process.once("SIGTERM", () => clearInterval(timer));
}

function call(host: string): void {
  const sentMs = now();
  let text = "";
  let failure: string | undefined;
  const socket = connect({ host, port: 80 });
  socket.setEncoding("utf8");
  socket.setNoDelay(true);
  socket.end(`GET / HTTP/1.0\r\nHost: demo\r\n\r\n`);
  const timer = setTimeout(() => socket.destroy(new Error("no answer")), PATIENCE_MS);
  socket.on("data", (part: string) => {
    text += part;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    failure = error.code ?? error.message;
  });
  socket.on("close", () => {
    clearTimeout(timer);
    const doneMs = now();
    const answer = /^HTTP\/1\.[01] 200 .*\r\n\r\n(.+)\n$/s.exec(text)?.[1];
    const isAnswered = answer !== undefined && failure === undefined;
    const end = isAnswered
      ? { answer, failure: undefined }
      : { answer: undefined, failure: failure ?? "cut off" };
    writeSync(1, `${formatCall({ sentMs, doneMs, ...end })}\n`);
  });
}

if (process.argv[1] === PROGRAM) callAgainAndAgain(process.argv.slice(2));
