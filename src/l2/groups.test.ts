// Counting of group memberships, over sockets that have little room or fail.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SystemError } from "../kernel/system-error.ts";
import { type Address, parseAddress } from "../net/address.ts";
import { type GroupSocket, SolicitedNodeGroups } from "./groups.ts";

function address(text: string): Address {
  const parsed = parseAddress(text);
  assert(parsed !== undefined);
  return parsed;
}

const A = address("2001:db8::a");
const A_SIBLING = address("2001:db8:1::a");
const B = address("2001:db8::b");
const C = address("2001:db8::c");
const GROUP_A = "1 ff02::1:ff00:a";
const GROUP_B = "1 ff02::1:ff00:b";
const GROUP_C = "1 ff02::1:ff00:c";

/** A kernel whose sockets hold `room` memberships each. */
class Kernel {
  readonly sockets: Set<string>[] = [];
  joins = 0;
  error: Error | undefined;
  readonly #room: number;

  constructor(room = 10) {
    this.#room = room;
  }

  open(): GroupSocket {
    const joined = new Set<string>();
    this.sockets.push(joined);
    return {
      join: (index, group) => {
        if (this.error !== undefined) throw this.error;
        if (joined.size >= this.#room) return false;
        assert(!joined.has(`${index} ${group}`), "joined twice");
        joined.add(`${index} ${group}`);
        this.joins += 1;
        return true;
      },
      leave: (index, group) =>
        assert(joined.delete(`${index} ${group}`), "left what was not joined"),
      close: () => {
        this.sockets.splice(this.sockets.indexOf(joined), 1);
      },
    };
  }

  get joined(): string[][] {
    return this.sockets.map((socket) => [...socket].sort());
  }
}

/** Does the steps and settles all. */
function after(groups: SolicitedNodeGroups, ...steps: readonly (() => void)[]): void {
  for (const step of steps) step();
  groups.settle(Number.POSITIVE_INFINITY);
  assert(groups.isSettled);
}

describe("SolicitedNodeGroups", () => {
  it("joins once for addresses that share a group, and leaves with the last", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    for (const [index, it] of [
      [1, A],
      [1, A_SIBLING],
      [1, B],
      [2, A],
    ] as const) {
      after(groups, () => groups.join(index, it));
    }
    assert.deepEqual(kernel.joined, [[GROUP_A, GROUP_B, "2 ff02::1:ff00:a"]]);
    after(
      groups,
      () => groups.leave(1, A),
      () => groups.leave(2, A),
    );
    assert.deepEqual(kernel.joined, [[GROUP_A, GROUP_B]]);
    after(groups, () => groups.leave(1, A_SIBLING));
    assert.deepEqual(kernel.joined, [[GROUP_B]]);
    after(groups, () => groups.join(1, A));
    assert.deepEqual(kernel.joined, [[GROUP_A, GROUP_B]]);
  });

  it("ignores the leaving of what nobody joined", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    after(
      groups,
      () => groups.leave(1, A),
      () => groups.join(1, A),
    );
    assert.deepEqual(kernel.joined, [[GROUP_A]]);
  });

  it("joins anew what nobody wanted for a moment: the interface may have been away", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    after(groups, () => groups.join(1, A));
    assert.equal(kernel.joins, 1);
    after(
      groups,
      () => groups.leave(1, A),
      () => groups.join(1, A_SIBLING),
    );
    assert.equal(kernel.joins, 2);
    assert.deepEqual(kernel.joined, [[GROUP_A]]);
    after(
      groups,
      () => groups.join(1, B),
      () => groups.leave(1, B),
    );
    assert.equal(kernel.joins, 2);
    assert.deepEqual(kernel.joined, [[GROUP_A]]);
  });

  it("does at least one change at a time, and the others later", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    for (const it of [A, B, C]) groups.join(1, it);
    groups.settle(0);
    assert.deepEqual(kernel.joined, [[GROUP_A]]);
    assert.equal(groups.isSettled, false);
    groups.settle(0);
    groups.settle(0);
    assert.deepEqual(kernel.joined, [[GROUP_A, GROUP_B, GROUP_C]]);
    assert(groups.isSettled);
  });

  it("opens another socket when one is full, and uses room that comes", () => {
    const kernel = new Kernel(1);
    const groups = new SolicitedNodeGroups(() => kernel.open());
    after(
      groups,
      () => groups.join(1, A),
      () => groups.join(1, B),
    );
    assert.deepEqual(kernel.joined, [[GROUP_A], [GROUP_B]]);
    after(
      groups,
      () => groups.leave(1, A),
      () => groups.join(1, C),
    );
    assert.deepEqual(kernel.joined, [[GROUP_C], [GROUP_B]]);
  });

  it("keeps no socket that has no room at all, and says so", () => {
    const kernel = new Kernel(0);
    const groups = new SolicitedNodeGroups(() => kernel.open());
    after(
      groups,
      () => groups.join(1, A),
      () => groups.join(1, B),
    );
    assert.deepEqual(kernel.joined, []);
    assert.match(groups.problem ?? "", /^Cannot join group ff02::1:ff00:a: want more memory/);
    after(
      groups,
      () => groups.leave(1, A),
      () => groups.leave(1, B),
    );
    assert.equal(groups.problem, undefined);
  });

  it("tries again what failed", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    kernel.error = new SystemError("setsockopt", 13, "Cannot join");
    after(groups, () => groups.join(1, A));
    assert.equal(groups.problem, "Cannot join");
    after(groups, () => groups.retry());
    assert.equal(groups.problem, "Cannot join");
    kernel.error = undefined;
    after(groups, () => groups.retry());
    assert.equal(groups.problem, undefined);
    assert.deepEqual(kernel.joined.flat(), [GROUP_A]);
  });

  it("has no problem with an interface that is gone", () => {
    const kernel = new Kernel();
    const groups = new SolicitedNodeGroups(() => kernel.open());
    kernel.error = new SystemError("setsockopt", 19, "No such device");
    after(groups, () => groups.join(1, A));
    assert.equal(groups.problem, undefined);
    kernel.error = undefined;
    after(groups, () => groups.leave(1, A));
    after(groups, () => groups.retry());
    assert.deepEqual(kernel.joined.flat(), []);
  });

  it("leaves everything at its end", () => {
    const kernel = new Kernel(1);
    const groups = new SolicitedNodeGroups(() => kernel.open());
    after(
      groups,
      () => groups.join(1, A),
      () => groups.join(1, B),
    );
    groups.close();
    assert.deepEqual(kernel.sockets, []);
  });
});
