// The certificate of a server from a folder, as cert-manager or a Secret puts it there; read again
// when it changes.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext } from "node:tls";
import type { KeyPair } from "./self-signed.ts";

/** A Secret that changed takes a kubelet up to a minute anyway. */
const LOOK_MS = 10_000;

/** Reads tls.crt and tls.key; throws when one is missing or they do not belong together. */
export function readKeyPair(folder: string): KeyPair {
  const pair = { cert: readPem(folder, "tls.crt"), key: readPem(folder, "tls.key") };
  try {
    createSecureContext(pair);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot use ${folder}/tls.crt with tls.key: ${detail}`, { cause });
  }
  return pair;
}

function readPem(folder: string, name: string): string {
  const path = join(folder, name);
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Cannot read ${path}: ${detail}`, { cause });
  }
}

export type KeyPairWatch = {
  readonly folder: string;
  /** What is known already. */
  readonly current: KeyPair;
  readonly onChange: (pair: KeyPair) => void;
  /** The files are not good now; what was there before stays in force. Repeats are filtered. */
  readonly onProblem: (error: unknown) => void;
};

/** Looks every 10 s: the folder of a volume changes by a link, which not every watch sees. Returns what ends it. */
export function watchKeyPair(options: KeyPairWatch): () => void {
  let { current } = options;
  let problem = "";
  const look = () => {
    try {
      const pair = readKeyPair(options.folder);
      problem = "";
      if (pair.cert === current.cert && pair.key === current.key) return;
      current = pair;
      options.onChange(pair);
    } catch (error) {
      const text = String(error);
      if (text !== problem) options.onProblem(error);
      problem = text;
    }
  };
  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}
