// All pages of docs/reference/ by file name.

import { conditionsPage } from "./conditions.ts";
import { crdsPage } from "./crds.ts";
import { eventsPage } from "./events.ts";
import { flagsPage } from "./flags.ts";
import { metricsPage } from "./metrics.ts";
import { valuesPage } from "./values.ts";

/** `root`: the folder of the repository. */
export function referencePages(root: string): ReadonlyMap<string, string> {
  return new Map([
    ["conditions.md", conditionsPage()],
    ["crds.md", crdsPage(root)],
    ["events.md", eventsPage()],
    ["flags.md", flagsPage()],
    ["metrics.md", metricsPage()],
    ["values.md", valuesPage(root)],
  ]);
}
