// What may wait, what may not, and in which order.

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";
import { address } from "../../test/speaker-config.ts";
import type { Effect } from "../l2/handover.ts";
import { Backlog } from "./backlog.ts";

const A = address("192.0.2.1");
const B = address("192.0.2.2");
const probe = (of: typeof A): Effect => ({ kind: "probe", address: of, interfaces: [] });
const answer = (of: typeof A): Effect => ({ kind: "answer", address: of, interfaces: [] });
const unwatch = (of: typeof A): Effect => ({ kind: "unwatch", address: of });
const silence = (of: typeof A): Effect => ({ kind: "silence", address: of });
const defend = (of: typeof A): Effect => ({ kind: "defend", address: of });

let backlog: Backlog;

beforeEach(() => {
  backlog = new Backlog();
});

describe("Backlog", () => {
  it("keeps what puts an address on the network, address by address, in order", () => {
    assert.deepEqual(backlog.add([probe(A), probe(B), answer(A)]), []);
    assert.equal(backlog.isEmpty, false);
    assert.deepEqual(backlog.take(), [probe(A), answer(A)]);
    assert.deepEqual(backlog.take(), [probe(B)]);
    assert.deepEqual(backlog.take(), []);
    assert.equal(backlog.isEmpty, true);
  });

  it("keeps nothing else", () => {
    assert.deepEqual(backlog.add([defend(A), silence(B)]), [defend(A), silence(B)]);
    assert.equal(backlog.isEmpty, true);
  });

  it("never answers for an address after it was taken off", () => {
    backlog.add([answer(A), answer(B)]);
    assert.deepEqual(backlog.add([silence(A)]), [silence(A)]);
    assert.deepEqual(backlog.take(), [answer(B)]);
  });

  it("ends a watch all the same", () => {
    backlog.add([unwatch(A), answer(A)]);
    backlog.add([silence(A)]);
    assert.deepEqual(backlog.take(), [unwatch(A)]);
  });
});
