import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseCommunity, parseCommunityAliases, sortCommunities } from "./community.ts";
import type { CommunityResource } from "./resources.ts";

describe("parseCommunity()", () => {
  for (const [text, kind, expected] of [
    ["12345:12345", "standard", "12345:12345"],
    ["0:0", "standard", "0:0"],
    ["65535:65535", "standard", "65535:65535"],
    ["00065:01", "standard", "65:1"],
    ["large:1:2:3", "large", "1:2:3"],
    ["large:4294967295:0:4294967295", "large", "4294967295:0:4294967295"],
  ] as const) {
    it(`takes "${text}"`, () => {
      const community = { kind, text: expected };
      assert.deepEqual(parseCommunity(text), { kind: "community", community });
    });
  }

  for (const [text, kind] of [
    ["12345", "format"],
    ["1:2:3", "format"],
    ["", "format"],
    ["no-export", "format"],
    ["large:1:2:3:4", "format"],
    ["larg:1:2:3", "value"],
    ["1:2:3:4", "value"],
    ["99999999:1", "value"],
    ["65536:1", "value"],
    ["1:65536", "value"],
    ["-1:1", "value"],
    ["+1:1", "value"],
    [" 1:1", "value"],
    ["1:", "value"],
    ["1:0x1", "value"],
    ["1:1e3", "value"],
    ["large:4294967296:1:1", "value"],
    ["large:1::1", "value"],
  ] as const) {
    it(`finds the ${kind} of "${text}" wrong`, () => {
      assert.equal(parseCommunity(text).kind, kind);
    });
  }
});

describe("sortCommunities()", () => {
  it("puts standard before large, sorts by number and drops repetitions", () => {
    const texts = [
      "large:1:2:3",
      "65000:2",
      "9:1",
      "65000:10",
      "9:1",
      "large:1:2:10",
      "large:0:9:9",
    ];
    const communities = texts.map((text) => {
      const result = parseCommunity(text);
      assert.equal(result.kind, "community");
      return result.community;
    });
    assert.deepEqual(
      sortCommunities(communities).map(({ text }) => text),
      ["9:1", "65000:2", "65000:10", "0:9:9", "1:2:3", "1:2:10"],
    );
  });
});

describe("parseCommunityAliases()", () => {
  it("takes both kinds, and an alias that looks like a community", () => {
    const result = aliasesOf([
      { name: "blue", value: "65000:1" },
      { name: "65001:1", value: "large:1:2:3" },
    ]);
    assert.equal(result.kind, "value");
    assert.deepEqual(
      result.value.map(({ name, community }) => [name, community.text]),
      [
        ["blue", "65000:1"],
        ["65001:1", "1:2:3"],
      ],
    );
  });

  it("takes an object without aliases", () => {
    assert.equal(parseCommunityAliases({ metadata: { name: "c" } }).kind, "value");
  });

  for (const [why, communities, field, message] of [
    ["a value that is no community", [{ name: "a", value: "12345" }], "[0].value", /12345/],
    ["a number too high", [{ name: "a", value: "99999999:1" }], "[0].value", /99999999/],
    ["no name", [{ value: "1:1" }], "[0].name", /without a name/],
    ["no value", [{ name: "a" }], "[0].value", /without a value/],
    ["a name that is a number", [{ name: 1, value: "1:1" }], "[0].name", /want a text/],
    ["a name with a line break", [{ name: "a\nb", value: "1:1" }], "[0].name", /control/],
    [
      "a repeated name",
      [
        { name: "a", value: "1:1" },
        { name: "a", value: "1:1" },
      ],
      "[1].name",
      /duplicate definition of community "a"/,
    ],
    ["an entry that is null", [null], "[0]", /want an object/],
    ["no list", "a", "", /want a list/],
  ] as const) {
    it(`refuses ${why}`, () => {
      const result = aliasesOf(communities);
      assert.equal(result.kind, "invalid");
      assert.equal(result.findings[0]?.field, `spec.communities${field}`);
      assert.match(result.findings[0]?.message ?? "", message);
    });
  }
});

function aliasesOf(communities: unknown) {
  const resource = { metadata: { name: "c" }, spec: { communities } } as CommunityResource;
  return parseCommunityAliases(resource);
}
