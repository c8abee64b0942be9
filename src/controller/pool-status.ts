// Counters and status of IPAddressPools: what a pool can give out and what is in use. Pure.

import type { Pool } from "../config/pool.ts";
import type { AddressRange } from "../net/range.ts";
import { rangeSize } from "../net/range.ts";
import type { Allocations } from "./allocation.ts";

/** The status counters, exact up to the largest int64. */
export type PoolCounters = {
  readonly assignedIPv4: bigint;
  readonly assignedIPv6: bigint;
  readonly availableIPv4: bigint;
  readonly availableIPv6: bigint;
};

/** What a pool can give out at all, exact. */
export type PoolCapacity = { readonly ipv4: bigint; readonly ipv6: bigint };

const MAX_INT64 = 2n ** 63n - 1n;

const NO_COUNTERS: PoolCounters = {
  assignedIPv4: 0n,
  assignedIPv6: 0n,
  availableIPv4: 0n,
  availableIPv6: 0n,
};

/** The counters of a pool; all zero for one that is not in force. */
export function poolCounters(allocations: Allocations, name: string): PoolCounters {
  const pool = allocations.pools.get(name);
  if (pool === undefined) return NO_COUNTERS;
  const capacity = poolCapacity(pool);
  const inUse = allocations.inUse(name);
  const [ipv4, ipv6] = [BigInt(inUse.ipv4), BigInt(inUse.ipv6)];
  return {
    assignedIPv4: ipv4,
    assignedIPv6: ipv6,
    availableIPv4: saturate(capacity.ipv4 - ipv4),
    availableIPv6: saturate(capacity.ipv6 - ipv6),
  };
}

export function poolCapacity(pool: Pool): PoolCapacity {
  const capacity = { ipv4: 0n, ipv6: 0n };
  for (const range of pool.ranges) {
    capacity[range.family] += rangeSize(range);
    if (pool.avoidBuggyIps && range.family === "ipv4") capacity.ipv4 -= buggyIn(range);
  }
  return capacity;
}

/** How many addresses of an IPv4 range end in .0 or .255. */
function buggyIn({ first, last }: AddressRange): bigint {
  const endingIn = (octet: bigint) => upTo(last, octet) - upTo(first - 1n, octet);
  return endingIn(0n) + endingIn(255n);
}

/** How many of 0 … last end in the octet. */
function upTo(last: bigint, octet: bigint): bigint {
  return last < octet ? 0n : (last - octet) / 256n + 1n;
}

function saturate(count: bigint): bigint {
  return count > MAX_INT64 ? MAX_INT64 : count;
}
