// Names and labels of the controller's metrics: MetalLB's, and our own. Values are taken from what is
// there when somebody asks.

import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { type ClientMetrics, registerClientMetrics } from "../client-metrics.ts";
import type { Allocations } from "./allocation.ts";
import { poolCapacity } from "./pool-status.ts";

export type MetricsSource = {
  readonly allocations: () => Allocations;
  /** Services that want more than they have and wait for it. */
  readonly waiting: () => number;
  /** Objects looked at since the start. */
  readonly updates: () => number;
};

/** What only the loop knows, told when it happens. */
export type ControllerMetrics = ClientMetrics & {
  readonly serviceWritten: (durationMs: number) => void;
  readonly conflict: () => void;
};

/** Registers the controller's metrics. */
export function registerMetrics(registry: Registry, source: MetricsSource): ControllerMetrics {
  const registers = [registry];
  registerPools(registers, source);
  const client = registerClientMetrics(registry, source.updates);
  new Gauge({
    name: "metallb_allocator_services_waiting",
    help: "Services that want an address that is in use by others.",
    registers,
    collect() {
      this.set(source.waiting());
    },
  });
  const conflicts = new Counter({
    name: "metallb_controller_write_conflicts_total",
    help: "Writes of Services that came too late, because somebody else changed the Service.",
    registers,
  });
  const durations = new Histogram({
    name: "metallb_controller_write_duration_seconds",
    help: "Time the API server took to accept what was decided about a Service.",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10],
    registers,
  });
  return {
    ...client,
    serviceWritten: (durationMs) => durations.observe(durationMs / 1000),
    conflict: () => conflicts.inc(),
  };
}

type PoolCount = { readonly ipv4: number; readonly ipv6: number };

function registerPools(registers: Registry[], { allocations }: MetricsSource): void {
  const capacity = (name: string): PoolCount => {
    const pool = allocations().pools.get(name);
    const { ipv4, ipv6 } = pool === undefined ? { ipv4: 0n, ipv6: 0n } : poolCapacity(pool);
    return { ipv4: Number(ipv4), ipv6: Number(ipv6) };
  };
  const inUse = (name: string): PoolCount => allocations().inUse(name);
  const both = ({ ipv4, ipv6 }: PoolCount) => ipv4 + ipv6;
  const gauges: readonly (readonly [string, string, (pool: string) => number])[] = [
    ["addresses_total", "Number of usable IP addresses, per pool", (pool) => both(capacity(pool))],
    [
      "ipv4_addresses_total",
      "Number of usable IPv4 addresses, per pool",
      (pool) => capacity(pool).ipv4,
    ],
    [
      "ipv6_addresses_total",
      "Number of usable IPv6 addresses, per pool",
      (pool) => capacity(pool).ipv6,
    ],
    [
      "addresses_in_use_total",
      "Number of IP addresses in use, per pool",
      (pool) => both(inUse(pool)),
    ],
    [
      "ipv4_addresses_in_use_total",
      "Number of IPv4 addresses in use, per pool",
      (pool) => inUse(pool).ipv4,
    ],
    [
      "ipv6_addresses_in_use_total",
      "Number of IPv6 addresses in use, per pool",
      (pool) => inUse(pool).ipv6,
    ],
  ];
  for (const [name, help, value] of gauges) {
    new Gauge({
      name: `metallb_allocator_${name}`,
      help,
      labelNames: ["pool"],
      registers,
      collect() {
        this.reset();
        for (const pool of allocations().pools.keys()) this.set({ pool }, value(pool));
      },
    });
  }
}
