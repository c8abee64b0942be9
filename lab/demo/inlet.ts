// Runs as a process inside a network namespace and lets a server outside be reached from it: makes
// a socket that listens inside and hands it to its parent. A socket stays in the namespace it was
// made in, whoever uses it.

import { connect, createServer, type Server } from "node:net";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../test/cluster/daemon.ts";

export type InletOptions = {
  readonly netns: string;
  /** Where callers inside find it. */
  readonly host: string;
  readonly port: number;
  /** The server's port on 127.0.0.1 out here. */
  readonly to: number;
  readonly logPath: string;
};

export async function openInlet(options: InletOptions): Promise<{ close(): void }> {
  const { netns, host, port, to, logPath } = options;
  const daemon = new Daemon({
    name: "inlet",
    command: process.execPath,
    args: [fileURLToPath(import.meta.url), host, String(port)],
    logPath,
    netns,
    ipc: true,
  });
  const server = await new Promise<Server>((resolve, reject) => {
    daemon.child.once("message", (_, handle) => resolve(handle as Server));
    daemon.child.once("exit", () => {
      reject(new Error(`Cannot listen on ${host}:${port} in ${netns}: ${daemon.logTail()}`));
    });
  });
  server.on("connection", (inside) => {
    const outside = connect(to, "127.0.0.1");
    inside.pipe(outside).pipe(inside);
    inside.on("error", () => outside.destroy());
    outside.on("error", () => inside.destroy());
  });
  await daemon.stop();
  server.unref();
  return { close: () => void server.close() };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [host, port] = process.argv.slice(2);
  const server = createServer().listen(Number(port), host, () => process.send?.("here", server));
}
