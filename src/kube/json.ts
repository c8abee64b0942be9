// JSON as the API server speaks it: integers of 64 bits stay exact, as bigint. Pure.

/** What ECMAScript's "JSON.parse source text access" adds; Node 24 has it, TypeScript's library not yet. */
type JsonWithSource = {
  parse(
    text: string,
    reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown,
  ): unknown;
  rawJSON(text: string): unknown;
};
const json = JSON as unknown as JsonWithSource;

/**
 * A number of 16 digits or more where a value may stand. It may match inside a string as well: that
 * costs time, not exactness.
 */
const LONG_NUMBER = /[:[,]\s*-?[0-9]{16}/;

/** Parses JSON text; an integer that a JavaScript number cannot hold exactly becomes a bigint. */
export function parseJson(text: string): unknown {
  // The reviver is called for every value and makes parsing about ten times slower.
  if (!LONG_NUMBER.test(text)) return JSON.parse(text);
  return json.parse(text, (_, value, { source }) =>
    typeof value === "number" &&
    !Number.isSafeInteger(value) &&
    source !== undefined &&
    /^-?[0-9]+$/.test(source)
      ? BigInt(source)
      : value,
  );
}

/** JSON text of a value; a bigint becomes a number with all its digits. */
export function formatJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // JSON.stringify throws a TypeError at the first bigint.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_, inner) =>
      typeof inner === "bigint" ? json.rawJSON(String(inner)) : inner,
    );
  }
}
