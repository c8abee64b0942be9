// JSON lines with MetalLB's keys on standard output, by pino. Hides what is secret; decides nothing.

import { type DestinationStream, type Logger, pino } from "pino";

export type { Logger } from "pino";

/** MetalLB's values of --log-level: "all" is as "debug", "none" writes nothing. */
export const LOG_LEVELS = ["all", "debug", "info", "warn", "error", "none"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export type LoggerOptions = {
  readonly level: LogLevel;
  /** Which program or part writes, as the key `caller`; MetalLB has file and line there. */
  readonly name?: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
};

/**
 * Makes a logger. Each line has `ts` (RFC 3339, UTC, milliseconds), `level`, `caller` if there is a
 * name, the keys of the call and `msg`. An Error under the key `error` becomes its message with those
 * of its causes, as MetalLB writes it. Values of keys named password, secretkey, token, key-string
 * or authorization are hidden down to the third level.
 */
export function createLogger({ level, name, destination }: LoggerOptions): Logger {
  return pino(
    {
      level: PINO_LEVELS[level],
      base: name === undefined ? null : { caller: name },
      timestamp: () => `,"ts":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      errorKey: "error",
      serializers: { error: messageOf },
      redact: { paths: REDACTED, censor: "<hidden>" },
    },
    destination ?? pino.destination(1),
  );
}

const PINO_LEVELS = {
  all: "trace",
  debug: "debug",
  info: "info",
  warn: "warn",
  error: "error",
  none: "silent",
} as const satisfies Record<LogLevel, string>;

const REDACTED = ["password", "secretkey", "token", "key-string", "authorization"].flatMap((key) =>
  ["", "*", "*.*"].map((parents) => `${parents}["${key}"]`),
);

/** The message of an error and of what caused it, unless it repeats that already. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { message, cause } = error;
  if (!(cause instanceof Error)) return message;
  const inner = messageOf(cause);
  return message.includes(inner) ? message : `${message}: ${inner}`;
}
