// The system calls of src/kernel on this kernel: the loop, UDP over loopback, and what packet sockets
// hear.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Worker } from "node:worker_threads";
import { run } from "../../lab/netns/command.ts";
import { newLabId } from "../../lab/netns/identity.ts";
import { removeLab } from "../../lab/netns/remains.ts";
import { Poller } from "../../src/kernel/poller.ts";
import { SystemError } from "../../src/kernel/system-error.ts";
import { UdpSocket } from "../../src/kernel/udp-socket.ts";
import { type Address, parseAddress } from "../../src/net/address.ts";

/** What ends a loop that waits for something that does not come. */
const DEADLINE_MS = 10_000;

const V4 = addressOf("127.0.0.1");
const V6 = addressOf("::1");

function addressOf(text: string): Address {
  const address = parseAddress(text);
  assert(address !== undefined);
  return address;
}

/** Runs a loop until `body` calls `stop`; fails at the deadline. */
function runLoop(body: (poller: Poller) => void, onWake = (_poller: Poller): void => {}): void {
  const poller = new Poller({ onWake: () => onWake(poller) });
  let late = false;
  poller.at(performance.now() + DEADLINE_MS, () => {
    late = true;
    poller.stop();
  });
  try {
    body(poller);
    poller.run();
  } finally {
    poller.close();
  }
  assert(!late, `the loop was not stopped within ${DEADLINE_MS} ms`);
}

/** A thread that writes `count` ones to the eventfd, once the loop runs or soon before. */
function wakeFromAnotherThread(fd: number, count: number): Worker {
  const code = `
    const { writeSync } = require("node:fs");
    const one = new Uint8Array(new BigUint64Array([1n]).buffer);
    for (let i = 0; i < ${count}; i++) writeSync(${fd}, one);`;
  return new Worker(code, { eval: true });
}

describe("Poller", () => {
  it("calls timers back in order, none before its time", () => {
    const ran: string[] = [];
    runLoop((poller) => {
      const start = performance.now();
      const note = (name: string, atMs: number) => () => {
        assert(performance.now() >= atMs, `${name} ran too early`);
        assert(poller.lateMs >= 0);
        ran.push(name);
      };
      poller.at(start + 20, note("second", start + 20));
      poller.at(start + 10.5, note("first", start + 10.5));
      poller.at(start + 40, () => poller.stop());
      poller.at(start + 30, note("third", start + 30));
    });
    assert.deepEqual(ran, ["first", "second", "third"]);
  });

  it("does not call a timer that another one of the same round cancelled", () => {
    const ran: string[] = [];
    runLoop((poller) => {
      const now = performance.now();
      poller.at(now, () => {
        ran.push("first");
        cancel();
      });
      const cancel = poller.at(now + 0.001, () => ran.push("cancelled"));
      poller.at(now + 5, () => poller.stop());
    });
    assert.deepEqual(ran, ["first"]);
  });

  it("tells a timer how late it is", () => {
    runLoop((poller) => {
      poller.at(performance.now() - 50, () => {
        assert(poller.lateMs >= 50);
        poller.stop();
      });
    });
  });

  it("serves descriptors beside a timer that is always due", () => {
    const socket = UdpSocket.open({ address: V4, port: 0 });
    runLoop((poller) => {
      const again = (): void => {
        poller.at(performance.now(), again);
      };
      again();
      poller.watch(socket.fd, () => poller.stop());
      socket.send(new Uint8Array(1), V4, socket.port);
    });
    socket.close();
  });

  it("is woken by another thread", async () => {
    const threads: Worker[] = [];
    runLoop(
      (poller) => threads.push(wakeFromAnotherThread(poller.wakeFd, 3)),
      (poller) => poller.stop(),
    );
    await Promise.all(threads.map((thread) => thread.terminate()));
  });

  it("calls no descriptor back that an earlier callback of the round stopped watching", () => {
    const sockets = [0, 1].map(() => UdpSocket.open({ address: V4, port: 0 }));
    const calls: number[] = [];
    runLoop((poller) => {
      const stops = sockets.map(({ fd }) =>
        poller.watch(fd, () => {
          calls.push(fd);
          for (const stop of stops) stop();
          poller.at(performance.now() + 5, () => poller.stop());
        }),
      );
      for (const { port, send } of sockets.map((socket) => ({
        port: socket.port,
        send: socket.send.bind(socket),
      }))) {
        send(new Uint8Array(1), V4, port);
      }
    });
    assert.equal(calls.length, 1);
    for (const socket of sockets) socket.close();
  });

  it("watches what callbacks add, and many at once", () => {
    const sockets = Array.from({ length: 40 }, () => UdpSocket.open({ address: V4, port: 0 }));
    const heard = new Set<number>();
    runLoop((poller) => {
      for (const socket of sockets) {
        poller.at(performance.now(), () => {
          poller.watch(socket.fd, () => {
            socket.receive();
            heard.add(socket.fd);
            if (heard.size === sockets.length) poller.stop();
          });
          socket.send(new Uint8Array(1), V4, socket.port);
        });
      }
    });
    for (const socket of sockets) socket.close();
  });

  it("lets out what a callback throws", () => {
    const message = "thrown inside";
    assert.throws(
      () =>
        runLoop((poller) => {
          poller.at(performance.now(), () => {
            throw new Error(message);
          });
        }),
      { message },
    );
  });
});

describe("UdpSocket", () => {
  for (const [family, address] of [
    ["IPv4", V4],
    ["IPv6", V6],
  ] as const) {
    it(`carries datagrams of any length over ${family}`, () => {
      const left = UdpSocket.open({ address, port: 0 });
      const right = UdpSocket.open({ address, port: 0 });
      assert.equal(left.receive(), undefined);
      for (const length of [0, 1, 1200, 65_507]) {
        const bytes = new Uint8Array(length).fill(length & 255);
        assert(left.send(bytes, address, right.port));
        assert.deepEqual(right.receive(), { from: address, port: left.port, bytes });
      }
      assert.equal(right.receive(), undefined);
      left.close();
      right.close();
    });

    it(`tells over ${family} where nobody listens, and goes on with the others`, () => {
      const socket = UdpSocket.open({ address, port: 0 });
      const other = UdpSocket.open({ address, port: 0 });
      const gone = UdpSocket.open({ address, port: 0 });
      gone.close();
      const bytes = new Uint8Array(8).fill(7);
      runLoop((poller) => {
        poller.watch(socket.fd, () => {
          assert.equal(socket.receive(), undefined);
          poller.stop();
        });
        assert(socket.send(bytes, address, gone.port));
      });
      assert(socket.send(bytes, address, gone.port));
      assert(socket.send(bytes, address, other.port), "the refusal was for another datagram");
      assert(other.receive() !== undefined);
      assert.deepEqual(socket.takeRefused(), [address]);
      assert.deepEqual(socket.takeRefused(), []);
      // With the refusals taken the socket is no longer in error.
      runLoop((poller) => {
        poller.watch(socket.fd, () => {
          assert(socket.receive() !== undefined);
          poller.stop();
        });
        other.send(bytes, address, socket.port);
      });
      socket.close();
      other.close();
    });
  }

  it("binds both families to one port", () => {
    const ipv4 = UdpSocket.open({ address: addressOf("0.0.0.0"), port: 0 });
    const ipv6 = UdpSocket.open({ address: addressOf("::"), port: ipv4.port });
    assert.equal(ipv6.port, ipv4.port);
    ipv4.close();
    ipv6.close();
  });

  it("says why it cannot be opened", () => {
    const taken = UdpSocket.open({ address: V4, port: 0 });
    const rows = [
      [V4, taken.port, "EADDRINUSE", /want a port that no other process uses/],
      [addressOf("192.0.2.1"), 0, "EADDRNOTAVAIL", /want an address of this host/],
    ] as const;
    for (const [address, port, code, message] of rows) {
      assert.throws(
        () => UdpSocket.open({ address, port }),
        (error) => {
          assert(error instanceof SystemError);
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        },
      );
    }
    taken.close();
  });

  it("does not throw when there is no way there", () => {
    const socket = UdpSocket.open({ address: V4, port: 0 });
    assert.equal(socket.send(new Uint8Array(70_000), V4, 9), false);
    socket.close();
  });
});

describe("libc()", () => {
  it("says what it wants where koffi has no binary, and harms nothing until it is called", async () => {
    const withoutKoffi = `
      import Module from "node:module";
      const load = Module._load;
      Module._load = (name, ...rest) => {
        if (name === "koffi") throw new Error("no binary");
        return load(name, ...rest);
      };`;
    const url = new URL("../../src/kernel/libc.ts", import.meta.url);
    const call = `
      import { libc } from ${JSON.stringify(url)};
      try { libc(); } catch ({ name, code, message }) { console.log([name, code, message].join()); }`;
    const hook = `data:text/javascript,${encodeURIComponent(withoutKoffi)}`;
    const command = ["--import", hook, "--input-type=module", "--eval", call];
    assert.match(
      await run([process.execPath, ...command]),
      /^SystemError,ENOSYS,Cannot call the system on linux on \w+: want Linux on x64 or arm64 .*: no binary\n$/,
    );
  });
});

describe("PacketSocket", () => {
  const ear = "020000000001";
  const mouth = "020000000002";
  const broadcast = "ffffffffffff";
  const arp = (operation: string) => `0001080006040${operation}${mouth}c0000201${ear}c0000202`;
  const icmpv6 = (type: string) =>
    `6000000000183aff${"fe80".padEnd(32, "0")}${"ff02".padEnd(32, "0")}${type}${"".padEnd(46, "0")}`;
  const frames: Readonly<Record<string, string>> = {
    request: `${broadcast}${mouth}0806${arp("001")}`,
    "request to another host": `020000000003${mouth}0806${arp("001")}`,
    "reverse request": `${broadcast}${mouth}0806${arp("003")}`,
    "request of a VLAN": `${broadcast}${mouth}81000007${"0806"}${arp("001")}`,
    "request cut short": `${broadcast}${mouth}0806000108000604`,
    IPv4: `${ear}${mouth}0800${"45".padEnd(60, "0")}`,
    "neighbor solicitation": `3333ff000001${mouth}86dd${icmpv6("87")}`,
    "neighbor advertisement": `333300000001${mouth}86dd${icmpv6("88")}`,
    "router advertisement": `333300000001${mouth}86dd${icmpv6("86")}`,
    "UDP over IPv6": `${ear}${mouth}86dd${icmpv6("87").replace("183aff", "1811ff")}`,
    reply: `${ear}${mouth}0806${arp("002")}`,
  };

  it("hears only ARP and neighbor discovery for this host, and not itself", async () => {
    const id = newLabId();
    try {
      await run(["ip", "netns", "add", id]);
      const inside = (...command: string[]) => run(["ip", "netns", "exec", id, ...command]);
      // The kernel's own solicitations would mix with ours.
      const quiet = "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6";
      await inside("sh", "-c", quiet);
      const ends = "ear address 02:00:00:00:00:01 type veth peer name mouth";
      await inside(..."ip link add name".split(" "), ...ends.split(" "));
      for (const name of ["ear", "mouth"]) await inside("ip", "link", "set", name, "up");
      await inside("ip", "link", "set", "ear", "allmulticast", "on");
      const links = JSON.parse(await inside("ip", "-j", "link")) as {
        ifname: string;
        ifindex: number;
      }[];
      const indexOf = (name: string) => links.find((link) => link.ifname === name)?.ifindex;
      const input = { indexes: { ear: indexOf("ear"), mouth: indexOf("mouth") }, frames };
      const program = new URL("./kernel-packets.ts", import.meta.url).pathname;
      const heard = await inside(process.execPath, program, JSON.stringify(input));
      assert.deepEqual(JSON.parse(heard), {
        arp: ["request", "reply"],
        ndp: ["neighbor solicitation", "neighbor advertisement"],
      });
    } finally {
      removeLab(id);
    }
  });
});
