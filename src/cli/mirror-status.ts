// The state of a speaker -> what `mirror-status` prints. Pure.

import type {
  FrrState,
  RouteState,
  ServiceState,
  SessionState,
  SpeakerState,
} from "../speaker/state.ts";
import { formatTable } from "./table.ts";

/** The state as tables for a terminal; `nowMs` is the time the ages are counted from. */
export function formatStatus(state: SpeakerState, nowMs: number): string {
  const { node, waitingFor, services, sessions, routes, frr, problems } = state;
  const sections = [
    [`Node ${node}: ${waitingFor.length === 0 ? "ready" : "not ready"}`, ...indented(waitingFor)],
    section("Services", services, [
      ["SERVICE", "ADDRESSES", "POOL", "BGP", "DETAIL"],
      ...services.map(serviceRow),
    ]),
    section("Sessions", sessions, [
      ["PEER", "ADDRESS", "VRF", "AS", "STATE", "UP", "SENT", "BFD", "DETAIL"],
      ...sessions.map(sessionRow),
    ]),
    section("Routes", routes, [
      ["PREFIX", "HEARD BY", "LOCAL PREFERENCE", "COMMUNITIES"],
      ...routes.flatMap(routeRows),
    ]),
    ["FRR", ...indented(frrLines(frr, nowMs))],
    ["Problems", ...indented([...problems, ...frr.problems])],
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

function serviceRow({ service, addresses, pool, bgp }: ServiceState): readonly string[] {
  const row = [service, addresses.join(",") || "-", pool ?? "-"];
  if (!bgp.announced) return [...row, "refused", `${bgp.reason}: ${bgp.message}`];
  const detail = [
    ...(bgp.peers.length === 0 ? [] : [`${bgp.prefixes.join(", ")} to ${bgp.peers.join(", ")}`]),
    ...(bgp.warning === null ? [] : [bgp.warning]),
  ];
  return [...row, "announced", detail.join("; ")];
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
  const age = lastApply && Math.max(0, Math.round((nowMs - Date.parse(lastApply.at)) / 1000));
  return formatTable([
    ["connection", version === null ? connection : `${connection}, FRR ${version}`],
    ["routes", `${frr.routesApplied} applied, ${frr.routesWanted} wanted`],
    ["commands", `${frr.commands} sent, ${frr.refusedCommands} refused`],
    [
      "last change",
      lastApply === null || age === null
        ? "none since the speaker started"
        : `${formatSeconds(age)} ago, ${lastApply.commands} commands in ${lastApply.durationMs.toFixed(1)} ms`,
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
