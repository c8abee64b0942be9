// Prefixes and classes after any sequence of announcements.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import type { ClassEntry } from "../frr/model.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Announcement } from "./announce.ts";
import { mergeEntries, RouteTable } from "./routes.ts";

function announcement(prefix: string, community: string): Announcement {
  const entry: ClassEntry = {
    peers: [],
    localPreference: null,
    communities: [community],
    largeCommunities: [],
  };
  return { prefix: prefix as Prefix, entry, entryKey: community };
}

const A = "192.0.2.0/24";
const B = "192.0.2.1/32";

describe("RouteTable.set()", () => {
  it("brings a route in, changes its class, takes it out", () => {
    const table = new RouteTable();
    assert.deepEqual(table.set("web", [announcement(A, "1:1"), announcement(B, "1:1")]), [A, B]);
    assert.deepEqual(table.set("web", [announcement(A, "1:1"), announcement(B, "1:2")]), [B]);
    assert.deepEqual(table.routes.get(B as Prefix), [announcement(B, "1:2").entry]);
    assert.deepEqual(table.set("web", [announcement(B, "1:2")]), [A]);
    assert.deepEqual(table.set("web", []), [B]);
    assert.equal(table.routes.size, 0);
  });

  it("changes nothing when nothing changed", () => {
    const table = new RouteTable();
    table.set("web", [announcement(A, "1:1")]);
    assert.deepEqual(table.set("web", [announcement(A, "1:1")]), []);
    assert.deepEqual(table.set("other", []), []);
  });

  it("keeps an aggregate as long as one Service yields it", () => {
    const table = new RouteTable();
    table.set("one", [announcement(A, "1:1")]);
    assert.deepEqual(table.set("two", [announcement(A, "1:1")]), []);
    assert.deepEqual(table.set("one", []), []);
    assert.deepEqual(table.set("two", []), [A]);
  });

  it("merges what several Services say of one prefix", () => {
    const table = new RouteTable();
    table.set("one", [announcement(A, "1:1")]);
    assert.deepEqual(table.set("two", [announcement(A, "1:2")]), [A]);
    const [one, two] = [announcement(A, "1:1").entry, announcement(A, "1:2").entry];
    assert.deepEqual(table.routes.get(A as Prefix), [one, two]);
    assert.deepEqual(table.set("one", []), [A]);
    assert.deepEqual(table.routes.get(A as Prefix), [two]);
  });

  it("gives prefixes of equal classes the same object", () => {
    const table = new RouteTable();
    table.set("one", [announcement(A, "1:1")]);
    table.set("two", [announcement(B, "1:1")]);
    assert.equal(table.routes.get(A as Prefix), table.routes.get(B as Prefix));
  });

  it("ends where a new table with the last announcements begins, whatever came before", () => {
    const announcements = fc.array(
      fc
        .tuple(fc.constantFrom(A, B, "192.0.2.2/32"), fc.constantFrom("1:1", "1:2"))
        .map(([prefix, community]) => announcement(prefix, community)),
      { maxLength: 4 },
    );
    const steps = fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), announcements));
    fc.assert(
      fc.property(steps, (sets) => {
        const table = new RouteTable();
        for (const [service, wanted] of sets) {
          const before = new Map(table.routes);
          const changed = new Set(table.set(service, wanted));
          for (const prefix of [...before.keys(), ...table.routes.keys()]) {
            const isSame = before.get(prefix) === table.routes.get(prefix);
            assert.equal(changed.has(prefix), !isSame, `${prefix} told as it is`);
          }
        }
        const fresh = new RouteTable();
        for (const [service, wanted] of new Map(sets)) fresh.set(service, wanted);
        assert.deepEqual(new Map(table.routes), new Map(fresh.routes));
      }),
    );
  });
});

it("mergeEntries() depends neither on order nor on repetition", () => {
  const [one, two] = [announcement(A, "1:1").entry, announcement(A, "1:2").entry];
  const merged = mergeEntries([
    ["2", two],
    ["1", one],
    ["2", two],
  ]);
  assert.deepEqual(merged, [one, two]);
});
