// Runs as a process inside a network namespace and lets the outside in: it is handed a socket that
// listens outside and connects each caller to an address inside. A socket stays in the namespace it
// was made in, whoever uses it, so no route, address or cable is needed between the two.

import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { Daemon } from "./daemon.ts";

export type Relay = { readonly port: number; readonly daemon: Daemon };

/** Listens on a free port of 127.0.0.1 here; callers end at `host`:`port` inside `netns`. */
export async function startRelay(options: {
  readonly netns: string;
  readonly host: string;
  readonly port: number;
  readonly logPath: string;
}): Promise<Relay> {
  const outside = createServer();
  await new Promise<void>((resolve, reject) => {
    outside.once("error", reject);
    outside.listen(0, "127.0.0.1", resolve);
  });
  const { port } = outside.address() as AddressInfo;
  const daemon = new Daemon({
    name: "relay",
    command: process.execPath,
    args: [fileURLToPath(import.meta.url), options.host, String(options.port)],
    logPath: options.logPath,
    netns: options.netns,
    ipc: true,
  });
  await new Promise<void>((resolve, reject) => {
    // Later its log may be gone.
    const onExit = () =>
      reject(
        new Error(`Cannot start the relay into namespace ${options.netns}: ${daemon.logTail()}`),
      );
    daemon.child.once("error", reject);
    daemon.child.once("exit", onExit);
    daemon.child.once("message", () => {
      daemon.child.off("exit", onExit);
      resolve();
    });
    daemon.child.send("listen", outside, (error) => error && reject(error));
  });
  outside.close();
  return { port, daemon };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [host = "", port = ""] = process.argv.slice(2);
  process.once("message", (_, handle) => {
    const server = handle as Server;
    server.on("connection", (outside) => {
      const inside = connect(Number(port), host);
      outside.pipe(inside).pipe(outside);
      // An end in the middle of things on one side is one on the other: outages look like outages.
      outside.on("error", () => inside.resetAndDestroy());
      inside.on("error", () => outside.resetAndDestroy());
    });
    process.send?.("listening");
  });
}
