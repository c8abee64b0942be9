// The conditions of both programs, and the reasons why a node does not announce, as a page.

import { CONDITION_REASONS as CONTROLLER } from "../../src/controller/condition-reasons.ts";
import { CONDITION_REASONS as SPEAKER } from "../../src/speaker/condition-reasons.ts";
import { SILENCE_REASONS } from "../../src/speaker/l2-state.ts";
import { REFUSAL_REASONS } from "../../src/speaker/refusal.ts";
import { code, page, table } from "./markdown.ts";

export function conditionsPage(): string {
  return page("Conditions and reasons", "the tables the programs take their reasons from", [
    "They stand in the status of an object: `kubectl get -o yaml` shows them, and `kubectl describe` too, except for Services. `lastTransitionTime` moves with the status only.",
    table(
      ["Condition", "On", "Written by", "Meaning"],
      [...summary(CONTROLLER, "controller"), ...summary(SPEAKER, "speaker")],
    ),
    ...Object.entries({ ...CONTROLLER, ...SPEAKER }).flatMap(([type, { reasons }]) => [
      `## ${type}`,
      reasonTable(reasons),
    ]),
    "## Why a node does not announce",
    "Each speaker keeps one of these per Service and protocol. `mirror-status` prints it with what was seen, the log line `withdrawing service announcement` has it as `reason`, and `metallb_speaker_refused_services` counts them.",
    reasonTable(REFUSAL_REASONS),
    "Layer 2 only:",
    reasonTable(SILENCE_REASONS),
  ]);
}

type Conditions = Readonly<
  Record<string, { readonly object: string; readonly meaning: string; readonly reasons: object }>
>;

function summary(conditions: Conditions, program: string): readonly (readonly string[])[] {
  return Object.entries(conditions).map(([type, { object, meaning }]) => [
    `[${code(type)}](#${anchorOf(type)})`,
    object,
    program,
    meaning,
  ]);
}

/** What GitHub and others make of a heading. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
}

function reasonTable(reasons: Readonly<Record<string, string>>): string {
  return table(
    ["Reason", "Meaning"],
    Object.entries(reasons).map(([reason, meaning]) => [code(reason), meaning]),
  );
}
