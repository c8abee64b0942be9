import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExtras } from "./extras.ts";

describe("parseExtras()", () => {
  it("keeps good lines as they are", () => {
    const text = "route-map 10.0.0.1-in permit 20\n\tmatch ip address x\n\n! ümlaut\n";
    assert.deepEqual(parseExtras(text), { text, findings: [] });
    assert.deepEqual(parseExtras(""), { text: "", findings: [] });
  });

  it("drops carriage returns at line ends", () => {
    assert.deepEqual(parseExtras("a\r\nb\r\n"), { text: "a\nb\n", findings: [] });
  });

  it("leaves out lines with control characters and numbers them without showing them", () => {
    const { text, findings } = parseExtras(
      "a\nneighbor x password se\u0007cret\nb\rc\nd\u0085e\nf",
    );
    assert.equal(text, "a\nf");
    assert.deepEqual(
      findings.map(({ field, message }) => [field, /line (\d)/.exec(message)?.[1]]),
      [
        ["data.extras", "2"],
        ["data.extras", "3"],
        ["data.extras", "4"],
      ],
    );
    assert.doesNotMatch(JSON.stringify(findings), /cret/);
  });

  it("takes nothing but a text", () => {
    assert.equal(parseExtras(null).findings.length, 1);
    assert.equal(parseExtras(["a"]).text, "");
  });
});
