// BGPPeer + Secret -> Peer. Rules of one peer on its own; what two peers of a node may not have
// in common is in session-conflict.ts.

import { type Address, familyOf, parseAddress } from "../net/address.ts";
import type { BfdProfile } from "./bfd.ts";
import { parseDuration } from "./duration.ts";
import {
  type Fields,
  type Finding,
  fieldsOf,
  hasField,
  type Parsed,
  parsed,
  readBoolean,
  readFields,
  readInteger,
  readText,
  report,
  show,
} from "./field.ts";
import { checkPassword, type PasswordResult } from "./password.ts";
import type { BGPPeerResource } from "./resources.ts";
import { readSelectors, type Selector } from "./selector.ts";

/** An AS number, 1 to 4294967295 (RFC 6793). */
export type Asn = number;

/** A router the speaker opens a session to. */
export type Peer = {
  /** Name of the BGPPeer object; BGPAdvertisements name it in `spec.peers`. */
  readonly name: string;
  readonly myAsn: Asn;
  readonly remoteAs: Asn | "internal" | "external";
  /** What the peer sees instead of `myAsn`; undefined also when it is the same. */
  readonly localAsn: Asn | undefined;
  /** Address of the router, or undefined when the session is unnumbered over `interfaceName`. */
  readonly address: Address | undefined;
  readonly interfaceName: string | undefined;
  /** TCP port, 1 to 16384; default 179. */
  readonly port: number;
  readonly sourceAddress: Address | undefined;
  /** Seconds, 0 or 3 to 65535; undefined: FRR's default 180. Set together with keepalive. */
  readonly holdTimeSeconds: number | undefined;
  /** Seconds, never more than a third of the hold time: FRR cuts it down to that. */
  readonly keepaliveTimeSeconds: number | undefined;
  /** Seconds, 1 to 65535; undefined: FRR's default 120. */
  readonly connectTimeSeconds: number | undefined;
  /** IPv4, as FRR wants it (RFC 6286). */
  readonly routerId: Address | undefined;
  /** TCP MD5 password (RFC 2385), resolved from the Secret; no control characters, no blanks. */
  readonly password: string | undefined;
  /** Name of an existing BFDProfile. */
  readonly bfdProfile: string | undefined;
  readonly gracefulRestart: boolean;
  /** Never true for an internal or unnumbered session, where FRR ignores or refuses it. */
  readonly ebgpMultihop: boolean;
  readonly vrf: string | undefined;
  /** Both families on one session. */
  readonly dualStack: boolean;
  /** Nodes that open the session; empty: all. */
  readonly nodeSelectors: readonly Selector[];
};

/** What a peer refers to by name. */
export type PeerReferences = {
  readonly findPassword: (secretName: string) => PasswordResult;
  readonly findBfdProfile: (name: string) => BfdProfile | undefined;
};

const MAX_ASN = 0xffff_ffff;
const DEFAULT_PORT = 179;
const MAX_PORT = 16_384;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;
const MAX_SECONDS = 65_535n;

/** Parses a peer; the order of its findings is MetalLB's order of checks. */
export function parsePeer(resource: BGPPeerResource, references: PeerReferences): Parsed<Peer> {
  const findings: Finding[] = [];
  const spec = readFields(fieldsOf(resource, "", findings), "spec");
  const autonomous = readAutonomousSystems(spec);
  const interfaceName = readDeviceName(spec, "interface");
  const ends = readEnds(spec, interfaceName);
  const timers = readTimers(spec);
  const address = readAddress(spec, "peerAddress", "invalid BGPPeer address");
  const routerId = readRouterId(spec);
  const sourceAddress = readAddress(spec, "sourceAddress", "invalid source address");
  if (
    address !== undefined &&
    sourceAddress !== undefined &&
    familyOf(address) !== familyOf(sourceAddress)
  ) {
    report(
      spec,
      "sourceAddress",
      `Cannot reach "${address}" from "${sourceAddress}": want addresses of one family`,
    );
  }
  const nodeSelectors = readSelectors(spec, "nodeSelectors");
  const password = readPassword(spec, references);
  const bfdProfile = readBfdProfile(spec, resource.metadata.name, references);
  const port = readInteger(spec, "peerPort", 0, MAX_PORT);
  const peer: Peer = {
    name: resource.metadata.name,
    ...autonomous,
    address,
    interfaceName,
    // 0 is what v1beta1 objects of old hold for "not set".
    port: port === undefined || port === 0 ? DEFAULT_PORT : port,
    sourceAddress,
    ...timers,
    connectTimeSeconds: readConnectTime(spec),
    routerId,
    password,
    bfdProfile,
    gracefulRestart: readBoolean(spec, "enableGracefulRestart", false),
    ebgpMultihop:
      readBoolean(spec, "ebgpMultiHop", false) &&
      autonomous.remoteAs !== "internal" &&
      ends !== "unnumbered",
    vrf: readVrf(spec),
    dualStack: readBoolean(spec, "dualStackAddressFamily", false),
    nodeSelectors,
  };
  // No effect any more, in MetalLB and here; still no reason to take a wrong type.
  readBoolean(spec, "disableMP", false);
  return parsed(findings, () => peer);
}

/** Tells whether both ends of the session are in one AS. */
function isInternal(peer: Pick<Peer, "myAsn" | "remoteAs">): boolean {
  return peer.remoteAs === "internal" || peer.remoteAs === peer.myAsn;
}

function readAutonomousSystems(spec: Fields): Pick<Peer, "myAsn" | "remoteAs" | "localAsn"> {
  const before = spec.findings.length;
  const myAsn = readInteger(spec, "myASN", 0, MAX_ASN) ?? 0;
  const peerAsn = readInteger(spec, "peerASN", 0, MAX_ASN) ?? 0;
  const dynamicAsn = readText(spec, "dynamicASN");
  const localAsn = readInteger(spec, "localASN", 1, MAX_ASN);
  let remoteAs: Peer["remoteAs"] = peerAsn;
  if (dynamicAsn === "internal" || dynamicAsn === "external") remoteAs = dynamicAsn;
  if (spec.findings.length > before) return { myAsn, remoteAs, localAsn };
  if (myAsn === 0) report(spec, "myASN", `Cannot use 0: missing local ASN, want 1 to ${MAX_ASN}`);
  if (peerAsn === 0 && dynamicAsn === undefined) {
    report(spec, "peerASN", "Cannot use neither: missing peerASN and dynamicASN, want one of them");
  }
  if (peerAsn !== 0 && dynamicAsn !== undefined) {
    report(
      spec,
      "dynamicASN",
      `Cannot use both: peerASN ${peerAsn} and dynamicASN ${show(dynamicAsn)} specified, want one of them`,
    );
  }
  if (dynamicAsn !== undefined && dynamicAsn !== remoteAs) {
    report(
      spec,
      "dynamicASN",
      `Cannot use ${show(dynamicAsn)}: invalid dynamicASN, want "internal" or "external"`,
    );
  }
  if (spec.values["ebgpMultiHop"] === true && myAsn !== 0 && remoteAs === myAsn) {
    report(
      spec,
      "ebgpMultiHop",
      `Cannot use ebgpMultiHop with an internal peer: peerASN equals myASN ${myAsn}, want different ones`,
    );
  }
  checkLocalAsn(spec, myAsn, remoteAs, localAsn);
  return { myAsn, remoteAs, localAsn: localAsn === myAsn ? undefined : localAsn };
}

// FRR (8.4.4) refuses `local-as` on an internal session and with the peer's own number.
function checkLocalAsn(
  spec: Fields,
  myAsn: Asn,
  remoteAs: Peer["remoteAs"],
  localAsn: Asn | undefined,
): void {
  if (localAsn === undefined || localAsn === myAsn) return;
  if (isInternal({ myAsn, remoteAs })) {
    report(spec, "localASN", `Cannot use ${localAsn} on an internal session: want an external one`);
  } else if (localAsn === remoteAs) {
    report(spec, "localASN", `Cannot use ${localAsn}: want another number than peerASN`);
  }
}

function readEnds(spec: Fields, interfaceName: string | undefined): "numbered" | "unnumbered" {
  const hasAddress = spec.values["peerAddress"] !== "" && hasField(spec, "peerAddress");
  const hasInterface = spec.values["interface"] !== "" && hasField(spec, "interface");
  if (!hasAddress && !hasInterface) {
    report(
      spec,
      "peerAddress",
      "Cannot use neither: peerAddress and interface not specified, want one of them",
    );
  }
  if (hasAddress && hasInterface) {
    report(
      spec,
      "interface",
      `Cannot use both: peerAddress ${show(spec.values["peerAddress"])} and interface ${show(interfaceName)} specified, want one of them`,
    );
  }
  return hasInterface ? "unnumbered" : "numbered";
}

function readAddress(spec: Fields, key: string, complaint: string): Address | undefined {
  const text = readText(spec, key);
  if (text === undefined) return undefined;
  const address = parseAddress(text);
  if (address === undefined) {
    report(spec, key, `Cannot parse ${show(text)}: ${complaint}, want an IPv4 or IPv6 address`);
  }
  return address;
}

function readRouterId(spec: Fields): Address | undefined {
  const routerId = readAddress(spec, "routerID", "invalid router ID");
  if (routerId === undefined) return undefined;
  if (familyOf(routerId) === "ipv4" && routerId !== "0.0.0.0") return routerId;
  report(
    spec,
    "routerID",
    `Cannot use "${routerId}": invalid router ID, want an IPv4 address other than 0.0.0.0, which is all FRR takes`,
  );
  return undefined;
}

/**
 * A name of a network device by Linux' rules: up to 15 octets, no blank, "/" or ":". One that
 * looks like an address is refused too, because FRR would take it for one.
 */
function readDeviceName(spec: Fields, key: string): string | undefined {
  const name = readText(spec, key);
  if (name === undefined) return undefined;
  const fits = new TextEncoder().encode(name).length <= 15;
  const legal = fits && !/[\s/:]/.test(name) && name !== "." && name !== "..";
  if (legal && parseAddress(name) === undefined) return name;
  report(
    spec,
    key,
    `Cannot use ${show(name)}: want the name of a network device, up to 15 characters without blanks, "/" and ":"`,
  );
  return undefined;
}

// FRR takes "vrf default" for no VRF at all and does not write it back.
function readVrf(spec: Fields): string | undefined {
  const vrf = readDeviceName(spec, "vrf");
  return vrf === "default" ? undefined : vrf;
}

function readTimers(spec: Fields): Pick<Peer, "holdTimeSeconds" | "keepaliveTimeSeconds"> {
  const none = { holdTimeSeconds: undefined, keepaliveTimeSeconds: undefined };
  const before = spec.findings.length;
  const hold = readDuration(spec, "holdTime");
  const keepalive = readDuration(spec, "keepaliveTime");
  if (spec.findings.length > before) return none;
  if (hold === undefined && keepalive === undefined) return none;
  const holdTime = hold ?? (keepalive ?? 0n) * 3n;
  const keepaliveTime = keepalive ?? holdTime / 3n;
  const holdSeconds = holdTime / NANOSECONDS_PER_SECOND;
  const where = hold === undefined ? "keepaliveTime" : "holdTime";
  const seen = show(spec.values[where]);
  if ((holdSeconds !== 0n && holdSeconds < 3n) || holdSeconds > MAX_SECONDS) {
    report(
      spec,
      where,
      `Cannot use ${seen}: invalid peer timers, want a hold time of 0 or from 3 to ${MAX_SECONDS} seconds (RFC 4271), here ${holdSeconds}`,
    );
    return none;
  }
  if (keepaliveTime > holdTime) {
    report(
      spec,
      "keepaliveTime",
      `Cannot use ${show(spec.values["keepaliveTime"])}: invalid peer timers, want at most the hold time ${show(spec.values["holdTime"])}`,
    );
    return none;
  }
  const keepaliveSeconds = Number(keepaliveTime / NANOSECONDS_PER_SECOND);
  // MetalLB cuts 900ms down to 0, which means no keepalives: the session dies of its hold time.
  if (keepaliveSeconds === 0 && keepaliveTime > 0n && holdSeconds > 0n) {
    report(
      spec,
      "keepaliveTime",
      `Cannot use ${show(spec.values["keepaliveTime"])}: invalid peer timers, want 0s or at least 1s`,
    );
  }
  return {
    holdTimeSeconds: Number(holdSeconds),
    keepaliveTimeSeconds: Math.min(keepaliveSeconds, Math.floor(Number(holdSeconds) / 3)),
  };
}

function readConnectTime(spec: Fields): number | undefined {
  const time = readDuration(spec, "connectTime");
  if (time === undefined) return undefined;
  const seconds = time / NANOSECONDS_PER_SECOND;
  if (time % NANOSECONDS_PER_SECOND === 0n && seconds >= 1n && seconds <= MAX_SECONDS) {
    return Number(seconds);
  }
  report(
    spec,
    "connectTime",
    `Cannot use ${show(spec.values["connectTime"])}: want 1 to ${MAX_SECONDS} whole seconds`,
  );
  return undefined;
}

/** Nanoseconds, 0 or more. */
function readDuration(spec: Fields, key: string): bigint | undefined {
  const text = readText(spec, key);
  if (text === undefined) return undefined;
  const duration = parseDuration(text);
  if (duration !== undefined && duration >= 0n) return duration;
  report(spec, key, `Cannot parse ${show(text)}: want a duration such as "90s" or "1m30s"`);
  return undefined;
}

function readPassword(spec: Fields, references: PeerReferences): string | undefined {
  const { password } = spec.values;
  const secret = readFields(spec, "passwordSecret");
  const name = readText(secret, "name");
  if (password === undefined || password === null || password === "") {
    if (name === undefined) return undefined;
    const result = references.findPassword(name);
    if (result.kind === "password") return result.password;
    report(secret, "name", result.message, result.transient);
    return undefined;
  }
  if (typeof password !== "string") {
    report(spec, "password", "Cannot use the password: want a text");
    return undefined;
  }
  if (name !== undefined) {
    report(
      spec,
      "passwordSecret.name",
      `Cannot have both: password and passwordSecret ${show(name)} specified, want one of them`,
    );
  }
  checkPassword(spec, "password", password);
  return password;
}

function readBfdProfile(
  spec: Fields,
  peerName: string,
  references: PeerReferences,
): string | undefined {
  const name = readText(spec, "bfdProfile");
  if (name !== undefined && references.findBfdProfile(name) === undefined) {
    report(
      spec,
      "bfdProfile",
      `Cannot use ${show(name)}: peer ${show(peerName)} referencing non existing bfd profile ${name}`,
      true,
    );
  }
  return name;
}
