// The exclusion file as users write it: MetalLB's default, Go's syntax, and what is refused.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseExcluded } from "./excluded.ts";

const DEFAULTS = `
announcedInterfacesToExclude: ["^docker.*", "^cbr.*", "^dummy.*", "^virbr.*", "^lxcbr.*", "^veth.*",
  "^lo$", "^cali.*", "^tunl.*", "^flannel.*", "^kube-ipvs.*", "^cni.*", "^nodelocaldns.*", "^lxc.*"]`;

function excludes(text: string, name: string): boolean {
  const result = parseExcluded(text);
  assert(result.kind === "patterns", JSON.stringify(result));
  return result.patterns.some((pattern) => pattern.test(name));
}

describe("parseExcluded()", () => {
  const rows: readonly (readonly [string, string, readonly string[], readonly string[]])[] = [
    [
      "takes MetalLB's default",
      DEFAULTS,
      ["lo", "veth1a2b", "docker0", "kube-ipvs0", "cali123"],
      ["eth0", "loop0", "bond0", "br-veth"],
    ],
    ["matches anywhere", "announcedInterfacesToExclude: [th]", ["eth0"], ["bond0"]],
    ["knows Go's (?i)", 'announcedInterfacesToExclude: ["(?i)^ETH"]', ["eth0"], ["bond0"]],
    [
      "knows escapes that only Go allows",
      String.raw`announcedInterfacesToExclude: ['^eth\-[a\-c]\_\.1$']`,
      ["eth-a_.1", "eth--_.1"],
      ["eth-b_.1", "eth-a_x1"],
    ],
    ["takes an empty list", "announcedInterfacesToExclude: []", [], ["lo"]],
    ["takes an empty key", "announcedInterfacesToExclude:", [], ["lo"]],
    ["takes other keys", "other: 1", [], ["lo"]],
    ["takes an empty file", "", [], ["lo"]],
  ];
  for (const [what, text, excluded, kept] of rows) {
    it(what, () => {
      for (const name of excluded) assert(excludes(text, name), name);
      for (const name of kept) assert(!excludes(text, name), name);
    });
  }

  const refused: readonly (readonly [string, string, RegExp])[] = [
    [
      "an expression that is none",
      'announcedInterfacesToExclude: ["^lo$", "eth["]',
      /^Cannot read announcedInterfacesToExclude\[1\] "eth\[": want a regular expression/,
    ],
    [
      "a class that JavaScript reads in another way",
      'announcedInterfacesToExclude: ["[[:alpha:]]"]',
      /\[0\] "\[\[:alpha:\]\]"/,
    ],
    ["a number", "announcedInterfacesToExclude: [7]", /\[0\] 7: want a regular/],
    [
      "a text instead of a list",
      "announcedInterfacesToExclude: eth0",
      /^Cannot read announcedInterfacesToExclude "eth0": want a list of patterns$/,
    ],
    ["a list instead of an object", "[a]", /want an object with the key/],
    ["what is no YAML", "a: [", /^Cannot read excludel2.yaml: want YAML: /],
  ];
  for (const [what, text, message] of refused) {
    it(`refuses ${what}`, () => {
      const result = parseExcluded(text);
      assert(result.kind === "invalid");
      assert.match(result.message, message);
    });
  }
});
