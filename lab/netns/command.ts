// Runs a command to its end: standard output as the result, standard error in the Error.

import { spawn } from "node:child_process";
import { boundToUs } from "../../test/cluster/daemon.ts";

export type CommandOptions = {
  /** Given to standard input; default nothing. */
  readonly input?: string;
  readonly signal?: AbortSignal;
};

/** Runs `argv` and returns its standard output; throws if it ends with anything but 0. */
export function run(argv: readonly string[], options: CommandOptions = {}): Promise<string> {
  const [program = "", ...args] = argv;
  const [command, ...rest] = boundToUs(program, args);
  return new Promise((resolve, reject) => {
    const child = spawn(command, rest, {
      stdio: "pipe",
      ...(options.signal && { signal: options.signal }),
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    const failed = (why: string, cause?: unknown) =>
      reject(new Error(`Cannot run ${argv.join(" ")}: ${why}`, { cause }));
    child.once("error", (error) => failed(error.message, error));
    child.once("close", (code, signal) => {
      if (code === 0) resolve(stdout);
      else {
        const said = stderr.trim() || stdout.trim();
        failed(`${signal ?? `exit code ${code}`}${said && `: ${said}`}`);
      }
    });
    // It may end without having read everything.
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
