// Runs a command line as somebody at a terminal would: by bash, with a terminal, in a node of the lab.

import { spawn } from "node:child_process";
import type { LabNode } from "../../../lab/netns/lab.ts";
import { boundToUs } from "../../cluster/daemon.ts";

export type Shell = {
  readonly node: LabNode;
  /** The current folder. */
  readonly folder: string;
  /** Nothing of our own environment is there. */
  readonly environment: Readonly<Record<string, string>>;
};

export type Said = { readonly output: string; readonly exit: number };

/** How long a command may take: the slowest waits for Pods to end. */
const TIMEOUT_MS = 120_000;

/** Runs the command to its end; its output as on the terminal, without spaces at the ends of lines. */
export function runInShell({ node, folder, environment }: Shell, command: string): Promise<Said> {
  const settings = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  // Without a terminal curl draws its progress, and others print less.
  const terminal = ["script", "--quiet", "--return", "--command", command, "/dev/null"];
  const argv = node.command([
    "env",
    "-i",
    "-C",
    folder,
    ...settings,
    "SHELL=/bin/bash",
    ...terminal,
  ]);
  const [program = "", ...args] = argv;
  const [bound, ...rest] = boundToUs(program, args);
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const child = spawn(bound, rest, { stdio: ["ignore", "pipe", "inherit"], signal });
    let output = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
    child.once("error", (cause) => {
      reject(new Error(`Cannot run ${command}: ${cause.message}\n${output}`, { cause }));
    });
    child.once("close", (exit) => {
      resolve({ output: tidy(output), exit: exit ?? -1 });
    });
  });
}

function tidy(text: string): string {
  return text
    .replaceAll(/[ \t\r]+$/gm, "")
    .replace(/^\n+/, "")
    .trimEnd();
}
