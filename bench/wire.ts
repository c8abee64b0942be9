// The network of a benchmark: this process in a network namespace of its own, which goes when the
// process does, with a wire to each router.

import { execFile, spawn } from "node:child_process";
import { promisify } from "node:util";
import type { FrrRouter } from "../test/frr/daemons.ts";

const run = promisify(execFile);

/** Set in the process that runs in the new namespace. */
const INSIDE = "BENCH_INSIDE_NAMESPACE";

export function isInNamespace(): boolean {
  return process.env[INSIDE] !== undefined;
}

/** Brings up what a new namespace has: loopback. */
export async function prepareNamespace(): Promise<void> {
  await run("ip", ["link", "set", "lo", "up"]);
}

/** Runs this program again in a new network namespace, and resolves to its exit status. */
export function runInNamespace(): Promise<number> {
  // It is told when we die, and cleans up.
  const program = ["unshare", "--net", "--", process.execPath, ...process.argv.slice(1)];
  const child = spawn("setpriv", ["--pdeathsig", "TERM", "--", ...program], {
    stdio: "inherit",
    env: { ...process.env, [INSIDE]: "1" },
  });
  // Of a terminal the child hears by itself.
  process.on("SIGINT", () => undefined);
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  return new Promise((resolve, reject) => {
    child.once("error", (cause) =>
      reject(new Error("Cannot make a network namespace with unshare(1)", { cause })),
    );
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

export type Wire = {
  /** Our end. */
  readonly near: string;
  readonly nearInterface: string;
  /** The router's end. */
  readonly far: string;
};

/** Runs ip(8) at our end. */
export async function ip(...args: string[]): Promise<void> {
  await run("ip", args);
}

let wires = 0;

/** Lays a wire to the router; each has a network of its own. */
export async function wireTo(router: FrrRouter): Promise<Wire> {
  wires += 1;
  const name = `bench${wires}`;
  const wire = { near: `10.220.${wires}.1`, nearInterface: name, far: `10.220.${wires}.2` };
  const peer = ["peer", "name", name, "netns", String(process.pid)];
  await router.ip("link", "add", "eth0", "type", "veth", ...peer);
  await router.ip("link", "set", "eth0", "up");
  await router.ip("addr", "add", `${wire.far}/24`, "dev", "eth0");
  await run("ip", ["link", "set", name, "up"]);
  await run("ip", ["addr", "add", `${wire.near}/24`, "dev", name]);
  return wire;
}
