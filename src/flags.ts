// Flags of a program as a table: read from the command line as Go's flag package does, or from the
// environment. `parseFlags` is pure; `readFlags` speaks to the user and ends the process.

import { parseDuration } from "./config/duration.ts";

type FlagText = {
  /** What it does, for --help. */
  readonly help: string;
  /** Environment variable that is read when the flag is absent; an empty one counts as absent. */
  readonly env?: string;
};
export type StringFlag = FlagText & {
  readonly type: "string";
  readonly default: string | undefined;
  /** The only values there are. */
  readonly choices?: readonly string[];
};
export type NumberFlag = FlagText & {
  readonly type: "number";
  readonly default: number | undefined;
  /** Whole numbers from `min` to `max` are taken. */
  readonly min: number;
  readonly max: number;
};
export type BooleanFlag = FlagText & { readonly type: "boolean"; readonly default: boolean };
/** Written as "300ms" or "1m30s"; its value is in milliseconds. */
export type DurationFlag = FlagText & {
  readonly type: "duration";
  readonly defaultMs: number | undefined;
};
export type Flag = StringFlag | NumberFlag | BooleanFlag | DurationFlag;

/** By name in camelCase: `lbClass` is written --lb-class. */
export type Flags = Readonly<Record<string, Flag>>;

type ValueOf<F extends Flag> = F extends StringFlag & { readonly choices: readonly (infer C)[] }
  ? C | WhenUnset<F["default"]>
  : F extends StringFlag
    ? string | WhenUnset<F["default"]>
    : F extends NumberFlag
      ? number | WhenUnset<F["default"]>
      : F extends DurationFlag
        ? number | WhenUnset<F["defaultMs"]>
        : boolean;
type WhenUnset<Default> = undefined extends Default ? undefined : never;

export type FlagValues<F extends Flags> = { readonly [Name in keyof F]: ValueOf<F[Name]> };

export type Program<F extends Flags> = {
  readonly name: string;
  /** One or two sentences for --help. */
  readonly summary: string;
  readonly flags: F;
  /** What may follow the flags, such as "FILE..."; absent: nothing. */
  readonly operands?: string;
};

export type ParsedFlags<F extends Flags> =
  | {
      readonly kind: "values";
      readonly values: FlagValues<F>;
      readonly operands: readonly string[];
    }
  | { readonly kind: "help"; readonly text: string }
  | { readonly kind: "refused"; readonly message: string };

/**
 * Reads flags with one or two dashes, as "--port=1", "--port 1", "--on" and "--on=false". The last
 * of several wins, "--" ends the flags, -h and --help ask for help. The command line wins over the
 * environment, and that over defaults.
 */
export function parseFlags<const F extends Flags>(
  program: Program<F>,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): ParsedFlags<F> {
  const byName = new Map(Object.entries(program.flags).map(([key, flag]) => [dashed(key), flag]));
  const values = new Map<string, Value>();
  const operands: string[] = [];
  try {
    for (const [name, flag] of byName) values.set(name, initialValue(flag, env));
    const rest = [...args];
    for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
      if (arg === "--") {
        operands.push(...rest.splice(0));
        break;
      }
      const [, name, text] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? [];
      if (name === undefined) {
        if (/^-./.test(arg)) throw new RefusedFlag(`Cannot read flag "${arg}": want --name=value`);
        operands.push(arg);
        continue;
      }
      if (name === "h" || name === "help") return { kind: "help", text: helpText(program) };
      const flag = byName.get(name);
      if (flag === undefined) {
        throw new RefusedFlag(`Unknown flag --${name}: --help lists what there is`);
      }
      values.set(name, readValue(`--${name}`, flag, text ?? nextText(name, flag, rest)));
    }
    const [first] = operands;
    if (first !== undefined && program.operands === undefined) {
      throw new RefusedFlag(`Cannot take argument "${first}": want only flags, --help lists them`);
    }
  } catch (error) {
    if (!(error instanceof RefusedFlag)) throw error;
    return { kind: "refused", message: error.message };
  }
  const entries = Object.keys(program.flags).map((key) => [key, values.get(dashed(key))]);
  // Each value was read by the type of its flag.
  return { kind: "values", values: Object.fromEntries(entries) as FlagValues<F>, operands };
}

/**
 * What the command line and the environment of this process say; ends it for help (0) and for bad
 * flags (2). `args` default to all of the command line.
 */
export function readFlags<const F extends Flags>(
  program: Program<F>,
  args: readonly string[] = process.argv.slice(2),
): { readonly values: FlagValues<F>; readonly operands: readonly string[] } {
  const parsed = parseFlags(program, args, process.env);
  switch (parsed.kind) {
    case "values":
      return parsed;
    case "help":
      process.stdout.write(parsed.text);
      return process.exit(0);
    case "refused":
      process.stderr.write(`${program.name}: ${parsed.message}\n`);
      return process.exit(2);
  }
}

type Value = string | number | boolean | undefined;

class RefusedFlag extends Error {}

function initialValue(flag: Flag, env: Readonly<Record<string, string | undefined>>): Value {
  const text = flag.env === undefined ? undefined : env[flag.env];
  if (flag.env !== undefined && text !== undefined && text !== "") {
    return readValue(`$${flag.env}`, flag, text);
  }
  return flag.type === "duration" ? flag.defaultMs : flag.default;
}

/** The text of a flag without "=": the next argument, but not for a switch. */
function nextText(name: string, flag: Flag, rest: string[]): string {
  if (flag.type === "boolean") return "true";
  const text = rest.shift();
  if (text === undefined) {
    throw new RefusedFlag(`Cannot take flag --${name} without a value: want ${wanted(flag)}`);
  }
  return text;
}

function readValue(name: string, flag: Flag, text: string): Value {
  const value = parseValue(flag, text);
  if (value === undefined) {
    throw new RefusedFlag(`Cannot take ${name} "${text}": want ${wanted(flag)}`);
  }
  return value;
}

function parseValue(flag: Flag, text: string): Value {
  switch (flag.type) {
    case "string":
      return flag.choices === undefined || flag.choices.includes(text) ? text : undefined;
    case "number": {
      const number = /^-?\d+$/.test(text) ? Number(text) : Number.NaN;
      return number >= flag.min && number <= flag.max ? number : undefined;
    }
    case "boolean":
      return BOOLEANS.get(text);
    case "duration": {
      const nanoseconds = parseDuration(text);
      if (nanoseconds === undefined || nanoseconds < 0n) return undefined;
      return Number(nanoseconds) / 1e6;
    }
  }
}

/** What Go's strconv.ParseBool takes. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ...["1", "t", "T", "true", "TRUE", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "false", "FALSE", "False"].map((text) => [text, false] as const),
]);

function wanted(flag: Flag): string {
  switch (flag.type) {
    case "string":
      return flag.choices === undefined ? "a text" : `one of ${flag.choices.join(", ")}`;
    case "number":
      return `a whole number from ${flag.min} to ${flag.max}`;
    case "boolean":
      return "true or false";
    case "duration":
      return "a duration such as 300ms or 1m30s";
  }
}

function helpText<F extends Flags>({ name, summary, flags, operands }: Program<F>): string {
  const usage = `Usage: ${name} [flags]${operands === undefined ? "" : ` ${operands}`}`;
  const lines = Object.entries(flags).map(([key, flag]) => {
    const head = `  --${dashed(key)}${flag.type === "boolean" ? "" : ` ${flag.type}`}`;
    return `${head}\n        ${[flag.help, ...notesOf(flag)].join("; ")}\n`;
  });
  return `${usage}\n\n${summary}\n\nFlags, with one dash or two:\n${lines.join("")}`;
}

function notesOf(flag: Flag): string[] {
  const notes = [];
  if (flag.type === "string" && flag.choices !== undefined) notes.push(wanted(flag));
  if (flag.env !== undefined) notes.push(`$${flag.env}`);
  const usual = flag.type === "duration" ? flag.defaultMs : flag.default;
  const unit = flag.type === "duration" ? "ms" : "";
  if (usual !== undefined && usual !== "") notes.push(`default ${usual}${unit}`);
  return notes;
}

/** As the flag of this key is written, without the dashes before it. */
export function dashed(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
