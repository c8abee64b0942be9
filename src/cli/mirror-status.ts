// The state of a speaker -> what `mirror-status` prints. Pure.

import type {
  FrrState,
  RouteState,
  ServiceState,
  SessionState,
  SpeakerState,
} from "../speaker/state.ts";
import type { WireState } from "../speaker/wire-state.ts";
import { formatTable } from "./table.ts";

/** The state as tables for a terminal; `nowMs` is the time the ages are counted from. */
export function formatStatus(state: SpeakerState, nowMs: number): string {
  const { node, waitingFor, services, sessions, routes, frr, layer2, problems } = state;
  const sections = [
    [`Node ${node}: ${waitingFor.length === 0 ? "ready" : "not ready"}`, ...indented(waitingFor)],
    section("Services", services, [
      ["SERVICE", "ADDRESSES", "POOL", "PROTOCOL", "STATE", "DETAIL"],
      ...services.flatMap(serviceRows),
    ]),
    section("Layer 2 addresses", layer2.addresses, [
      ["ADDRESS", "STATE", "SINCE", "OTHER NODE"],
      ...layer2.addresses.map(({ address, state, since, other }) => [
        ...[address, state, formatAge(since, nowMs), other ?? "-"],
      ]),
    ]),
    section("Members", layer2.members ?? [], [
      ["NODE", "STATE", "SINCE", "WHY", "ROUND TRIP"],
      ...(layer2.members ?? []).map(({ name, state, since, why, rttMs }) => [
        ...[name, state, formatAge(since, nowMs), why],
        rttMs === null ? "-" : `${rttMs.toFixed(1)} ms`,
      ]),
    ]),
    section("Interfaces", layer2.interfaces, [
      ["INTERFACE", "HARDWARE ADDRESS", "ANSWERS", "WHY NOT"],
      ...layer2.interfaces.map(({ name, mac, arp, ndp, whyNot }) => [
        ...[name, mac, [...(arp ? ["ARP"] : []), ...(ndp ? ["NDP"] : [])].join(" ") || "-"],
        whyNot ?? "-",
      ]),
    ]),
    ["Layer 2", ...indented(layer2Lines(layer2, nowMs))],
    section("Sessions", sessions, [
      ["PEER", "ADDRESS", "VRF", "AS", "STATE", "UP", "SENT", "BFD", "DETAIL"],
      ...sessions.map(sessionRow),
    ]),
    section("Routes", routes, [
      ["PREFIX", "HEARD BY", "LOCAL PREFERENCE", "COMMUNITIES"],
      ...routes.flatMap(routeRows),
    ]),
    ["FRR", ...indented(frrLines(frr, nowMs))],
    ["Problems", ...indented([...problems, ...frr.problems, ...layer2.problems])],
  ];
  return sections
    .map((lines) =>
      lines.length === 1 && !lines[0]?.startsWith("Node") ? [`${lines[0]}: none`] : lines,
    )
    .map((lines) => `${lines.join("\n")}\n`)
    .join("\n");
}

function section(
  title: string,
  content: readonly unknown[],
  rows: readonly (readonly string[])[],
): readonly string[] {
  return content.length === 0 ? [title] : [title, ...indented(formatTable(rows))];
}

function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `  ${line.replaceAll("\n", "\n    ")}`);
}

function serviceRows(service: ServiceState): readonly (readonly string[])[] {
  const { addresses, pool, bgp, l2 } = service;
  const head = [service.service, addresses.join(",") || "-", pool ?? "-"];
  // Refused before it came to protocols.
  if (!bgp.announced && !l2.announced && bgp.message === l2.message) {
    return [[...head, "-", "refused", `${bgp.reason}: ${bgp.message}`]];
  }
  return [
    [...head, "bgp", ...bgpCells(bgp)],
    ["", "", "", "layer2", ...l2Cells(l2)],
  ];
}

function bgpCells(bgp: ServiceState["bgp"]): readonly string[] {
  if (!bgp.announced) return ["refused", `${bgp.reason}: ${bgp.message}`];
  const detail = [
    ...(bgp.peers.length === 0 ? [] : [`${bgp.prefixes.join(", ")} to ${bgp.peers.join(", ")}`]),
    ...(bgp.warning === null ? [] : [bgp.warning]),
  ];
  return ["announced", detail.join("; ")];
}

function l2Cells(l2: ServiceState["l2"]): readonly string[] {
  if (!l2.announced) return ["refused", `${l2.reason}: ${l2.message}`];
  const { interfaces, why, warning } = l2;
  const on = interfaces.length === 0 ? "on all interfaces" : `on ${interfaces.join(", ")}`;
  return ["announced", [`${on}; ${why}`, ...(warning === null ? [] : [warning])].join("; ")];
}

function layer2Lines(layer2: WireState, nowMs: number): readonly string[] {
  const { fence, members, lastTakeover } = layer2;
  const age = lastTakeover && formatAge(lastTakeover.at, nowMs);
  return formatTable([
    ["may answer", fence === null ? "yes" : `no: ${fence}`],
    ["membership", members === null ? "off: every Node counts as alive" : "on"],
    [
      "last take-over",
      lastTakeover === null
        ? "none since the speaker started"
        : `${age} ago, ${lastTakeover.at}: ${lastTakeover.address} from ${lastTakeover.from ?? "nobody"} in ${lastTakeover.durationMs.toFixed(1)} ms`,
    ],
  ]);
}

/** How long ago an RFC 3339 time was. */
function formatAge(time: string, nowMs: number): string {
  return formatSeconds(Math.max(0, Math.round((nowMs - Date.parse(time)) / 1000)));
}

function sessionRow(session: SessionState): readonly string[] {
  const { peer, address, vrf, remoteAs, state, establishedSeconds, prefixesSent, bfd } = session;
  return [
    peer,
    address,
    vrf ?? "-",
    String(remoteAs),
    state,
    establishedSeconds === null ? "-" : formatSeconds(establishedSeconds),
    String(prefixesSent),
    bfd ?? "-",
    [...(session.reason === null ? [] : [session.reason]), ...session.pending].join("; "),
  ];
}

function routeRows({ prefix, heardBy }: RouteState): readonly (readonly string[])[] {
  return heardBy.map(({ peers, localPreference, communities, largeCommunities }, index) => [
    index === 0 ? prefix : "",
    peers.join(",") || "all",
    localPreference === null ? "-" : String(localPreference),
    [...communities, ...largeCommunities].join(" ") || "-",
  ]);
}

function frrLines(frr: FrrState, nowMs: number): readonly string[] {
  const { connection, version, lastApply } = frr;
  return formatTable([
    ["connection", version === null ? connection : `${connection}, FRR ${version}`],
    ["routes", `${frr.routesApplied} applied, ${frr.routesWanted} wanted`],
    ["commands", `${frr.commands} sent, ${frr.refusedCommands} refused`],
    [
      "last change",
      lastApply === null
        ? "none since the speaker started"
        : `${formatAge(lastApply.at, nowMs)} ago, ${lastApply.commands} commands in ${lastApply.durationMs.toFixed(1)} ms`,
    ],
  ]);
}

/** Such as "42s", "5m3s", "2h7m" or "3d4h": two units say enough. */
export function formatSeconds(seconds: number): string {
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join("");
}
