// The little of BGP-4 (RFC 4271) that a listener of IPv4 routes needs. Bytes in, values out.

export type BgpMessage =
  | { readonly kind: "open"; readonly holdTimeSeconds: number }
  | { readonly kind: "update"; readonly announced: string[]; readonly withdrawn: string[] }
  /** Code and subcode of RFC 4271 section 4.5, such as "6/2". */
  | { readonly kind: "notification"; readonly error: string }
  | { readonly kind: "keepalive" }
  | { readonly kind: "other"; readonly type: number };

const HEADER_LENGTH = 19;
const OPEN = 1;
const UPDATE = 2;
const NOTIFICATION = 3;
const KEEPALIVE = 4;

/** Takes the whole messages at the start of `bytes`; `rest` is the beginning of the next one. */
export function decodeMessages(bytes: Buffer): { messages: BgpMessage[]; rest: Buffer } {
  const messages: BgpMessage[] = [];
  let rest = bytes;
  while (rest.length >= HEADER_LENGTH) {
    const length = rest.readUInt16BE(16);
    if (length < HEADER_LENGTH) {
      throw new Error(`Cannot read a BGP message: length ${length}, want at least 19`);
    }
    if (rest.length < length) break;
    messages.push(decodeBody(rest.readUInt8(18), rest.subarray(HEADER_LENGTH, length)));
    rest = rest.subarray(length);
  }
  return { messages, rest };
}

function decodeBody(type: number, body: Buffer): BgpMessage {
  switch (type) {
    case OPEN:
      return { kind: "open", holdTimeSeconds: body.readUInt16BE(3) };
    case UPDATE: {
      const withdrawnEnd = 2 + body.readUInt16BE(0);
      const attributesEnd = withdrawnEnd + 2 + body.readUInt16BE(withdrawnEnd);
      return {
        kind: "update",
        announced: decodePrefixes(body.subarray(attributesEnd)),
        withdrawn: decodePrefixes(body.subarray(2, withdrawnEnd)),
      };
    }
    case NOTIFICATION:
      return { kind: "notification", error: `${body.readUInt8(0)}/${body.readUInt8(1)}` };
    case KEEPALIVE:
      return { kind: "keepalive" };
    default:
      return { kind: "other", type };
  }
}

/** Length in bits, then as many octets as hold them. */
function decodePrefixes(bytes: Buffer): string[] {
  const prefixes: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt8(at);
    const octets = Math.ceil(length / 8);
    const address = [0, 0, 0, 0];
    for (let i = 0; i < octets; i++) address[i] = bytes.readUInt8(at + 1 + i);
    prefixes.push(`${address.join(".")}/${length}`);
    at += 1 + octets;
  }
  return prefixes;
}

/** An OPEN without capabilities: IPv4 unicast, AS numbers of two octets. */
export function encodeOpen(asn: number, holdTimeSeconds: number, routerId: string): Buffer {
  const body = Buffer.alloc(10);
  body.writeUInt8(4, 0);
  body.writeUInt16BE(asn, 1);
  body.writeUInt16BE(holdTimeSeconds, 3);
  for (const [i, octet] of routerId.split(".").entries()) body.writeUInt8(Number(octet), 5 + i);
  return message(OPEN, body);
}

export function encodeKeepalive(): Buffer {
  return message(KEEPALIVE, Buffer.alloc(0));
}

function message(type: number, body: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_LENGTH, 0xff);
  header.writeUInt16BE(HEADER_LENGTH + body.length, 16);
  header.writeUInt8(type, 18);
  return Buffer.concat([header, body]);
}
