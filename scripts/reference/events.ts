// The events of both programs as a page.

import { EVENT_REASONS as CONTROLLER } from "../../src/controller/event-reasons.ts";
import { EVENT_REASONS as SPEAKER } from "../../src/speaker/event-reasons.ts";
import { code, page, table } from "./markdown.ts";

type Reasons = Readonly<
  Record<string, { readonly type: string; readonly object: string; readonly when: string }>
>;

export function eventsPage(): string {
  return page("Events", "the tables the programs take their events from", [
    "`kubectl describe` shows them below the object, and `kubectl get events` all of a namespace. Those of Services are in the namespace of the Service, all others in MetalLB's. Equal events are counted, not repeated.",
    "## Of the controller",
    "Component `metallb-controller`.",
    eventTable(CONTROLLER),
    "## Of the speakers",
    "Component `metallb-speaker`; the message names the node.",
    eventTable(SPEAKER),
  ]);
}

function eventTable(reasons: Reasons): string {
  return table(
    ["Reason", "Type", "On", "When"],
    Object.entries(reasons).map(([reason, { type, object, when }]) => [
      code(reason),
      type,
      object,
      when,
    ]),
  );
}
