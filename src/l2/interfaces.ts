// Which interfaces of this host can carry ARP and NDP for announced addresses, and why others
// cannot: MetalLB's rules. Pure.

import type { Link } from "../kernel/links.ts";
import type { Address, Family } from "../net/address.ts";
import { type Mac, ZERO_MAC } from "../net/mac.ts";

/** Why an interface answers nothing at all. */
export type L2Obstacle =
  /** Switched off by the administrator. */
  | "down"
  /** A part of a bridge, bond or VRF, which answers instead. */
  | "enslaved"
  /** Has the flag NOARP. */
  | "noArp"
  /** Its frames are not Ethernet's, for example a tunnel's or the loopback's. */
  | "notEthernet"
  /** Neither the flag BROADCAST nor a link-local IPv6 address that may be used. */
  | "noBroadcast";

export type L2Interface = {
  readonly index: number;
  readonly name: string;
  /** All zero for one that is not Ethernet. */
  readonly mac: Mac;
  /** What its neighbor advertisements come from; undefined: none that may be used yet. */
  readonly linkLocal: Address | undefined;
  /** It has a carrier: somebody is at the other end. */
  readonly isRunning: boolean;
  /** Answers ARP. */
  readonly arp: boolean;
  /** Answers neighbor solicitations. */
  readonly ndp: boolean;
  readonly whyNot: L2Obstacle | undefined;
};

/** Whether the interface can carry addresses of the family. */
export function carries({ arp, ndp }: L2Interface, family: Family): boolean {
  return family === "ipv4" ? arp : ndp;
}

/**
 * All interfaces whose name is not excluded, those that answer nothing too: a Service that asks for
 * one of these asks for an interface that exists.
 */
export function l2Interfaces(
  links: readonly Link[],
  excluded: readonly RegExp[],
): readonly L2Interface[] {
  return links
    .filter(({ name }) => !excluded.some((pattern) => pattern.test(name)))
    .map(interfaceOf);
}

function interfaceOf(link: Link): L2Interface {
  const { index, name, isRunning } = link;
  const usable = link.linkLocals.filter(({ isTentative }) => !isTentative);
  const linkLocal = usable[0]?.address;
  const whyNot = obstacleOf(link, linkLocal);
  const answers = whyNot === undefined;
  return {
    index,
    name,
    mac: link.mac ?? ZERO_MAC,
    linkLocal,
    isRunning,
    arp: answers && link.isBroadcast,
    ndp: answers && linkLocal !== undefined,
    whyNot,
  };
}

function obstacleOf(link: Link, linkLocal: Address | undefined): L2Obstacle | undefined {
  if (!link.isUp) return "down";
  if (link.masterIndex !== 0) return "enslaved";
  if (link.noArp) return "noArp";
  if (link.mac === undefined) return "notEthernet";
  if (!link.isBroadcast && linkLocal === undefined) return "noBroadcast";
  return undefined;
}
