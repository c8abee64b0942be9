// Secret, or text in the BGPPeer -> TCP MD5 password (RFC 2385). No message ever shows a password.

import { type Fields, hasControlCharacter, readFields, report, show } from "./field.ts";

export type PasswordResult =
  | { readonly kind: "password"; readonly password: string }
  | { readonly kind: "invalid"; readonly message: string; readonly transient: boolean };

/** Octets the kernel takes as a key (TCP_MD5SIG_MAXKEYLEN). */
const MAX_OCTETS = 80;

const SECRET_TYPE = "kubernetes.io/basic-auth";
const SECRET_KEY = "password";

/** Finds the password under key "password" of a basic-auth Secret; undefined: no such Secret. */
export function secretPassword(name: string, secret: Fields | undefined): PasswordResult {
  if (secret === undefined) {
    return {
      kind: "invalid",
      message: `Cannot find Secret ${show(name)}: want it in the namespace of the BGPPeer`,
      transient: true,
    };
  }
  const type = secret.values["type"];
  if (type !== SECRET_TYPE) {
    return refused(
      `Cannot use Secret ${show(name)}: secret type mismatch, type is ${show(type)}, type "${SECRET_TYPE}" is expected`,
    );
  }
  const encoded = passwordIn(secret, "data");
  // The API server turns stringData into data; a file for the command line may still hold it.
  const plain = passwordIn(secret, "stringData");
  if (encoded === undefined && plain === undefined) {
    return refused(
      `Cannot use Secret ${show(name)}: password not specified, want key "${SECRET_KEY}"`,
    );
  }
  const password = plain ?? decode(encoded ?? "");
  if (password === undefined) {
    return refused(
      `Cannot decode key "${SECRET_KEY}" of Secret ${show(name)}: want base64 of UTF-8`,
    );
  }
  const complaint = passwordComplaint(password);
  if (complaint === undefined) return { kind: "password", password };
  return refused(`Cannot use the password in Secret ${show(name)}: ${complaint}`);
}

/** What FRR or the kernel could not take about a password, without showing it. */
export function passwordComplaint(password: string): string | undefined {
  if (hasControlCharacter(password)) {
    return "it holds a control character, want none (a line break at the end comes from encoding with echo instead of echo -n)";
  }
  // FRR (8.4.4) refuses "password a b", drops blanks at the ends and takes " | " for a pipe.
  if (password.includes(" ")) return "it holds a blank, want none, which FRR cannot take";
  const octets = new TextEncoder().encode(password).length;
  if (octets < 1 || octets > MAX_OCTETS) {
    return `it is ${octets} octets long, want 1 to ${MAX_OCTETS}`;
  }
  return undefined;
}

/** Notes a password that cannot be used, if so. */
export function checkPassword(fields: Fields, key: string, password: string): void {
  const complaint = passwordComplaint(password);
  if (complaint !== undefined) report(fields, key, `Cannot use the password: ${complaint}`);
}

function refused(message: string): PasswordResult {
  return { kind: "invalid", message, transient: false };
}

function decode(encoded: string): string | undefined {
  try {
    const octets = Uint8Array.from(atob(encoded), (octet) => octet.charCodeAt(0));
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(octets);
  } catch {
    return undefined;
  }
}

function passwordIn(secret: Fields, key: string): string | undefined {
  const value = readFields({ ...secret, findings: [] }, key).values[SECRET_KEY];
  return typeof value === "string" ? value : undefined;
}
