// The wire thread in its real surroundings: what ends it is told, and it is started again with all
// that was wanted before.

import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { newLabId } from "../../lab/netns/identity.ts";
import { eventually } from "../cluster/eventually.ts";

const PROGRAM = fileURLToPath(new URL("wire-program.ts", import.meta.url));
const netns = `${newLabId()}-wire`;

type Line = { readonly problem?: string; readonly state?: string };

describe("the wire thread", () => {
  let child: ChildProcess;
  let output = "";
  const lines = (): readonly Line[] =>
    output
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));

  before(() => {
    for (const command of [
      `netns add ${netns}`,
      `-n ${netns} link set lo up`,
      `-n ${netns} link add eth0 type veth peer name eth1`,
      `-n ${netns} address add 192.0.2.1/24 dev eth0`,
      `-n ${netns} link set eth0 up`,
      `-n ${netns} link set eth1 up`,
    ]) {
      execFileSync("ip", command.split(" "), { stdio: ["ignore", "ignore", "inherit"] });
    }
    const args = ["netns", "exec", netns, process.execPath, PROGRAM];
    child = spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] });
    child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  });
  after(() => {
    child?.kill("SIGKILL");
    execFileSync("ip", ["netns", "delete", netns]);
  });

  it("says why it cannot run while the port of the members is in use", async () => {
    await eventually(() => lines().some(({ problem }) => /EADDRINUSE|in use/.test(problem ?? "")), {
      describe: "the problem",
    });
    assert.equal(lines().at(-1)?.state, undefined);
  });

  it("runs when the port is free, and does what was wanted before", async () => {
    child.stdin?.end();
    await eventually(
      () => {
        const last = lines().at(-1);
        return last?.problem === undefined && last?.state === "answering";
      },
      { describe: "the address to be answered for" },
    );
  });

  it("ends in peace", async () => {
    child.kill("SIGTERM");
    const [code] = await once(child, "exit");
    assert.equal(code, 0);
  });
});
