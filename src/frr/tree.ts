// FRR configuration text -> a tree of contexts, in which lines that mean the same are equal:
// what we render, what 8.4 shows and what 10.x shows. Pure.

import { parseAddress } from "../net/address.ts";
import { type Prefix, parsePrefix } from "../net/prefix.ts";

/** One line, with what is inside it when it opens a context. */
export type FrrLine = {
  /** What the line sets: a later line of the same key in the same context replaces it. */
  readonly key: string;
  /** Normal form of the line: equal values are equal settings. */
  readonly value: string;
  /** The line to send. */
  readonly text: string;
  /** Line number in the parsed text, from 1. */
  readonly lineNumber: number;
  /** Undefined for a line that opens no context. */
  readonly inner: FrrTree | undefined;
};

/** Lines by key, in text order. */
export type FrrTree = ReadonlyMap<string, FrrLine>;

/** Networks of one router and family: prefix -> what follows it, such as "route-map c-0123abcd". */
export type Networks = ReadonlyMap<Prefix, string>;

/** A parsed configuration, networks apart from the rest: there may be ten thousand of them. */
export type FrrConfiguration = {
  readonly tree: FrrTree;
  /** By networksKey(). */
  readonly networks: ReadonlyMap<string, Networks>;
};

type ContextKind = "top" | "router" | "family" | "route-map" | "bfd" | "profile" | "other";

type Frame = {
  readonly kind: ContextKind;
  readonly lines: Map<string, FrrLine>;
  /** Of a router or family. */
  readonly networksOf: string;
};

/** Names the networks of a router and family; `routerKey` is the key of the router's line. */
export function networksKey(routerKey: string, family: string): string {
  return `${routerKey} ${family}`;
}

/** The key of the line that opens the router of a VRF; null: the default VRF. */
export function routerKeyOf(vrf: string | null): string {
  return vrf === null ? "router bgp" : `router bgp vrf ${vrf}`;
}

/** Parses a configuration; never fails: what it does not know is a line like any other. */
export function parseConfiguration(text: string): FrrConfiguration {
  const networks = new Map<string, Map<Prefix, string>>();
  const top: Frame = { kind: "top", lines: new Map(), networksOf: "" };
  let stack: Frame[] = [top];
  let lineNumber = 0;
  for (const raw of text.split("\n")) {
    lineNumber += 1;
    const line = raw.trim();
    if (line === "" || line.startsWith("!") || line.startsWith("#")) continue;
    const frame = stack.at(-1) ?? top;
    if (line.startsWith("network ") && frame.networksOf !== "") {
      const network = parseNetwork(line);
      if (network !== undefined) {
        // In the router's own node it is IPv4 unicast.
        const key =
          frame.kind === "router" ? networksKey(frame.networksOf, "ipv4") : frame.networksOf;
        const known = networks.get(key) ?? new Map<Prefix, string>();
        known.set(network.prefix, network.rest);
        networks.set(key, known);
        continue;
      }
    }
    if (line === "end") {
      stack = [top];
    } else if (line === "exit" || line.startsWith("exit-")) {
      if (stack.length > 1) stack.pop();
    } else {
      if (opensAtTop(line, frame.kind)) stack = [top];
      addLine(stack, collapseBlanks(line), lineNumber);
    }
  }
  return { tree: top.lines, networks };
}

function parseNetwork(line: string): { prefix: Prefix; rest: string } | undefined {
  const [, prefixText = "", ...rest] = line.split(/\s+/);
  const prefix = parsePrefix(prefixText);
  return prefix === undefined ? undefined : { prefix, rest: rest.join(" ") };
}

/** FRR leaves a context by itself when a line is only known further out. */
function opensAtTop(line: string, kind: ContextKind): boolean {
  if (kind === "top") return false;
  if (
    /^(router (?!-id)\S+|route-map \S+ (permit|deny) \d+$|bfd$|interface \S+|vrf \S+$)/.test(line)
  ) {
    return true;
  }
  return /^(no )?(ip|ipv6) (prefix-list|nht) |^(no )?access-list |^(no )?bgp (as-path|community-list|large-community-list|extcommunity-list|route-map) |^(no )?debug |^(no )?log /.test(
    line,
  );
}

function addLine(stack: Frame[], line: string, lineNumber: number): void {
  const frame = stack.at(-1);
  if (frame === undefined || isForeign(line, frame.kind)) return;
  const context = distinctRouter(contextOf(line, frame), frame);
  if (context !== undefined) {
    const known = frame.lines.get(context.key);
    const inner = new Map(known?.inner);
    frame.lines.set(context.key, {
      key: context.key,
      value: context.value,
      text: context.value,
      lineNumber,
      inner,
    });
    stack.push({ kind: context.kind, lines: inner, networksOf: context.networksOf });
    return;
  }
  if (frame.kind === "router" && isFamilyLine(line)) {
    addLine([...stack, familyFrame(frame, lineNumber)], line, lineNumber);
    return;
  }
  for (const normal of normalLines(line, frame)) {
    if (normal.value === undefined) frame.lines.delete(normal.key);
    else
      frame.lines.set(normal.key, { ...normal, value: normal.value, lineNumber, inner: undefined });
  }
}

/**
 * FRR refuses a second AS number for a router that it has: such a block stands beside the first
 * under a key of its own, so that its refusal can be told.
 */
function distinctRouter(context: Context | undefined, frame: Frame): Context | undefined {
  if (context?.kind !== "router") return context;
  const known = frame.lines.get(context.key);
  if (known === undefined || known.value === context.value) return context;
  return { ...context, key: context.value, networksOf: context.value };
}

/** Lines that are not configuration of a daemon, or that FRR writes by itself. */
function isForeign(line: string, kind: ContextKind): boolean {
  if (kind !== "top") return false;
  return /^(Building configuration|Current configuration|frr (version|defaults) |service |password |enable password|domainname |agentx|line vty|(no )?ip(v6)? forwarding|log (?!stdout|timestamp)|no log |no service |no domainname)/.test(
    line,
  );
}

type Context = {
  readonly kind: ContextKind;
  readonly key: string;
  readonly value: string;
  readonly networksOf: string;
};

function contextOf(line: string, frame: Frame): Context | undefined {
  const words = line.split(" ");
  const [first = "", second = "", third = "", fourth = ""] = words;
  const context = (kind: ContextKind, key: string, value = line, networksOf = ""): Context => ({
    kind,
    key,
    value,
    networksOf,
  });
  switch (frame.kind) {
    case "top":
      if (first === "router" && second === "bgp") {
        const key = routerKeyOf(fourth === "vrf" ? (words[4] ?? "") : null);
        return context("router", key, line, key);
      }
      if (/^route-map \S+ (permit|deny) \d+$/.test(line)) {
        return context("route-map", `route-map ${second} ${fourth}`);
      }
      if (line === "bfd") return context("bfd", line);
      if (/^(interface|vrf|router|key chain|rpki|segment-routing)\b/.test(line)) {
        return context("other", line);
      }
      return undefined;
    case "router":
      if (first === "address-family") {
        const key = `address-family ${second} ${third || "unicast"}`;
        const networksOf =
          third === "" || third === "unicast" ? networksKey(frame.networksOf, second) : "";
        return context("family", key, key, networksOf);
      }
      return undefined;
    case "bfd":
      return first === "profile" || first === "peer" ? context("profile", line) : undefined;
    case "family":
    case "route-map":
    case "profile":
    case "other":
      return undefined;
  }
}

/** Attributes that belong to a family; in the router's own node they mean IPv4 unicast. */
function isFamilyLine(line: string): boolean {
  return /^(no )?neighbor \S+ (activate|route-map|prefix-list|filter-list|next-hop-self|soft-reconfiguration|send-community|default-originate|allowas-in|maximum-prefix|as-override|weight|unsuppress-map)\b/.test(
    line,
  );
}

function familyFrame(router: Frame, lineNumber: number): Frame {
  const key = "address-family ipv4 unicast";
  const inner = new Map(router.lines.get(key)?.inner);
  router.lines.set(key, { key, value: key, text: key, lineNumber, inner });
  return { kind: "family", lines: inner, networksOf: "" };
}

/** A line to keep, or a key to forget (`value` undefined) because FRR has it by itself. */
type NormalLine = {
  readonly key: string;
  readonly value: string | undefined;
  readonly text: string;
};

function normalLines(line: string, frame: Frame): readonly NormalLine[] {
  switch (frame.kind) {
    case "top":
      return topLines(line, frame);
    case "router":
    case "family":
      return line.startsWith("neighbor ") || line.startsWith("no neighbor ")
        ? neighborLines(line)
        : routerLines(line);
    case "route-map":
      return [clauseLine(line)];
    case "profile":
      return profileLines(line);
    case "bfd":
    case "other":
      return [plainLine(line)];
  }
}

function plainLine(line: string): NormalLine {
  return { key: positive(line), value: line, text: line };
}

/** "no X" and "X" set the same thing. */
function positive(line: string): string {
  return line.startsWith("no ") ? line.slice(3) : line;
}

function keyed(key: string, line: string): NormalLine {
  return { key, value: line, text: line };
}

function topLines(line: string, frame: Frame): readonly NormalLine[] {
  if (line.startsWith("hostname ")) return [keyed("hostname", line)];
  // The lowest level is shown without its name.
  if (line === "log stdout") return [keyed(line, "log stdout debugging")];
  if (line.startsWith("log stdout ")) return [keyed("log stdout", line)];
  if (line.startsWith("log timestamp precision")) return [keyed("log timestamp precision", line)];
  if (line.startsWith("bgp route-map delay-timer"))
    return [keyed("bgp route-map delay-timer", line)];
  // Shown as two.
  if (line === "debug bgp updates") return [plainLine(`${line} in`), plainLine(`${line} out`)];
  const list =
    /^((?:ip|ipv6) prefix-list \S+|bgp as-path access-list \S+|bgp (?:large-|ext)?community-list (?:standard|expanded) \S+|(?:ipv6 )?access-list \S+) (?:seq (\d+) )?((?:permit|deny) .*)$/.exec(
      line,
    );
  if (list !== null) return listLine(list[1] ?? "", list[2], list[3] ?? "", frame);
  return [plainLine(line)];
}

/** FRR numbers entries without a number: the next multiple of five; the same entry is not added twice. */
function listLine(
  name: string,
  seq: string | undefined,
  rule: string,
  frame: Frame,
): readonly NormalLine[] {
  let last = 0;
  for (const known of frame.lines.values()) {
    if (!known.key.startsWith(`${name} seq `)) continue;
    if (seq === undefined && known.value.endsWith(` ${rule}`)) return [];
    last = Math.max(last, Number(known.key.slice(name.length + 5)));
  }
  const number = seq ?? String((Math.floor(last / 5) + 1) * 5);
  return [keyed(`${name} seq ${number}`, `${name} seq ${number} ${rule}`)];
}

/** Of `bgp` lines: those that take a value, by their words before it. */
const VALUED_ROUTER_LINES =
  /^(bgp router-id|coalesce-time|timers bgp|bgp graceful-restart (?:restart-time|stalepath-time|select-defer-time|rib-stale-time)|bgp default local-preference|bgp minimum-holdtime|bgp cluster-id|maximum-paths(?: ibgp)?|bgp update-delay|write-quanta|read-quanta|distance bgp)\b/;

function routerLines(line: string): readonly NormalLine[] {
  const bare = positive(line);
  if (bare === "bgp graceful-restart" || bare === "bgp graceful-restart-disable") {
    return [keyed("bgp graceful-restart mode", line)];
  }
  const valued = VALUED_ROUTER_LINES.exec(bare);
  return [valued === null ? plainLine(line) : keyed(valued[1] ?? bare, line)];
}

/** Neighbor attributes that take a value, by their words before it. */
const VALUED_NEIGHBOR_LINES =
  /^(remote-as|local-as|port|timers connect|timers delayopen|timers|password|update-source|bfd profile|description|ttl-security hops|advertisement-interval|weight|allowas-in|shutdown|peer-group|local-role|tcp-mss|path-attribute \S+|addpath-tx-\S+)\b/;

function neighborLines(line: string): readonly NormalLine[] {
  const negated = line.startsWith("no ");
  const [, name = "", ...rest] = positive(line).split(" ");
  const neighbor = parseAddress(name) ?? name;
  const prefix = `neighbor ${neighbor}`;
  const attribute = rest.join(" ");
  const of = (key: string, setting = attribute): NormalLine => {
    const text = `${negated ? "no " : ""}${prefix} ${setting}`;
    return { key: `${prefix} ${key}`, value: text, text };
  };
  const forget = (key: string): NormalLine => ({
    key: `${prefix} ${key}`,
    value: undefined,
    text: "",
  });

  if (rest[0] === "interface") return [of("interface")];
  // Without a number it is 255, and shown with it: MetalLB's reload takes that for a change.
  if (rest[0] === "ebgp-multihop") return [of("ebgp-multihop", `ebgp-multihop ${rest[1] ?? 255}`)];
  if (attribute === "port 179") return [forget("port")];
  if (/^graceful-restart(-disable|-helper)?$/.test(attribute)) return [of("graceful-restart")];
  // 10.x may show the profile alone.
  if (rest[0] === "bfd" && rest[1] === "profile") return [of("bfd", "bfd"), of("bfd profile")];
  const direction = /^(route-map|prefix-list|filter-list|distribute-list) \S+ (in|out)$/.exec(
    attribute,
  );
  if (direction !== null) return [of(`${direction[1]} ${direction[2]}`)];
  const valued = VALUED_NEIGHBOR_LINES.exec(attribute);
  return [of(valued?.[1] ?? attribute)];
}

/** Clauses of route maps that have several words before their value. */
const LONG_CLAUSES =
  /^(?:set (?:ip|ipv6) next-hop(?: global| local| prefer-global)?|set as-path (?:prepend|exclude)|set extcommunity \S+|match (?:ip|ipv6) \S+(?: prefix-list| prefix-len)?)\b/;

function clauseLine(line: string): NormalLine {
  const bare = positive(line);
  const key = LONG_CLAUSES.exec(bare)?.[0] ?? bare.split(" ").slice(0, 2).join(" ");
  const communities = /^(set (?:large-)?community) (.*?)( additive)?$/.exec(line);
  if (communities === null) return keyed(key, line);
  // FRR sorts them and shows names for some numbers.
  const values = [...new Set((communities[2] ?? "").split(" ").map(communityNumber))].sort();
  const value = `${communities[1]} ${values.join(" ")}${communities[3] ?? ""}`;
  return { key, value, text: line };
}

/** RFC 1997, 3765, 7999, 8326, 9494 and what else FRR has a name for (bgpd/bgp_community.c). */
const WELL_KNOWN_COMMUNITIES: Readonly<Record<string, string>> = {
  "graceful-shutdown": "65535:0",
  "accept-own": "65535:1",
  "route-filter-translated-v4": "65535:2",
  "route-filter-v4": "65535:3",
  "route-filter-translated-v6": "65535:4",
  "route-filter-v6": "65535:5",
  "llgr-stale": "65535:6",
  "no-llgr": "65535:7",
  "accept-own-nexthop": "65535:8",
  blackhole: "65535:666",
  "no-export": "65535:65281",
  "no-advertise": "65535:65282",
  "local-AS": "65535:65283",
  "no-peer": "65535:65284",
  internet: "0:0",
};

function communityNumber(community: string): string {
  return WELL_KNOWN_COMMUNITIES[community] ?? community;
}

/** FRR hides these values in some versions. */
const PROFILE_DEFAULTS: ReadonlySet<string> = new Set([
  "detect-multiplier 3",
  "transmit-interval 300",
  "receive-interval 300",
  "echo transmit-interval 50",
  "echo receive-interval 50",
  "minimum-ttl 254",
  "no echo-mode",
  "no passive-mode",
  "no shutdown",
]);

function profileLines(line: string): readonly NormalLine[] {
  const value = /^(.*) \d+$/.exec(line);
  const key = value?.[1] ?? positive(line);
  return PROFILE_DEFAULTS.has(line) ? [{ key, value: undefined, text: "" }] : [keyed(key, line)];
}

function collapseBlanks(line: string): string {
  // Descriptions and messages keep their blanks.
  return /\b(description|message|shutdown message|password) /.test(line)
    ? line
    : line.replace(/\s+/g, " ");
}
