// What two nodes say to each other about addresses: bytes in, values out. Travels inside the
// authenticated datagrams of the members; opens nothing.
//
//   offset  octets
//   0       1  kind: 1 ask, 2 reply, 3 offer
//   1       1  manner of an ask: 0 take, 1 polite, 2 keep, 3 hold; else 0
//   2       4  round of an ask, or the one a reply is for; else 0
//   6       per address: 1 standing in a reply (0 free, 1 released, 2 held, 3 wanted), else 0;
//           1 octets in the address (4 or 16); the address

import {
  type Address,
  addressBytes,
  addressFromBytes,
  type Family,
  familyOf,
} from "../net/address.ts";

/** What the asking node wants. */
export type Manner =
  /** It comes first: who answers stops, and says so. */
  | "take"
  /** It comes first, but leaves the address with a living node that answers for it. */
  | "polite"
  /** It answers for the address and comes first: does somebody else answer? */
  | "keep"
  /** It answers without coming first: does somebody else? */
  | "hold";

/** How the asked node stands to an address when it replies. */
export type Standing =
  /** Does not answer for it, nor is about to. */
  | "free"
  /** Answered for it until now. */
  | "released"
  /** Answers for it, and keeps it. */
  | "held"
  /** Is asking for it itself, and comes first. */
  | "wanted";

export type HandoverMessage =
  | {
      readonly kind: "ask";
      readonly round: number;
      readonly manner: Manner;
      readonly addresses: readonly Address[];
    }
  | {
      readonly kind: "reply";
      readonly round: number;
      readonly standings: ReadonlyMap<Address, Standing>;
    }
  /** Who waits for these may ask now: the sender does not answer any more, or stops when asked. */
  | { readonly kind: "offer"; readonly addresses: readonly Address[] };

/** Addresses in one message at most: no more than 1024 octets when all are IPv6. */
export const MOST_ADDRESSES = 56;

const HEADER_OCTETS = 6;
const KINDS = ["ask", "reply", "offer"] as const;
const MANNERS: readonly Manner[] = ["take", "polite", "keep", "hold"];
const STANDINGS: readonly Standing[] = ["free", "released", "held", "wanted"];
const OCTETS: Readonly<Record<Family, number>> = { ipv4: 4, ipv6: 16 };

export function encodeHandover(message: HandoverMessage): Uint8Array {
  const addresses = message.kind === "reply" ? [...message.standings.keys()] : message.addresses;
  const octets = addresses.reduce((sum, address) => sum + 2 + OCTETS[familyOf(address)], 0);
  const out = new Uint8Array(HEADER_OCTETS + octets);
  out[0] = KINDS.indexOf(message.kind) + 1;
  if (message.kind === "ask") out[1] = MANNERS.indexOf(message.manner);
  if (message.kind !== "offer") new DataView(out.buffer).setUint32(2, message.round);
  let offset = HEADER_OCTETS;
  for (const address of addresses) {
    const bytes = addressBytes(address);
    const standing = message.kind === "reply" ? message.standings.get(address) : undefined;
    out[offset] = STANDINGS.indexOf(standing ?? "free");
    out[offset + 1] = bytes.length;
    out.set(bytes, offset + 2);
    offset += 2 + bytes.length;
  }
  return out;
}

/** Returns undefined for what is no such message. */
export function decodeHandover(bytes: Uint8Array): HandoverMessage | undefined {
  if (bytes.length < HEADER_OCTETS) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const kind = KINDS[view.getUint8(0) - 1];
  const manner = MANNERS[view.getUint8(1)];
  const round = view.getUint32(2);
  const standings = decodeStandings(bytes);
  if (manner === undefined || standings === undefined) return undefined;
  switch (kind) {
    case "ask":
      return { kind, round, manner, addresses: [...standings.keys()] };
    case "reply":
      return { kind, round, standings };
    case "offer":
      return { kind, addresses: [...standings.keys()] };
    case undefined:
      return undefined;
  }
}

function decodeStandings(bytes: Uint8Array): ReadonlyMap<Address, Standing> | undefined {
  const standings = new Map<Address, Standing>();
  let offset = HEADER_OCTETS;
  while (offset < bytes.length) {
    const standing = STANDINGS[bytes[offset] ?? -1];
    const length = bytes[offset + 1];
    if (standing === undefined || (length !== OCTETS.ipv4 && length !== OCTETS.ipv6)) {
      return undefined;
    }
    if (offset + 2 + length > bytes.length) return undefined;
    const family = length === OCTETS.ipv4 ? "ipv4" : "ipv6";
    standings.set(addressFromBytes(bytes, offset + 2, family), standing);
    offset += 2 + length;
  }
  return standings;
}
