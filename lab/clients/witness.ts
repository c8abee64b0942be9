// Watches the network of the nodes: asks again and again who has an address, by ARP and by NDP, and
// keeps who says that it is his. Has a port of its own at the bridge, so that no client's neighbor
// table learns of it.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../test/cluster/daemon.ts";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import type { Lab } from "../netns/lab.ts";
import { parseSighting, type Sighting } from "./sighting.ts";

const PROGRAM = fileURLToPath(new URL("watch.ts", import.meta.url));
/** The node whose bridge is the network of the others. */
const LAN = "lan";

let count = 0;

export class Witness {
  readonly #lab: Lab;
  readonly #interfaceName: string;
  readonly #logPath: string;
  readonly #daemon: Daemon;

  private constructor(lab: Lab, interfaceName: string, logPath: string, daemon: Daemon) {
    this.#lab = lab;
    this.#interfaceName = interfaceName;
    this.#logPath = logPath;
    this.#daemon = daemon;
  }

  /** Asks for each of the addresses every so many milliseconds from now on. */
  static async start(lab: Lab, addresses: readonly string[], askEveryMs: number): Promise<Witness> {
    count += 1;
    const name = `witness${count}`;
    const logPath = join(lab.folder, "logs", `${name}.log`);
    const lan = lab.node(LAN);
    const commands = [
      `link add ${name} type veth peer name ${name}p`,
      `link set ${name}p master br0 up`,
      `link set ${name} up`,
    ];
    await lan.exec(["ip", "-batch", "-"], { input: `${commands.join("\n")}\n` });
    const daemon = new Daemon({
      name,
      command: process.execPath,
      args: [PROGRAM, name, String(askEveryMs), ...addresses],
      netns: lan.netns,
      logPath,
    });
    await eventually(
      () => {
        if (daemon.ended === undefined) return readFileSync(logPath, "utf8").includes("watching");
        throw new GiveUp(`Cannot start ${name}: it ended ${daemon.ended}\n${daemon.logTail()}`);
      },
      { describe: `${name} to watch` },
    );
    return new Witness(lab, name, logPath, daemon);
  }

  /** All so far, of all addresses, in the order in which they came. */
  sightings(): readonly Sighting[] {
    const lines = readFileSync(this.#logPath, "utf8").split("\n");
    // The last one may be half written.
    return lines.slice(0, -1).flatMap((line) => parseSighting(line) ?? []);
  }

  async stop(): Promise<void> {
    await this.#daemon.stop();
    await this.#lab.node(LAN).exec(["ip", "link", "delete", this.#interfaceName]);
  }
}
