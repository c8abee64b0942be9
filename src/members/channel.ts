// Datagrams that prove who made them, for whom, and that they are new: HMAC-SHA-256 over a header,
// the message and the receiver's name. Bytes in, messages out; opens no socket.
//
//   offset  octets
//   0       1  version: 1
//   1       8  session: when the sender started, milliseconds since 1970
//   9       8  sequence: counts the sender's datagrams to this receiver in this session
//   17      1  octets of the sender's name, then the name, UTF-8
//              the message, see message.ts
//   -16     16 the first octets of the HMAC

import { createHmac, hkdfSync, timingSafeEqual } from "node:crypto";
import { decodeMessage, encodeMessage, type Message, Reader, Writer } from "./message.ts";

export type ChannelOptions = {
  readonly self: string;
  /** Empty: anybody can make a valid datagram. */
  readonly secret: string;
  /** Milliseconds since 1970. */
  readonly session: number;
};

/** Why a datagram is not taken. */
export type Refusal = (typeof REFUSALS)[number];

export const REFUSALS = [
  /** None of ours. */
  "malformed",
  /** Of nobody that is listed. */
  "unknownSender",
  /** Made with another key, for another node, or altered. */
  "badMac",
  /** Taken before: the copy of the other family, or a replay. */
  "duplicate",
  /** Older than what is remembered of its session. */
  "replay",
  /** Of a session that is over. */
  "oldSession",
] as const;

export type Opened =
  | {
      readonly kind: "taken";
      readonly from: string;
      /** Usually one; none is given as long as its session is not proven to be one of now. */
      readonly messages: readonly Message[];
      /** The session is proven: the sender has answered a nonce of ours in it. */
      readonly isFresh: boolean;
    }
  | { readonly kind: "refused"; readonly reason: Refusal };

const VERSION = 1;
const MAC_OCTETS = 16;
const INFO = "metallb-ts members 1";

/** Nonces per receiver whose answers prove a session. */
const REMEMBERED_NONCES = 16;

type Session = { readonly number: number; readonly window: Window };

type Party = {
  /** Of the last datagram to it. */
  sequence: number;
  nonces: readonly number[];
  /** Proven. */
  session: Session | undefined;
  /** The last one heard that is not proven, with the first message that waits for that. */
  candidate: (Session & { held: Message | undefined }) | undefined;
};

export class Channel {
  readonly #self: string;
  readonly #session: number;
  readonly #key: Uint8Array;
  readonly #parties = new Map<string, Party>();

  constructor({ self, secret, session }: ChannelOptions) {
    this.#self = self;
    this.#session = session;
    this.#key = new Uint8Array(hkdfSync("sha256", secret, "", INFO, 32));
  }

  /** Who may take part; what is known of those that stay is kept. */
  setPeers(names: Iterable<string>): void {
    const listed = new Set(names);
    listed.delete(this.#self);
    for (const name of this.#parties.keys()) if (!listed.has(name)) this.#parties.delete(name);
    for (const name of listed) {
      if (this.#parties.has(name)) continue;
      const party = { sequence: 0, nonces: [], session: undefined, candidate: undefined };
      this.#parties.set(name, party);
    }
  }

  /** The datagram for that node alone; undefined: it is not listed. */
  seal(to: string, message: Message): Uint8Array | undefined {
    const party = this.#parties.get(to);
    if (party === undefined) return undefined;
    party.sequence += 1;
    if (message.kind === "probe") {
      party.nonces = [...party.nonces.slice(1 - REMEMBERED_NONCES), message.nonce];
    }
    const writer = new Writer();
    writer.octet(VERSION);
    writer.long(this.#session);
    writer.long(party.sequence);
    writer.name(this.#self);
    writer.octets(encodeMessage(message));
    writer.octets(this.#mac(to, writer.written));
    return writer.written;
  }

  /** Takes any octets at all. */
  open(bytes: Uint8Array): Opened {
    const signed = bytes.subarray(0, Math.max(0, bytes.length - MAC_OCTETS));
    const reader = new Reader(signed);
    const version = reader.octet();
    const session = reader.long();
    const sequence = reader.long();
    const from = reader.name();
    if (!reader.isValid || version !== VERSION) return refuse("malformed");
    const party = this.#parties.get(from);
    if (party === undefined) return refuse("unknownSender");
    const mac = bytes.subarray(signed.length);
    if (!timingSafeEqual(mac, this.#mac(this.#self, signed))) return refuse("badMac");
    const message = decodeMessage(reader.rest());
    if (message === undefined) return refuse("malformed");
    if (party.session?.number === session) return take(party.session, sequence, from, message);
    return meet(party, session, sequence, from, message);
  }

  #mac(to: string, signed: Uint8Array): Uint8Array {
    const receiver = new Writer();
    receiver.name(to);
    const hmac = createHmac("sha256", this.#key).update(receiver.written).update(signed);
    return hmac.digest().subarray(0, MAC_OCTETS);
  }
}

function take(session: Session, sequence: number, from: string, message: Message): Opened {
  const refusal = session.window.refusalOf(sequence);
  if (refusal !== undefined) return refuse(refusal);
  session.window.note(sequence);
  return { kind: "taken", from, messages: [message], isFresh: true };
}

/** A datagram of another session than the proven one: the sender has started anew, or a replay. */
function meet(
  party: Party,
  number: number,
  sequence: number,
  from: string,
  message: Message,
): Opened {
  const isSame = party.candidate?.number === number;
  const candidate =
    party.candidate !== undefined && isSame
      ? party.candidate
      : { number, window: new Window(), held: undefined };
  const refusal = candidate.window.refusalOf(sequence);
  if (refusal !== undefined) return refuse(refusal);
  if (message.kind === "ack") {
    // Even of a lower number: the node's clock may have gone back, and the nonce is one of now.
    if (!party.nonces.includes(message.nonce)) return refuse("oldSession");
    candidate.window.note(sequence);
    const { held } = candidate;
    party.session = { number, window: candidate.window };
    party.candidate = undefined;
    const messages = held === undefined ? [message] : [message, held];
    return { kind: "taken", from, messages, isFresh: true };
  }
  const isLower = party.session !== undefined && number < party.session.number;
  if (message.kind !== "probe" && isLower) return refuse("oldSession");
  candidate.window.note(sequence);
  party.candidate = candidate;
  if (message.kind === "probe") return { kind: "taken", from, messages: [message], isFresh: false };
  candidate.held ??= message;
  return { kind: "taken", from, messages: [], isFresh: false };
}

function refuse(reason: Refusal): Opened {
  return { kind: "refused", reason };
}

/** The last 64 sequence numbers, as RFC 4303 section 3.4.3 has it. */
class Window {
  static readonly #SIZE = 64;
  #highest = 0;
  /** Bit n: the number n below the highest was seen. */
  #seen = 0n;

  refusalOf(sequence: number): "duplicate" | "replay" | undefined {
    if (sequence > this.#highest) return undefined;
    const below = this.#highest - sequence;
    if (below >= Window.#SIZE) return "replay";
    return (this.#seen >> BigInt(below)) & 1n ? "duplicate" : undefined;
  }

  note(sequence: number): void {
    const above = sequence - this.#highest;
    if (above <= 0) {
      this.#seen |= 1n << BigInt(-above);
      return;
    }
    const kept = above < Window.#SIZE ? this.#seen << BigInt(above) : 0n;
    this.#seen = BigInt.asUintN(Window.#SIZE, kept | 1n);
    this.#highest = sequence;
  }
}
