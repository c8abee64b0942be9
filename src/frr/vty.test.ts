import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, it } from "node:test";
import type { FrrClient, FrrError } from "./client.ts";
import { createVtyClient } from "./vty.ts";

/** One daemon's socket: tells what it was asked, answers as the test says. */
class VtyServer {
  /** Commands of each connection, besides "enable". */
  readonly connections: string[][] = [];
  /** undefined: no answer. */
  answer: (command: string) => { text?: string; status?: number } | undefined = () => ({});
  /** Splits what is written. */
  write: (socket: Socket, bytes: Buffer) => void = (socket, bytes) => socket.write(bytes);
  readonly sockets: Socket[] = [];
  readonly #server: Server;

  constructor(path: string) {
    this.#server = createServer((socket) => this.#serve(socket)).listen(path);
  }

  #serve(socket: Socket): void {
    const commands: string[] = [];
    this.connections.push(commands);
    this.sockets.push(socket);
    let pending = "";
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      const parts = (pending + bytes.toString("utf8")).split("\0");
      pending = parts.pop() ?? "";
      for (const command of parts) {
        if (command !== "enable") commands.push(command);
        const answer = command === "enable" ? {} : this.answer(command);
        if (answer === undefined) continue;
        const trailer = Buffer.from([0, 0, 0, answer.status ?? 0]);
        this.write(socket, Buffer.concat([Buffer.from(answer.text ?? ""), trailer]));
      }
    });
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

let folder: string;
let server: VtyServer;
let client: FrrClient;
let lost: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "vty-"));
  server = new VtyServer(join(folder, "bgpd.vty"));
  lost = [];
  client = clientWith(20_000);
});

function clientWith(deadlineMs: number): FrrClient {
  const onLost = ({ kind, daemon }: FrrError) => lost.push(`${daemon} ${kind}`);
  return createVtyClient({ socketsFolder: folder, deadlineMs, onLost });
}

afterEach(async () => {
  client.close();
  await server.close();
  await rm(folder, { recursive: true });
});

const IN_ROUTER = { daemon: "bgpd", context: ["router bgp 1"] } as const;

describe("show() of the vty client", () => {
  it("gives the text, however it is cut into pieces", async () => {
    const text = "déjà vu\nline two\n";
    server.answer = () => ({ text });
    server.write = (socket, bytes) => {
      for (const byte of bytes) socket.write(Buffer.of(byte));
    };
    assert.equal(await client.show("bgpd", "show version"), text);
  });

  it("gives answers in order, however they are joined", async () => {
    server.answer = (command) => ({ text: command.repeat(1000) });
    let held = Buffer.alloc(0);
    server.write = (socket, bytes) => {
      held = Buffer.concat([held, bytes]);
      if (held.length < 24_020) return;
      socket.write(held);
    };
    const commands = ["show a", "show b", "show c", "show d"];
    const answers = await Promise.all(commands.map((command) => client.show("bgpd", command)));
    assert.deepEqual(
      answers,
      commands.map((command) => command.repeat(1000)),
    );
  });

  it("takes a warning for an answer: that is what bgpd says without an instance", async () => {
    server.answer = () => ({ text: "{}", status: 1 });
    assert.equal(await client.show("bgpd", "show bgp summary json"), "{}");
  });

  for (const [status, text, message] of [
    [2, "% Unknown command.\n", "Unknown command."],
    [13, "", "configuration failed"],
    [99, "", "status 99"],
  ] as const) {
    it(`throws for status ${status}`, async () => {
      server.answer = () => ({ text, status });
      await assert.rejects(client.show("bgpd", "show x"), {
        name: "FrrError",
        kind: "refused",
        message: `Cannot run "show x" on bgpd: ${message}`,
      });
    });
  }

  it("says that nobody listens", async () => {
    await assert.rejects(client.show("bfdd", "show x"), { kind: "unreachable", daemon: "bfdd" });
    assert.deepEqual(lost, []);
  });

  it("gives up on a daemon that is silent for the deadline, and connects anew", async () => {
    client = clientWith(200);
    server.answer = () => undefined;
    await assert.rejects(client.show("bgpd", "show bgp summary json"), {
      kind: "timeout",
      message: 'Lost bgpd: no answer to "show bgp" in 200 ms',
    });
    server.answer = () => ({ text: "again" });
    assert.equal(await client.show("bgpd", "show x"), "again");
    assert.equal(server.connections.length, 2);
    assert.deepEqual(lost, ["bgpd timeout"]);
  });

  it("tells when a daemon ends, and fails what waits for it", async () => {
    server.answer = () => undefined;
    const waiting = assert.rejects(client.show("bgpd", "show x"), { kind: "closed" });
    const ended = new Promise<void>((resolve) => {
      const look = (): void => {
        if (server.sockets.length > 0 && server.connections[0]?.length === 1) {
          server.sockets[0]?.destroy();
          resolve();
        } else setImmediate(look);
      };
      look();
    });
    await ended;
    await waiting;
    assert.deepEqual(lost, ["bgpd closed"]);
  });

  it("fails after close()", async () => {
    client.close();
    await assert.rejects(client.show("bgpd", "show x"), { kind: "closed" });
  });
});

describe("configure() of the vty client", () => {
  it("enters the node once, and stays for the next lines of the same node", async () => {
    assert.deepEqual(await client.configure({ ...IN_ROUTER, lines: ["a", "b"] }), []);
    assert.deepEqual(await client.configure({ ...IN_ROUTER, lines: ["c"] }), []);
    assert.deepEqual(await client.configure({ daemon: "bgpd", context: [], lines: ["d"] }), []);
    assert.deepEqual(server.connections, [
      [
        "end",
        "configure terminal",
        "router bgp 1",
        "a",
        "b",
        "c",
        "end",
        "configure terminal",
        "d",
      ],
    ]);
  });

  it("returns the refused lines, and sends the others", async () => {
    server.answer = (line) =>
      line === "b" ? { text: "% Malformed x\n\n% And y\n", status: 13 } : {};
    assert.deepEqual(await client.configure({ ...IN_ROUTER, lines: ["a", "b", "c"] }), [
      { daemon: "bgpd", context: ["router bgp 1"], line: "b", message: "Malformed x; And y" },
    ]);
    assert.deepEqual(server.connections[0]?.slice(-3), ["a", "b", "c"]);
  });

  it("sends nothing into a node it could not enter", async () => {
    server.answer = (line) =>
      line === "router bgp 1" ? { text: "BGP is already running; AS is 2", status: 13 } : {};
    const refusals = await client.configure({ ...IN_ROUTER, lines: ["a", "b"] });
    assert.deepEqual(
      refusals.map(({ line, message }) => [line, message]),
      [
        ["a", "BGP is already running; AS is 2"],
        ["b", "BGP is already running; AS is 2"],
      ],
    );
    assert.deepEqual(server.connections, [["end", "configure terminal", "router bgp 1"]]);
    server.answer = () => ({});
    assert.deepEqual(await client.configure({ ...IN_ROUTER, lines: ["a"] }), []);
    assert.equal(server.connections[0]?.at(-1), "a");
  });

  it("makes a node by entering it, or returns the line that would not be entered", async () => {
    const empty = { ...IN_ROUTER, lines: [] };
    assert.deepEqual(await client.configure(empty), []);
    assert.equal(server.connections[0]?.at(-1), "router bgp 1");
    server.answer = (line) => ({ status: line === "a b" ? 2 : 0 });
    assert.deepEqual(await client.configure({ ...empty, context: ["router bgp 1", "a b"] }), [
      { daemon: "bgpd", context: ["router bgp 1"], line: "a b", message: "unknown command" },
    ]);
  });

  it("does not take a warning for a refusal, nor the end of what was not begun", async () => {
    server.answer = (line) => ({ status: line === "end" ? 2 : 1 });
    assert.deepEqual(await client.configure({ ...IN_ROUTER, lines: ["a"] }), []);
  });

  it("keeps two configurations apart", async () => {
    const other = { daemon: "bgpd", context: ["bfd"], lines: ["c"] } as const;
    await Promise.all([
      client.configure({ ...IN_ROUTER, lines: ["a", "b"] }),
      client.configure(other),
    ]);
    assert.deepEqual(server.connections, [
      [
        "end",
        "configure terminal",
        "router bgp 1",
        "a",
        "b",
        "end",
        "configure terminal",
        "bfd",
        "c",
      ],
    ]);
  });

  it("pipelines lines, on a connection of its own", async () => {
    const lines = Array.from({ length: 1200 }, (_, index) => `network ${index}`);
    let most = 0;
    let open = 0;
    server.answer = () => {
      open += 1;
      most = Math.max(most, open);
      setImmediate(() => {
        open = 0;
      });
      return {};
    };
    const done = client.configure({ ...IN_ROUTER, lines });
    await client.show("bgpd", "show bgp summary json");
    assert.deepEqual(await done, []);
    assert.equal(server.connections.length, 2);
    assert.deepEqual(
      server.connections.flat().filter((line) => line.startsWith("network")),
      lines,
    );
    assert.ok(most > 10, `${most} at once`);
  });

  it("asks mgmtd one line at a time: it loses pipelined ones (FRR 10.3, 10.7)", async () => {
    const mgmtd = new VtyServer(join(folder, "mgmtd.vty"));
    let open = 0;
    mgmtd.answer = () => {
      open += 1;
      return undefined;
    };
    const answering = setInterval(() => {
      assert.ok(open <= 1, `${open} at once`);
      if (open === 0) return;
      open -= 1;
      mgmtd.sockets[0]?.write(Buffer.alloc(4));
    }, 1);
    try {
      const batch = {
        daemon: "mgmtd",
        context: ["interface eth0"],
        lines: ["a", "b", "c"],
      } as const;
      assert.deepEqual(await client.configure(batch), []);
    } finally {
      clearInterval(answering);
      await mgmtd.close();
    }
  });
});
