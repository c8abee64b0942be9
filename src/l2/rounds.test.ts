import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ip } from "../../test/frames.ts";
import { addressAt } from "../net/address.ts";
import { MOST_ADDRESSES } from "./handover-message.ts";
import { ASK_TIMEOUT_MS, isComplete, Rounds } from "./rounds.ts";

const [one, other] = [ip("192.0.2.1"), ip("192.0.2.2")];

function roundsOf(...members: readonly string[]): Rounds {
  const rounds = new Rounds();
  rounds.setMembers(new Set(members), 0);
  return rounds;
}

describe("Rounds.enter()", () => {
  it("puts addresses that ask the same of the same nodes in one round", () => {
    const rounds = roundsOf("a", "b");
    const round = rounds.enter("take", "take", one, undefined, 0);
    assert.equal(rounds.enter("take", "take", other, undefined, 0), round);
    assert.deepEqual([...round.addresses], [one, other]);
    assert.deepEqual(rounds.takeOpened(), [round]);
  });

  it("opens another round for another manner, other nodes, another turn", () => {
    const rounds = roundsOf("a", "b");
    const all = [
      rounds.enter("take", "take", one, undefined, 0),
      rounds.enter("take", "polite", one, undefined, 0),
      rounds.enter("recheck", "take", one, ["a"], 0),
      rounds.enter("recheck", "take", one, ["b"], 0),
    ];
    assert.deepEqual(rounds.takeOpened(), all);
    assert.notEqual(rounds.enter("take", "take", one, undefined, 0), all[0]);
  });

  it("opens another round when a message is full", () => {
    const rounds = roundsOf("a");
    for (let index = 0; index <= MOST_ADDRESSES; index += 1) {
      rounds.enter("take", "take", addressAt("ipv4", BigInt(index)), undefined, 0);
    }
    const sizes = rounds.takeOpened().map(({ addresses }) => addresses.size);
    assert.deepEqual(sizes, [MOST_ADDRESSES, 1]);
  });

  it("asks who is a member no more, or said something, for half a minute", () => {
    for (const [nowMs, asked] of [
      [29_999, ["a", "b", "c"]],
      [30_000, ["a"]],
    ] as const) {
      const rounds = roundsOf("a", "b");
      rounds.setMembers(new Set(["a"]), 0);
      rounds.hear("c", 0);
      const round = rounds.enter("take", "take", one, undefined, nowMs);
      assert.deepEqual([...round.silent].sort(), asked);
      assert.deepEqual([...round.waitedFor], ["a"]);
    }
  });
});

describe("Rounds.setMembers()", () => {
  it("asks those that join in rounds that are open", () => {
    const rounds = roundsOf("a");
    const take = rounds.enter("take", "take", one, undefined, 0);
    const recheck = rounds.enter("recheck", "take", other, ["a"], 0);
    rounds.said(take, 0);
    assert.deepEqual(rounds.setMembers(new Set(["a", "b"]), 5), { joined: ["b"], lost: [] });
    assert.deepEqual([...take.silent], ["a", "b"]);
    assert.deepEqual([...take.waitedFor], ["a", "b"]);
    assert.deepEqual([...recheck.silent], ["a"]);
    assert.equal(rounds.nextAtMs, 0);
    assert.equal(take.againAtMs, 5);
  });

  it("does not wait for those that are lost", () => {
    const rounds = roundsOf("a", "b");
    const round = rounds.enter("take", "take", one, undefined, 0);
    rounds.replied(round.id, "a", 0);
    assert.deepEqual(rounds.setMembers(new Set(["a"]), 5), { joined: [], lost: ["b"] });
    assert.deepEqual([...round.silent], ["b"]);
    assert.equal(rounds.due(5), round);
    assert(isComplete(round));
  });
});

describe("isComplete()", () => {
  const former = () => {
    const rounds = roundsOf("a", "b");
    rounds.setMembers(new Set(["a"]), 0);
    return rounds;
  };

  it("waits for members before the wire is asked", () => {
    const rounds = former();
    const round = rounds.enter("take", "take", one, undefined, 0);
    assert(!isComplete(round));
    rounds.replied(round.id, "a", 0);
    assert(isComplete(round));
    rounds.probe(round, 0);
    assert(!isComplete(round));
  });

  it("waits for all that may have it while the address is answered for", () => {
    const rounds = former();
    const round = rounds.enter("assert", "keep", one, undefined, 0);
    rounds.replied(round.id, "a", 0);
    assert(!isComplete(round));
    rounds.replied(round.id, "b", 0);
    assert(isComplete(round));
  });
});

describe("Rounds.due()", () => {
  it("has a round every 20 ms, and when its time is up", () => {
    const rounds = roundsOf("a");
    const round = rounds.enter("take", "take", one, undefined, 0);
    const times: number[] = [];
    for (let nowMs = rounds.nextAtMs; nowMs < ASK_TIMEOUT_MS; nowMs = rounds.nextAtMs) {
      assert.equal(rounds.due(nowMs - 1), undefined);
      assert.equal(rounds.due(nowMs), round);
      rounds.said(round, nowMs);
      times.push(nowMs);
    }
    assert.deepEqual(times, [0, 20, 40, 60, 80]);
    assert.equal(rounds.nextAtMs, ASK_TIMEOUT_MS);
  });

  it("has the round that has been due for the longest time", () => {
    const rounds = roundsOf("a");
    const [first, second] = [
      rounds.enter("take", "take", one, undefined, 0),
      rounds.enter("take", "polite", other, undefined, 0),
    ];
    rounds.said(first, 0);
    assert.equal(rounds.due(30), second);
    rounds.said(second, 30);
    assert.equal(rounds.due(30), first);
  });

  it("has a round when the last reply is there", () => {
    const rounds = roundsOf("a", "b");
    const round = rounds.enter("take", "take", one, undefined, 0);
    rounds.said(round, 0);
    rounds.replied(round.id, "a", 1);
    assert.equal(rounds.due(1), undefined);
    rounds.replied(round.id, "b", 2);
    assert.equal(rounds.due(2), round);
  });

  it("has no round that all addresses have left", () => {
    const rounds = roundsOf("a");
    const round = rounds.enter("take", "take", one, undefined, 0);
    rounds.leave(round, one);
    assert.equal(rounds.due(1_000), undefined);
    assert.deepEqual(rounds.takeOpened(), []);
    assert.equal(rounds.nextAtMs, Number.POSITIVE_INFINITY);
  });
});
