// The order in which Services are decided, and what is held while writes are under way.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { pool, poolMap, service } from "../../test/controller-samples.ts";
import type { Pool } from "../config/pool.ts";
import type { ServiceResource } from "../config/resources.ts";
import { Reconciler } from "./reconciler.ts";

type Options = Parameters<typeof service>[1];

/** An API server in miniature: one that knows versions and applies merge patches. */
class Server {
  readonly objects = new Map<string, ServiceResource>();
  #version = 0;

  put(key: string, options: Options = {}): ServiceResource {
    return this.#store(key, service(key, options));
  }

  #store(key: string, object: ServiceResource): ServiceResource {
    const resourceVersion = String(++this.#version);
    const uid = this.objects.get(key)?.metadata.uid ?? `uid-${this.#version}`;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion, uid } };
    this.objects.set(key, stored);
    return stored;
  }

  /** Does what was begun; undefined: there is a newer version. */
  write(key: string, write: ReturnType<Reconciler["begin"]>): ServiceResource | undefined {
    const object = this.objects.get(key);
    assert(write !== undefined);
    if (object === undefined) return undefined;
    if (object.metadata.resourceVersion !== write.service.metadata.resourceVersion) {
      return undefined;
    }
    const { metadata, status } = write.patch;
    const annotations = Object.entries({
      ...object.metadata.annotations,
      ...metadata?.annotations,
    }).filter((entry): entry is [string, string] => entry[1] !== null);
    const ingress = status?.loadBalancer?.ingress;
    return this.#store(key, {
      ...object,
      metadata: { ...object.metadata, annotations: Object.fromEntries(annotations) },
      status: {
        loadBalancer:
          ingress === undefined
            ? (object.status?.loadBalancer ?? {})
            : { ingress: [...(ingress ?? [])] },
        conditions: (status?.conditions ?? object.status?.conditions ?? []) as never,
      },
    });
  }
}

class Desk {
  readonly server = new Server();
  readonly writes = new Set<string>();
  readonly reconciler = new Reconciler({
    loadBalancerClass: "",
    now: () => "2026-11-02T00:00:00Z",
    onWrite: (key) => this.writes.add(key),
  });

  pools(...pools: readonly Pool[]): void {
    this.reconciler.setPools(poolMap(...pools), new Set());
    this.reconciler.settle();
  }

  put(key: string, options: Options = {}): void {
    this.reconciler.see(key, this.server.put(key, options));
    this.reconciler.settle();
  }

  remove(key: string): void {
    const last = this.server.objects.get(key);
    assert(last !== undefined);
    this.server.objects.delete(key);
    this.reconciler.gone(key, last);
    this.reconciler.settle();
  }

  /** Writes what there is to write, until there is nothing. */
  writeAll(): void {
    while (this.writes.size > 0) {
      for (const key of [...this.writes]) {
        this.writes.delete(key);
        const write = this.reconciler.begin(key);
        if (write === undefined) continue;
        const answer = this.server.write(key, write);
        if (answer === undefined) this.reconciler.found(key, this.server.objects.get(key));
        else this.reconciler.accepted(key, answer);
        this.reconciler.settle();
      }
    }
  }

  held(key: string): string {
    return this.reconciler.allocations.get(key)?.addresses.join(" ") ?? "-";
  }

  shown(key: string): string {
    const ingress = this.server.objects.get(key)?.status?.loadBalancer?.ingress ?? [];
    return ingress.map(({ ip }) => ip).join(" ") || "-";
  }
}

const ONE = pool("one", ["192.0.2.1/32"]);
const MANUAL = pool("manual", ["203.0.113.1/32"], { autoAssign: false });
const at = (day: number) => ({ creationTimestamp: `2026-11-0${day}T00:00:00Z` });
const fromManual = { annotations: { "metallb.io/address-pool": "manual" } };

describe("Reconciler", () => {
  test("gives nothing before there are pools, then adopts before it gives", () => {
    const desk = new Desk();
    desk.put("ns/old", at(1));
    desk.put("ns/holder", { ...at(2), ingress: ["192.0.2.1"] });
    assert.equal(desk.writes.size, 0);
    desk.pools(ONE);
    assert.equal(desk.held("ns/holder"), "192.0.2.1");
    assert.equal(desk.held("ns/old"), "-");
  });

  test("serves the older first, and equally old ones as they came", () => {
    const desk = new Desk();
    for (const [key, day] of [
      ["ns/c", 3],
      ["ns/b", 1],
      ["ns/a", 1],
    ] as const) {
      desk.put(key, at(day));
    }
    desk.pools(pool("two", ["192.0.2.1-192.0.2.2"]));
    assert.deepEqual(
      ["ns/a", "ns/b", "ns/c"].map((key) => desk.held(key)),
      ["192.0.2.2", "192.0.2.1", "-"],
    );
  });

  test("holds an address from the decision on, whatever becomes of the write", () => {
    const desk = new Desk();
    desk.pools(ONE);
    desk.put("ns/a");
    assert.equal(desk.held("ns/a"), "192.0.2.1");
    desk.put("ns/b");
    assert.equal(desk.held("ns/b"), "-");
    assert(desk.reconciler.begin("ns/a") !== undefined);
    desk.reconciler.failed("ns/a");
    desk.reconciler.settle();
    assert.equal(desk.held("ns/b"), "-");
    desk.writeAll();
    assert.equal(desk.shown("ns/a"), "192.0.2.1");
  });

  test("gives an address on only when the API server has accepted that it was taken", () => {
    const desk = new Desk();
    desk.pools(ONE, MANUAL);
    desk.put("ns/a");
    desk.put("ns/b");
    desk.writeAll();
    desk.put("ns/a", { ...fromManual, ingress: ["192.0.2.1"] });
    assert.equal(desk.held("ns/a"), "203.0.113.1 192.0.2.1");
    assert.equal(desk.held("ns/b"), "-");
    desk.writeAll();
    assert.equal(desk.held("ns/a"), "203.0.113.1");
    assert.equal(desk.shown("ns/b"), "192.0.2.1");
  });

  test("does not decide on a Service whose write is under way, not even for other pools", () => {
    const desk = new Desk();
    desk.pools(ONE);
    desk.put("ns/a");
    const write = desk.reconciler.begin("ns/a");
    desk.pools(MANUAL);
    desk.put("ns/b", fromManual);
    assert.equal(desk.held("ns/a"), "192.0.2.1");
    assert.equal(desk.reconciler.begin("ns/a"), undefined);
    const answer = desk.server.write("ns/a", write);
    desk.reconciler.accepted("ns/a", answer);
    desk.reconciler.settle();
    desk.writeAll();
    assert.equal(desk.held("ns/a"), "-");
    assert.equal(desk.shown("ns/a"), "-");
  });

  test("passes over what the watch brings late", () => {
    const desk = new Desk();
    desk.pools(ONE);
    const late = desk.server.put("ns/a");
    desk.reconciler.see("ns/a", late);
    desk.reconciler.settle();
    desk.writeAll();
    desk.reconciler.see("ns/a", late);
    desk.reconciler.settle();
    assert.equal(desk.writes.size, 0);
  });

  test("believes a restored API server, whose versions are lower", () => {
    const desk = new Desk();
    desk.pools(ONE);
    desk.put("ns/other");
    desk.put("ns/a", fromManual);
    desk.writeAll();
    desk.put("ns/a");
    desk.remove("ns/other");
    assert(desk.reconciler.begin("ns/a") !== undefined);
    const restored = service("ns/a");
    const metadata = { ...restored.metadata, resourceVersion: "1", uid: "uid-x" };
    desk.reconciler.found("ns/a", { ...restored, metadata });
    desk.reconciler.settle();
    const { service: basis } = desk.reconciler.begin("ns/a") ?? {};
    assert.equal(basis?.metadata.resourceVersion, "1");
  });

  test("repairs an address that another controller gave as well, whoever was quicker", () => {
    for (const isOursWritten of [true, false]) {
      const desk = new Desk();
      desk.pools(pool("two", ["192.0.2.1-192.0.2.2"]));
      desk.put("a/ours", { creationTimestamp: "2026-02-01T00:00:00Z" });
      if (isOursWritten) desk.writeAll();
      assert.equal(desk.held("a/ours"), "192.0.2.1");
      // Older, and still the one to give way: its address was given by who does not lead any more.
      desk.put("a/theirs", { ingress: ["192.0.2.1"], creationTimestamp: "2026-01-01T00:00:00Z" });
      desk.writeAll();
      assert.equal(desk.shown("a/ours"), "192.0.2.1");
      assert.equal(desk.shown("a/theirs"), "192.0.2.2");
    }
  });

  test("a fresh start with an address given twice: the younger gives it up", () => {
    const desk = new Desk();
    desk.put("a/young", { ingress: ["192.0.2.1"], creationTimestamp: "2026-02-01T00:00:00Z" });
    desk.put("a/z-old", { ingress: ["192.0.2.1"], creationTimestamp: "2026-01-01T00:00:00Z" });
    desk.pools(pool("two", ["192.0.2.1-192.0.2.2"]));
    desk.writeAll();
    assert.equal(desk.shown("a/z-old"), "192.0.2.1");
    assert.equal(desk.shown("a/young"), "192.0.2.2");
  });

  test("does not repeat a write that the API server does not keep", () => {
    const desk = new Desk();
    desk.pools(ONE);
    desk.put("ns/a");
    const write = desk.reconciler.begin("ns/a");
    desk.writes.clear();
    desk.reconciler.accepted("ns/a", write?.service);
    desk.reconciler.settle();
    assert.equal(desk.writes.size, 0);
    assert.equal(desk.held("ns/a"), "192.0.2.1");
  });

  test("a Service of the same name after one that is gone starts anew", () => {
    const desk = new Desk();
    desk.pools(ONE);
    desk.put("ns/a");
    desk.writeAll();
    const last = desk.server.objects.get("ns/a");
    desk.remove("ns/a");
    assert.equal(desk.held("ns/a"), "-");
    desk.put("ns/a");
    assert(last !== undefined);
    desk.reconciler.gone("ns/a", last);
    assert.equal(desk.held("ns/a"), "192.0.2.1");
  });

  test("1000 that wait and 1000 that go: each is decided few times", () => {
    const desk = new Desk();
    desk.pools(pool("one", ["10.0.0.0/22"]));
    for (let index = 0; index < 1024; index++) desk.put(`ns/a${index}`);
    desk.writeAll();
    for (let index = 0; index < 1000; index++) desk.put(`ns/b${index}`);
    desk.writeAll();
    const before = desk.reconciler.decisions;
    assert.equal(desk.reconciler.waiting, 1000);
    for (let index = 0; index < 1000; index++) desk.remove(`ns/a${index}`);
    desk.writeAll();
    assert.equal(desk.reconciler.waiting, 0);
    const decisions = desk.reconciler.decisions - before;
    assert(decisions <= 3000, `${decisions} decisions`);
  });

  test("1000 that want to share one port on ten addresses: none is decided in vain", () => {
    const desk = new Desk();
    const shared = { annotations: { "metallb.io/allow-shared-ip": "k" } };
    desk.pools(pool("ten", ["10.0.0.1-10.0.0.10"]));
    for (let index = 0; index < 1000; index++) desk.put(`ns/s${index}`, shared);
    desk.writeAll();
    const before = desk.reconciler.decisions;
    assert.equal(desk.reconciler.waiting, 990);
    for (let index = 0; index < 990; index++) desk.remove(`ns/s${index}`);
    desk.writeAll();
    assert.equal(desk.reconciler.waiting, 0);
    const decisions = desk.reconciler.decisions - before;
    assert(decisions <= 3000, `${decisions} decisions`);
  });

  test("a port that a sharer gives up goes to the one that waits for it", () => {
    const desk = new Desk();
    const shared = { annotations: { "metallb.io/allow-shared-ip": "k" } };
    const ports = (...numbers: readonly number[]) => ({
      spec: { ports: numbers.map((port) => ({ protocol: "TCP", port })) },
    });
    desk.pools(ONE);
    desk.put("ns/a", { ...shared, ...ports(80, 81) });
    desk.put("ns/b", { ...shared, ...ports(81) });
    desk.writeAll();
    assert.equal(desk.shown("ns/b"), "-");
    desk.put("ns/a", { ...shared, ...ports(80), ingress: ["192.0.2.1"] });
    desk.writeAll();
    assert.equal(desk.shown("ns/b"), "192.0.2.1");
  });
});

describe("Reconciler after any steps", () => {
  const key = fc.constantFrom("ns/a", "ns/b", "ns/c", "ns/d", "ns/e");
  const step = fc.oneof(
    fc.record({
      kind: fc.constant("put" as const),
      key,
      wants: fc.constantFrom("", "one", "two"),
    }),
    fc.record({ kind: fc.constant("remove" as const), key }),
    fc.record({ kind: fc.constant("begin" as const), key }),
    fc.record({ kind: fc.constant("write" as const), key }),
    fc.record({
      kind: fc.constantFrom("answer" as const, "lose" as const, "refuse" as const),
      key,
    }),
    fc.record({ kind: fc.constant("pools" as const), names: fc.subarray(["one", "two"]) }),
  );

  test("no address is shown twice, and in the end nothing is left to do", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
        const desk = new Desk();
        const all = {
          one: pool("one", ["192.0.2.1-192.0.2.2"]),
          two: pool("two", ["198.51.100.1-198.51.100.2"]),
        } as const;
        const underWay = new Map<string, NonNullable<ReturnType<Reconciler["begin"]>>>();
        desk.pools(all.one, all.two);
        const noneTwice = () => {
          const shown = [...desk.server.objects.keys()]
            .map((each) => desk.shown(each))
            .filter((address) => address !== "-");
          assert.equal(new Set(shown).size, shown.length, shown.join());
        };
        for (const each of steps) {
          switch (each.kind) {
            case "put": {
              const status = desk.server.objects.get(each.key)?.status;
              const annotations = {
                ...desk.server.objects.get(each.key)?.metadata.annotations,
                "metallb.io/address-pool": each.wants,
              };
              desk.put(each.key, { annotations, status: status ?? {} });
              break;
            }
            case "remove":
              if (desk.server.objects.has(each.key)) desk.remove(each.key);
              break;
            case "begin": {
              if (underWay.has(each.key)) break;
              const write = desk.reconciler.begin(each.key);
              if (write !== undefined) underWay.set(each.key, write);
              break;
            }
            case "write": {
              const write = underWay.has(each.key) ? undefined : desk.reconciler.begin(each.key);
              if (write === undefined) break;
              desk.reconciler.accepted(each.key, desk.server.write(each.key, write));
              desk.reconciler.settle();
              break;
            }
            case "answer":
            case "lose":
            case "refuse": {
              const write = underWay.get(each.key);
              if (write === undefined) break;
              underWay.delete(each.key);
              if (each.kind === "refuse") desk.reconciler.failed(each.key);
              else {
                const answer = desk.server.write(each.key, write);
                if (each.kind === "answer" && answer !== undefined) {
                  desk.reconciler.accepted(each.key, answer);
                } else desk.reconciler.found(each.key, desk.server.objects.get(each.key));
              }
              desk.reconciler.settle();
              break;
            }
            case "pools":
              desk.pools(...each.names.map((name) => all[name as "one" | "two"]));
              break;
          }
          noneTwice();
        }
        for (const each of underWay.keys()) {
          desk.reconciler.found(each, desk.server.objects.get(each));
        }
        desk.reconciler.settle();
        for (const each of desk.server.objects.keys()) desk.writes.add(each);
        desk.writeAll();
        noneTwice();
        for (const each of desk.server.objects.keys()) {
          assert.equal(desk.held(each), desk.shown(each), each);
        }
      }),
      { numRuns: 500 },
    );
  });
});
