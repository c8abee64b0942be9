// Metrics over HTTPS as the flags of a program want it: certificate, versions and suites of TLS, and
// who is let in. Wires.

import { hostname } from "node:os";
import type { SecureContextOptions } from "node:tls";
import type { Connection } from "../kube/connection.ts";
import type { Logger } from "../log.ts";
import { parseCipherSuites } from "./cipher-suites.ts";
import { readKeyPair, watchKeyPair } from "./key-pair.ts";
import { createReviewer, type Reviewer } from "./reviewer.ts";
import { type KeyPair, selfSigned } from "./self-signed.ts";

/** What a server needs to speak TLS, and to know who may ask for /metrics. */
export type Secure = {
  readonly context: SecureContextOptions;
  /** Calls with each later context; returns what ends that. */
  readonly follow: (onChange: (context: SecureContextOptions) => void) => () => void;
  /** Who may read /metrics. */
  readonly review: Reviewer;
};

export type SecureOptions = {
  /** Named in a certificate of our own. */
  readonly program: string;
  readonly flags: {
    readonly metricsScheme: "http" | "https";
    readonly metricsCertDir: string;
    readonly tlsMinVersion: "VersionTLS12" | "VersionTLS13";
    readonly tlsCipherSuites: string;
  };
  readonly connection: Connection;
  readonly log: Logger;
};

const VERSIONS = { VersionTLS12: "TLSv1.2", VersionTLS13: "TLSv1.3" } as const;
const HOUR_MS = 3_600_000;
const YEARS = 10;

/** Undefined: plain HTTP. Throws when the flags ask for what cannot be had. */
export function secureServing(options: SecureOptions): Secure | undefined {
  const { program, flags, connection, log } = options;
  if (flags.metricsScheme === "http") return undefined;
  const minVersion = VERSIONS[flags.tlsMinVersion];
  const ciphers = ciphersOf(flags);
  const folder = flags.metricsCertDir;
  const first = folder === "" ? ownKeyPair(program) : readKeyPair(folder);
  const contextOf = (pair: KeyPair): SecureContextOptions => ({
    ...pair,
    minVersion,
    ...(ciphers !== undefined && { ciphers }),
  });
  return {
    context: contextOf(first),
    follow: (onChange) => {
      if (folder === "") return () => {};
      return watchKeyPair({
        folder,
        current: first,
        onChange: (pair) => {
          log.info({ op: "certificate", folder }, "certificate read again");
          onChange(contextOf(pair));
        },
        onProblem: (error) => {
          log.warn(
            { op: "certificate", error },
            "certificate not changed: the last good one stays",
          );
        },
      });
    },
    review: createReviewer({
      connection,
      onError: (error) => log.warn({ op: "review", error }, "cannot review who reads metrics"),
      now: () => performance.now(),
    }),
  };
}

function ciphersOf({ tlsMinVersion, tlsCipherSuites }: SecureOptions["flags"]): string | undefined {
  if (tlsCipherSuites === "") return undefined;
  if (tlsMinVersion === "VersionTLS13") {
    throw new Error(
      `Cannot take --tls-cipher-suites with --tls-min-version=VersionTLS13: want VersionTLS12, because those of TLS 1.3 are not to be chosen`,
    );
  }
  const result = parseCipherSuites(tlsCipherSuites);
  if (result.kind === "refused") throw new Error(`--tls-cipher-suites: ${result.message}`);
  return result.ciphers;
}

function ownKeyPair(program: string): KeyPair {
  const now = Date.now();
  const end = new Date(now);
  end.setUTCFullYear(end.getUTCFullYear() + YEARS);
  return selfSigned({
    commonName: `metallb-${program}`,
    dnsNames: ["localhost", hostname()],
    addresses: ["127.0.0.1", "::1"],
    // For readers whose clock is behind.
    notBefore: new Date(now - HOUR_MS),
    notAfter: end,
  });
}
