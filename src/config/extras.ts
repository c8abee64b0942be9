// Key `extras` of ConfigMap `bgpextras` -> raw FRR lines, appended to ours.

import { type Finding, hasControlCharacter } from "./field.ts";

export type Extras = { readonly text: string; readonly findings: readonly Finding[] };

/**
 * Leaves out every line that holds a control character other than a tab, with a finding that
 * gives its number but not its text, which may hold a password. A carriage return before a line's end is dropped without a word.
 */
export function parseExtras(extras: unknown): Extras {
  if (typeof extras !== "string") {
    return { text: "", findings: [complaint("Cannot use anything but a text")] };
  }
  const findings: Finding[] = [];
  const lines: string[] = [];
  for (const [index, line] of extras.split(/\r?\n/).entries()) {
    if (!hasControlCharacter(line.replaceAll("\t", ""))) lines.push(line);
    else {
      findings.push(
        complaint(
          `Cannot use line ${index + 1}, which holds a control character: want none but tabs, the line is left out`,
        ),
      );
    }
  }
  return { text: lines.join("\n"), findings };
}

function complaint(message: string): Finding {
  return { field: "data.extras", message, transient: false };
}
