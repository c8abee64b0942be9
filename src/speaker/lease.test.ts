// Fencing by the clock: when a node falls silent, when the API server's word helps, and when a node
// that was cut off may answer again.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CONFIRM_MS, isApiDue, Lease, type Membership, type Ties } from "./lease.ts";

const NOW = 100_000;
/** Three probes of 200 ms. */
const LEASE_MS = 600;

type Changes = Partial<Membership> & {
  /** How long ago the watchers, and the API server, were heard; default now, and never. */
  readonly quiet?: number;
  readonly apiQuiet?: number;
  readonly isDraining?: boolean;
  readonly stalledMs?: number;
};

/** One of three that hears both others, unless the changes say otherwise. */
function ties(changes: Changes = {}, nowMs = NOW): Ties {
  const { quiet = 0, apiQuiet = Number.POSITIVE_INFINITY, ...rest } = changes;
  const { isDraining = false, stalledMs = 0, ...more } = rest;
  return {
    membership: {
      isAlive: true,
      watchers: 2,
      quorumHeardAtMs: nowMs - quiet,
      probeIntervalMs: 200,
      living: 3,
      silentSinceMs: [],
      ...more,
    },
    apiAnsweredAtMs: nowMs - apiQuiet,
    isDraining,
    stalledMs,
  };
}

/** All others are dead to it. */
const ALONE = { watchers: 0, living: 1 };
const NEVER = Number.NEGATIVE_INFINITY;
const OFF: Ties = {
  membership: undefined,
  apiAnsweredAtMs: NEVER,
  isDraining: false,
  stalledMs: 0,
};

describe("Lease.fence()", () => {
  const rows: readonly (readonly [string, Ties, "free" | RegExp])[] = [
    ["lets a node answer whose watchers are heard", ties(), "free"],
    ["lets it for the length of three probes", ties({ quiet: LEASE_MS - 1 }), "free"],
    ["fences it then", ties({ quiet: LEASE_MS }), /^cut off: neither/],
    ["reckons by the interval of probes", ties({ quiet: 2000, probeIntervalMs: 1000 }), "free"],
    [
      "fences it although the API server answers: two others may outvote it",
      ties({ quiet: LEASE_MS, apiQuiet: 0 }),
      /^cut off: most of the other speakers/,
    ],
    [
      "lets one of two answer while the API server does",
      ties({ watchers: 1, living: 2, quiet: 5000, apiQuiet: LEASE_MS - 1 }),
      "free",
    ],
    [
      "takes an old answer of it for none",
      ties({ watchers: 1, living: 2, quiet: 5000, apiQuiet: LEASE_MS }),
      /^cut off: neither/,
    ],
    [
      "fences a node that others count as dead, though it hears everybody",
      ties({ isAlive: false, apiQuiet: 0 }),
      /do not count this node/,
    ],
    ["lets a node answer that has nobody beside it", ties(ALONE), "free"],
    [
      "fences one that has nobody and is no member yet",
      ties({ ...ALONE, isAlive: false }),
      /count/,
    ],
    ["lets a majority answer", ties({ watchers: 1, living: 2, silentSinceMs: [NOW] }), "free"],
    ["fences one half of all", ties({ living: 2, silentSinceMs: [NOW, NOW] }), /^cut off: neither/],
    [
      "lets one half answer while the API server does",
      ties({ living: 2, silentSinceMs: [NOW, NOW], apiQuiet: 0 }),
      "free",
    ],
    [
      "fences one that believes all others dead",
      ties({ ...ALONE, silentSinceMs: [0, 0] }),
      /^cut off: neither/,
    ],
    [
      "fences a minority although the API server answers",
      ties({ ...ALONE, silentSinceMs: [NOW, NOW], apiQuiet: 0 }),
      /^cut off: most/,
    ],
    [
      "counts those no more that were silent long before the API server answered",
      ties({ ...ALONE, silentSinceMs: [0, 0], apiQuiet: NOW - CONFIRM_MS }),
      "free",
    ],
    [
      "counts those that fell silent shortly before it did",
      ties({ ...ALONE, silentSinceMs: [0, 0], apiQuiet: NOW - CONFIRM_MS + 1 }),
      /^cut off/,
    ],
    ["lets one answer that is leaving", ties({ isDraining: true, isAlive: false }), "free"],
    ["lets one that was not run for less than that", ties({ stalledMs: LEASE_MS - 1 }), "free"],
    ["fences one that was frozen for longer", ties({ stalledMs: LEASE_MS }), /not run for 600 ms$/],
    [
      "fences one that was frozen while leaving",
      ties({ stalledMs: LEASE_MS, isDraining: true }),
      /not run for/,
    ],
    ["does not fence without membership", { ...OFF, stalledMs: 5000 }, "free"],
  ];
  for (const [name, given, expected] of rows) {
    it(name, () => {
      const reason = new Lease("silent").fence(given, NOW);
      if (expected === "free") assert.equal(reason, undefined);
      else assert.match(reason ?? "", expected);
    });
  }

  it("is not lifted by the API server alone once a node was cut off, until all is clear", () => {
    const lease = new Lease("silent");
    // One of two: the API server's word would have been enough before.
    const silent = { watchers: 1, living: 2, quiet: 5000 };
    const at = (ms: number, changes: Changes) => lease.fence(ties(changes, ms), ms);
    assert.match(at(NOW, silent) ?? "", /^cut off/);
    assert.match(at(NOW + 100, { ...silent, apiQuiet: 0 }) ?? "", /^cut off: most/);
    assert.match(at(NOW + CONFIRM_MS - 1, { ...silent, apiQuiet: 0 }) ?? "", /^cut off/);
    assert.equal(at(NOW + CONFIRM_MS, { ...silent, apiQuiet: 0 }), undefined);
    assert.match(at(NOW + CONFIRM_MS + 1, silent) ?? "", /^cut off/);
    assert.equal(at(NOW + CONFIRM_MS + 2, { ...silent, quiet: 0 }), undefined);
    // It was heard: the next cut is a new one.
    assert.equal(at(NOW + CONFIRM_MS + 3, { ...silent, apiQuiet: 0 }), undefined);
  });

  it("lets an isolated node answer where that is wished, but not a dead or a frozen one", () => {
    const fence = (changes: Changes) => new Lease("answer").fence(ties(changes), NOW);
    assert.equal(fence({ quiet: 5000 }), undefined);
    assert.match(fence({ isAlive: false }) ?? "", /not count/);
    assert.match(fence({ stalledMs: 700 }) ?? "", /not run for 700 ms/);
  });
});

describe("isApiDue()", () => {
  const rows: readonly (readonly [string, Ties, boolean])[] = [
    ["not while the watchers are heard", ties({ quiet: 249 }), false],
    ["after one probe and a quarter", ties({ quiet: 250 }), true],
    ["also after it has answered", ties({ quiet: 250, apiQuiet: 0 }), true],
    ["also once the node is fenced", ties({ quiet: 5000 }), true],
    ["not where nobody is to be heard", ties(ALONE), false],
    ["when most are silent", ties({ ...ALONE, silentSinceMs: [NOW] }), true],
    ["not while leaving", ties({ isDraining: true, quiet: 5000 }), false],
    ["not without membership", OFF, false],
  ];
  for (const [name, given, expected] of rows) {
    it(name, () => assert.equal(isApiDue(given, NOW), expected));
  }
});
