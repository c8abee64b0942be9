// Who owns an address: of the nodes that could announce it, the one with the highest score, and of
// equals the one whose SHA-256 of "node#address" comes first. MetalLB's order, so that both elect
// the same node. Pure.

import { hash } from "node:crypto";
import type { Labels } from "../config/resources.ts";
import type { Address } from "../net/address.ts";

/** What elections need of a node. */
export type ElectionNode = {
  readonly name: string;
  readonly labels: Labels;
  /** Condition NetworkUnavailable is True: the network of the node is not set up. */
  readonly networkUnavailable: boolean;
  /** 0 to 100, from the annotation metallb.io/l2-weight; adds to the score. */
  readonly l2Weight: number;
};

/** Annotation of a Node: what the node adds to its score in every election. */
export const L2_WEIGHT_ANNOTATION = "metallb.io/l2-weight";

const MAX_L2_WEIGHT = 100;

/** Reads the annotation metallb.io/l2-weight; a text that is no weight counts as 0, with a problem. */
export function parseL2Weight(text: string | undefined): {
  readonly weight: number;
  readonly problem: string | undefined;
} {
  if (text === undefined || text === "") return { weight: 0, problem: undefined };
  const weight = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (weight <= MAX_L2_WEIGHT) return { weight, problem: undefined };
  const shown = JSON.stringify(text.slice(0, MAX_SHOWN_LENGTH));
  const problem = `Cannot use ${L2_WEIGHT_ANNOTATION} ${shown}: want an integer from 0 to ${MAX_L2_WEIGHT}`;
  return { weight: 0, problem };
}

const MAX_SHOWN_LENGTH = 80;

/** A node that could announce, and what its score is the sum of. */
export type Candidate = {
  readonly name: string;
  /** Weights of the preferredNodeSelectors that match it. */
  readonly preference: number;
  readonly l2Weight: number;
};

/** The nodes that could announce, of which each address has one as its owner. Never empty. */
export type Candidates = {
  readonly byName: ReadonlyMap<string, Candidate>;
  /** Those with the highest score: the owner is one of them. */
  readonly highest: ReadonlySet<string>;
};

/** Puts candidates together; undefined when there is none. */
export function gatherCandidates(candidates: readonly Candidate[]): Candidates | undefined {
  let best = -1;
  let highest: string[] = [];
  for (const candidate of candidates) {
    const score = scoreOf(candidate);
    if (score > best) {
      best = score;
      highest = [];
    }
    if (score === best) highest.push(candidate.name);
  }
  if (highest.length === 0) return undefined;
  const byName = new Map(candidates.map((candidate) => [candidate.name, candidate]));
  return { byName, highest: new Set(highest) };
}

function scoreOf({ preference, l2Weight }: Candidate): number {
  return preference + l2Weight;
}

/** One octet a character, so that texts compare as the octets do. */
type Digest = string;

function digestOf(node: string, address: Address): Digest {
  return hash("sha256", `${node}#${address}`, "binary");
}

/** How an address was decided. */
type Election = {
  readonly highest: ReadonlySet<string>;
  readonly owner: string;
  readonly digest: Digest;
};

/**
 * The elections held so far. Nothing depends on what is in it but time: when one of a hundred
 * nodes comes or goes, most elections need no hash or one instead of a hundred.
 */
export class Elections {
  readonly #held = new Map<Address, Election>();

  /** The owner of an address; of a Service with several, its first address decides for all. */
  ownerOf(address: Address, candidates: Candidates): string {
    const held = this.#held.get(address);
    if (held?.highest === candidates.highest) return held.owner;
    const election = electOwner(address, candidates, held);
    if (this.#held.size >= MAX_HELD) this.#held.clear();
    this.#held.set(address, election);
    return election.owner;
  }
}

const MAX_HELD = 50_000;

/**
 * Elects among the candidates with the highest score. Where the owner of before is still one of
 * them, it has won against all that were there then: only the others are compared with it.
 */
function electOwner(
  address: Address,
  { highest }: Candidates,
  held: Election | undefined,
): Election {
  const defender = held !== undefined && highest.has(held.owner) ? held : undefined;
  let owner = defender?.owner;
  let digest = defender?.digest;
  for (const node of highest) {
    if (defender?.highest.has(node)) continue;
    const challenge = digestOf(node, address);
    if (digest !== undefined && digest <= challenge) continue;
    owner = node;
    digest = challenge;
  }
  if (owner === undefined || digest === undefined) throw new Error("Cannot elect of no candidates");
  return { highest, owner, digest };
}

/** Says why the owner comes first. */
export function explainElection(owner: string, { byName, highest }: Candidates): string {
  const candidates = `${byName.size} candidates`;
  const score = scoreText(byName.get(owner));
  if (byName.size === 1) return "the only candidate";
  if (highest.size === 1) return `${score}, the highest of ${candidates}`;
  const lead = score === "" ? "" : `${score}, `;
  if (highest.size === byName.size) return `${lead}first of ${candidates} by hash`;
  return `${lead}first by hash of the ${highest.size} highest of ${candidates}`;
}

/** "" for a score of 0. */
function scoreText(candidate: Candidate | undefined): string {
  if (candidate === undefined || scoreOf(candidate) === 0) return "";
  const { preference, l2Weight } = candidate;
  const parts = [
    ...(preference > 0 ? [`preferredNodeSelectors ${preference}`] : []),
    ...(l2Weight > 0 ? [`l2-weight ${l2Weight}`] : []),
  ];
  return `score ${scoreOf(candidate)} (${parts.join(", ")})`;
}
