// Reads fields of an object nobody has checked yet. What is wrong becomes a finding with the
// path of the field; the CRD schema is not trusted, because files come here too.

/** One thing wrong with an object, before it is known which object that is. */
export type Finding = {
  /** Path of the field, such as "spec.addresses[1]". */
  readonly field: string;
  readonly message: string;
  /** Refers to something that does not exist yet. */
  readonly transient: boolean;
};

/** The fields of one JSON object, where it stands, and where findings about it go. */
export type Fields = {
  readonly values: Readonly<Record<string, unknown>>;
  readonly path: string;
  readonly findings: Finding[];
};

/** What a parser made of an object. */
export type Parsed<Value> =
  | { readonly kind: "value"; readonly value: Value }
  | { readonly kind: "invalid"; readonly findings: readonly Finding[] };

const CONTROL_CHARACTER = /\p{Cc}/u;

/** Tells whether a text holds a character that could start a new line of a configuration file. */
export function hasControlCharacter(text: string): boolean {
  return CONTROL_CHARACTER.test(text);
}

/** Shows any value inside a message: text in quotes with control characters escaped, cut when long. */
export function show(value: unknown): string {
  const text =
    typeof value === "bigint" || value === undefined
      ? String(value)
      : JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? Number(inner) : inner));
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

/** The fields of a value; none when it is absent, none and a finding when it is no object. */
export function fieldsOf(value: unknown, path: string, findings: Finding[]): Fields {
  if (value === undefined || value === null) return { values: {}, path, findings };
  if (isRecord(value)) return { values: value, path, findings };
  // The value is not shown: it may hold a password.
  const kind = Array.isArray(value) ? "list" : typeof value;
  findings.push({ field: path, message: `Cannot use a ${kind}: want an object`, transient: false });
  return { values: {}, path, findings };
}

/** The fields of the object in one field. */
export function readFields(fields: Fields, key: string): Fields {
  return fieldsOf(fields.values[key], pathOf(fields, key), fields.findings);
}

/** Tells whether a field is there; JSON's null counts as absent, as in the API server. */
export function hasField(fields: Fields, key: string): boolean {
  return fields.values[key] !== undefined && fields.values[key] !== null;
}

/** A text without control characters; undefined when absent or empty, as Kubernetes reads it. */
export function readText(fields: Fields, key: string): string | undefined {
  if (!hasField(fields, key)) return undefined;
  const value = fields.values[key];
  if (typeof value !== "string") {
    report(fields, key, `Cannot use ${show(value)}: want a text`);
    return undefined;
  }
  if (hasControlCharacter(value)) {
    report(fields, key, `Cannot use ${show(value)}: want a text without control characters`);
    return undefined;
  }
  return value === "" ? undefined : value;
}

/** True or false; the default when absent. */
export function readBoolean(fields: Fields, key: string, absent: boolean): boolean {
  if (!hasField(fields, key)) return absent;
  const value = fields.values[key];
  if (typeof value === "boolean") return value;
  report(fields, key, `Cannot use ${show(value)}: want true or false`);
  return absent;
}

/** An integer from `min` to `max`, both included; undefined when absent. */
export function readInteger(
  fields: Fields,
  key: string,
  min: number,
  max: number,
): number | undefined {
  if (!hasField(fields, key)) return undefined;
  const value = fields.values[key];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max) {
    return value;
  }
  report(fields, key, `Cannot use ${show(value)}: want an integer from ${min} to ${max}`);
  return undefined;
}

/** The items of a list; none when absent. */
export function readList(fields: Fields, key: string): readonly unknown[] {
  if (!hasField(fields, key)) return [];
  const value = fields.values[key];
  if (Array.isArray(value)) return value;
  report(fields, key, `Cannot use ${show(value)}: want a list`);
  return [];
}

/** A list of texts; items that are no text, or hold control characters, are findings. */
export function readTexts(fields: Fields, key: string): readonly string[] {
  const texts: string[] = [];
  for (const [index, item] of readList(fields, key).entries()) {
    if (typeof item === "string" && !hasControlCharacter(item)) texts.push(item);
    else {
      report(
        fields,
        `${key}[${index}]`,
        `Cannot use ${show(item)}: want a text without control characters`,
      );
    }
  }
  return texts;
}

/** A list of texts in which none may be repeated. */
export function readDistinctTexts(fields: Fields, key: string): readonly string[] {
  const texts = readTexts(fields, key);
  const seen = new Set<string>();
  for (const text of texts) {
    if (seen.has(text)) {
      report(
        fields,
        key,
        `Cannot use ${show(text)} twice: duplicate definition in ${key}, want each only once`,
      );
    }
    seen.add(text);
  }
  return texts;
}

/** Notes something wrong with one field. */
export function report(fields: Fields, key: string, message: string, transient = false): void {
  fields.findings.push({ field: pathOf(fields, key), message, transient });
}

/** Path of a field inside an object. */
export function pathOf(fields: Fields, key: string): string {
  return fields.path === "" ? key : `${fields.path}.${key}`;
}

/** The value, unless something was found to be wrong on the way to it. */
export function parsed<Value>(findings: readonly Finding[], value: () => Value): Parsed<Value> {
  return findings.length > 0 ? { kind: "invalid", findings } : { kind: "value", value: value() };
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
