import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import fc from "fast-check";
import { address } from "../../test/speaker-config.ts";
import type { Address } from "../net/address.ts";
import {
  type Candidate,
  Elections,
  explainElection,
  gatherCandidates,
  parseL2Weight,
} from "./election.ts";

/** MetalLB's way: all candidates in order, the first one wins. */
function winner(candidates: readonly Candidate[], ip: Address): string | undefined {
  const digest = ({ name }: Candidate) => createHash("sha256").update(`${name}#${ip}`).digest();
  const score = ({ preference, l2Weight }: Candidate) => preference + l2Weight;
  return [...candidates]
    .sort((a, b) => score(b) - score(a) || Buffer.compare(digest(a), digest(b)))
    .at(0)?.name;
}

function candidate(name: string, preference = 0, l2Weight = 0): Candidate {
  return { name, preference, l2Weight };
}

function elect(elections: Elections, list: readonly Candidate[], ip: Address): string | undefined {
  const candidates = gatherCandidates(list);
  return candidates && elections.ownerOf(ip, candidates);
}

const ADDRESSES = [..."123456789"]
  .flatMap((last) => [`192.0.2.${last}`, `2001:db8::${last}`])
  .map(address);
/** Of node1, node2 and node3 with 192.0.2.1. */
const DIGESTS = ["790e16d6", "6dbfc99b", "42a37b7a"];
const NODES = ["node1", "node2", "node3", "node10", "a", "B"];
const FLAT = NODES.map((name) => candidate(name));

describe("Elections", () => {
  it("takes the hash that comes first, whatever the order of the candidates", () => {
    const owners = new Set<string>();
    for (const ip of ADDRESSES) {
      const expected = winner(FLAT, ip);
      assert.equal(elect(new Elections(), FLAT, ip), expected);
      assert.equal(elect(new Elections(), FLAT.toReversed(), ip), expected);
      owners.add(expected ?? "");
    }
    assert.ok(owners.size > 2, "the address has a say");
  });

  it("agrees with sha256sum", () => {
    // $ for n in node1 node2 node3; do printf %s "$n#192.0.2.1" | sha256sum; done
    const digests = ["node1", "node2", "node3"].map((name) =>
      createHash("sha256").update(`${name}#192.0.2.1`).digest("hex"),
    );
    assert.deepEqual(
      digests.map((hex) => hex.slice(0, 8)),
      DIGESTS,
    );
    const list = ["node1", "node2", "node3"].map((name) => candidate(name));
    const [first] = DIGESTS.toSorted();
    const expected = `node${DIGESTS.indexOf(first ?? "") + 1}`;
    assert.equal(elect(new Elections(), list, address("192.0.2.1")), expected);
  });

  const rows: readonly (readonly [string, readonly Candidate[], readonly string[]])[] = [
    ["a single candidate", [candidate("a")], ["a"]],
    ["the highest score", [candidate("a"), candidate("b", 1), candidate("c")], ["b"]],
    [
      "of equal scores the first by hash",
      [candidate("a", 5), candidate("b", 5), candidate("c", 4)],
      ["a", "b"],
    ],
    ["the sum of preference and weight", [candidate("a", 50), candidate("b", 30, 21)], ["b"]],
    [
      "a score however it comes about",
      [candidate("a", 20), candidate("b", 0, 20), candidate("c", 10, 10)],
      ["a", "b", "c"],
    ],
  ];
  for (const [name, list, among] of rows) {
    it(`elects ${name}`, () => {
      for (const ip of ADDRESSES) {
        const expected = winner(
          list.filter((each) => among.includes(each.name)),
          ip,
        );
        assert.equal(elect(new Elections(), list, ip), expected);
      }
    });
  }

  it("moves only the addresses of a node that goes, and back when it returns", () => {
    const elections = new Elections();
    const before = ADDRESSES.map((ip) => elect(elections, FLAT, ip));
    const left = FLAT.filter(({ name }) => name !== before[0]);
    for (const [index, ip] of ADDRESSES.entries()) {
      const owner = elect(elections, left, ip);
      if (before[index] !== before[0]) assert.equal(owner, before[index]);
      else assert.equal(owner, winner(left, ip));
    }
    assert.deepEqual(
      ADDRESSES.map((ip) => elect(elections, FLAT, ip)),
      before,
    );
  });

  it("elects the same whatever it elected before", () => {
    const nodes = fc.uniqueArray(
      fc.record({
        name: fc.constantFrom(...NODES),
        preference: fc.constantFrom(0, 0, 0, 10),
        l2Weight: fc.constantFrom(0, 0, 10),
      }),
      { selector: ({ name }) => name, minLength: 1 },
    );
    const steps = fc.array(fc.tuple(fc.constantFrom(...ADDRESSES.slice(0, 3)), nodes));
    fc.assert(
      fc.property(steps, (list) => {
        const elections = new Elections();
        for (const [ip, candidates] of list) {
          assert.equal(elect(elections, candidates, ip), winner(candidates, ip));
        }
      }),
    );
  });
});

describe("gatherCandidates()", () => {
  it("is undefined without candidates", () => assert.equal(gatherCandidates([]), undefined));
});

describe("explainElection()", () => {
  const rows: readonly (readonly [readonly Candidate[], string, string])[] = [
    [[candidate("a", 10)], "a", "the only candidate"],
    [FLAT, "a", "first of 6 candidates by hash"],
    [
      [candidate("a", 0, 20), candidate("b", 0, 20), candidate("c", 0, 20)],
      "a",
      "score 20 (l2-weight 20), first of 3 candidates by hash",
    ],
    [
      [candidate("a", 10, 20), candidate("b", 30), candidate("c")],
      "a",
      "score 30 (preferredNodeSelectors 10, l2-weight 20), first by hash of the 2 highest of 3 candidates",
    ],
    [
      [candidate("a"), candidate("b", 5)],
      "b",
      "score 5 (preferredNodeSelectors 5), the highest of 2 candidates",
    ],
  ];
  for (const [list, owner, expected] of rows) {
    it(expected, () => {
      const candidates = gatherCandidates(list);
      assert(candidates !== undefined);
      assert.equal(explainElection(owner, candidates), expected);
    });
  }
});

describe("parseL2Weight()", () => {
  const good: readonly (readonly [string | undefined, number])[] = [
    [undefined, 0],
    ["", 0],
    ["0", 0],
    ["20", 20],
    ["100", 100],
  ];
  for (const [text, weight] of good) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseL2Weight(text), { weight, problem: undefined });
    });
  }
  for (const text of ["101", "-1", "1.5", "1e1", " 5", "high", "9".repeat(400)]) {
    it(`refuses "${text.slice(0, 9)}" and counts it as 0`, () => {
      const { weight, problem } = parseL2Weight(text);
      assert.equal(weight, 0);
      assert.match(problem ?? "", /^Cannot use metallb.io\/l2-weight ".+": want .* 0 to 100$/);
    });
  }
});
