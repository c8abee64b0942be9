// Questions for an address by ARP and NDP, and who says in a frame that an address is his. Pure.

import { decodeArp, encodeArp } from "../../src/l2/arp.ts";
import {
  decodeEthernet,
  ETHERNET_LENGTH,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  encodeEthernet,
} from "../../src/l2/ethernet.ts";
import { decodeNdp, encodeNdp, multicastMac, solicitedNodeGroup } from "../../src/l2/ndp.ts";
import { type Address, familyOf } from "../../src/net/address.ts";
import { BROADCAST_MAC, type Mac, ZERO_MAC } from "../../src/net/mac.ts";
import type { Sighting } from "./sighting.ts";

/** Whom the others see asking. */
export type Asker = { readonly mac: Mac; readonly ipv4: Address; readonly ipv6: Address };

/** A frame to all that asks who has the address. */
export function question(target: Address, asker: Asker): Uint8Array {
  return familyOf(target) === "ipv4" ? whoHas(target, asker) : solicitation(target, asker);
}

function whoHas(target: Address, { mac, ipv4 }: Asker): Uint8Array {
  return encodeEthernet(
    { destination: BROADCAST_MAC, source: mac, type: ETHERTYPE_ARP },
    encodeArp({
      operation: "request",
      senderMac: mac,
      senderIp: ipv4,
      targetMac: ZERO_MAC,
      targetIp: target,
    }),
  );
}

function solicitation(target: Address, { mac, ipv6 }: Asker): Uint8Array {
  const group = solicitedNodeGroup(target);
  return encodeEthernet(
    { destination: multicastMac(group), source: mac, type: ETHERTYPE_IPV6 },
    encodeNdp({
      kind: "solicitation",
      source: ipv6,
      destination: group,
      target,
      sourceMac: mac,
    }),
  );
}

export type Claim = Pick<Sighting, "address" | "mac" | "kind">;

/** Who says in a frame, to `self` or to all, that which address is his; undefined: nobody does. */
export function claimIn(frame: Uint8Array, self: Mac): Claim | undefined {
  const header = decodeEthernet(frame);
  if (header === undefined) return undefined;
  const kind = header.destination === self ? "answer" : "announcement";
  const body = frame.subarray(ETHERNET_LENGTH);
  if (header.type === ETHERTYPE_ARP) {
    // Whoever sends from an address says that he has it.
    const packet = decodeArp(body);
    return packet && { address: packet.senderIp, mac: packet.senderMac, kind };
  }
  const message = decodeNdp(body);
  if (message.kind !== "advertisement") return undefined;
  return { address: message.target, mac: message.targetMac ?? header.source, kind };
}
