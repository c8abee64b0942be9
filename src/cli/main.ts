// The command line tool: picks the subcommand. Reads from a running speaker, changes nothing.

import { readFlags } from "../flags.ts";
import type { SpeakerState } from "../speaker/state.ts";
import { MIRROR_STATUS } from "./flags.ts";
import { formatStatus } from "./mirror-status.ts";

const HELP = `Usage: metallb <command> [flags]

Commands, each with --help:
  mirror-status   What the speaker on this node announces, and why not; sessions and problems
`;

/** Longest wait for the speaker's answer. */
const TIMEOUT_MS = 5000;

async function mirrorStatus(args: readonly string[]): Promise<void> {
  const { o: format, port } = readFlags(MIRROR_STATUS, args).values;
  const state = await readState(`http://127.0.0.1:${port}/state`);
  const text =
    format === "json" ? JSON.stringify(state, undefined, 2) : formatStatus(state, Date.now());
  process.stdout.write(`${text.trimEnd()}\n`);
}

async function readState(url: string): Promise<SpeakerState> {
  let response: Response;
  try {
    response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (error) {
    const { message } =
      error instanceof Error && error.cause instanceof Error ? error.cause : (error as Error);
    return fail(
      `Cannot read ${url}: ${message}\nIs the speaker running here? Run this in its container, as in "kubectl exec -n metallb-system ds/speaker -c speaker -- mirror-status"; with another --health-probe-port give it as --port`,
    );
  }
  if (!response.ok) {
    return fail(`Cannot read ${url}: status ${response.status}, want a speaker on this port`);
  }
  return (await response.json()) as SpeakerState;
}

function fail(message: string): never {
  process.stderr.write(`${message}\n`);
  return process.exit(1);
}

const [command, ...args] = process.argv.slice(2);
switch (command) {
  case "mirror-status":
    await mirrorStatus(args);
    break;
  case undefined:
  case "help":
  case "-h":
  case "--help":
    process.stdout.write(HELP);
    process.exitCode = command === undefined ? 2 : 0;
    break;
  default:
    process.stderr.write(`Unknown command "${command}"\n\n${HELP}`);
    process.exitCode = 2;
}
