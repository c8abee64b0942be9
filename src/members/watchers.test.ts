// Laws of the rings: so many watch, so many are watched, and a change moves little.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Rings } from "./watchers.ts";

const all = () => true;

function namesOf(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `worker-${index}.example.com`);
}

describe("Rings", () => {
  for (const count of [1, 2, 3, 6]) {
    it(`has everybody watch everybody among ${count}`, () => {
      const rings = new Rings(namesOf(count));
      for (const name of rings.names) {
        const others = rings.names.filter((other) => other !== name);
        assert.deepEqual(rings.watchersOf(name, all), others);
        assert.deepEqual(rings.watchedBy(name, all, all), others);
      }
    });
  }

  for (const count of [7, 10, 100, 1000]) {
    it(`gives each of ${count} three watchers, and three to watch on average`, () => {
      const rings = new Rings(namesOf(count));
      let most = 0;
      for (const name of rings.names) {
        const watchers = rings.watchersOf(name, all);
        assert.equal(new Set(watchers).size, 3);
        assert(!watchers.includes(name));
        most = Math.max(most, rings.watchedBy(name, all, all).length);
      }
      // One in each ring, and now and then one that walked on over a duplicate.
      assert(most <= 6, `one watches ${most}`);
    });
  }

  it("is the same whatever the order of the names", () => {
    const names = namesOf(20);
    const rings = new Rings(names);
    const others = new Rings([...names, ...names].reverse());
    for (const name of names) {
      assert.deepEqual(rings.watchersOf(name, all), others.watchersOf(name, all));
    }
  });

  it("moves only the neighbors of one that no longer counts", () => {
    const rings = new Rings(namesOf(100));
    const gone = rings.names[50] ?? "";
    const moved = rings.names.filter((name) => {
      const before = rings.watchersOf(name, all);
      const after = rings.watchersOf(name, (other) => other !== gone);
      return name !== gone && before.join() !== after.join();
    });
    assert(moved.length <= 9, `${moved.length} have other watchers`);
  });

  it("has watchedBy() as the inverse of watchersOf(), whoever counts", () => {
    const counting = fc.uniqueArray(fc.nat(24), { minLength: 1 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 25 }), counting, (count, chosen) => {
        const rings = new Rings(namesOf(count));
        const counts = (name: string) => chosen.includes(rings.names.indexOf(name));
        for (const name of rings.names.filter(counts)) {
          const expected = rings.names.filter((other) =>
            rings.watchersOf(other, counts).includes(name),
          );
          assert.deepEqual([...rings.watchedBy(name, counts, all)].sort(), expected);
        }
      }),
    );
  });

  it("knows no watchers of a name that is not there", () => {
    assert.deepEqual(new Rings(["a", "b"]).watchersOf("c", all), []);
    assert.deepEqual(new Rings(["a", "b"]).watchedBy("c", all, all), []);
  });
});
