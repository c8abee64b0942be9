// What happened on this node -> log lines with MetalLB's keys and Kubernetes Events, each told once.
// Decides nothing but whether something is news.

import { formatProblem, type ObjectRef, objectKey, type Problem } from "../config/problem.ts";
import type { FrrEvent, FrrProblem, FrrStatus } from "../frr/status.ts";
import type { Event } from "../kube/event.ts";
import type { HandoverEvent } from "../l2/handover.ts";
import type { Logger } from "../log.ts";
import type { MembershipSnapshot } from "../members/view.ts";
import type { Decision } from "./announce.ts";
import type { Transition } from "./desired.ts";
import { EVENT_REASONS, type EventReason } from "./event-reasons.ts";
import type { L2State } from "./l2-state.ts";
import { findPeer, type Session, type SessionWatch, watchSessions } from "./sessions.ts";
import { connectionText, formatFrrProblem } from "./state.ts";
import { configurationStateName } from "./status.ts";

export type ReporterOptions = {
  readonly node: string;
  readonly log: Logger;
  readonly emit: (event: Event) => void;
  /** The object of the configuration with this kind and name, so that Events can point at it. */
  readonly objectOf: (
    kind: "BGPPeer" | "ConfigMap" | "ConfigurationState",
    name: string,
  ) => ObjectRef;
};

/** How a Service stands on Layer 2; undefined: it is not there. */
export type L2Transition = {
  readonly key: string;
  readonly uid: string;
  readonly decision: Decision | undefined;
  readonly before: L2State | undefined;
  readonly after: L2State | undefined;
};

export type Reporter = {
  readonly transition: (transition: Transition) => void;
  /**
   * All problems of the configuration there are now, and those of them that do not depend on the
   * node: the controller makes Events of these, so that there is one for each and not one per node.
   */
  readonly problems: (problems: readonly Problem[], everywhere: readonly Problem[]) => void;
  /** How all sessions stand now. */
  readonly sessions: (sessions: readonly Session[], nowMs: number) => void;
  readonly frrEvent: (event: FrrEvent, sessions: readonly Session[]) => void;
  /** Says what is waited for while FRR does not answer. */
  readonly frrStatus: (status: FrrStatus) => void;
  /** A Service is announced that was not before; `uid` is the Service's. */
  readonly assigned: (service: string, uid: string, protocol: "bgp" | "layer2") => void;
  /** The exclude label alone leaves no node for a Service; this node says so for all. */
  readonly excluded: (service: string, uid: string, message: string) => void;
  /** A Service stands otherwise on Layer 2. */
  readonly l2Transition: (transition: L2Transition) => void;
  readonly wireEvent: (event: HandoverEvent) => void;
  /** Who is alive; undefined: not known. */
  readonly members: (snapshot: MembershipSnapshot | undefined) => void;
  /** Why this node answers for nothing; undefined: it may. */
  readonly fence: (why: string | undefined) => void;
  /** What keeps Layer 2 from working as it should: until now, and now. */
  readonly l2Problems: (before: readonly string[], after: readonly string[]) => void;
  /** A collection cannot be followed, or can again. */
  readonly watchProblem: (what: string, problem: string | undefined) => void;
};

export function createReporter(options: ReporterOptions): Reporter {
  const { node, log, emit, objectOf } = options;
  let problems = new Map<string, Problem>();
  let watches: ReadonlyMap<string, SessionWatch> = new Map();
  let waiting: string | undefined;
  let memberStates: ReadonlyMap<string, string> = new Map();
  let fenced: string | undefined;

  const send = (object: Event["object"], reason: EventReason, message: string) =>
    emit({ object, type: EVENT_REASONS[reason].type, reason, message });
  const tell = (object: ObjectRef, reason: EventReason, message: string) =>
    send(referenceOf(object), reason, message);

  return {
    transition({ key, service, before, after }) {
      const was = announcedAddresses(before);
      const is = announcedAddresses(after);
      if (was === is) return;
      const subject = { service: key, protocol: "bgp", ips: after.addresses, pool: after.pool };
      if (after.bgp.kind === "announced") {
        log.info({ event: "serviceAnnounced", ...subject }, "service has IP, announcing");
        return;
      }
      if (was === undefined) return;
      const { reason, message } = after.bgp.refusal;
      const line = { event: "serviceWithdrawn", ...subject, reason, message };
      if (service !== undefined && reason === "conflictingAdvertisements") {
        log.error(line, "withdrawing service announcement");
      } else {
        log.info(line, "withdrawing service announcement");
      }
    },

    problems(now, everywhere) {
      const toldByController = new Set(everywhere.map(problemKey));
      const current = new Map(now.map((problem) => [problemKey(problem), problem]));
      for (const [key, problem] of current) {
        if (problems.has(key)) continue;
        log.error({ op: "setConfig", object: objectKey(problem.object) }, formatProblem(problem));
        if (toldByController.has(key)) continue;
        const message = `on node "${node}": ${problem.field}: ${problem.message}`;
        tell(problem.object, "ConfigurationError", message);
      }
      for (const [key, problem] of problems) {
        if (current.has(key)) continue;
        const line = { op: "setConfig", object: objectKey(problem.object) };
        log.info(line, `no longer a problem: ${formatProblem(problem)}`);
      }
      problems = current;
    },

    sessions(sessions, nowMs) {
      const { reports, watches: next } = watchSessions(watches, sessions, nowMs);
      watches = next;
      for (const report of reports) {
        const object = objectOf("BGPPeer", report.peer.name);
        if (report.kind === "recovered") {
          const message = `session of node "${node}" is established`;
          tell(object, "sessionEstablished", message);
          continue;
        }
        const { reason, downMs, peer } = report;
        const seconds = Math.round(downMs / 1000);
        log.warn(
          { event: "sessionFailing", peer: peer.name, node, seconds, reason },
          "BGP session does not come up",
        );
        const message = `session of node "${node}" does not come up: ${reason}`;
        tell(object, "sessionFailed", message);
      }
    },

    frrEvent(event, sessions) {
      const peers = sessions.map(({ peer }) => peer);
      switch (event.kind) {
        case "session": {
          const { neighbor, oldState, newState } = event;
          const peer = findPeer(peers, neighbor)?.name;
          const subject = { peer, address: neighbor.name, vrf: neighbor.vrf, node };
          if (newState === "Established") {
            log.info({ event: "sessionUp", ...subject }, "BGP session established");
          } else if (oldState === "Established") {
            const { reason } = neighbor;
            log.warn({ event: "sessionDown", ...subject, reason, newState }, "BGP session down");
          } else {
            log.debug({ event: "sessionState", ...subject, oldState, newState }, "BGP session");
          }
          return;
        }
        case "bfd": {
          const { bfd, oldState, newState } = event;
          const line = {
            event: "bfdState",
            peer: bfd.peer,
            vrf: bfd.vrf,
            node,
            oldState,
            newState,
          };
          if (oldState === "up") {
            log.warn({ ...line, reason: bfd.diagnostic }, `BFD session ${newState}`);
          } else log.info(line, `BFD session ${newState}`);
          return;
        }
        case "connected":
          waiting = undefined;
          log.info({ event: "frrConnected", version: event.version }, "FRR answers");
          return;
        case "disconnected":
          waiting = event.reason;
          log.error(
            { event: "frrDisconnected", hung: event.hung, reason: event.reason },
            "lost FRR: what it announces stays until it ends, waiting for it to answer again",
          );
          return;
        case "applied":
          log.debug(
            { op: "reload-validate", commands: event.commands, ms: roundMs(event.durationMs) },
            "success: FRR has taken the configuration",
          );
          return;
        case "session-reset": {
          const { peerName, reason } = event;
          log.warn(
            { event: "sessionReset", peer: peerName, node, reason },
            "resetting BGP session",
          );
          const message = `node "${node}" resets the session: ${reason}`;
          tell(objectOf("BGPPeer", peerName), "sessionReset", message);
          return;
        }
        case "drift":
          log.warn(
            { event: "frrDrift", lines: event.lines },
            "somebody else changed FRR's configuration, putting it back",
          );
          return;
        case "problem": {
          log.error({ event: "frrProblem", node }, formatFrrProblem(event.problem));
          const object = objectOfFrrProblem(event.problem);
          if (object === undefined) return;
          const message = `node "${node}": ${formatFrrProblem(event.problem)}`;
          tell(object, reasonOf(event.problem), message);
          return;
        }
        case "problem-gone":
          log.info(
            { event: "frrProblem", node },
            `no longer a problem: ${formatFrrProblem(event.problem)}`,
          );
          return;
      }
    },

    frrStatus(status) {
      if (status.connection.kind === "connected") {
        waiting = undefined;
        return;
      }
      if (waiting === status.connection.reason) return;
      waiting = status.connection.reason;
      log.warn({ event: "frrWaiting" }, `waiting for FRR: ${connectionText(status)}`);
    },

    assigned(service, uid, protocol) {
      const message = `announcing from node "${node}" with protocol "${protocol}"`;
      const object = serviceReference(service, uid);
      send(object, "nodeAssigned", message);
    },

    excluded(service, uid, message) {
      const object = serviceReference(service, uid);
      send(object, "nodeLabeledExcludeBalancers", message);
    },

    l2Transition({ key, uid, decision, before, after }) {
      const ips = decision?.addresses;
      const subject = { service: key, protocol: "layer2", ips, pool: decision?.pool };
      if (after?.announced) {
        if (before?.announced) return;
        log.info({ event: "serviceAnnounced", ...subject }, "service has IP, announcing");
        this.assigned(key, uid, "layer2");
        return;
      }
      const reason = after?.reason ?? "serviceDeleted";
      const message = after?.message ?? "The Service is gone, or no longer of type LoadBalancer";
      if (reason === "noInterface" && (before?.announced || before?.reason !== reason)) {
        log.error({ event: "announceFailed", ...subject }, message);
        const text = `cannot announce from node "${node}" with protocol "layer2": ${message}`;
        const object = serviceReference(key, uid);
        send(object, "announceFailed", text);
      }
      if (!before?.announced) return;
      const line = { event: "serviceWithdrawn", ...subject, reason, message };
      log.info(line, "withdrawing service announcement");
    },

    wireEvent(event) {
      switch (event.kind) {
        case "gained": {
          const { address, from, durationMs } = event;
          log.info(
            { event: "addressGained", ip: address, from, ms: roundMs(durationMs) },
            "answering for the address",
          );
          return;
        }
        case "lost": {
          const { address, why, to } = event;
          log.info({ event: "addressLost", ip: address, why, to }, "no longer answering for it");
          return;
        }
        case "conflict": {
          const { address, mac, role } = event;
          log.error(
            { event: "addressConflict", ip: address, mac, role },
            "another host says that the address is its own",
          );
          return;
        }
      }
    },

    members(snapshot) {
      const now = new Map((snapshot?.members ?? []).map(({ name, state }) => [name, state]));
      for (const [name, state] of now) {
        const was = memberStates.get(name);
        if (was === state) continue;
        log.info({ event: "memberState", member: name, was, state }, `speaker is ${state}`);
      }
      for (const name of memberStates.keys()) {
        if (now.has(name)) continue;
        log.info({ event: "memberState", member: name }, "speaker is no longer known");
      }
      memberStates = now;
    },

    fence(why) {
      if (why === fenced) return;
      fenced = why;
      if (why !== undefined) log.warn({ event: "fenced", node, why }, "answering for nothing");
      else log.info({ event: "fenced", node }, "may answer for addresses");
    },

    l2Problems(before, after) {
      for (const problem of after.filter((one) => !before.includes(one))) {
        log.error({ event: "layer2Problem", node }, problem);
        const object = objectOf("ConfigurationState", configurationStateName(node));
        tell(object, "layer2Problem", `node "${node}": ${problem}`);
      }
      for (const problem of before.filter((one) => !after.includes(one))) {
        log.info({ event: "layer2Problem", node }, `no longer a problem: ${problem}`);
      }
    },

    watchProblem(what, problem) {
      if (problem === undefined) log.info({ op: "watch", what }, "can be followed again");
      else log.warn({ op: "watch", what, error: problem }, "cannot be followed now");
    },
  };

  function objectOfFrrProblem(problem: FrrProblem): ObjectRef | undefined {
    switch (problem.kind) {
      case "refused-line":
        return problem.peerName === undefined ? undefined : objectOf("BGPPeer", problem.peerName);
      case "next-session":
        return objectOf("BGPPeer", problem.peerName);
      case "refused-extra":
        return objectOf("ConfigMap", "bgpextras");
      case "file":
        return undefined;
    }
  }
}

function reasonOf({ kind }: FrrProblem): EventReason {
  return kind === "next-session" ? "nextSession" : "frrRefused";
}

function serviceReference(key: string, uid: string): Event["object"] {
  const slash = key.indexOf("/");
  const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
  return { apiVersion: "v1", kind: "Service", namespace, name, uid };
}

/** Undefined: nothing is announced. */
function announcedAddresses(decision: Decision | undefined): string | undefined {
  if (decision?.bgp.kind !== "announced") return undefined;
  return decision.addresses.join(" ");
}

function problemKey(problem: Problem): string {
  return `${objectKey(problem.object)} ${problem.field} ${problem.message}`;
}

function referenceOf({ kind, namespace, name, uid }: ObjectRef): Event["object"] {
  const apiVersion = API_VERSIONS.get(kind) ?? "metallb.io/v1beta1";
  const known = (text: string) => (text === "" ? undefined : text);
  return { apiVersion, kind, namespace: known(namespace), name, uid: known(uid) };
}

const API_VERSIONS: ReadonlyMap<string, string> = new Map([
  ["BGPPeer", "metallb.io/v1beta2"],
  ["ConfigMap", "v1"],
  ["Node", "v1"],
]);

function roundMs(ms: number): number {
  return Math.round(ms * 10) / 10;
}
