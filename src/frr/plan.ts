// Desired and running configuration of one daemon -> ordered commands, each with what it does to
// sessions. Networks are not here: see routes in apply.ts. Pure.

import type { Daemon } from "./client.ts";
import { type FrrFlavor, isOurs } from "./ownership.ts";
import type { FrrLine, FrrTree } from "./tree.ts";

/** What a change does to an established session (measured on 8.4 and 10.3). */
export type Effect = "live" | "next-session" | "flap";

/** Lines for one node of the configuration. */
export type Step = {
  readonly daemon: Daemon;
  readonly phase: number;
  readonly context: readonly string[];
  readonly lines: readonly StepLine[];
  readonly effect: Effect;
  /** FRR's name of the neighbor whose session it touches; undefined: none, or all of a router. */
  readonly neighbor: string | undefined;
  /** VRF of that neighbor; null: the default one. */
  readonly vrf: string | null;
};

export type StepLine = {
  /** "": nothing but entering the context, which makes it. */
  readonly text: string;
  /** The desired line; undefined for a removal. */
  readonly desired: FrrLine | undefined;
};

/**
 * Phases in the order that keeps every moment safe: a map or profile is defined before it is
 * used, a session is complete before it is activated, removals go backwards. Networks go between
 * PHASE_BEFORE_NETWORKS and the removals.
 */
const PHASES = {
  profiles: 10,
  lists: 20,
  maps: 30,
  top: 40,
  removedRouters: 45,
  router: 50,
  session: 60,
  families: 65,
  activation: 66,
  removedMaps: 80,
  removedLists: 85,
  removedProfiles: 90,
  flap: 100,
} as const;

/** Steps up to this phase come before networks. */
export const PHASE_BEFORE_NETWORKS = 70;
/** Steps from this phase on reset sessions: one peer at a time. */
export const PHASE_FLAP: number = PHASES.flap;

const EMPTY: FrrTree = new Map();

/**
 * Plans for one daemon. `previous` holds the lines we had put there before: in daemons that are
 * not ours as a whole only those are removed.
 */
export function planChanges(
  daemon: Daemon,
  desired: FrrTree,
  running: FrrTree,
  previous: FrrTree,
  flavor: FrrFlavor,
): readonly Step[] {
  const steps: Step[] = [];
  for (const [key, line] of desired) {
    const current = running.get(key);
    if (line.inner === undefined) {
      if (current?.value === line.value) continue;
      steps.push(topStep(daemon, key, [{ text: line.text, desired: line }]));
    } else if (key.startsWith("router bgp")) {
      steps.push(...planRouter(line, current, flavor));
    } else {
      steps.push(...planBlock(daemon, line, current));
    }
  }
  for (const [key, line] of running) {
    if (desired.has(key)) continue;
    if (!isOurs(daemon, key) && !previous.has(key)) continue;
    steps.push(...removeTop(daemon, key, line, previous));
  }
  return mergeSteps(steps).sort((a, b) => a.phase - b.phase);
}

function step(
  daemon: Daemon,
  phase: number,
  context: readonly string[],
  lines: readonly StepLine[],
): Step {
  return { daemon, phase, context, lines, effect: "live", neighbor: undefined, vrf: null };
}

function topStep(daemon: Daemon, key: string, lines: readonly StepLine[]): Step {
  const isList =
    /^(ip|ipv6) prefix-list |^bgp \S+ access-list |^bgp \S*community-list |access-list /.test(key);
  return step(daemon, isList ? PHASES.lists : PHASES.top, [], lines);
}

function removeTop(daemon: Daemon, key: string, line: FrrLine, previous: FrrTree): readonly Step[] {
  if (line.inner === undefined) {
    const isList =
      /^(ip|ipv6) prefix-list |^bgp \S+ access-list |^bgp \S*community-list |access-list /.test(
        key,
      );
    const phase = isList ? PHASES.removedLists : PHASES.top;
    return [step(daemon, phase, [], [removal(negated(line.text))])];
  }
  if (key.startsWith("router bgp")) {
    return [step(daemon, PHASES.removedRouters, [], [removal(`no ${line.text}`)])];
  }
  if (key.startsWith("route-map ")) {
    return [step(daemon, PHASES.removedMaps, [], [removal(`no ${line.text}`)])];
  }
  if (key === "bfd") {
    const inner = [...line.inner.values()].map((profile) => removal(`no ${profile.text}`));
    return inner.length === 0 ? [] : [step(daemon, PHASES.removedProfiles, [line.text], inner)];
  }
  // Interfaces and VRFs exist by themselves: only our lines inside go.
  const ours = previous.get(key)?.inner ?? EMPTY;
  const inner = [...line.inner.values()].filter((found) => ours.has(found.key));
  if (inner.length === 0) return [];
  return [
    step(
      daemon,
      PHASES.top,
      [line.text],
      inner.map((found) => removal(negated(found.text))),
    ),
  ];
}

function removal(text: string): StepLine {
  return { text, desired: undefined };
}

function negated(text: string): string {
  return text.startsWith("no ") ? text.slice(3) : `no ${text}`;
}

/** Route maps, BFD and other blocks: lines inside, removals first. */
function planBlock(daemon: Daemon, line: FrrLine, current: FrrLine | undefined): readonly Step[] {
  const isMap = line.key.startsWith("route-map ");
  const phase = isMap ? PHASES.maps : line.key === "bfd" ? PHASES.profiles : PHASES.top;
  const steps: Step[] = [];
  const inner = line.inner ?? EMPTY;
  const running = current?.inner ?? EMPTY;
  const lines: StepLine[] = [];
  for (const found of running.values()) {
    if (inner.has(found.key)) continue;
    if (found.inner !== undefined) {
      // A BFD profile: neighbors let go of it first.
      steps.push(step(daemon, PHASES.removedProfiles, [line.text], [removal(`no ${found.text}`)]));
    } else if (daemon === "bgpd" || daemon === "bfdd") {
      lines.push(removal(negated(found.text)));
    }
  }
  for (const wanted of inner.values()) {
    const found = running.get(wanted.key);
    if (wanted.inner !== undefined) {
      steps.push(...planProfile(daemon, line, wanted, found));
    } else if (found?.value !== wanted.value) {
      lines.push({ text: wanted.text, desired: wanted });
    }
  }
  const isNew = current?.value !== line.value;
  const hasProfiles = [...inner.values()].some((wanted) => wanted.inner !== undefined);
  if (lines.length > 0 || (isNew && !hasProfiles)) {
    // An empty block exists by being entered, and a map's action changes by it.
    const opening: StepLine = { text: "", desired: line };
    steps.push(step(daemon, phase, [line.text], lines.length === 0 ? [opening] : lines));
  }
  return steps;
}

function planProfile(
  daemon: Daemon,
  bfd: FrrLine,
  wanted: FrrLine,
  found: FrrLine | undefined,
): readonly Step[] {
  const lines: StepLine[] = [];
  const running = found?.inner ?? EMPTY;
  for (const line of running.values()) {
    if (!wanted.inner?.has(line.key)) lines.push(removal(profileDefault(line)));
  }
  for (const line of wanted.inner?.values() ?? []) {
    if (running.get(line.key)?.value !== line.value) lines.push({ text: line.text, desired: line });
  }
  if (lines.length === 0 && found !== undefined) return [];
  const opening: StepLine = { text: "", desired: wanted };
  const context = [bfd.text, wanted.text];
  return [step(daemon, PHASES.profiles, context, lines.length === 0 ? [opening] : lines)];
}

/** Intervals have no "no" form in bfdd: their defaults are written instead. */
function profileDefault(line: FrrLine): string {
  const defaults: Readonly<Record<string, string>> = {
    "detect-multiplier": "detect-multiplier 3",
    "transmit-interval": "transmit-interval 300",
    "receive-interval": "receive-interval 300",
    "echo transmit-interval": "echo transmit-interval 50",
    "echo receive-interval": "echo receive-interval 50",
    "minimum-ttl": "minimum-ttl 254",
  };
  return defaults[line.key] ?? negated(line.text);
}

function planRouter(
  line: FrrLine,
  current: FrrLine | undefined,
  flavor: FrrFlavor,
): readonly Step[] {
  const steps: Step[] = [];
  let running = current?.inner ?? EMPTY;
  if (current !== undefined && current.value !== line.value) {
    // Another AS number is another router: all of its sessions go, and come back.
    const removed = step("bgpd", PHASES.removedRouters, [], [removal(`no ${current.text}`)]);
    steps.push({ ...removed, effect: "flap", vrf: vrfOf(current) });
    running = EMPTY;
  }
  const isNew = running === EMPTY;
  const inner = line.inner ?? EMPTY;
  const context = [line.text];
  const vrf = vrfOf(line);

  const kept = new Set<string>();
  const existing = neighborsOf(running);
  const wanted = neighborsOf(inner);
  for (const [name, creation] of existing) {
    if (wanted.has(name)) kept.add(name);
    else
      steps.push(
        step("bgpd", PHASES.removedRouters, context, [removal(removeNeighbor(name, creation))]),
      );
  }
  const change = (
    wantedLine: FrrLine | undefined,
    found: FrrLine | undefined,
    phase: number,
    at: readonly string[],
  ): void => {
    const shown = wantedLine ?? found;
    if (shown === undefined || wantedLine?.value === found?.value) return;
    const name = neighborOf(shown.key);
    // All of its lines went with it.
    if (wantedLine === undefined && name !== undefined && existing.has(name) && !kept.has(name))
      return;
    // "no neighbor X bfd" takes the profile with it; "no neighbor X bfd profile" after it would
    // bring BFD back (FRR 8.4).
    if (wantedLine === undefined && shown.key === `neighbor ${name} bfd profile`) {
      if (!inner.has(`neighbor ${name} bfd`)) return;
    }
    const lines: StepLine[] = [];
    if (wantedLine === undefined) lines.push(removal(negated(shown.text)));
    else lines.push({ text: wantedLine.text, desired: wantedLine });
    const effect = effectOf(shown.key, name, kept, isNew, flavor);
    steps.push({
      daemon: "bgpd",
      phase: effect === "flap" ? PHASES.flap : phase,
      context: at,
      lines,
      effect,
      neighbor: name,
      vrf,
    });
  };
  // Removals first within each node: an old spelling must not take the new one with it.
  for (const found of running.values()) {
    if (found.inner === undefined && !inner.has(found.key)) {
      change(undefined, found, phaseOf(found.key), context);
    }
  }
  for (const wantedLine of inner.values()) {
    if (wantedLine.inner === undefined) {
      change(wantedLine, running.get(wantedLine.key), phaseOf(wantedLine.key), context);
    }
  }
  const families = new Set(
    [...running.keys(), ...inner.keys()].filter((key) => key.startsWith("address-family ")),
  );
  for (const key of families) {
    const at = [line.text, key];
    const found = running.get(key)?.inner ?? EMPTY;
    const lines = inner.get(key)?.inner ?? EMPTY;
    for (const old of found.values()) {
      if (!lines.has(old.key)) change(undefined, old, familyPhaseOf(old.key), at);
    }
    for (const wantedLine of lines.values()) {
      change(wantedLine, found.get(wantedLine.key), familyPhaseOf(wantedLine.key), at);
    }
  }
  if (isNew && steps.every(({ context: at }) => at[0] !== line.text)) {
    steps.push(step("bgpd", PHASES.router, context, [{ text: "", desired: line }]));
  }
  return steps;
}

function phaseOf(key: string): number {
  return key.startsWith("neighbor ") ? PHASES.session : PHASES.router;
}

function familyPhaseOf(key: string): number {
  return key.endsWith(" activate") ? PHASES.activation : PHASES.families;
}

function vrfOf(router: FrrLine): string | null {
  return / vrf (\S+)/.exec(router.text)?.[1] ?? null;
}

/** Neighbors by name, with the line that makes each. */
function neighborsOf(router: FrrTree): ReadonlyMap<string, FrrLine> {
  const neighbors = new Map<string, FrrLine>();
  for (const line of router.values()) {
    const match = /^neighbor (\S+) (remote-as|interface)$/.exec(line.key);
    if (match?.[1] !== undefined) neighbors.set(match[1], line);
  }
  return neighbors;
}

function neighborOf(key: string): string | undefined {
  return /^neighbor (\S+) /.exec(key)?.[1];
}

function removeNeighbor(name: string, creation: FrrLine): string {
  const unnumbered = creation.key.endsWith(" interface");
  return unnumbered ? `no neighbor ${name} interface` : `no neighbor ${name}`;
}

/** Attributes whose change closes the session at once (frr 8.4 and 10.3: Cease 6/6 and others). */
const FLAPPING =
  /^neighbor \S+ (remote-as|interface|ebgp-multihop|disable-connected-check|update-source|port|passive|local-as|capability .*|addpath-tx-.*|password|ttl-security hops|shutdown|activate|enforce-multihop|peer-group|local-role|tcp-mss)$/;

/** Attributes that are negotiated when a session starts. */
const NEGOTIATED =
  /^(neighbor \S+ (timers|timers connect|graceful-restart)|timers bgp|bgp graceful-restart.*|bgp minimum-holdtime)$/;

function effectOf(
  key: string,
  neighbor: string | undefined,
  kept: ReadonlySet<string>,
  newRouter: boolean,
  flavor: FrrFlavor,
): Effect {
  if (newRouter || (neighbor !== undefined && !kept.has(neighbor))) return "live";
  if (key === "bgp router-id") return kept.size > 0 ? "flap" : "live";
  if (FLAPPING.test(key)) return "flap";
  // FRR 10.3 resets the session for these two.
  if (flavor.major >= 10 && /(^| )(graceful-restart|bgp graceful-restart mode)$/.test(key))
    return "flap";
  return NEGOTIATED.test(key) ? "next-session" : "live";
}

/** One step per node, phase, effect and neighbor, in the order seen. */
function mergeSteps(steps: readonly Step[]): Step[] {
  const merged = new Map<string, Step>();
  for (const next of steps) {
    const subject = next.effect === "live" ? "" : `${next.vrf ?? ""}/${next.neighbor ?? ""}`;
    const key = JSON.stringify([next.phase, next.context, next.effect, subject]);
    const known = merged.get(key);
    if (known === undefined) merged.set(key, next);
    else merged.set(key, { ...known, lines: [...known.lines, ...next.lines] });
  }
  return [...merged.values()];
}
