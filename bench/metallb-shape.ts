// FRR configuration in the shape MetalLB's FRR mode writes: a prefix list per neighbor with
// sequence numbers, matched by the neighbor's outbound route map, and a `network` line per prefix.
// Nothing that MetalLB leaves at FRR's default is set: the route-map delay timer stays at 5 s.

export type MetallbShape = {
  readonly asn: number;
  readonly routerId: string;
  readonly neighbors: readonly { readonly address: string; readonly asn: number }[];
  /** IPv4. */
  readonly prefixes: readonly string[];
};

export function metallbConfiguration(shape: MetallbShape): string {
  const prefixes = [...shape.prefixes].sort();
  const lines = [
    "log stdout informational",
    "log timestamp precision 3",
    "hostname bench",
    "ip nht resolve-via-default",
    "ipv6 nht resolve-via-default",
    ...shape.neighbors.flatMap(({ address }) => filters(address, prefixes)),
    `router bgp ${shape.asn}`,
    " no bgp ebgp-requires-policy",
    " no bgp network import-check",
    " no bgp default ipv4-unicast",
    " bgp graceful-restart preserve-fw-state",
    ` bgp router-id ${shape.routerId}`,
    ...shape.neighbors.flatMap(({ address, asn }) => [
      ` neighbor ${address} remote-as ${asn}`,
      ` neighbor ${address} timers 30 90`,
    ]),
    " address-family ipv4 unicast",
    ...shape.neighbors.flatMap(({ address }) => [
      `  neighbor ${address} activate`,
      `  neighbor ${address} route-map ${address}-in in`,
      `  neighbor ${address} route-map ${address}-out out`,
    ]),
    ...prefixes.map((prefix) => `  network ${prefix}`),
    " exit-address-family",
  ];
  return `${lines.join("\n")}\n`;
}

function filters(id: string, prefixes: readonly string[]): string[] {
  const ipv4 = `ip prefix-list ${id}-allowed-ipv4`;
  return [
    `route-map ${id}-in deny 20`,
    // A list that is not there would permit everything.
    ...(prefixes.length === 0 ? [`${ipv4} seq 1 deny any`] : []),
    ...prefixes.map((prefix, i) => `${ipv4} seq ${i + 1} permit ${prefix}`),
    `ipv6 prefix-list ${id}-allowed-ipv6 seq 1 deny any`,
    `route-map ${id}-out permit 1`,
    ` match ip address prefix-list ${id}-allowed-ipv4`,
    `route-map ${id}-out permit 2`,
    ` match ipv6 address prefix-list ${id}-allowed-ipv6`,
  ];
}
