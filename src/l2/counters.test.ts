// Counts only grow, and only those that changed are told.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Address, parseAddress } from "../net/address.ts";
import { Counters } from "./counters.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined);
  return parsed;
}

const A = address("192.0.2.1");
const B = address("2001:db8::1");
const NONE = { requestsReceived: 0, responsesSent: 0, gratuitousSent: 0 };

describe("Counters", () => {
  it("tells each address once after each change, with all its counts", () => {
    const counters = new Counters();
    counters.count(A, "requestsReceived");
    counters.count(A, "responsesSent");
    counters.count(B, "gratuitousSent");
    const first = counters.takeChanges();
    assert.deepEqual(
      [...first.addresses],
      [
        [A, { ...NONE, requestsReceived: 1, responsesSent: 1 }],
        [B, { ...NONE, gratuitousSent: 1 }],
      ],
    );
    assert.equal(counters.takeChanges().addresses.size, 0);
    counters.count(A, "requestsReceived");
    assert.deepEqual(
      [...counters.takeChanges().addresses],
      [[A, { ...NONE, requestsReceived: 2, responsesSent: 1 }]],
    );
    assert.equal(first.addresses.get(A)?.requestsReceived, 1, "what was told does not change");
  });

  it("tells all silences by reason", () => {
    const counters = new Counters();
    for (const reason of ["own", "fenced", "own"] as const) counters.countSilence(reason);
    const told = counters.takeChanges().silences;
    assert.deepEqual(Object.fromEntries(told), { own: 2, fenced: 1 });
    assert.deepEqual(counters.takeChanges().silences, told);
  });
});
