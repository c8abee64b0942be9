// How to call the Node that runs us from a terminal whose own may be older.

import { relative } from "node:path";

/** Relative to the current folder where that is shorter to read. */
export function nodeCommand(): string {
  const path = relative(process.cwd(), process.execPath);
  return path.startsWith("..") ? "node" : path;
}
