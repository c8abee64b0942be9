// The flags of the programs as a page.

import { MIRROR_STATUS } from "../../src/cli/flags.ts";
import { CONTROLLER } from "../../src/controller/flags.ts";
import { dashed, type Flag, type Flags, type Program } from "../../src/flags.ts";
import { SPEAKER } from "../../src/speaker/flags.ts";
import { code, page, table } from "./markdown.ts";

export function flagsPage(): string {
  return page("Flags and environment variables", "the tables the programs read them by", [
    "With one dash or two, as `--port=1`, `--port 1`, `--on` or `--on=false`. The command line wins over the environment, and that over defaults; an empty variable counts as absent. What is unknown or out of range ends the program with status 2 and a line that says what is wanted. `--help` prints this list.",
    ...[CONTROLLER, SPEAKER, MIRROR_STATUS].flatMap(programSection),
  ]);
}

function programSection({ name, summary, flags }: Program<Flags>): readonly string[] {
  return [
    `## ${name}`,
    summary,
    table(
      ["Flag", "Environment", "Type", "Default", "Meaning"],
      Object.entries(flags).map(([key, flag]) => [
        code(`${key.length === 1 ? "-" : "--"}${dashed(key)}`),
        flag.env === undefined ? "" : code(flag.env),
        typeOf(flag),
        defaultOf(flag),
        flag.help,
      ]),
    ),
  ];
}

function typeOf(flag: Flag): string {
  switch (flag.type) {
    case "string":
      return flag.choices === undefined ? "text" : flag.choices.map(code).join(", ");
    case "number":
      return `${flag.min} to ${flag.max}`;
    case "boolean":
      return "true or false";
    case "duration":
      return "duration";
  }
}

function defaultOf(flag: Flag): string {
  if (flag.type !== "duration") {
    return flag.default === undefined ? "" : code(flag.default === "" ? '""' : `${flag.default}`);
  }
  const { defaultMs } = flag;
  if (defaultMs === undefined) return "";
  return code(defaultMs % 1000 === 0 ? `${defaultMs / 1000}s` : `${defaultMs}ms`);
}
