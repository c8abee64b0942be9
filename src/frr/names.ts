// Names in FRR's configuration that more than one place depends on. Pure.

import type { Neighbor, Router } from "./model.ts";

/** What FRR calls a neighbor: its address, or the interface of an unnumbered session. */
export function neighborName(neighbor: Neighbor): string {
  return neighbor.address ?? neighbor.interfaceName ?? "";
}

/** The ID of MetalLB's names; users' extra text relies on it. */
export function neighborId(router: Router, neighbor: Neighbor): string {
  const name = neighborName(neighbor);
  return router.vrf === null ? name : `${name}-${router.vrf}`;
}

/** The inbound map: denies at sequence 20, so that users may permit before it (MetalLB). */
export function inboundMapName(router: Router, neighbor: Neighbor): string {
  return `${neighborId(router, neighbor)}-in`;
}

/** The line that opens a router's block. */
export function routerLine(router: Router): string {
  return router.vrf === null
    ? `router bgp ${router.asn}`
    : `router bgp ${router.asn} vrf ${router.vrf}`;
}
