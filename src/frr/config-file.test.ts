import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ConfigFile } from "./config-file.ts";

describe("ConfigFile", () => {
  it("writes at its end what waits for its moment", async () => {
    const folder = mkdtempSync(join(tmpdir(), "config-file-"));
    try {
      const path = join(folder, "frr.conf");
      const problems: (string | undefined)[] = [];
      let text = "first\n";
      const file = new ConfigFile({
        path,
        text: () => text,
        onWritten: (problem) => problems.push(problem),
      });
      file.schedule();
      text = "second\n";
      await file.close();
      assert.equal(readFileSync(path, "utf8"), "second\n");
      assert.deepEqual(problems, [undefined]);
      await file.close();
      assert.deepEqual(problems, [undefined]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("whoever closes it waits for the last write, also when another closed it before", async () => {
    const folder = mkdtempSync(join(tmpdir(), "config-file-"));
    try {
      const path = join(folder, "frr.conf");
      const file = new ConfigFile({ path, text: () => "text\n", onWritten: () => {} });
      file.schedule();
      const first = file.close();
      await file.close();
      assert.equal(readFileSync(path, "utf8"), "text\n");
      await first;
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it("says why it cannot write", async () => {
    const problems: (string | undefined)[] = [];
    const file = new ConfigFile({
      path: "/nonexistent/frr.conf",
      text: () => "",
      onWritten: (problem) => problems.push(problem),
    });
    // Nothing differs from nothing: no attempt.
    file.schedule();
    await file.close();
    assert.equal(problems.length, 0);
    const other = new ConfigFile({
      path: "/nonexistent/frr.conf",
      text: () => "text",
      onWritten: (problem) => problems.push(problem),
    });
    other.schedule();
    await other.close();
    assert.equal(problems.length, 1);
    assert.match(String(problems[0]), /^Cannot write \/nonexistent\/frr\.conf: ENOENT/);
  });
});
