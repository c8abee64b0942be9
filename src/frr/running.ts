// What FRR has, as read from its daemons and kept in step with what they took since.

import type { Prefix } from "../net/prefix.ts";
import { type Daemon, type FrrClient, FrrError } from "./client.ts";
import type { NetworkChange } from "./desired.ts";
import { type FrrFlavor, parseFlavor, versionIn } from "./ownership.ts";
import { type FrrTree, type Networks, parseConfiguration } from "./tree.ts";

export class RunningConfiguration {
  readonly #client: FrrClient;
  readonly #trees = new Map<Daemon, FrrTree>();
  #networks = new Map<string, Map<Prefix, string>>();
  #flavor: FrrFlavor | undefined;
  #version: string | undefined;

  constructor(client: FrrClient) {
    this.#client = client;
  }

  /** By daemon; absent: must be read first. */
  get trees(): ReadonlyMap<Daemon, FrrTree> {
    return this.#trees;
  }

  /** By networksKey(). */
  get networks(): ReadonlyMap<string, Networks> {
    return this.#networks;
  }

  /** Undefined until bgpd was read once. */
  get flavor(): FrrFlavor | undefined {
    return this.#flavor;
  }

  get version(): string | undefined {
    return this.#version;
  }

  /** Prefixes that bgpd has, each counted once however many routers have it. */
  get prefixCount(): number {
    const all = [...this.#networks.values()];
    const families = Map.groupBy(this.#networks, ([key]) => key.slice(key.lastIndexOf(" ")));
    // Asked after each change: with one router for each family nothing needs to be looked through.
    if (families.size === all.length) return all.reduce((sum, { size }) => sum + size, 0);
    return new Set(all.flatMap((networks) => [...networks.keys()])).size;
  }

  /** Reads daemons anew; throws FrrError. */
  async read(daemons: Iterable<Daemon>): Promise<void> {
    for (const daemon of daemons) {
      const text = await this.#client.show(daemon, "show running-config");
      if (daemon === "bgpd") await this.#readFlavor(text);
      const { tree, networks } = parseConfiguration(text);
      this.#trees.set(daemon, tree);
      if (daemon === "bgpd") {
        this.#networks = new Map([...networks].map(([key, known]) => [key, new Map(known)]));
      }
    }
  }

  /** Reads those not known yet; returns why some could not be read, by daemon. */
  async readMissing(daemons: Iterable<Daemon>): Promise<ReadonlyMap<Daemon, FrrError>> {
    const errors = new Map<Daemon, FrrError>();
    for (const daemon of daemons) {
      if (this.#trees.has(daemon)) continue;
      try {
        await this.read([daemon]);
      } catch (error) {
        if (!(error instanceof FrrError)) throw error;
        errors.set(daemon, error);
      }
    }
    return errors;
  }

  forget(daemon: Daemon): void {
    this.#trees.delete(daemon);
    if (daemon === "bgpd") this.#networks = new Map();
  }

  /** A router went, and its networks with it. */
  forgetRouter(routerKey: string): void {
    for (const key of [...this.#networks.keys()]) {
      if (key.slice(0, key.lastIndexOf(" ")) === routerKey) this.#networks.delete(key);
    }
  }

  /** bgpd took a change of a network. */
  take({ key, prefix, rest }: NetworkChange): void {
    const networks = this.#networks.get(key) ?? new Map<Prefix, string>();
    this.#networks.set(key, networks);
    if (rest === undefined) networks.delete(prefix);
    else networks.set(prefix, rest);
  }

  async #readFlavor(runningText: string): Promise<void> {
    if (this.#flavor !== undefined && runningText.includes(`frr version ${this.#version}\n`)) {
      return;
    }
    const version =
      versionIn(runningText) ?? versionIn(await this.#client.show("bgpd", "show version"));
    this.#version = version;
    this.#flavor = parseFlavor(version ?? "", Number.parseInt(version ?? "0", 10) >= 10);
  }
}
