// Which address of a range is given next.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { FreeAddresses } from "./free.ts";

test("lowest() equals a scan from the first address, whatever is taken and given back", () => {
  const step = fc.record({ take: fc.boolean(), number: fc.integer({ min: 240, max: 275 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.boolean(), (steps, avoidBuggyIps) => {
      const range = { family: "ipv4", first: 240n, last: 275n } as const;
      const free = new FreeAddresses(range, avoidBuggyIps);
      const taken = new Set<bigint>();
      for (const { take, number } of steps) {
        if (take) {
          taken.add(BigInt(number));
          free.take(BigInt(number));
        } else {
          taken.delete(BigInt(number));
          free.giveBack(BigInt(number));
        }
        let expected: bigint | undefined;
        for (let candidate = 240n; candidate <= 275n && expected === undefined; candidate += 1n) {
          const buggy = avoidBuggyIps && (candidate === 255n || candidate === 256n);
          if (!buggy && !taken.has(candidate)) expected = candidate;
        }
        assert.equal(free.lowest(), expected);
      }
    }),
  );
});

test("offers() refuses .0 and .255 of IPv4 ranges only when asked to", () => {
  const ipv4 = { family: "ipv4", first: 0n, last: 511n } as const;
  const ipv6 = { family: "ipv6", first: 0n, last: 511n } as const;
  assert.equal(new FreeAddresses(ipv4, true).offers(255n), false);
  assert.equal(new FreeAddresses(ipv4, true).offers(256n), false);
  assert.equal(new FreeAddresses(ipv4, true).offers(254n), true);
  assert.equal(new FreeAddresses(ipv4, false).offers(255n), true);
  assert.equal(new FreeAddresses(ipv6, true).offers(255n), true);
  assert.equal(new FreeAddresses(ipv4, false).offers(512n), false);
});
