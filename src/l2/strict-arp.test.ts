// When the kernel answers for addresses of Services beside us.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { strictArpProblem } from "./strict-arp.ts";

describe("strictArpProblem()", () => {
  const rows = [
    ["kube-proxy is not in IPVS mode", undefined, undefined],
    ["strictARP is set for all", { all: 1, eth0: 0 }, undefined],
    ["the only interface ignores what is not its own", { all: 0, eth0: 1 }, undefined],
    ["no interface answers", { all: 0 }, undefined],
    ["nothing is set", { all: 0, eth1: 0, eth0: 0 }, /for every Service address on eth0, eth1,/],
    ["one of two interfaces is open", { all: 0, eth0: 2, eth1: 0 }, /on eth1,/],
  ] as const;
  for (const [name, settings, expected] of rows) {
    it(`${expected === undefined ? "is content" : "complains"} when ${name}`, () => {
      const problem = strictArpProblem(settings && new Map(Object.entries(settings)));
      if (expected === undefined) assert.equal(problem, undefined);
      else assert.match(problem ?? "", expected);
    });
  }

  it("says which command mends it", () => {
    const problem = strictArpProblem(new Map([["eth0", 0]]));
    assert.match(problem ?? "", /kubectl get configmap kube-proxy .*strictARP: true/);
  });
});
