// Which nodes could announce by Layer 2 at one moment, and which could not and why: the same for
// all Services that the same advertisements match, so worked out once for all of them. Pure.

import {
  type Candidate,
  type Candidates,
  type ElectionNode,
  type Elections,
  explainElection,
  gatherCandidates,
} from "./election.ts";
import type { L2PoolPolicy, PolicyL2Advertisement } from "./l2-policy.ts";

/** What the nodes are like; none of it may be changed afterwards. */
export type ElectorateInput = {
  /** Name of this node. */
  readonly self: string;
  /** All nodes the API server knows, by name. */
  readonly nodes: ReadonlyMap<string, ElectionNode>;
  /** Names of the nodes whose speaker is alive, this one included; undefined: every node counts. */
  readonly members: ReadonlySet<string> | undefined;
  /** Do not look at the label node.kubernetes.io/exclude-from-external-load-balancers. */
  readonly ignoreExcludeLabel: boolean;
  /** One for the whole life of the speaker. */
  readonly elections: Elections;
};

export const EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers";

/** What keeps a node from being a candidate; the label only where nothing else does. */
export type Obstacle = "notMember" | "networkUnavailable" | "noServingEndpoint" | "excludeLabel";

/** A node that advertisements include. */
export type Contender = {
  readonly candidate: Candidate;
  /** Undefined: it is a candidate. */
  readonly obstacle: Obstacle | undefined;
};

/** All that an election depends on, except the address. */
export type Contest = {
  readonly contenders: readonly Contender[];
  /** Undefined: every contender meets an obstacle. */
  readonly candidates: Candidates | undefined;
  /** Names of the candidates. */
  readonly names: readonly string[];
  /** In words: why an owner comes first. */
  readonly why: (owner: string) => string;
};

/** A contest for which many Services stand, and how this node announces them. */
export type SharedContest = Contest & {
  /** Names of interfaces of this node that answer, sorted; empty: all. */
  readonly interfaces: readonly string[];
  /** The longest that any advertisement wants; undefined: for ever. */
  readonly failbackDelayMs: number | undefined;
};

/** The nodes at one moment; a new one is made whenever anything about them changes. */
export class Electorate {
  readonly self: string;
  readonly elections: Elections;
  readonly #input: ElectorateInput;
  readonly #contests = new Map<L2PoolPolicy, Map<string, SharedContest>>();

  constructor(input: ElectorateInput) {
    this.self = input.self;
    this.elections = input.elections;
    this.#input = input;
  }

  /** The contest for the Services that exactly these advertisements of the pool match. */
  contestOf(policy: L2PoolPolicy, matching: readonly PolicyL2Advertisement[]): SharedContest {
    let contests = this.#contests.get(policy);
    if (contests === undefined) {
      contests = new Map();
      this.#contests.set(policy, contests);
    }
    const key = matching.map(({ advertisement }) => advertisement.name).join(" ");
    let contest = contests.get(key);
    if (contest === undefined) {
      contest = {
        ...contestAmong(contendersOf(matching, this.#input)),
        interfaces: interfacesOf(matching, this.self),
        failbackDelayMs: failbackDelayOf(matching),
      };
      contests.set(key, contest);
    }
    return contest;
  }
}

function contendersOf(
  matching: readonly PolicyL2Advertisement[],
  input: ElectorateInput,
): readonly Contender[] {
  const sums = new Map<string, number>();
  for (const { preferences } of matching) {
    for (const [name, preference] of preferences) {
      sums.set(name, (sums.get(name) ?? 0) + preference);
    }
  }
  const contenders: Contender[] = [];
  for (const [name, preference] of sums) {
    const node = input.nodes.get(name);
    // A node that is gone since the advertisements were compiled.
    if (node === undefined) continue;
    const candidate = { name, preference, l2Weight: node.l2Weight };
    contenders.push({ candidate, obstacle: obstacleOf(node, input) });
  }
  return contenders;
}

function obstacleOf(node: ElectionNode, input: ElectorateInput): Obstacle | undefined {
  if (input.members?.has(node.name) === false) return "notMember";
  if (node.networkUnavailable) return "networkUnavailable";
  const labelled = node.labels[EXCLUDE_LABEL] !== undefined;
  return labelled && !input.ignoreExcludeLabel ? "excludeLabel" : undefined;
}

function contestAmong(contenders: readonly Contender[]): Contest {
  const eligible = contenders
    .filter(({ obstacle }) => obstacle === undefined)
    .map(({ candidate }) => candidate);
  const candidates = gatherCandidates(eligible);
  const texts = new Map<string, string>();
  const why = (owner: string) => {
    if (candidates === undefined) return "";
    const text = texts.get(owner) ?? explainElection(owner, candidates);
    texts.set(owner, text);
    return text;
  };
  return { contenders, candidates, names: eligible.map(({ name }) => name), why };
}

/** The same contest for a Service of policy Local: a node must have a serving endpoint. */
export function localContest(contest: Contest, servingNodes: ReadonlySet<string>): Contest {
  return contestAmong(
    contest.contenders.map((contender) => {
      const { candidate, obstacle } = contender;
      if (servingNodes.has(candidate.name)) return contender;
      if (obstacle !== undefined && obstacle !== "excludeLabel") return contender;
      return { candidate, obstacle: "noServingEndpoint" };
    }),
  );
}

const ALL: readonly string[] = [];

function interfacesOf(matching: readonly PolicyL2Advertisement[], self: string): readonly string[] {
  const names = new Set<string>();
  for (const { advertisement, preferences } of matching) {
    if (!preferences.has(self)) continue;
    if (advertisement.interfaces.length === 0) return ALL;
    for (const name of advertisement.interfaces) names.add(name);
  }
  return [...names].sort();
}

// Of all that match, not only of those that include this node, so that all nodes agree.
function failbackDelayOf(matching: readonly PolicyL2Advertisement[]): number | undefined {
  let longest = 0;
  for (const { advertisement } of matching) {
    if (advertisement.failbackDelayMs === undefined) return undefined;
    longest = Math.max(longest, advertisement.failbackDelayMs);
  }
  return longest;
}
