// What watchers have said lately of the nodes they watch. Pure.

import type { Opinion } from "./message.ts";

export type Vote = {
  readonly opinion: Opinion;
  readonly incarnation: number;
  readonly atMs: number;
};

export class Votes {
  /** By subject, then by voter. */
  readonly #votes = new Map<string, Map<string, Vote>>();

  note(subject: string, voter: string, vote: Vote): void {
    const votes = this.#votes.get(subject) ?? new Map<string, Vote>();
    this.#votes.set(subject, votes.set(voter, vote));
  }

  forget(subject: string): void {
    this.#votes.delete(subject);
  }

  /** Those who hold this opinion of that incarnation, and said so no longer ago than `sinceMs`. */
  holding(subject: string, opinion: Opinion, incarnation: number, sinceMs: number): Set<string> {
    const holding = new Set<string>();
    for (const [voter, vote] of this.#votes.get(subject) ?? []) {
      if (vote.opinion !== opinion || vote.incarnation !== incarnation) continue;
      if (vote.atMs >= sinceMs) holding.add(voter);
    }
    return holding;
  }
}
