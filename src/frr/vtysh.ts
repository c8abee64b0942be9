// FRR through its own command vtysh (child_process): 30 to 50 ms a call, every line accepted
// that a person could type. Same interface as vty.ts; the fallback, and the dry run of a file.

import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Batch, type Daemon, type FrrClient, FrrError, type Refusal } from "./client.ts";
import { redact } from "./redact.ts";

export type VtyshOptions = {
  readonly socketsFolder: string;
  /** Longest run of one vtysh. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
};

/** Runs one vtysh for each call. */
export function createVtyshClient(options: VtyshOptions): FrrClient {
  return {
    show: async (daemon, command) => {
      const run = await runVtysh(options, daemon, ["-d", daemon, "-c", command]);
      if (run.status === 0) return run.output;
      throw unreachable(daemon, run);
    },
    configure: async (batch) => {
      const { daemon, context, lines } = batch;
      const text = [...context, ...lines].join("\n");
      const run = await runFile(options, daemon, ["-d", daemon, "-f"], `${text}\n`);
      return refusalsOf(batch, run);
    },
    close: () => undefined,
  };
}

/** Checks the syntax of a whole file without applying it; returns the lines vtysh refuses. */
export async function dryRun(options: VtyshOptions, text: string): Promise<readonly string[]> {
  const run = await runFile(options, "bgpd", ["-C", "-f"], text);
  if (run.status === 0) return [];
  const found = complaints(run);
  if (found.length === 0) throw unreachable("bgpd", run);
  return found.map(({ message }) => redact(message));
}

type Run = { readonly status: number; readonly output: string; readonly errors: string };

/** By way of a file for our eyes only: vtysh cannot open the socket that Node makes of stdin. */
async function runFile(
  options: VtyshOptions,
  daemon: Daemon,
  args: readonly string[],
  text: string,
): Promise<Run> {
  const folder = await mkdtemp(join(tmpdir(), "vtysh-"));
  try {
    const path = join(folder, "frr.conf");
    await writeFile(path, text, { mode: 0o600 });
    return await runVtysh(options, daemon, [...args, path]);
  } finally {
    await rm(folder, { recursive: true });
  }
}

function runVtysh(options: VtyshOptions, daemon: Daemon, args: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn("vtysh", ["--vty_socket", options.socketsFolder, ...args], {
      signal: options.signal,
      timeout: options.deadlineMs,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text;
    });
    child.on("error", (error) => {
      reject(new FrrError("unreachable", daemon, `Cannot run vtysh: ${error.message}`, error));
    });
    child.on("close", (status) => {
      if (status === null) {
        const message = `Stopped vtysh for ${daemon}: no end in ${options.deadlineMs} ms`;
        reject(new FrrError("timeout", daemon, message));
      } else {
        resolve({ status, output, errors });
      }
    });
  });
}

type Complaint = { readonly lineNumber: number; readonly message: string };

/** "line 3: % Unknown command[25]: ...", "line 4: Failure to communicate[13] to bgpd, line: ...". */
function complaints(run: Run): readonly Complaint[] {
  return [...`${run.errors}\n${run.output}`.matchAll(/^line (\d+): (.*)$/gm)].map((match) => ({
    lineNumber: Number(match[1]),
    message: match[2] ?? "",
  }));
}

function refusalsOf({ daemon, context, lines }: Batch, run: Run): readonly Refusal[] {
  if (run.status === 0) return [];
  const found = complaints(run);
  if (found.length === 0) throw unreachable(daemon, run);
  const outer = found.find(({ lineNumber }) => lineNumber <= context.length);
  const refusal = (line: string, message: string): Refusal => ({
    daemon,
    context,
    line,
    message: message.replace(/^%\s*/, "").replace(/\[\d+\]/, ""),
  });
  // Behind a refused context line the rest went to another node, if anywhere.
  if (outer !== undefined) {
    if (lines.length > 0) return lines.map((line) => refusal(line, outer.message));
    const { message } = refusal("", outer.message);
    return [{ daemon, context: context.slice(0, -1), line: context.at(-1) ?? "", message }];
  }
  return found.flatMap(({ lineNumber, message }) => {
    const line = lines[lineNumber - 1 - context.length];
    return line === undefined ? [] : [refusal(line, message)];
  });
}

function unreachable(daemon: Daemon, run: Run): FrrError {
  const why = redact(run.errors.trim() || run.output.trim()) || `exit status ${run.status}`;
  return new FrrError("unreachable", daemon, `Cannot reach ${daemon} by vtysh: ${why}`);
}
