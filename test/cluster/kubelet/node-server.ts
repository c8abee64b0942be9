// Runs the program of ../binaries/node-server for a node and gives it orders: containers to start,
// signals, probes. Knows processes, no Pods.

import { Agent, request } from "node:http";
import { Daemon } from "../daemon.ts";
import { eventually, GiveUp } from "../eventually.ts";
import type { Json } from "../request.ts";

/** Where a kubelet listens, for the API server. */
export const KUBELET_PORT = 10250;

/** What ../binaries/node-server/container.go makes a container of; the same names. */
export type ContainerSpec = {
  readonly folder: string;
  readonly layers: readonly string[];
  readonly hidden: readonly string[];
  readonly readOnlyRoot: boolean;
  readonly mounts: readonly BoundMount[];
  readonly hostname: string;
  readonly privileged: boolean;
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly capabilities: readonly string[];
  readonly noNewPrivilege: boolean;
};

export type BoundMount = {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
};

export type ContainerEnd = { readonly exitCode: number; readonly signal: number };

export type ProbeTarget = {
  readonly scheme: "http" | "https" | "tcp";
  readonly host: string;
  readonly port: number;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
};

export type NodeServerOptions = {
  readonly program: string;
  readonly name: string;
  /** The node's network namespace. */
  readonly netns: string;
  readonly socketPath: string;
  readonly logPath: string;
};

/** Everything that it starts is in a process namespace of its own, and ends with this process. */
export class NodeServer {
  readonly #daemon: Daemon;
  readonly #socketPath: string;
  readonly #agent = new Agent({ keepAlive: false });

  private constructor(daemon: Daemon, socketPath: string) {
    this.#daemon = daemon;
    this.#socketPath = socketPath;
  }

  static async start(options: NodeServerOptions): Promise<NodeServer> {
    const { program, name, netns, socketPath, logPath } = options;
    const daemon = new Daemon({
      name: `node-server of ${name}`,
      command: "unshare",
      args: [
        // Namespaces of Pods that are made later are to be seen in it, so not private.
        ...["--mount", "--propagation", "slave"],
        ...["--pid", "--fork", "--kill-child", "--mount-proc"],
        // The shell is process 1 and takes leave of processes whose parents have ended.
        ...["sh", "-c", '"$@" & wait', "sh"],
        ...[program, "serve", socketPath, `:${KUBELET_PORT}`],
      ],
      netns,
      logPath,
    });
    const server = new NodeServer(daemon, socketPath);
    await eventually(
      () => {
        if (daemon.ended === undefined) return server.#order("forget", {}).then(() => true);
        throw new GiveUp(
          `Cannot start ${daemon.name}: it ended ${daemon.ended}\n${daemon.logTail()}`,
        );
      },
      { describe: daemon.name },
    );
    return server;
  }

  /** Starts a container with the spec in that file; it replaces an earlier one of the same key. */
  async startContainer(key: string, netns: string, spec: string, log: string): Promise<void> {
    await this.#order("start", { container: key, netns, spec, log });
  }

  /** Waits for the end of a container. */
  async untilEnd(key: string): Promise<ContainerEnd> {
    const { ExitCode, Signal } = await this.#order("wait", { container: key });
    return { exitCode: ExitCode, signal: Signal };
  }

  /** Sends a signal to the container's first process. */
  async signal(key: string, signal: number): Promise<void> {
    await this.#order("signal", { container: key, signal });
  }

  /** Forgets a container and where its log is. */
  async forget(key: string): Promise<void> {
    await this.#order("forget", { container: key });
  }

  /** What a command in the container says; an Error if it ends with anything but 0 or takes too long. */
  exec(key: string, command: readonly string[], timeoutSeconds: number): Promise<string> {
    return this.#order("exec", { container: key, command, timeoutSeconds });
  }

  /** Connects or asks from the node's network; an Error that says why if that fails. */
  async probe(target: ProbeTarget, timeoutSeconds: number): Promise<void> {
    await this.#order("probe", { ...target, timeoutSeconds });
  }

  /** Kills all of its containers with it. */
  async stop(): Promise<void> {
    await this.#daemon.stop();
    this.#agent.destroy();
  }

  #order(name: string, order: Json): Promise<Json> {
    return new Promise((resolve, reject) => {
      const options = {
        socketPath: this.#socketPath,
        path: `/${name}`,
        method: "POST",
        agent: this.#agent,
      };
      const sent = request(options, (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (part: string) => {
          text += part;
        });
        response.once("error", reject);
        response.once("end", () => {
          if (response.statusCode === 200) resolve(JSON.parse(text));
          else reject(new Error(text.trim()));
        });
      });
      sent.once("error", reject);
      // A forgotten container must not keep a test process from ending.
      sent.on("socket", (socket) => socket.unref());
      sent.end(JSON.stringify(order));
    });
  }
}
