// One end of a wire for a program that asks and listens on it: packet sockets for ARP and NDP, and what
// the interface is.

import { execFileSync } from "node:child_process";
import { PacketSocket } from "../../src/kernel/packet-socket.ts";
import type { Poller } from "../../src/kernel/poller.ts";
import { type Address, familyOf, parseAddress } from "../../src/net/address.ts";
import { type Mac, parseMac, ZERO_MAC } from "../../src/net/mac.ts";
import { type Claim, claimIn } from "./frames.ts";

/** Then timers have their turn: a kernel answers a question before the next look into the socket. */
const FRAMES_AT_ONCE = 32;

export class WireEnd {
  readonly mac: Mac;
  readonly #arp: PacketSocket;
  readonly #ndp: PacketSocket;

  /** Opens the interface, which is up. */
  constructor(interfaceName: string) {
    const show = ["-j", "link", "show", "dev", interfaceName];
    const [link] = JSON.parse(execFileSync("ip", show, { encoding: "utf8" }));
    const interfaceIndex = Number(link.ifindex);
    this.mac = parseMac(String(link.address)) ?? ZERO_MAC;
    this.#arp = PacketSocket.open({ protocol: "arp", interfaceIndex });
    this.#ndp = PacketSocket.open({ protocol: "ndp", interfaceIndex });
  }

  /** Calls back for each frame in which somebody says that an address is his. */
  listen(poller: Poller, onClaim: (claim: Claim) => void): void {
    for (const socket of [this.#arp, this.#ndp]) {
      poller.watch(socket.fd, () => {
        for (let i = 0; i < FRAMES_AT_ONCE; i++) {
          const frame = socket.receive();
          if (frame === undefined) return;
          const claim = frame === "down" ? undefined : claimIn(frame, this.mac);
          if (claim !== undefined) onClaim(claim);
        }
      });
    }
  }

  /** Sends a frame about the address. */
  send(address: Address, frame: Uint8Array): void {
    (familyOf(address) === "ipv4" ? this.#arp : this.#ndp).send(frame);
  }
}

export function addressOf(text: string): Address {
  const address = parseAddress(text);
  if (address === undefined) throw new Error(`Cannot read address "${text}"`);
  return address;
}
