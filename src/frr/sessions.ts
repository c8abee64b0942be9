// The newest states of BGP and BFD sessions, and what changed since the look before. Pure but for
// what it remembers.

import { peerKey } from "./desired.ts";
import type { BfdState, NeighborState } from "./neighbors.ts";
import type { Step } from "./plan.ts";
import type { FrrEvent } from "./status.ts";

export class Sessions {
  #neighbors: readonly NeighborState[] = [];
  #bfd: readonly BfdState[] = [];

  get neighbors(): readonly NeighborState[] {
    return this.#neighbors;
  }

  get bfd(): readonly BfdState[] {
    return this.#bfd;
  }

  forget(): void {
    this.#neighbors = [];
    this.#bfd = [];
  }

  /** Takes a new look at neighbors; returns what changed. */
  seeNeighbors(neighbors: readonly NeighborState[]): readonly FrrEvent[] {
    const old = new Map(this.#neighbors.map((state) => [keyOf(state), state]));
    this.#neighbors = neighbors;
    return neighbors.flatMap((neighbor): FrrEvent[] => {
      const known = old.get(keyOf(neighbor));
      const oldState = known?.sessionState ?? "Idle";
      const newState = neighbor.sessionState;
      // Down and up again between two looks counts as well.
      const bounced =
        newState === "Established" &&
        known !== undefined &&
        known.establishedCount !== neighbor.establishedCount;
      if (oldState === newState && !bounced) return [];
      return [{ kind: "session", neighbor, oldState, newState }];
    });
  }

  /** The same for BFD. */
  seeBfd(states: readonly BfdState[]): readonly FrrEvent[] {
    const old = new Map(this.#bfd.map((state) => [bfdKeyOf(state), state.state]));
    this.#bfd = states;
    return states.flatMap((bfd): FrrEvent[] => {
      const oldState = old.get(bfdKeyOf(bfd)) ?? "down";
      if (oldState === bfd.state) return [];
      return [{ kind: "bfd", bfd, oldState, newState: bfd.state }];
    });
  }

  /** peerKey() of the established sessions that a step touches. */
  establishedBy(step: Step): readonly string[] {
    return this.#neighbors
      .filter(
        ({ name, vrf, sessionState }) =>
          sessionState === "Established" &&
          vrf === (step.vrf ?? "default") &&
          (step.neighbor === undefined || step.neighbor === name),
      )
      .map(keyOf);
  }

  /** The state of one neighbor by its peerKey(). */
  find(key: string): NeighborState | undefined {
    return this.#neighbors.find((state) => keyOf(state) === key);
  }
}

function keyOf({ vrf, name }: NeighborState): string {
  return peerKey(vrf === "default" ? null : vrf, name);
}

function bfdKeyOf({ vrf, interfaceName, peer }: BfdState): string {
  return `${vrf} ${interfaceName ?? ""} ${peer}`;
}
