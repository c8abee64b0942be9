// Looks at some addresses from outside while something happens to the nodes: a witness on the wire, and
// a client that asks for the web page behind each of them.

import { setTimeout as sleep } from "node:timers/promises";
import { now } from "../../bench/clock.ts";
import type { Lab } from "../netns/lab.ts";
import { Caller } from "./caller.ts";
import { neighborMac, nodesByMac } from "./neighbors.ts";
import { stintsOf } from "./sighting.ts";
import { type Takeover, takeoverOf } from "./takeover.ts";
import { Witness } from "./witness.ts";

export type ObserverOptions = {
  readonly lab: Lab;
  /** Those that may own an address. */
  readonly nodes: readonly string[];
  readonly addresses: readonly string[];
  /** Waits until the look returns something other than undefined and false, and returns that. */
  readonly until: Until;
};

export type Until = <T>(
  describe: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
) => Promise<T>;

export type Move = {
  /** What happens, in words. */
  readonly what: string;
  readonly act: () => Promise<unknown>;
  /** Whether this node may have the addresses in the end. */
  readonly isOwner: (name: string | undefined) => boolean;
};

/** The client. */
const HOST = "host";
/** Between two requests of the client. */
export const CALL_EVERY_MS = 10;
/** Between two questions of the witness. */
const ASK_EVERY_MS = 5;
/** How long it looks on before and after. */
const CALM_MS = 500;

export class Observer {
  readonly witness: Witness;
  /** Names of nodes by hardware address. */
  readonly nodes: ReadonlyMap<string, string>;
  readonly #options: ObserverOptions;
  readonly #callers = new Map<string, Caller>();

  private constructor(
    options: ObserverOptions,
    witness: Witness,
    nodes: ReadonlyMap<string, string>,
  ) {
    this.#options = options;
    this.witness = witness;
    this.nodes = nodes;
  }

  static async start(options: ObserverOptions): Promise<Observer> {
    const { lab, addresses } = options;
    const witness = await Witness.start(lab, addresses, ASK_EVERY_MS);
    return new Observer(options, witness, await nodesByMac(lab, options.nodes));
  }

  /** From now on the client asks for the web page too. */
  startCallers(): void {
    const { lab, addresses } = this.#options;
    for (const address of addresses) {
      this.#callers.set(address, new Caller(lab, HOST, address, CALL_EVERY_MS));
    }
  }

  /** The node that the client's neighbor table has for the address. */
  async neighbor(address: string): Promise<string | undefined> {
    return this.nodes.get((await neighborMac(this.#options.lab, HOST, address)) ?? "");
  }

  /** Waits until one node, which is as wanted, was the last to answer for each of the addresses. */
  untilOwner(isWanted: Move["isOwner"]): Promise<string> {
    const { addresses, until } = this.#options;
    return until(`one node to answer for ${addresses.join(" and ")}`, () => {
      const sightings = this.witness.sightings();
      const owners = addresses.map((address) => {
        const last = stintsOf(sightings.filter((one) => one.address === address)).at(-1);
        return last !== undefined && last.answers > 0 ? this.nodes.get(last.mac) : undefined;
      });
      const [owner] = owners;
      return isWanted(owner) && owners.every((name) => name === owner) && owner;
    });
  }

  /** Lets it happen, waits until the addresses have moved and the client is served, and tells what was seen. */
  async watchMove({ what, act, isOwner }: Move): Promise<readonly Takeover[]> {
    const fromMs = now();
    await sleep(CALM_MS);
    await act();
    await this.untilOwner(isOwner);
    await this.#untilServed();
    return this.#look(what, fromMs);
  }

  /** Looks on while something goes on that should move nothing. */
  async watchCalm(what: string, act: () => Promise<unknown>): Promise<readonly Takeover[]> {
    const fromMs = now();
    await sleep(CALM_MS);
    await act();
    await this.#untilServed();
    return this.#look(what, fromMs);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#callers.values()].map((caller) => caller.stop()));
    await this.witness.stop();
  }

  /** Waits until requests that are sent from now on are answered. */
  async #untilServed(): Promise<void> {
    const sinceMs = now();
    await this.#options.until("answers to the client", () =>
      [...this.#callers.values()].every((caller) =>
        caller.calls().some(({ sentMs, failure }) => sentMs > sinceMs && failure === undefined),
      ),
    );
  }

  async #look(what: string, fromMs: number): Promise<readonly Takeover[]> {
    await sleep(CALM_MS);
    const span = { fromMs, toMs: now() };
    const { lab, addresses } = this.#options;
    const sightings = this.witness.sightings();
    return Promise.all(
      addresses.map(async (address) => {
        const calls = this.#callers.get(address)?.calls() ?? [];
        const neighbor = await neighborMac(lab, HOST, address);
        const facts = { what, address, sightings, calls, span, nodes: this.nodes };
        return takeoverOf({ ...facts, neighborMac: neighbor });
      }),
    );
  }
}
