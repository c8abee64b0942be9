// The lab from the command line: what `make lab-up`, `make lab-down` and the README's commands do.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { belongsTo, namedNamespaces } from "./identity.ts";
import { runningLabs } from "./running.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

describe("lab/netns/main.ts", () => {
  const stateFolder = mkdtempSync(join(tmpdir(), "metallb-lab-state-"));
  const main = (...args: string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      const env = { ...process.env, LAB_STATE_FOLDER: stateFolder };
      const child = execFile(process.execPath, [MAIN, ...args], { env }, (_, stdout, stderr) =>
        resolve({ code: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  before(async () => {
    const { code, stdout, stderr } = await main("up", "--detach");
    assert.equal(code, 0, stderr);
    assert.match(
      stdout,
      /^Lab up after [\d.]+ s: node1, .*\nTry:\n {2}\S*node lab\/netns\/main.ts exec/,
    );
  });
  after(async () => {
    await main("down");
    rmSync(stateFolder, { recursive: true });
  });

  it("exec runs a command in a node and ends as it does", async () => {
    assert.equal((await main("exec", "leaf1", "hostname")).stdout, "leaf1\n");
    assert.match((await main("exec", "leaf2", "birdc", "show", "status")).stdout, /Router ID is/);
    assert.equal((await main("exec", "node1", "sh", "-c", "exit 7")).code, 7);
  });

  for (const [what, args, message] of [
    ["a node that is not there", ["exec", "node9", "true"], /Cannot find node node9 .* node1, /],
    ["an unknown argument", ["up", "--daemon"], /Cannot read arguments --daemon: want none/],
    ["an unknown command", ["restart"], /^Usage: /],
  ] as const) {
    it(`refuses ${what}`, async () => {
      const { code, stderr } = await main(...args);
      assert.notEqual(code, 0);
      assert.match(stderr, message);
    });
  }

  it("down takes it down, and then there is none", async () => {
    const [lab] = runningLabs(stateFolder);
    assert.ok(lab);
    const { stdout } = await main("down");
    assert.equal(stdout, `${lab.id} is down\n`);
    assert.deepEqual(
      namedNamespaces().filter((name) => belongsTo(name, lab.id)),
      [],
    );
    assert.equal((await main("down")).stdout, "No lab is up\n");
    assert.match((await main("exec", "node1", "true")).stderr, /no lab is up; try make lab-up/);
  });
});
