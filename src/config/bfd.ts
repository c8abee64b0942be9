// BFDProfile -> BfdProfile (RFC 5880).

import { parseDuration } from "./duration.ts";
import {
  type Fields,
  type Finding,
  fieldsOf,
  hasField,
  type Parsed,
  parsed,
  readBoolean,
  readFields,
  readInteger,
  report,
  show,
} from "./field.ts";
import type { BFDProfileResource } from "./resources.ts";

/** BFD settings under a name; undefined: FRR's default, never rendered. */
export type BfdProfile = {
  readonly name: string;
  /** Milliseconds, 10 to 60000; FRR's default 300. */
  readonly receiveIntervalMs: number | undefined;
  /** Milliseconds, 10 to 60000; FRR's default 300. */
  readonly transmitIntervalMs: number | undefined;
  /** Milliseconds, 10 to 60000; FRR's default 50. */
  readonly echoIntervalMs: number | undefined;
  /** 2 to 255; FRR's default 3. */
  readonly detectMultiplier: number | undefined;
  readonly echoMode: boolean;
  readonly passiveMode: boolean;
  /** 1 to 254; FRR's default 254. */
  readonly minimumTtl: number | undefined;
};

const MIN_INTERVAL_MS = 10;
const MAX_INTERVAL_MS = 60_000;
/** Longer ones are refused by bfdd, with the status of success (FRR 8.4.4). */
const MAX_NAME_LENGTH = 63;
const NANOSECONDS_PER_MS = 1_000_000n;

/** Parses the settings of a BFDProfile; intervals may be 300 or "300ms" alike. */
export function parseBfdProfile(resource: BFDProfileResource): Parsed<BfdProfile> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const { name } = resource.metadata;
  if (name.length > MAX_NAME_LENGTH) {
    findings.push({
      field: "metadata.name",
      message: `Cannot use a name of ${name.length} characters: want up to ${MAX_NAME_LENGTH}, the longest profile name FRR takes`,
      transient: false,
    });
  }
  const profile: BfdProfile = {
    name,
    receiveIntervalMs: readIntervalMs(spec, "receiveInterval"),
    transmitIntervalMs: readIntervalMs(spec, "transmitInterval"),
    echoIntervalMs: readIntervalMs(spec, "echoInterval"),
    detectMultiplier: readInteger(spec, "detectMultiplier", 2, 255),
    echoMode: readBoolean(spec, "echoMode", false),
    passiveMode: readBoolean(spec, "passiveMode", false),
    minimumTtl: readInteger(spec, "minimumTtl", 1, 254),
  };
  return parsed(findings, () => profile);
}

function readIntervalMs(spec: Fields, key: string): number | undefined {
  if (!hasField(spec, key)) return undefined;
  const value = spec.values[key];
  const milliseconds = typeof value === "string" ? wholeMilliseconds(value) : value;
  if (
    typeof milliseconds === "number" &&
    Number.isInteger(milliseconds) &&
    milliseconds >= MIN_INTERVAL_MS &&
    milliseconds <= MAX_INTERVAL_MS
  ) {
    return milliseconds;
  }
  report(
    spec,
    key,
    `Cannot use ${show(value)}: want ${MIN_INTERVAL_MS} to ${MAX_INTERVAL_MS} whole milliseconds, such as 300 or "300ms"`,
  );
  return undefined;
}

function wholeMilliseconds(text: string): number | undefined {
  const nanoseconds = parseDuration(text);
  if (nanoseconds === undefined || nanoseconds % NANOSECONDS_PER_MS !== 0n) return undefined;
  return Number(nanoseconds / NANOSECONDS_PER_MS);
}
