// What the lab's clients make of what they see: who owned an address when, and what became of requests.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Call, formatCall, parseCall, summarizeCalls } from "./clients/call.ts";
import {
  formatSighting,
  longestGap,
  parseSighting,
  type Sighting,
  stintsOf,
} from "./clients/sighting.ts";
import { formatTakeovers, ownersText, takeoverOf, takeoverText } from "./clients/takeover.ts";

const A = "02:00:00:00:00:0a";
const B = "02:00:00:00:00:0b";

function sighting(
  atMs: number,
  mac: string,
  kind: Sighting["kind"] = "answer",
  address = "192.0.2.240",
): Sighting {
  return { atMs, mac, kind, address };
}

function call(sentMs: number, doneMs: number, failure?: string): Call {
  return failure === undefined
    ? { sentMs, doneMs, answer: "node1", failure: undefined }
    : { sentMs, doneMs, answer: undefined, failure };
}

describe("parseSighting()", () => {
  for (const one of [sighting(12.5, A), sighting(0, B, "announcement", "2001:db8:0:1::f0")]) {
    it(`reads what was written of ${one.address}`, () => {
      assert.deepEqual(parseSighting(formatSighting(one)), one);
    });
  }

  for (const line of ["", "watching", "answer 1.000 192.0.2.240", "answer x 192.0.2.240 a:b"]) {
    it(`sees none in "${line}"`, () => assert.equal(parseSighting(line), undefined));
  }
});

describe("stintsOf()", () => {
  const cases = [
    { what: "is empty where nobody was seen", seen: [], expected: [] },
    {
      what: "joins what one host said, and counts answers only",
      seen: [sighting(1, A, "announcement"), sighting(2, A), sighting(3, A)],
      expected: [{ mac: A, fromMs: 1, toMs: 3, answers: 2 }],
    },
    {
      what: "tells one owner after the other",
      seen: [sighting(1, A), sighting(2, A), sighting(9, B, "announcement"), sighting(10, B)],
      expected: [
        { mac: A, fromMs: 1, toMs: 2, answers: 2 },
        { mac: B, fromMs: 9, toMs: 10, answers: 1 },
      ],
    },
    {
      what: "goes back and forth where two had the address at once",
      seen: [sighting(1, A), sighting(2, B), sighting(3, A), sighting(4, B)],
      expected: [1, 2, 3, 4].map((ms) => ({
        mac: ms % 2 === 1 ? A : B,
        fromMs: ms,
        toMs: ms,
        answers: 1,
      })),
    },
  ];
  for (const { what, seen, expected } of cases) {
    it(what, () => assert.deepEqual(stintsOf(seen), expected));
  }
});

describe("longestGap()", () => {
  for (const [what, times, expected] of [
    ["is the whole span where nothing happened", [], 10],
    ["counts from the span's start and to its end", [4], 6],
    ["is between two events", [1, 2, 8, 9], 6],
    ["leaves out what is outside", [-5, 5, 15], 5],
  ] as const) {
    it(what, () => assert.equal(longestGap(times, { fromMs: 0, toMs: 10 }), expected));
  }
});

describe("parseCall()", () => {
  for (const one of [call(1, 2.25), call(1, 2, "ECONNRESET"), call(3, 9, "no answer")]) {
    it(`reads what was written of ${one.answer ?? one.failure}`, () => {
      assert.deepEqual(parseCall(formatCall(one)), one);
    });
  }

  it("sees none in another line", () => assert.equal(parseCall("Error: why"), undefined));
});

describe("summarizeCalls()", () => {
  it("tells late ones from those in time, and failures by their reason", () => {
    const calls = [
      call(0, 1),
      call(10, 1020),
      call(20, 21, "ECONNRESET"),
      call(30, 31, "no answer"),
    ];
    assert.deepEqual(summarizeCalls([...calls, call(40, 41, "ECONNRESET")]), {
      answered: 2,
      late: 1,
      failures: new Map([
        ["ECONNRESET", 2],
        ["no answer", 1],
      ]),
    });
  });
});

describe("takeoverOf()", () => {
  const facts = {
    what: "power cut of node1",
    address: "192.0.2.240",
    sightings: [
      sighting(1, A),
      sighting(10, A),
      sighting(11, B, "answer", "192.0.2.241"),
      sighting(60, B, "announcement"),
      sighting(61, B),
      sighting(70, B),
    ],
    calls: [call(2, 3), call(12, 1013), call(14, 2514, "no answer"), call(62, 63), call(99, 100)],
    span: { fromMs: 0, toMs: 72 },
    neighborMac: B,
    nodes: new Map([
      [A, "node1"],
      [B, "node2"],
    ]),
  };
  const takeover = takeoverOf(facts);

  it("tells of one address who had it, and how long it was away on the wire and for a client", () => {
    assert.deepEqual(takeover, {
      what: "power cut of node1",
      address: "192.0.2.240",
      span: facts.span,
      owners: ["node1", "node2"],
      silenceMs: 51,
      pauseMs: 60,
      requests: 4,
      late: 1,
      lost: 1,
      neighbor: "node2",
    });
  });

  it("tells of a neighbor that is not there, and of one that is no node", () => {
    assert.equal(takeoverOf({ ...facts, neighborMac: undefined }).neighbor, "nobody");
    assert.equal(
      takeoverOf({ ...facts, neighborMac: "02:00:00:00:00:0c" }).neighbor,
      "02:00:00:00:00:0c",
    );
  });

  it("ownersText() cuts short what goes back and forth", () => {
    assert.equal(ownersText(["a", "b", "a"]), "a > b > a");
    const many = Array.from({ length: 50 }, (_, i) => (i % 2 === 0 ? "a" : "b"));
    assert.equal(ownersText(many), "a > b > ... > b (49 changes)");
  });

  it("takeoverText() is one line, and silent about a client that did not ask", () => {
    assert.equal(
      takeoverText(takeover),
      "192.0.2.240: node1 > node2, nobody answered for 51 ms, " +
        "the client waited 60 ms: of 4 requests 1 late, 1 lost",
    );
    assert.equal(
      takeoverText({ ...takeover, requests: 0 }),
      "192.0.2.240: node1 > node2, nobody answered for 51 ms",
    );
  });

  it("formatTakeovers() says once what happened to all of the addresses", () => {
    const other = { ...takeover, address: "2001:db8:0:1::f0" };
    assert.equal(
      formatTakeovers([takeover, other]),
      [
        "WHAT HAPPENED       ADDRESS           ANSWERED BY    NOBODY FOR  CLIENT'S NEIGHBOR  WEB PAUSE  REQUESTS  LATE  LOST",
        "power cut of node1  192.0.2.240       node1 > node2  51 ms       node2              60 ms      4         1     1",
        "                    2001:db8:0:1::f0  node1 > node2  51 ms       node2              60 ms      4         1     1",
      ].join("\n"),
    );
  });
});
