// A certificate for a server that nobody gave one, signed by itself: X.509 version 3, ECDSA on P-256.
// Node reads certificates and does not write them.

import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { isIPv4 } from "node:net";
import {
  bitString,
  bool,
  der,
  integer,
  objectIdentifier,
  octetString,
  sequence,
  set,
  time,
  utf8String,
} from "./der.ts";

/** As PEM, ready for node:tls. */
export type KeyPair = { readonly cert: string; readonly key: string };

export type SelfSignedOptions = {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly addresses: readonly ("127.0.0.1" | "::1")[];
  readonly notBefore: Date;
  readonly notAfter: Date;
};

const ECDSA_WITH_SHA256 = sequence(objectIdentifier("1.2.840.10045.4.3.2"));

/** Makes a key and a certificate of it; each call makes others. */
export function selfSigned(options: SelfSignedOptions): KeyPair {
  const { commonName, dnsNames, addresses, notBefore, notAfter } = options;
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const name = sequence(set(sequence(objectIdentifier("2.5.4.3"), utf8String(commonName))));
  const names = [
    ...dnsNames.map((text) => der(0x82, Buffer.from(text, "ascii"))),
    ...addresses.map((text) => der(0x87, octetsOf(text))),
  ];
  const extensions = sequence(
    // No authority: an empty BasicConstraints.
    extension("2.5.29.19", sequence(), { isCritical: true }),
    // digitalSignature, the first of the bits.
    extension("2.5.29.15", bitString(Uint8Array.of(0x80), 7), { isCritical: true }),
    // serverAuth
    extension("2.5.29.37", sequence(objectIdentifier("1.3.6.1.5.5.7.3.1"))),
    extension("2.5.29.17", sequence(...names)),
  );
  const body = sequence(
    // Version 3.
    der(0xa0, integer(Uint8Array.of(2))),
    integer(randomBytes(16)),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(notBefore), time(notAfter)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, extensions),
  );
  const signature = bitString(sign("sha256", body, privateKey));
  return {
    cert: pem("CERTIFICATE", sequence(body, ECDSA_WITH_SHA256, signature)),
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function extension(id: string, value: Uint8Array, { isCritical = false } = {}): Buffer {
  return sequence(
    objectIdentifier(id),
    // False is the default, which DER leaves out.
    ...(isCritical ? [bool(true)] : []),
    octetString(value),
  );
}

function octetsOf(address: "127.0.0.1" | "::1"): Uint8Array {
  if (isIPv4(address)) return Uint8Array.from(address.split("."), Number);
  return Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));
}

function pem(label: string, octets: Buffer): string {
  const lines = octets.toString("base64").match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
