// FRR's vty sockets: "command\0" out; text, three zero bytes and a status byte back, in order.
// Same interface as vtysh.ts; measured at 0.2-0.7 ms a command. Knows nothing of what it sends.

import { connect, type Socket } from "node:net";
import { join } from "node:path";
import {
  type Batch,
  type Daemon,
  type FrrClient,
  FrrError,
  plainMessage,
  type Refusal,
  statusText,
} from "./client.ts";

export type VtyOptions = {
  /** The folder with `bgpd.vty` and its siblings. */
  readonly socketsFolder: string;
  /** Longest silence of a daemon that owes an answer. */
  readonly deadlineMs: number;
  /** Told once for each connection that had been open and ended without our doing, and why. */
  readonly onLost: (error: FrrError) => void;
};

/** Commands sent without waiting for an answer: about 15 ms of bgpd's time. */
const CHUNK = 500;

/** Talks to the daemons of one folder; connects when first asked, and again after an end. */
export function createVtyClient(options: VtyOptions): FrrClient {
  // Two connections each, so that a status read never waits for 10 000 networks.
  const shows = new Map<Daemon, VtyConnection>();
  const configurations = new Map<Daemon, VtyConnection>();
  let closed = false;

  const connectionOf = (connections: Map<Daemon, VtyConnection>, daemon: Daemon): VtyConnection => {
    if (closed) throw new FrrError("closed", daemon, `Cannot ask ${daemon}: the client is closed`);
    const known = connections.get(daemon);
    if (known !== undefined) return known;
    const connection = new VtyConnection(daemon, options, (error, wasOpen) => {
      if (connections.get(daemon) === connection) connections.delete(daemon);
      if (wasOpen && !closed) options.onLost(error);
    });
    connections.set(daemon, connection);
    return connection;
  };

  return {
    show: async (daemon, command) => {
      const answer = await connectionOf(shows, daemon).run(command);
      // 1 is a warning: "show bgp summary json" says so when no instance is there.
      if (answer.status === 0 || answer.status === 1) return answer.text;
      const why = plainMessage(answer.text) || statusText(answer.status);
      throw new FrrError("refused", daemon, `Cannot run "${command}" on ${daemon}: ${why}`);
    },
    configure: (batch) => connectionOf(configurations, batch.daemon).configure(batch),
    close: () => {
      closed = true;
      for (const connection of [...shows.values(), ...configurations.values()]) connection.close();
    },
  };
}

type Answer = { readonly status: number; readonly text: string };

type Waiting = {
  readonly command: string;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: FrrError) => void;
};

class VtyConnection {
  readonly #daemon: Daemon;
  readonly #deadlineMs: number;
  readonly #socket: Socket;
  readonly #onEnd: (error: FrrError, wasOpen: boolean) => void;
  readonly #waiting: Waiting[] = [];
  #answered = 0;
  #received: Buffer = Buffer.alloc(0);
  #timer: NodeJS.Timeout | undefined;
  #open = false;
  #end: FrrError | undefined;
  /** The node the connection is in; undefined: not in configuration. */
  #node: readonly string[] | undefined;
  /** Configurations run one after another: each owns the node meanwhile. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(
    daemon: Daemon,
    options: VtyOptions,
    onEnd: (error: FrrError, wasOpen: boolean) => void,
  ) {
    this.#daemon = daemon;
    this.#deadlineMs = options.deadlineMs;
    this.#onEnd = onEnd;
    const path = join(options.socketsFolder, `${daemon}.vty`);
    this.#socket = connect(path);
    this.#socket.on("connect", () => {
      this.#open = true;
    });
    this.#socket.on("data", (bytes) => this.#receive(bytes));
    this.#socket.on("error", (error) => {
      // A daemon that hangs accepts nobody, and its queue of three is soon full.
      const isFull = (error as NodeJS.ErrnoException).code === "EAGAIN";
      const kind = this.#open ? "closed" : isFull ? "timeout" : "unreachable";
      this.#fail(
        new FrrError(kind, daemon, `Cannot reach ${daemon} at ${path}: ${error.message}`, error),
      );
    });
    this.#socket.on("close", () => {
      this.#fail(new FrrError("closed", daemon, `Lost ${daemon}: it closed ${path}`));
    });
    // New connections may only look; the answer comes first, so nobody waits for it.
    this.run("enable").catch(() => undefined);
  }

  run(command: string): Promise<Answer> {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ command, resolve, reject });
      this.#socket.write(`${command}\0`);
      if (this.#timer === undefined) this.#arm();
    });
  }

  configure(batch: Batch): Promise<readonly Refusal[]> {
    const result = this.#turn.then(() => this.#configure(batch));
    this.#turn = result.catch(() => undefined);
    return result;
  }

  close(): void {
    this.#fail(new FrrError("closed", this.#daemon, `Closed the connection to ${this.#daemon}`));
  }

  async #configure({ daemon, context, lines }: Batch): Promise<readonly Refusal[]> {
    const refusals: Refusal[] = [];
    const note = (line: string, within: readonly string[], answer: Answer): void => {
      const message = plainMessage(answer.text) || statusText(answer.status);
      refusals.push({ daemon, context: within, line, message });
    };
    const refused = await this.#enter(context);
    if (refused !== undefined) {
      if (lines.length === 0) note(context.at(-1) ?? "", context.slice(0, -1), refused);
      for (const line of lines) note(line, context, refused);
      return refusals;
    }
    // mgmtd answers asynchronously and loses pipelined commands (FRR 10.3, 10.7).
    const chunk = daemon === "mgmtd" ? 1 : CHUNK;
    for (let start = 0; start < lines.length; start += chunk) {
      const part = lines.slice(start, start + chunk);
      const answers = await Promise.all(part.map((line) => this.run(line)));
      for (const [index, answer] of answers.entries()) {
        if (!isDone(answer.status)) note(part[index] ?? "", context, answer);
      }
    }
    return refusals;
  }

  /**
   * Goes to a node, one awaited step at a time: after a refused step the lines that follow
   * would hit another node. Stays there, so that the next change of the same node is one command.
   */
  async #enter(context: readonly string[]): Promise<Answer | undefined> {
    if (this.#node !== undefined && sameLines(this.#node, context)) return undefined;
    this.#node = undefined;
    for (const step of ["end", "configure terminal", ...context]) {
      const answer = await this.run(step);
      // "end" outside configuration is an unknown command.
      if (step !== "end" && !isDone(answer.status)) return answer;
    }
    this.#node = context;
    return undefined;
  }

  #receive(bytes: Buffer): void {
    let rest = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    for (;;) {
      // Text never holds a zero byte, so the first one starts the four-byte trailer.
      const zero = rest.indexOf(0);
      if (zero < 0 || rest.length < zero + 4) break;
      const text = rest.toString("utf8", 0, zero);
      const status = rest[zero + 3] ?? 0;
      rest = rest.subarray(zero + 4);
      this.#answer({ status, text });
    }
    this.#received = Buffer.from(rest);
    this.#arm();
  }

  #answer(answer: Answer): void {
    this.#waiting[this.#answered]?.resolve(answer);
    this.#answered += 1;
    if (this.#answered === this.#waiting.length) {
      this.#waiting.length = 0;
      this.#answered = 0;
    }
  }

  #arm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const next = this.#waiting[this.#answered];
    if (next === undefined || this.#end !== undefined) return;
    this.#timer = setTimeout(() => {
      const verb = next.command.split(" ").slice(0, 2).join(" ");
      const message = `Lost ${this.#daemon}: no answer to "${verb}" in ${this.#deadlineMs} ms`;
      this.#fail(new FrrError("timeout", this.#daemon, message));
    }, this.#deadlineMs);
  }

  #fail(error: FrrError): void {
    if (this.#end !== undefined) return;
    this.#end = error;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    for (const waiting of this.#waiting.slice(this.#answered)) waiting.reject(error);
    this.#waiting.length = 0;
    this.#onEnd(error, this.#open);
  }
}

/** Done, or done with a remark: bgpd warns where a change waits for the next session. */
function isDone(status: number): boolean {
  return status === 0 || status === 1;
}

function sameLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}
