import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLogger, type LogLevel } from "./log.ts";

function written(level: LogLevel, name?: string) {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const logger = createLogger({ level, destination, ...(name !== undefined && { name }) });
  return { logger, objects: () => lines.map((line) => JSON.parse(line) as object) };
}

describe("createLogger()", () => {
  it("writes one JSON object per line with MetalLB's keys", () => {
    const { logger, objects } = written("info", "speaker");
    logger.info({ op: "startup", port: 9120 }, "Started");
    const [line] = objects() as { ts?: string }[];
    assert.match(line?.ts ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    assert.deepEqual(line, {
      level: "info",
      ts: line?.ts,
      caller: "speaker",
      op: "startup",
      port: 9120,
      msg: "Started",
    });
  });

  it("writes an error as its message and those of its causes, each once", () => {
    const { logger, objects } = written("info");
    const root = new Error("connect ECONNREFUSED");
    const told = new Error("Cannot GET /x: connect ECONNREFUSED", { cause: root });
    logger.error({ error: new Error("Cannot list pools", { cause: told }) }, "Retrying");
    logger.warn(told);
    logger.warn({ error: "plain" });
    assert.deepEqual(
      objects().map((line) => (line as { error: string }).error),
      [
        "Cannot list pools: Cannot GET /x: connect ECONNREFUSED",
        "Cannot GET /x: connect ECONNREFUSED",
        "plain",
      ],
    );
  });

  it("hides secrets down to the third level", () => {
    const { logger, objects } = written("debug");
    const peer = { name: "tor", password: "hush-1" };
    logger.debug({ password: "hush-2", peer, spec: { peer }, data: { secretkey: "hush-3" } });
    const text = JSON.stringify(objects());
    assert.match(text, /"name":"tor","password":"<hidden>"/);
    assert.doesNotMatch(text, /hush/);
    assert.equal(peer.password, "hush-1");
  });

  const levels = ["trace", "debug", "info", "warn", "error"] as const;
  for (const [level, expected] of [
    ["all", ["trace", "debug", "info", "warn", "error"]],
    ["debug", ["debug", "info", "warn", "error"]],
    ["info", ["info", "warn", "error"]],
    ["warn", ["warn", "error"]],
    ["error", ["error"]],
    ["none", []],
  ] as const satisfies readonly (readonly [LogLevel, readonly string[]])[]) {
    it(`writes ${expected.length} of ${levels.length} levels with --log-level=${level}`, () => {
      const { logger, objects } = written(level);
      for (const each of levels) logger[each]("x");
      assert.deepEqual(
        objects().map((line) => (line as { level: string }).level),
        expected,
      );
    });
  }
});
