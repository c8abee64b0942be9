// What speakers say to each other, and its octets. Opens and proves nothing; see channel.ts.
//
//   probe, ack  8 nonce, 8 incarnation, 1 state, 4 digest
//   vote        8 incarnation, 1 opinion, 1 wants a reply, name of the subject
//   rows        4 id, rows to the end: 8 incarnation, 1 state, 1 why, name
//   confirm     4 id
//   pull        nothing
//   payload     octets to the end
//   a name      1 its octets (Kubernetes has at most 253), UTF-8

/** Nothing heard yet; a member; declared dead by its watchers; gone after a goodbye. */
export type State = (typeof STATES)[number];

/** Why a speaker is in its state. */
export type Why = (typeof WHYS)[number];

export type Opinion = (typeof OPINIONS)[number];

/** What one speaker knows of another, or of itself. */
export type Row = {
  readonly name: string;
  readonly state: State;
  readonly incarnation: number;
  readonly why: Why;
};

export type Message =
  /** Are you there? With what the sender is, and the digest of its table. */
  | {
      readonly kind: "probe" | "ack";
      /** Never used before by who sends the probe; the ack has that of its probe. */
      readonly nonce: number;
      readonly incarnation: number;
      readonly state: State;
      readonly digest: number;
    }
  /** What the sender thinks of a node that it watches. */
  | {
      readonly kind: "vote";
      readonly subject: string;
      readonly incarnation: number;
      readonly opinion: Opinion;
      readonly wantsReply: boolean;
    }
  /** Rows of the sender's table. The id is to be confirmed unless it is 0. */
  | { readonly kind: "rows"; readonly id: number; readonly rows: readonly Row[] }
  | { readonly kind: "confirm"; readonly id: number }
  /** Asks for the whole table. */
  | { readonly kind: "pull" }
  /** What the layer above says. */
  | { readonly kind: "payload"; readonly bytes: Uint8Array };

export const STATES = ["unknown", "alive", "dead", "left"] as const;

export const WHYS = [
  "starting",
  /** It answered its watchers long enough. */
  "answers",
  /** No other speaker is there. */
  "alone",
  /** Its watchers had no answers. */
  "silent",
  /** Its host said that nobody listens on the port. */
  "refused",
  /** It said that it started again. */
  "restarted",
  /** It said goodbye. */
  "goodbye",
] as const;

export const OPINIONS = ["none", "up", "down"] as const;

const KINDS = ["probe", "ack", "vote", "rows", "confirm", "pull", "payload"] as const;

/** The message's octets, the first of which says its kind. */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer();
  writer.octet(KINDS.indexOf(message.kind));
  switch (message.kind) {
    case "probe":
    case "ack":
      writer.long(message.nonce);
      writer.long(message.incarnation);
      writer.octet(STATES.indexOf(message.state));
      writer.word(message.digest);
      break;
    case "vote":
      writer.long(message.incarnation);
      writer.octet(OPINIONS.indexOf(message.opinion));
      writer.octet(message.wantsReply ? 1 : 0);
      writer.name(message.subject);
      break;
    case "rows":
      writer.word(message.id);
      for (const { name, state, incarnation, why } of message.rows) {
        writer.long(incarnation);
        writer.octet(STATES.indexOf(state));
        writer.octet(WHYS.indexOf(why));
        writer.name(name);
      }
      break;
    case "confirm":
      writer.word(message.id);
      break;
    case "pull":
      break;
    case "payload":
      writer.octets(message.bytes);
      break;
  }
  return writer.written;
}

/** Undefined: not a message of ours. */
export function decodeMessage(bytes: Uint8Array): Message | undefined {
  const reader = new Reader(bytes);
  const message = readMessage(reader);
  return reader.isOver && reader.isValid ? message : undefined;
}

function readMessage(reader: Reader): Message | undefined {
  const kind = reader.choice(KINDS);
  switch (kind) {
    case "probe":
    case "ack":
      return {
        kind,
        nonce: reader.long(),
        incarnation: reader.long(),
        state: reader.choice(STATES) ?? "unknown",
        digest: reader.word(),
      };
    case "vote":
      return {
        kind,
        incarnation: reader.long(),
        opinion: reader.choice(OPINIONS) ?? "none",
        wantsReply: reader.choice([false, true]) ?? false,
        subject: reader.name(),
      };
    case "rows":
      return { kind, id: reader.word(), rows: readRows(reader) };
    case "confirm":
      return { kind, id: reader.word() };
    case "pull":
      return { kind };
    case "payload":
      return { kind, bytes: reader.rest() };
    case undefined:
      return undefined;
  }
}

function readRows(reader: Reader): readonly Row[] {
  const rows: Row[] = [];
  while (reader.isValid && !reader.isOver) {
    const incarnation = reader.long();
    const state = reader.choice(STATES) ?? "unknown";
    const why = reader.choice(WHYS) ?? "starting";
    rows.push({ name: reader.name(), state, incarnation, why });
  }
  return rows;
}

/** Appends to a buffer that grows; numbers have the network's byte order. */
export class Writer {
  #bytes = new Uint8Array(128);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  octet(value: number): void {
    const start = this.#extend(1);
    this.#view.setUint8(start, value);
  }

  word(value: number): void {
    const start = this.#extend(4);
    this.#view.setUint32(start, value);
  }

  /** A whole number of at most 53 bits, in eight octets. */
  long(value: number): void {
    this.word(Math.floor(value / 2 ** 32));
    this.word(value % 2 ** 32);
  }

  octets(bytes: Uint8Array): void {
    const start = this.#extend(bytes.length);
    this.#bytes.set(bytes, start);
  }

  name(name: string): void {
    const bytes = ENCODER.encode(name);
    this.octet(bytes.length);
    this.octets(bytes);
  }

  /** Where the next octets go. */
  #extend(octets: number): number {
    const start = this.#length;
    this.#length += octets;
    if (this.#length > this.#bytes.length) {
      const bytes = new Uint8Array(2 * this.#length);
      bytes.set(this.#bytes);
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    return start;
  }
}

/** Reads on and on; what is missing or out of range makes the whole invalid, never throws. */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #offset = 0;
  #isValid = true;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isValid(): boolean {
    return this.#isValid;
  }

  get isOver(): boolean {
    return this.#offset >= this.#bytes.length;
  }

  octet(): number {
    const start = this.#take(1);
    return start === undefined ? 0 : this.#view.getUint8(start);
  }

  word(): number {
    const start = this.#take(4);
    return start === undefined ? 0 : this.#view.getUint32(start);
  }

  long(): number {
    const high = this.word();
    if (high >= 2 ** 21) this.#isValid = false;
    return high * 2 ** 32 + this.word();
  }

  choice<T>(choices: readonly T[]): T | undefined {
    const index = this.octet();
    if (index >= choices.length) this.#isValid = false;
    return choices[index];
  }

  name(): string {
    const length = this.octet();
    const start = this.#take(length);
    if (start === undefined) return "";
    return DECODER.decode(this.#bytes.subarray(start, start + length));
  }

  rest(): Uint8Array {
    const rest = this.#bytes.subarray(this.#offset);
    this.#offset = this.#bytes.length;
    return rest;
  }

  #take(octets: number): number | undefined {
    const start = this.#offset;
    if (start + octets > this.#bytes.length) this.#isValid = false;
    if (!this.#isValid) return undefined;
    this.#offset += octets;
    return start;
  }
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
