// Alignment of columns.

import assert from "node:assert/strict";
import { it } from "node:test";
import { formatTable } from "./table.ts";

it("formatTable() aligns columns and leaves no blanks at the ends", () => {
  assert.deepEqual(
    formatTable([
      ["A", "LONG", "REST"],
      ["wide one", "b", "and so on"],
      ["c", "", ""],
    ]),
    ["A         LONG  REST", "wide one  b     and so on", "c"],
  );
  assert.deepEqual(formatTable([]), []);
});
