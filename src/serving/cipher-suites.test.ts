import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createSecureContext } from "node:tls";
import { parseCipherSuites } from "./cipher-suites.ts";

const TLS13 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

describe("parseCipherSuites()", () => {
  for (const { text, ciphers } of [
    {
      text: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
      ciphers: `ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305:${TLS13}`,
    },
    { text: "TLS_RSA_WITH_AES_256_CBC_SHA", ciphers: `AES256-SHA:${TLS13}` },
    { text: "TLS_AES_256_GCM_SHA384", ciphers: TLS13 },
  ]) {
    it(`reads ${text}, and OpenSSL takes it`, () => {
      assert.deepEqual(parseCipherSuites(text), { kind: "ciphers", ciphers });
      createSecureContext({ ciphers, minVersion: "TLSv1.2" });
    });
  }

  for (const text of ["", "TLS_RSA_WITH_RC4_128_SHA", "ECDHE-RSA-AES128-GCM-SHA256", "TLS_X,"]) {
    it(`refuses "${text}"`, () => {
      const result = parseCipherSuites(text);
      assert(result.kind === "refused");
      assert(
        result.message.startsWith(
          `Unknown cipher suite "${text.split(",")[0]}": want some of TLS_`,
        ),
      );
    });
  }
});
