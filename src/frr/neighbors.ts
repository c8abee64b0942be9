// FRR's JSON shows of 8.4 to 10.x -> the states of BGP sessions and BFD sessions, with reasons in
// words. Pure; reads keys of every dialect and takes absent ones as unknown.

/** One neighbor as bgpd sees it now. */
export type NeighborState = {
  /** Address, or interface of an unnumbered session: the name FRR knows it by. */
  readonly name: string;
  /** "default" for the default VRF. */
  readonly vrf: string;
  readonly remoteAs: number | undefined;
  /** RFC 4271 section 8.2.2: Idle, Connect, Active, OpenSent, OpenConfirm, Established. */
  readonly sessionState: string;
  /** Milliseconds in Established; undefined when down. */
  readonly establishedMs: number | undefined;
  /** Times the session came up since bgpd started. */
  readonly establishedCount: number;
  /** Prefixes sent, all families. */
  readonly sentPrefixes: number;
  readonly receivedPrefixes: number;
  /** Why the session is down or last went down, in words; undefined: nothing to say. */
  readonly reason: string | undefined;
  readonly foreignPort: number | undefined;
  /** In force on the running session; undefined while it is down. */
  readonly holdTimeSeconds: number | undefined;
  readonly keepaliveSeconds: number | undefined;
  readonly messages: NeighborMessages;
};

export type NeighborMessages = {
  readonly opensSent: number;
  readonly opensReceived: number;
  readonly notificationsSent: number;
  readonly notificationsReceived: number;
  readonly updatesSent: number;
  readonly updatesReceived: number;
  readonly keepalivesSent: number;
  readonly keepalivesReceived: number;
  readonly routeRefreshesSent: number;
  readonly totalSent: number;
  readonly totalReceived: number;
};

/** One BFD session as bfdd sees it now. */
export type BfdState = {
  readonly peer: string;
  readonly interfaceName: string | undefined;
  readonly vrf: string;
  /** "up", "down", "init" or "shutdown". */
  readonly state: string;
  readonly diagnostic: string | undefined;
  readonly remoteDiagnostic: string | undefined;
  readonly counters: BfdCounters;
};

export type BfdCounters = {
  readonly controlPacketsIn: number;
  readonly controlPacketsOut: number;
  readonly echoPacketsIn: number;
  readonly echoPacketsOut: number;
  readonly upEvents: number;
  readonly downEvents: number;
  readonly zebraNotifications: number;
};

type Json = Readonly<Record<string, unknown>>;

/** Parses `show bgp vrf all neighbors json`; throws SyntaxError on text that is not JSON. */
export function parseNeighbors(text: string): readonly NeighborState[] {
  const neighbors: NeighborState[] = [];
  for (const [vrf, instance] of Object.entries(objectIn(parseJson(text)))) {
    for (const [name, value] of Object.entries(objectIn(instance))) {
      const neighbor = objectIn(value);
      // Beside the neighbors stand vrfId and vrfName.
      if (neighbor["bgpState"] === undefined) continue;
      neighbors.push(neighborState(name, vrf, neighbor));
    }
  }
  return neighbors;
}

/** With no BGP instance bgpd answers "{}", with blanks, or not at all. */
function parseJson(text: string): unknown {
  return text.trim() === "" ? {} : JSON.parse(text);
}

function neighborState(name: string, vrf: string, json: Json): NeighborState {
  const sessionState = textIn(json, "bgpState") ?? "Idle";
  const up = sessionState === "Established";
  const stats = objectIn(json["messageStats"]);
  const families = Object.values(objectIn(json["addressFamilyInfo"])).map(objectIn);
  return {
    name,
    vrf,
    remoteAs: numberIn(json, "remoteAs"),
    sessionState,
    establishedMs: up ? numberIn(json, "bgpTimerUpMsec") : undefined,
    establishedCount: numberIn(json, "connectionsEstablished") ?? 0,
    sentPrefixes: sum(families, "sentPrefixCounter"),
    receivedPrefixes: sum(families, "acceptedPrefixCounter"),
    reason: up ? undefined : downReason(json),
    foreignPort: numberIn(json, "portForeign"),
    holdTimeSeconds: up ? seconds(numberIn(json, "bgpTimerHoldTimeMsecs")) : undefined,
    keepaliveSeconds: up ? seconds(numberIn(json, "bgpTimerKeepAliveIntervalMsecs")) : undefined,
    messages: {
      opensSent: numberIn(stats, "opensSent") ?? 0,
      opensReceived: numberIn(stats, "opensRecv") ?? 0,
      notificationsSent: numberIn(stats, "notificationsSent") ?? 0,
      notificationsReceived: numberIn(stats, "notificationsRecv") ?? 0,
      updatesSent: numberIn(stats, "updatesSent") ?? 0,
      updatesReceived: numberIn(stats, "updatesRecv") ?? 0,
      keepalivesSent: numberIn(stats, "keepalivesSent") ?? 0,
      keepalivesReceived: numberIn(stats, "keepalivesRecv") ?? 0,
      routeRefreshesSent: numberIn(stats, "routeRefreshSent") ?? 0,
      totalSent: numberIn(stats, "totalSent") ?? 0,
      totalReceived: numberIn(stats, "totalRecv") ?? 0,
    },
  };
}

/** NOTIFICATION codes worth an explanation (RFC 4271 section 4.5, RFC 4486, RFC 9384). */
const NOTIFICATIONS: Readonly<Record<string, string>> = {
  "2/2": "bad peer AS: the AS numbers of the two sides do not match",
  "2/3": "bad BGP identifier: both sides use the same router ID",
  "2/5": "authentication failure",
  "2/6": "unacceptable hold time",
  "2/7": "unsupported capability",
  "4/0": "hold timer expired: nothing was heard for the hold time",
  "6/1": "maximum number of prefixes reached",
  "6/2": "administrative shutdown",
  "6/3": "peer de-configured",
  "6/4": "administrative reset",
  "6/5": "connection rejected: the peer does not know this address as its neighbor",
  "6/6": "other configuration change",
  "6/7": "connection collision",
  "6/10": "BFD down",
};

function downReason(json: Json): string | undefined {
  const code = notificationCode(textIn(json, "lastErrorCodeSubcode"));
  const due = textIn(json, "lastResetDueTo");
  const state = textIn(json, "bgpState") ?? "Idle";
  const opens = objectIn(json["messageStats"]);
  if (objectIn(json["peerBfdInfo"])["status"] === "Down" && state === "Idle") {
    return "BFD is down: the session waits for it";
  }
  if (code !== undefined && code !== "0/0" && !isOurChange(code, due)) {
    const verb = code.startsWith("2/") ? "refused" : "closed";
    const who = /received/i.test(due ?? "") ? `peer ${verb}` : verb;
    return `${who}: ${NOTIFICATIONS[code] ?? `notification ${code}`} (${code})`;
  }
  if ((numberIn(opens, "opensSent") ?? 0) > 0 && (numberIn(opens, "opensRecv") ?? 0) === 0) {
    return "peer closed the connection without a word: it may not know this address, or expect a password";
  }
  if (state === "Connect" || state === "Active") {
    const suspect =
      json["authenticationEnabled"] === 1 || json["authenticationEnabled"] === true
        ? ": nobody listens, a filter drops it, or the passwords differ"
        : ": nobody listens, a filter drops it, or the peer expects a password";
    return `TCP is not answered${suspect}`;
  }
  if (state === "Idle" && due !== undefined && !/^No AFI\/SAFI/.test(due)) return lowerFirst(due);
  return undefined;
}

/** A change of our own closed it: that is not why it stays down. */
function isOurChange(code: string, due: string | undefined): boolean {
  return !/received/i.test(due ?? "") && ["6/3", "6/4", "6/6"].includes(code);
}

/** FRR prints both bytes in hexadecimal, such as "0202". */
function notificationCode(text: string | undefined): string | undefined {
  if (text === undefined || !/^[0-9A-Fa-f]{4}$/.test(text)) return undefined;
  return `${Number.parseInt(text.slice(0, 2), 16)}/${Number.parseInt(text.slice(2), 16)}`;
}

/** Parses `show bfd vrf all peers json`-like lists: one array, whatever the version. */
export function parseBfdPeers(peersText: string, countersText: string): readonly BfdState[] {
  const counters = new Map<string, Json>();
  for (const value of listIn(parseJson(countersText)))
    counters.set(bfdKey(objectIn(value)), objectIn(value));
  return listIn(parseJson(peersText)).map((value) => {
    const peer = objectIn(value);
    const counted = counters.get(bfdKey(peer)) ?? {};
    const of = (key: string): number => numberIn(counted, key) ?? 0;
    return {
      peer: textIn(peer, "peer") ?? "",
      interfaceName: textIn(peer, "interface"),
      vrf: textIn(peer, "vrf") ?? "default",
      state: textIn(peer, "status") ?? "down",
      diagnostic: meaningful(textIn(peer, "diagnostic")),
      remoteDiagnostic: meaningful(textIn(peer, "remote-diagnostic")),
      counters: {
        controlPacketsIn: of("control-packet-input"),
        controlPacketsOut: of("control-packet-output"),
        echoPacketsIn: of("echo-packet-input"),
        echoPacketsOut: of("echo-packet-output"),
        upEvents: of("session-up"),
        downEvents: of("session-down"),
        zebraNotifications: of("zebra-notifications"),
      },
    };
  });
}

function bfdKey(peer: Json): string {
  return [peer["peer"], peer["local"], peer["interface"], peer["vrf"], peer["multihop"]].join("|");
}

function meaningful(diagnostic: string | undefined): string | undefined {
  return diagnostic === "ok" ? undefined : diagnostic;
}

function objectIn(value: unknown): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Json)
    : {};
}

function listIn(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberIn(json: Json, key: string): number | undefined {
  const value = json[key];
  return typeof value === "number" ? value : undefined;
}

function textIn(json: Json, key: string): string | undefined {
  const value = json[key];
  return typeof value === "string" ? value : undefined;
}

function sum(objects: readonly Json[], key: string): number {
  return objects.reduce((total, json) => total + (numberIn(json, key) ?? 0), 0);
}

function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** For the middle of a sentence; "BGP Notification" stays. */
function lowerFirst(text: string): string {
  return text.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase());
}
