import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { classWith, neighborWith, PLAIN, routerWith } from "../../test/frr-samples.ts";
import { classText, heardBy, nameClasses, policyOf, routerHears } from "./classes.ts";
import type { ClassEntry, RouteClass } from "./model.ts";

const names = fc.subarray(["leaf1", "leaf2", "leaf3"]);
const entries: fc.Arbitrary<ClassEntry> = fc.record({
  peers: names,
  localPreference: fc.option(fc.integer({ min: 1, max: 5 }), { nil: null }),
  communities: fc.subarray(["65000:1", "65000:2"]),
  largeCommunities: fc.subarray(["65000:1:2"]),
});
const classes: fc.Arbitrary<RouteClass> = fc.array(entries, { minLength: 1, maxLength: 3 });

describe("classText()", () => {
  it("does not depend on the order or repetition of anything", () => {
    fc.assert(
      fc.property(classes, (routeClass) => {
        const turned = [...routeClass, ...routeClass].toReversed().map((entry) => ({
          ...entry,
          peers: entry.peers.toReversed(),
          communities: [...entry.communities, ...entry.communities].toReversed(),
        }));
        assert.equal(classText(turned), classText(routeClass));
      }),
    );
  });

  for (const [why, other] of [
    ["peers", classWith({ peers: ["leaf1"] })],
    ["local preference", classWith({ localPreference: 1 })],
    ["communities", classWith({ communities: ["65000:1"] })],
    ["large communities", classWith({ largeCommunities: ["65000:1:1"] })],
  ] as const) {
    it(`tells classes of other ${why} apart`, () =>
      assert.notEqual(classText(other), classText(PLAIN)));
  }
});

describe("nameClasses()", () => {
  it("names by content: the same name alone, among others and after a restart", () => {
    const name = "c-472f9ef7";
    assert.equal(nameClasses([PLAIN]).get(classText(PLAIN))?.name, name);
    const many = nameClasses([classWith({ communities: ["1:1"] }), classWith({}), PLAIN]);
    assert.equal(many.size, 2);
    assert.equal(many.get(classText(PLAIN))?.name, name);
    assert.equal(many.get(classText(PLAIN))?.tag, Number.parseInt(name.slice(2), 16));
  });

  it("gives the later of two classes whose hashes begin alike another tag", () => {
    const [first, second] = [78188, 85289].map((value) => classWith({ localPreference: value }));
    assert.ok(first !== undefined && second !== undefined);
    const tagOf = (routeClass: RouteClass, among: readonly RouteClass[]): number | undefined =>
      nameClasses(among).get(classText(routeClass))?.tag;
    assert.equal(tagOf(first, [first]), 0x4698410a);
    assert.equal(tagOf(second, [second]), 0x4698410a);
    assert.equal(tagOf(first, [second, first]), 0x4698410a);
    assert.notEqual(tagOf(second, [second, first]), 0x4698410a);
  });

  it("gives each class a tag of its own, from 1 to 4294967295, whatever the order", () => {
    fc.assert(
      fc.property(fc.array(classes), (list) => {
        const named = nameClasses(list);
        const tags = [...named.values()].map(({ tag }) => tag);
        assert.equal(new Set(tags).size, named.size);
        assert.ok(tags.every((tag) => tag >= 1 && tag <= 0xffffffff));
        const ofReversed = nameClasses(list.toReversed());
        for (const [text, { name }] of named) assert.equal(ofReversed.get(text)?.name, name);
      }),
    );
  });
});

describe("heardBy()", () => {
  const named = (routeClass: RouteClass) => ({ name: "c-1", tag: 1, routeClass });

  it("is undefined for a peer that is not named", () => {
    assert.equal(heardBy("leaf2", named(classWith({ peers: ["leaf1"] }))), undefined);
  });

  it("merges the entries a peer hears: all communities, the highest preference", () => {
    const routeClass = classWith(
      { communities: ["1:2", "1:1"], localPreference: 100 },
      { peers: ["leaf1"], communities: ["1:3", "1:1"], localPreference: 200 },
      { peers: ["leaf2"], communities: ["1:4"], localPreference: 300 },
    );
    assert.deepEqual(heardBy("leaf1", named(routeClass)), {
      tag: 1,
      localPreference: 200,
      communities: ["1:1", "1:2", "1:3"],
      largeCommunities: [],
    });
  });
});

describe("policyOf()", () => {
  const other = neighborWith({ peerName: "leaf2" });

  it("is shared by neighbors that hear the same", () => {
    const named = nameClasses([PLAIN, classWith({ communities: ["1:1"] })]);
    assert.deepEqual(policyOf(other, named), policyOf(neighborWith(), named));
  });

  it("has another name where anything differs", () => {
    const named = nameClasses([PLAIN, classWith({ peers: ["leaf1"] })]);
    assert.notEqual(policyOf(other, named).name, policyOf(neighborWith(), named).name);
    assert.equal(policyOf(other, named).clauses.length, 1);
  });
});

describe("routerHears()", () => {
  it("asks for a neighbor of the family and of the class", () => {
    const router = routerWith();
    assert.equal(routerHears(router, "ipv4", PLAIN), true);
    assert.equal(routerHears(router, "ipv6", PLAIN), false);
    assert.equal(routerHears(router, "ipv4", classWith({ peers: ["leaf2"] })), false);
    assert.equal(routerHears(router, "ipv4", []), false);
  });
});
