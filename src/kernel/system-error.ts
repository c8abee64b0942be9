// Failed system calls as errors that say what was tried, why it failed and what is wanted.

import { getSystemErrorMap } from "node:util";

export class SystemError extends Error {
  /** The call that failed, such as "socket". */
  readonly call: string;
  /** The name of the error number, such as "EPERM". */
  readonly code: string;
  readonly errno: number;

  constructor(call: string, errno: number, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "SystemError";
    this.call = call;
    this.errno = errno;
    this.code = errorCode(errno);
  }
}

/** What would help, by error code; the end of a sentence that begins with "want". */
export type Remedies = Readonly<Record<string, string>>;

/**
 * Passes on what a call returned, or throws if that is a negated error number.
 *
 * @param action What the call was for, to complete "Cannot …".
 */
export function checked(
  result: number,
  call: string,
  action: string,
  remedies: Remedies = {},
): number {
  if (result >= 0) return result;
  const [code, meaning] = described(-result);
  const remedy = remedies[code];
  const want = remedy === undefined ? "" : `, want ${remedy}`;
  throw new SystemError(
    call,
    -result,
    `Cannot ${action}: ${call} says ${code} (${meaning})${want}`,
  );
}

/** The name of an error number, such as "EPERM". */
export function errorCode(errno: number): string {
  return described(errno)[0];
}

function described(errno: number): readonly [string, string] {
  return getSystemErrorMap().get(-errno) ?? [`E${errno}`, "unknown error"];
}
