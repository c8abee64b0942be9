// Go's duration syntax ("90s", "1m30s", "300ms"), which Kubernetes uses for durations. Pure.

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["µs", 1_000n],
  ["μs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);

const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;
const MAX_NANOSECONDS = 2n ** 63n - 1n;

/**
 * Parses a duration as Go's `time.ParseDuration` does: an optional sign and one or more decimal
 * numbers, each with a unit, or a bare "0". A fraction finer than a nanosecond is cut off.
 *
 * Returns nanoseconds, or undefined for anything else and for more than Go can hold (292 years).
 */
export function parseDuration(text: string): bigint | undefined {
  const negative = text.startsWith("-");
  const digits = negative || text.startsWith("+") ? text.slice(1) : text;
  if (digits === "0") return 0n;
  let total = 0n;
  let position = 0;
  do {
    PART.lastIndex = position;
    const part = PART.exec(digits);
    if (part === null) return undefined;
    const [, whole = "", fraction = "", name = ""] = part;
    const unit = UNITS.get(name);
    if (unit === undefined || `${whole}${fraction}` === "") return undefined;
    total += BigInt(whole) * unit + (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
    if (total > MAX_NANOSECONDS) return undefined;
    position = PART.lastIndex;
  } while (position < digits.length);
  return negative ? -total : total;
}
