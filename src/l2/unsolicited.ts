// Frames nobody asked for: an address has come to this interface, and who has an address. Pure.

import { type Address, familyOf } from "../net/address.ts";
import { BROADCAST_MAC, type Mac, ZERO_MAC } from "../net/mac.ts";
import { type ArpOperation, type ArpPacket, encodeArp } from "./arp.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV6, encodeEthernet } from "./ethernet.ts";
import {
  ALL_NODES,
  encodeNdp,
  multicastMac,
  type NdpMessage,
  solicitedNodeGroup,
  UNSPECIFIED,
} from "./ndp.ts";

const NO_ADDRESS = "0.0.0.0" as Address;

/**
 * The frames that tell everybody on the link that the address is at this hardware address: for
 * IPv4 a gratuitous ARP request and reply, because some hosts heed only one of them; for IPv6 an
 * unsolicited advertisement.
 *
 * None for an IPv6 address while the interface has no link-local address to send from.
 */
export function unsolicitedFrames(
  address: Address,
  mac: Mac,
  linkLocal: Address | undefined,
): readonly Uint8Array[] {
  if (familyOf(address) === "ipv4") {
    return [gratuitousArp("request", address, mac), gratuitousArp("reply", address, mac)];
  }
  return linkLocal === undefined ? [] : [unsolicitedAdvertisement(address, mac, linkLocal)];
}

/** Sender IP = target IP; target hardware address all ones, as MetalLB's. */
function gratuitousArp(operation: ArpOperation, address: Address, mac: Mac): Uint8Array {
  return arpBroadcast({
    operation,
    senderMac: mac,
    senderIp: address,
    targetMac: BROADCAST_MAC,
    targetIp: address,
  });
}

/** Solicited off, override on, to all nodes (RFC 4861 section 7.2.6). */
export function unsolicitedAdvertisement(
  address: Address,
  mac: Mac,
  linkLocal: Address,
): Uint8Array {
  return ndpMulticast(mac, {
    kind: "advertisement",
    source: linkLocal,
    destination: ALL_NODES,
    target: address,
    router: false,
    solicited: false,
    override: true,
    targetMac: mac,
  });
}

/**
 * Asks the link whether anybody has the address without saying that we do: an ARP probe (RFC 5227
 * section 2.1.1), or a solicitation from "::" (RFC 4862 section 5.4.2).
 */
export function probeFrame(address: Address, mac: Mac): Uint8Array {
  if (familyOf(address) === "ipv4") {
    return arpBroadcast({
      operation: "request",
      senderMac: mac,
      senderIp: NO_ADDRESS,
      targetMac: ZERO_MAC,
      targetIp: address,
    });
  }
  return ndpMulticast(mac, {
    kind: "solicitation",
    source: UNSPECIFIED,
    destination: solicitedNodeGroup(address),
    target: address,
    sourceMac: undefined,
  });
}

function arpBroadcast(packet: ArpPacket): Uint8Array {
  const header = { destination: BROADCAST_MAC, source: packet.senderMac, type: ETHERTYPE_ARP };
  return encodeEthernet(header, encodeArp(packet));
}

function ndpMulticast(source: Mac, message: NdpMessage): Uint8Array {
  const destination = multicastMac(message.destination);
  return encodeEthernet({ destination, source, type: ETHERTYPE_IPV6 }, encodeNdp(message));
}
