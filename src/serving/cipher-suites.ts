// Cipher suites by the names that IANA and Go give them, in OpenSSL's words. Pure.

import { getCiphers } from "node:tls";

/** Go's names of suites of TLS 1.2 (crypto/tls), those it calls insecure included. */
const TLS12: ReadonlyMap<string, string> = new Map([
  ["TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "ECDHE-ECDSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"],
  ["TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384"],
  ["TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "ECDHE-RSA-CHACHA20-POLY1305"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "ECDHE-ECDSA-AES128-SHA"],
  ["TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "ECDHE-ECDSA-AES128-SHA256"],
  ["TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "ECDHE-ECDSA-AES256-SHA"],
  ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"],
  ["TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "ECDHE-RSA-AES128-SHA256"],
  ["TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "ECDHE-RSA-AES256-SHA"],
  ["TLS_RSA_WITH_AES_128_GCM_SHA256", "AES128-GCM-SHA256"],
  ["TLS_RSA_WITH_AES_256_GCM_SHA384", "AES256-GCM-SHA384"],
  ["TLS_RSA_WITH_AES_128_CBC_SHA", "AES128-SHA"],
  ["TLS_RSA_WITH_AES_128_CBC_SHA256", "AES128-SHA256"],
  ["TLS_RSA_WITH_AES_256_CBC_SHA", "AES256-SHA"],
]);
/** They are in force with TLS 1.3 whatever is asked for, as in Go. */
const TLS13 = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
] as const;

export type CipherSuites =
  /** OpenSSL's list, colons between. */
  | { readonly kind: "ciphers"; readonly ciphers: string }
  | { readonly kind: "refused"; readonly message: string };

/** Reads names with commas between; the first comes first in the server's choice. */
export function parseCipherSuites(text: string): CipherSuites {
  const known = new Set(getCiphers());
  const ciphers: string[] = [];
  for (const name of text.split(",").map((part) => part.trim())) {
    if ((TLS13 as readonly string[]).includes(name)) continue;
    const cipher = TLS12.get(name);
    if (cipher === undefined || !known.has(cipher.toLowerCase())) {
      const names = [...TLS12.keys()].join(", ");
      return { kind: "refused", message: `Unknown cipher suite "${name}": want some of ${names}` };
    }
    ciphers.push(cipher);
  }
  return { kind: "ciphers", ciphers: [...ciphers, ...TLS13].join(":") };
}
