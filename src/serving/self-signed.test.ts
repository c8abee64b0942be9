// Read by Node and by OpenSSL's command line: neither shares a line with what wrote it.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { integer, objectIdentifier, sequence, time } from "./der.ts";
import { selfSigned } from "./self-signed.ts";

const OPTIONS = {
  commonName: "speaker",
  dnsNames: ["localhost", "node1.example.com"],
  addresses: ["127.0.0.1", "::1"],
  notBefore: new Date("2026-01-02T03:04:05Z"),
  notAfter: new Date("2056-01-02T03:04:05Z"),
} as const;

const hex = (octets: Uint8Array) => Buffer.from(octets).toString("hex");

describe("DER", () => {
  it("writes the shortest integers that stay positive", () => {
    assert.equal(hex(integer(Uint8Array.of(0, 0))), "020100");
    assert.equal(hex(integer(Uint8Array.of(0, 0x7f))), "02017f");
    assert.equal(hex(integer(Uint8Array.of(0x80, 1))), "0203008001");
  });

  it("writes long lengths", () => {
    assert.equal(hex(sequence(new Uint8Array(0x7f)).subarray(0, 2)), "307f");
    assert.equal(hex(sequence(new Uint8Array(0x80)).subarray(0, 3)), "308180");
    assert.equal(hex(sequence(new Uint8Array(0x1234)).subarray(0, 4)), "30821234");
  });

  it("writes object identifiers with long parts", () => {
    assert.equal(hex(objectIdentifier("1.2.840.10045.4.3.2")), "06082a8648ce3d040302");
  });

  it("writes years from 2050 with four digits", () => {
    assert.equal(time(new Date("2049-12-31T23:59:59Z")).subarray(2).toString(), "491231235959Z");
    assert.equal(time(new Date("2050-01-01T00:00:00Z")).subarray(2).toString(), "20500101000000Z");
  });
});

describe("selfSigned()", () => {
  const pair = selfSigned(OPTIONS);

  it("is what Node reads and verifies", () => {
    const certificate = new X509Certificate(pair.cert);
    assert(certificate.verify(certificate.publicKey));
    assert(certificate.checkPrivateKey(createPrivateKey(pair.key)));
    assert.equal(certificate.subject, "CN=speaker");
    assert.equal(certificate.checkHost("node1.example.com"), "node1.example.com");
    assert.equal(certificate.checkIP("127.0.0.1"), "127.0.0.1");
    assert.equal(certificate.checkIP("::1"), "::1");
    assert.equal(certificate.checkIP("::2"), undefined);
    assert.equal(certificate.ca, false);
    assert.deepEqual(certificate.validFromDate, OPTIONS.notBefore);
    assert.deepEqual(certificate.validToDate, OPTIONS.notAfter);
  });

  it("is what OpenSSL reads and verifies", () => {
    const text = execFileSync("openssl", ["x509", "-noout", "-text"], { input: pair.cert });
    for (const line of [
      "Version: 3 (0x2)",
      "Signature Algorithm: ecdsa-with-SHA256",
      "Subject: CN = speaker",
      "DNS:localhost, DNS:node1.example.com, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
      "TLS Web Server Authentication",
      "Digital Signature",
      "CA:FALSE",
    ]) {
      assert(text.toString().includes(line), `${line} in ${text}`);
    }
    const verify = ["verify", "-x509_strict", "-partial_chain", "-CAfile", "/dev/stdin"];
    const command = `cert=$(cat); printf '%s' "$cert" | openssl ${verify.join(" ")} <(printf '%s' "$cert")`;
    const said = execFileSync("bash", ["-c", command], { input: pair.cert }).toString();
    assert.match(said, /OK/);
  });

  it("is another one each time", () => {
    const other = selfSigned(OPTIONS);
    assert.notEqual(
      new X509Certificate(other.cert).serialNumber,
      new X509Certificate(pair.cert).serialNumber,
    );
    assert.notEqual(other.key, pair.key);
  });
});
