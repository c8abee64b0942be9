// Many views together, in virtual time: who is known to be dead and when, and that nobody is who
// is not. The same with 1000 nodes and longer: npm run bench:members.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { runningCluster, Simulation } from "./simulation.ts";
import { DEFAULT_TIMINGS } from "./view.ts";

const HOUR_MS = 3_600_000;

function cluster(nodes: number, seed = nodes): Simulation {
  return new Simulation({ nodes, seed, lossRate: 0, timings: DEFAULT_TIMINGS });
}

/** Ends a node at some moment; when the last of the others knew, in milliseconds after that. */
function detectionMs(
  how: "kill" | "powerOff",
  options: { readonly nodes: number; readonly seed: number; readonly lossRate: number },
): number {
  const simulation = runningCluster(options);
  simulation.run(500 + 400 * simulation.random());
  const victim = simulation.names[options.seed % options.nodes] ?? "";
  const sinceMs = simulation.nowMs;
  simulation[how](victim);
  const others = options.nodes - 1;
  const allKnow = () => simulation.sightings.filter(({ to }) => to === "dead").length === others;
  assert(simulation.runUntil(allKnow, sinceMs + 10_000), "not detected in 10 s");
  return simulation.nowMs - sinceMs;
}

function wrongDeaths(simulation: Simulation): number {
  return simulation.sightings.filter(({ isWrong }) => isWrong).length;
}

/** Every node is kept from running now and then. */
function disturb(simulation: Simulation, freezeMs: () => number, pauseMs: () => number): void {
  for (const name of simulation.names) {
    const again = () => {
      const forMs = freezeMs();
      simulation.freeze(name, forMs);
      simulation.at(simulation.nowMs + forMs + pauseMs(), again);
    };
    simulation.at(simulation.nowMs + pauseMs(), again);
  }
}

describe("a cluster that starts", () => {
  for (const nodes of [2, 3, 6, 7, 10, 100]) {
    it(`has ${nodes} members within 1.5 s, also when others are listed that are off`, () => {
      for (const off of [[], ["off-1", "off-2"]]) {
        const options = { nodes, seed: nodes, lossRate: 0, timings: DEFAULT_TIMINGS };
        const simulation = new Simulation(options, off);
        simulation.startAll();
        assert(simulation.runUntilAlive(simulation.names, 1500));
        simulation.run(10_000);
        assert.equal(wrongDeaths(simulation), 0);
      }
    });
  }

  it("takes in one that comes later, and again after a restart too quick to be missed", () => {
    const simulation = cluster(10);
    const late = simulation.names[4] ?? "";
    const others = simulation.names.filter((name) => name !== late);
    for (const name of others) simulation.start(name);
    assert(simulation.runUntilAlive(others, 1500));
    simulation.start(late);
    assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 1500));
    simulation.sightings.length = 0;
    simulation.kill(late);
    simulation.run(20);
    simulation.start(late);
    simulation.run(100);
    const deaths = simulation.sightings.filter(({ name, to }) => name === late && to === "dead");
    assert.equal(deaths.length, 9);
    assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 1500));
  });

  it("takes in one whose clock has gone back meanwhile", () => {
    const simulation = runningCluster({ nodes: 3 });
    const [back = ""] = simulation.names;
    simulation.kill(back);
    simulation.run(2000);
    simulation.start(back, 1000);
    assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 2500));
  });

  for (const nodes of [2, 10, 100]) {
    it(`is whole again after all ${nodes} started again together`, () => {
      const simulation = runningCluster({ nodes });
      simulation.run(5000);
      for (const name of simulation.names) simulation.kill(name);
      simulation.run(300);
      simulation.startAll();
      assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 2000));
      simulation.run(10_000);
      assert.equal(wrongDeaths(simulation), 0);
    });
  }

  it("is whole again after each of 10 started again, one after another and too quickly", () => {
    const simulation = runningCluster({ nodes: 10 });
    for (const name of simulation.names) {
      simulation.kill(name);
      simulation.run(150);
      simulation.start(name);
      simulation.run(150);
    }
    assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 5000));
  });
});

describe("a death", () => {
  for (const lossRate of [0, 0.05]) {
    for (const nodes of [2, 3, 10]) {
      it(`is known to all of ${nodes} in time, with ${100 * lossRate} % loss`, () => {
        for (let seed = 1; seed <= 40; seed++) {
          const killedMs = detectionMs("kill", { nodes, seed, lossRate });
          assert(killedMs <= 500, `killed: ${killedMs} ms, seed ${seed}`);
          const silentMs = detectionMs("powerOff", { nodes, seed, lossRate });
          assert(silentMs <= 850, `silent: ${silentMs} ms, seed ${seed}`);
        }
      });
    }
  }

  it("of all others is known to the last one, soon", () => {
    for (const nodes of [3, 5, 10]) {
      const simulation = runningCluster({ nodes });
      const [last = "", ...others] = simulation.names;
      for (const name of others) simulation.powerOff(name);
      assert(simulation.runUntilAlive([last], simulation.nowMs + (nodes <= 6 ? 850 : 6000)));
      assert.deepEqual(simulation.view(last).contact, { kind: "alone" });
    }
  });

  it("is seen even when one of the two others is always late", () => {
    const simulation = runningCluster({ nodes: 3 });
    const [victim = "", late = ""] = simulation.names;
    const again = () => {
      simulation.freeze(late, 420);
      simulation.at(simulation.nowMs + 425, again);
    };
    again();
    simulation.run(2000);
    simulation.powerOff(victim);
    const others = simulation.names.filter((name) => name !== victim);
    assert(simulation.runUntilAlive(others, simulation.nowMs + 4000));
  });

  it("that was announced by a goodbye is known in one message", () => {
    const simulation = runningCluster({ nodes: 10 });
    const [first = "", ...others] = simulation.names;
    simulation.leave(first);
    simulation.run(2);
    for (const name of others) assert.equal(simulation.view(name).alive.has(first), false);
    simulation.run(5000);
    simulation.powerOff(first);
    simulation.run(5000);
    assert(simulation.sightings.every(({ name, to }) => name === first && to === "left"));
  });

  it("again and again makes the return slower", () => {
    const simulation = runningCluster({ nodes: 3 });
    const [flapping = "", other = ""] = simulation.names;
    const returnsMs: number[] = [];
    for (let turn = 0; turn < 5; turn++) {
      simulation.kill(flapping);
      simulation.run(1000);
      simulation.start(flapping);
      const sinceMs = simulation.nowMs;
      const isBack = () => simulation.view(other).alive.has(flapping);
      assert(simulation.runUntil(isBack, sinceMs + 60_000));
      returnsMs.push(simulation.nowMs - sinceMs);
    }
    for (const [turn, ms] of returnsMs.entries()) {
      const expectedMs = 1000 * 2 ** turn;
      assert(ms >= expectedMs && ms < expectedMs + 700, `return ${turn}: ${ms} ms`);
    }
  });
});

describe("nobody is taken for dead", () => {
  it("in an hour of 5 % loss", () => {
    const simulation = runningCluster({ nodes: 3, lossRate: 0.05 });
    simulation.run(HOUR_MS);
    assert.deepEqual(simulation.sightings, []);
  });

  for (const [freezeMs, lossRate] of [
    [300, 0.05],
    [500, 0],
  ] as const) {
    it(`when every node stops for ${freezeMs} ms now and then, ${100 * lossRate} % loss`, () => {
      const simulation = runningCluster({ nodes: 10, lossRate });
      const pauseMs = () => 10_000 * simulation.random();
      disturb(simulation, () => freezeMs, pauseMs);
      simulation.run(HOUR_MS / 10);
      assert.deepEqual(simulation.sightings, []);
    });
  }

  it("when every node runs for only a tenth of the time", () => {
    const simulation = runningCluster({ nodes: 10, lossRate: 0.01 });
    const freezeMs = () => 20 + 160 * simulation.random();
    disturb(simulation, freezeMs, () => 5 + 15 * simulation.random());
    simulation.run(HOUR_MS / 20);
    assert.deepEqual(simulation.sightings, []);
  });

  for (const nodes of [2, 3, 10]) {
    it(`by one of ${nodes} that was stopped for seconds itself`, () => {
      const simulation = runningCluster({ nodes });
      const [stopped = ""] = simulation.names;
      simulation.freeze(stopped, 5000);
      simulation.run(8000);
      const { sightings } = simulation;
      assert(sightings.every(({ name }) => name === stopped));
      assert(simulation.runUntilAlive(simulation.names, simulation.nowMs));
    });
  }

  for (const nodes of [3, 10]) {
    it(`when two of ${nodes} do not reach each other, but others`, () => {
      const simulation = runningCluster({ nodes });
      const [a = "", b = ""] = simulation.names;
      simulation.connects = (from, to) => !((from === a && to === b) || (from === b && to === a));
      simulation.run(60_000);
      assert.deepEqual(simulation.sightings, []);
    });
  }
});

describe("a node that hears nobody", () => {
  for (const nodes of [3, 5, 10]) {
    it(`is dead for the other ${nodes - 1}, and none of them by its word`, () => {
      for (let seed = 1; seed <= 20; seed++) {
        const simulation = runningCluster({ nodes, seed });
        const [deaf = "", ...others] = simulation.names;
        simulation.run(200 * simulation.random());
        simulation.connects = (_, to) => to !== deaf;
        simulation.run(850);
        for (const name of others) {
          assert.deepEqual([...simulation.view(name).alive].sort(), others, `seed ${seed}`);
        }
        simulation.run(10_000);
        const heard = simulation.sightings.filter(({ by, to }) => by !== deaf && to === "dead");
        assert(heard.every(({ name }) => name === deaf));
      }
    });
  }
});

describe("a node that is not heard", () => {
  for (const nodes of [3, 10]) {
    it(`by the other ${nodes - 1} hears that it is dead, and comes back when it is heard`, () => {
      const simulation = runningCluster({ nodes });
      const [mute = "", ...others] = simulation.names;
      simulation.connects = (from) => from !== mute;
      simulation.run(1000);
      assert.equal(simulation.view(mute).isDeclaredDead, true);
      for (const name of others) {
        assert.deepEqual([...simulation.view(name).alive].sort(), others);
      }
      assert.equal(wrongDeaths(simulation), 0);
      simulation.connects = () => true;
      assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 3000));
    });

    it(`among ${nodes} and hears nothing loses its contact first`, () => {
      const simulation = runningCluster({ nodes });
      const [cut = "", ...others] = simulation.names;
      simulation.connects = (from, to) => from !== cut && to !== cut;
      simulation.run(610);
      const { contact } = simulation.view(cut);
      assert(contact.kind === "watched" && simulation.nowMs - contact.quorumHeardAtMs > 400);
      simulation.run(1000);
      for (const name of others) {
        const { contact } = simulation.view(name);
        assert(contact.kind === "watched" && simulation.nowMs - contact.quorumHeardAtMs < 250);
      }
    });
  }
});

describe("a split", () => {
  const sizes = [
    [2, 1],
    [3, 1],
    [4, 2],
    [5, 2],
    [6, 3],
    [7, 3],
    [10, 5],
    [10, 9],
    [30, 15],
    [100, 10],
  ] as const;
  for (const [nodes, apart] of sizes) {
    it(`of ${nodes} by ${apart} leaves two whole clusters, and its end drops nobody`, () => {
      const simulation = runningCluster({ nodes });
      const far = new Set(simulation.names.slice(0, apart));
      simulation.connects = (from, to) => far.has(from) === far.has(to);
      simulation.run(15_000);
      for (const name of simulation.names) {
        const side = simulation.names.filter((other) => far.has(other) === far.has(name));
        assert.deepEqual([...simulation.view(name).alive].sort(), side);
      }
      assert.equal(wrongDeaths(simulation), 0);
      simulation.connects = () => true;
      assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 4000));
      simulation.run(10_000);
      assert.equal(wrongDeaths(simulation), 0);
    });
  }

  it("too short for one alone to find all others dead drops only that one", () => {
    for (const seed of [1, 2]) {
      const simulation = runningCluster({ nodes: 60, seed });
      const [apart = ""] = simulation.names;
      simulation.connects = (from, to) => (from === apart) === (to === apart);
      simulation.run(20_000);
      simulation.sightings.length = 0;
      simulation.connects = () => true;
      assert(simulation.runUntilAlive(simulation.names, simulation.nowMs + 4000));
      simulation.run(5000);
      const dropped = simulation.sightings.filter(
        ({ by, name, to }) => by !== apart && name !== apart && to === "dead",
      );
      assert.deepEqual(dropped, [], `seed ${seed}`);
    }
  });

  it("of whatever kind and length is over 10 s after its end", () => {
    for (let seed = 1; seed <= 60; seed++) {
      const simulation = runningCluster({ nodes: 2 + (seed % 11), seed, lossRate: 0.01 });
      const far = new Set(simulation.names.filter(() => simulation.random() < 0.5));
      const isOneWay = seed % 4 === 0;
      simulation.connects = (from, to) =>
        isOneWay ? far.has(from) || !far.has(to) : far.has(from) === far.has(to);
      simulation.run(300 + 5000 * simulation.random());
      simulation.connects = () => true;
      const isWhole = simulation.runUntilAlive(simulation.names, simulation.nowMs + 10_000);
      assert(isWhole, `seed ${seed}`);
    }
  });
});

describe("the cost of a node", () => {
  it("is the same among 10 and among 100", () => {
    const [few = 0, many = 0] = [10, 100].map((nodes) => {
      const simulation = runningCluster({ nodes });
      simulation.run(5000);
      const before = simulation.traffic.datagrams;
      simulation.run(10_000);
      return (simulation.traffic.datagrams - before) / nodes / 10;
    });
    // Three watched and three watchers, five probes a second, an answer to each.
    assert(Math.abs(few - 30) < 1, `${few}`);
    assert(Math.abs(many - 30) < 1, `${many}`);
  });
});
