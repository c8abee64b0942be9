// What to do about one received frame: answer it, note that somebody else has an address, or stay
// silent and say why. MetalLB's rules, and RFC 5227 and RFC 4862 where MetalLB is silent. Pure.

import { type Address, addressFromBytes } from "../net/address.ts";
import { BROADCAST_MAC, isMacAt, isUnicastMac, type Mac, macAt } from "../net/mac.ts";
import { ARP_SENDER_IP, ARP_SENDER_MAC, ARP_TARGET_IP, arpOperation, encodeArp } from "./arp.ts";
import {
  ETHERNET_LENGTH,
  ETHERNET_SOURCE,
  ETHERTYPE_ARP,
  ETHERTYPE_IPV6,
  encodeEthernet,
  etherType,
} from "./ethernet.ts";
import {
  decodeNdp,
  encodeNdp,
  isMulticast,
  multicastMac,
  type NdpMessage,
  type NdpRefusal,
  type NeighborSolicitation,
  solicitedNodeGroup,
  UNSPECIFIED,
} from "./ndp.ts";
import { unsolicitedAdvertisement } from "./unsolicited.ts";

/** The interface that a frame came in on. */
export type Via = {
  readonly mac: Mac;
  /** Undefined: there is none to answer solicitations from. */
  readonly linkLocal: Address | undefined;
};

/** What an address is to us; allowed: on this interface. */
export type Known = { readonly state: "answering" | "watched"; readonly allowed: boolean };

export type Lookup = (address: Address) => Known | undefined;

/** Values of a metric's label. */
export type SilenceReason =
  | NdpRefusal
  /** Sent by this very interface. */
  | "own"
  /** To another host or group. */
  | "otherDestination"
  /** A reply or advertisement about an address that is not ours. */
  | "notRequest"
  | "unknownAddress"
  /** Ours, but not on this interface. */
  | "otherInterface"
  /** We only look who has it. */
  | "watched"
  | "noLinkLocal"
  /** Given by the responder: this node must not answer now. */
  | "fenced";

export type Answer =
  | { readonly kind: "reply"; readonly address: Address; readonly frame: Uint8Array }
  /** `mac` says that our address is its own. It may be another interface of this node. */
  | { readonly kind: "claim"; readonly address: Address; readonly mac: Mac }
  | { readonly kind: "silent"; readonly reason: SilenceReason };

/** Decides about one frame; takes any octets. */
export function answer(frame: Uint8Array, via: Via, lookup: Lookup): Answer {
  if (frame.length < ETHERNET_LENGTH) return silent("malformed");
  const type = etherType(frame);
  if (type === ETHERTYPE_ARP) return answerArp(frame, via, lookup);
  if (type === ETHERTYPE_IPV6) return answerNdp(frame, via, lookup);
  return silent("foreign");
}

// Most requests on a link are for somebody else's address: text is made late.
function answerArp(frame: Uint8Array, via: Via, lookup: Lookup): Answer {
  const operation = arpOperation(frame, ETHERNET_LENGTH);
  if (operation === "malformed" || operation === "foreign") return silent(operation);
  const toUs = isMacAt(frame, 0, via.mac) || isMacAt(frame, 0, BROADCAST_MAC);
  if (!toUs) return silent("otherDestination");
  if (isMacAt(frame, ETHERNET_SOURCE, via.mac)) return silent("own");
  if (isMacAt(frame, ETHERNET_LENGTH + ARP_SENDER_MAC, via.mac)) return silent("own");
  const senderIp = addressFromBytes(frame, ETHERNET_LENGTH + ARP_SENDER_IP, "ipv4");
  const isClaim = lookup(senderIp)?.allowed === true;
  const targetIp = addressFromBytes(frame, ETHERNET_LENGTH + ARP_TARGET_IP, "ipv4");
  const reason = operation === "reply" ? "notRequest" : whySilent(lookup(targetIp));
  if (!isClaim && reason !== undefined) return silent(reason);
  const senderMac = macAt(frame, ETHERNET_LENGTH + ARP_SENDER_MAC);
  // RFC 1812 section 3.3.2: a group has no place there, and an answer to it would reach many.
  if (!isUnicastMac(senderMac)) return silent("malformed");
  if (isClaim) return { kind: "claim", address: senderIp, mac: senderMac };
  // A probe, from 0.0.0.0, is answered too: so its sender learns that the address is in use
  // (RFC 5227 section 2.1.1).
  const reply = encodeArp({
    operation: "reply",
    senderMac: via.mac,
    senderIp: targetIp,
    targetMac: senderMac,
    targetIp: senderIp,
  });
  const header = { destination: senderMac, source: via.mac, type: ETHERTYPE_ARP };
  return { kind: "reply", address: targetIp, frame: encodeEthernet(header, reply) };
}

function answerNdp(frame: Uint8Array, via: Via, lookup: Lookup): Answer {
  const message = decodeNdp(frame.subarray(ETHERNET_LENGTH));
  if (message.kind === "refused") return silent(message.reason);
  const destination = macAt(frame, 0);
  if (destination !== via.mac && destination !== groupMac(message)) {
    return silent("otherDestination");
  }
  const frameSource = macAt(frame, ETHERNET_SOURCE);
  const option = message.kind === "solicitation" ? message.sourceMac : message.targetMac;
  if (frameSource === via.mac || option === via.mac) return silent("own");
  // Without the option (unicast probes have none) the sender of the frame is the one.
  const mac = option ?? frameSource;
  if (!isUnicastMac(mac)) return silent("malformed");
  const claimed = message.kind === "solicitation" ? message.source : message.target;
  if (lookup(claimed)?.allowed === true) return { kind: "claim", address: claimed, mac };
  if (message.kind === "advertisement") return silent("notRequest");
  const reason = whySilent(lookup(message.target));
  if (reason !== undefined) return silent(reason);
  if (via.linkLocal === undefined) return silent("noLinkLocal");
  const reply =
    message.source === UNSPECIFIED
      ? // Duplicate address detection: everybody is told (RFC 4862 section 5.4.3).
        unsolicitedAdvertisement(message.target, via.mac, via.linkLocal)
      : solicitedAdvertisement(message, mac, via.mac, via.linkLocal);
  return { kind: "reply", address: message.target, frame: reply };
}

/** The hardware address of the group that the message may go to when it does not go to us. */
function groupMac(message: NdpMessage): Mac | undefined {
  if (message.kind === "solicitation") return multicastMac(solicitedNodeGroup(message.target));
  return isMulticast(message.destination) ? multicastMac(message.destination) : undefined;
}

/** Override is off, as MetalLB's: who holds a good entry for the address keeps it. */
function solicitedAdvertisement(
  { source, target }: NeighborSolicitation,
  to: Mac,
  mac: Mac,
  linkLocal: Address,
): Uint8Array {
  const reply = encodeNdp({
    kind: "advertisement",
    source: linkLocal,
    destination: source,
    target,
    router: false,
    solicited: true,
    override: false,
    targetMac: mac,
  });
  return encodeEthernet({ destination: to, source: mac, type: ETHERTYPE_IPV6 }, reply);
}

function whySilent(known: Known | undefined): SilenceReason | undefined {
  if (known === undefined) return "unknownAddress";
  if (!known.allowed) return "otherInterface";
  return known.state === "watched" ? "watched" : undefined;
}

function silent(reason: SilenceReason): Answer {
  return { kind: "silent", reason };
}
