// The store and the watch under it, against the API server double.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type FakeApiServer, type Json, startApiServer } from "../../test/fakes/api-server.ts";
import { until } from "../../test/until.ts";
import { connect } from "./connection.ts";
import { type StoreOptions, startStore } from "./store.ts";

const SERVICES = "/api/v1/services";
const ALWAYS = Number.POSITIVE_INFINITY;

type Seen = { readonly type: string; readonly labels: unknown };

/** A double with a store of its Services, whose changes are noted as "+a/web", "~a/web" and "-a/web". */
async function started(
  t: TestContext,
  options: Partial<StoreOptions<Seen>> = {},
  prepare: (server: FakeApiServer) => void | Promise<void> = () => {},
) {
  const server = await startApiServer();
  const connection = connect({ kubeconfig: server.kubeconfigFile() });
  const stop = new AbortController();
  t.after(async () => {
    stop.abort();
    connection.close();
    await server.close();
  });
  await prepare(server);
  const changes: string[] = [];
  const problems: (string | undefined)[] = [];
  let synced = 0;
  const store = startStore<Seen>({
    connection,
    path: SERVICES,
    prune: (object) => {
      const { spec, metadata } = object as Json;
      return spec.isForeign ? undefined : { type: spec.type, labels: metadata.labels };
    },
    onChange: (change) => {
      const sign = change.kind === "delete" ? "-" : change.previous === undefined ? "+" : "~";
      changes.push(`${sign}${change.key}`);
    },
    onSynced: () => void synced++,
    onProblem: (problem) => problems.push(problem),
    signal: stop.signal,
    ...options,
  });
  return { server, connection, store, stop, changes, problems, synced: () => synced };
}

function put(server: FakeApiServer, name: string, spec: object = {}, metadata: object = {}): Json {
  return server.put({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "a", ...metadata },
    ...{ spec: { type: "LoadBalancer", ...spec } },
  });
}

const remove = (server: FakeApiServer, name: string) =>
  server.remove(`/api/v1/namespaces/a/services/${name}`);
const fill =
  (...names: string[]) =>
  (server: FakeApiServer) => {
    for (const name of names) put(server, name);
  };

describe("startStore() lists", () => {
  it("holds what prune returns, by namespace and name", async (t) => {
    const { store, changes, synced } = await started(t, {}, (server) => {
      put(server, "web", {}, { labels: { k: "v" }, managedFields: [{ manager: "x" }] });
      put(server, "foreign", { isForeign: true });
    });
    assert.equal(store.synced, false);
    await until("the list", () => store.synced);
    assert.deepEqual(
      [...store.entries()],
      [["a/web", { type: "LoadBalancer", labels: { k: "v" } }]],
    );
    assert.deepEqual([...store.values()], [store.get("a/web")]);
    assert.deepEqual([store.size, store.problem, synced()], [1, undefined, 1]);
    assert.deepEqual(changes, ["+a/web"]);
  });

  it("reads pages and tells of each object before it is synced", async (t) => {
    const names = Array.from({ length: 25 }, (_, index) => `web-${index}`);
    const { server, store, changes } = await started(t, { pageSize: 10 }, fill(...names));
    await until("the list", () => store.synced);
    assert.equal(changes.length, 25);
    const lists = server.requests.filter(({ verb }) => verb === "list");
    assert.deepEqual(
      lists.map(({ query }) => query["limit"]),
      ["10", "10", "10"],
    );
  });

  it("asks for 500 objects a page", async (t) => {
    const { server, store } = await started(t);
    await until("the list", () => store.synced);
    assert.deepEqual(server.requests[0]?.query, { limit: "500" });
  });

  it("passes its selectors to list and watch", async (t) => {
    const selectors = { fieldSelector: "spec.type=LoadBalancer", labelSelector: "k=v" };
    const { server, store } = await started(t, selectors, (server) => {
      put(server, "yes", {}, { labels: { k: "v" } });
      put(server, "no", {}, { labels: { k: "w" } });
      put(server, "other", { type: "ClusterIP" }, { labels: { k: "v" } });
    });
    await until("the watch", () => server.streams === 1);
    assert.deepEqual(
      [...store.entries()].map(([key]) => key),
      ["a/yes"],
    );
    for (const { query } of server.requests) {
      const { fieldSelector, labelSelector } = query;
      assert.deepEqual({ fieldSelector, labelSelector }, selectors);
    }
  });

  it("lists once more in one piece when its pages expire", async (t) => {
    const names: string[] = [];
    const { server, store, changes } = await started(
      t,
      {
        pageSize: 2,
        prune: (object) => {
          names.push((object as Json).metadata.name);
          if (names.length === 1) server.expire();
          return { type: "", labels: undefined };
        },
      },
      fill("a", "b", "c"),
    );
    await until("the list", () => store.synced);
    assert.deepEqual(names, ["a", "b", "a", "b", "c"]);
    assert.deepEqual(changes, ["+a/a", "+a/b", "+a/c"]);
    const lists = server.requests.filter(({ verb }) => verb === "list");
    assert.deepEqual(
      lists.map(({ query }) => query["limit"]),
      ["2", "2", "0"],
    );
  });

  it("goes on when the server has nothing of the kind and tells which CRD is absent", async (t) => {
    const path = "/apis/metallb.io/v1beta2/namespaces/m/bgppeers";
    const { server, store, problems } = await started(t, { path }, (server) => {
      server.absent.add("bgppeers.metallb.io");
    });
    await until("a problem", () => problems.length === 1);
    assert.equal(
      store.problem,
      "API server does not serve bgppeers of metallb.io/v1beta2: waiting for the CRD bgppeers.metallb.io",
    );
    server.absent.clear();
    await until("the list", () => store.synced);
    assert.deepEqual(problems.slice(1), [undefined]);
    assert.equal(store.problem, undefined);
  });

  it("says that the server does not answer and syncs when it does", async (t) => {
    const { server, store, problems } = await started(t, {}, async (server) => {
      put(server, "web");
      await server.refuse();
    });
    await until("a problem", () => problems.length === 1);
    assert.match(
      problems[0] ?? "",
      new RegExp(`^API server ${server.url} does not answer: Cannot GET ${SERVICES}: ECONNREFUSED`),
    );
    await server.accept();
    await until("the list", () => store.synced);
    assert.deepEqual([store.size, store.problem], [1, undefined]);
  });

  for (const status of [503, 429]) {
    it(`waits as long as a ${status} says`, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout"] });
      const { server, connection, store, problems } = await started(t, {}, (server) => {
        server.fault({
          kind: "status",
          status,
          verb: "list",
          path: /services/,
          retryAfterSeconds: 20,
        });
      });
      await until("a problem", () => problems.length === 1);
      t.mock.timers.tick(19_999);
      // Whatever was to be sent before this was sent by the time it is answered.
      await connection.request("GET", "/api/v1/nodes");
      assert.equal(server.count("list", /services/), 1);
      t.mock.timers.tick(1);
      await until("the list", () => store.synced);
      assert.equal(server.count("list", /services/), 2);
    });
  }

  it("backs off from a server that fails, by 5 s at most", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    t.mock.method(Math, "random", () => 1);
    const { server, connection, problems } = await started(t, {}, (server) => {
      server.fault({ kind: "status", status: 500, path: /services/, times: ALWAYS });
    });
    await until("a problem", () => problems.length === 1);
    let asked = 1;
    for (const ms of [50, 100, 200, 400, 800, 1600, 3200, 5000, 5000]) {
      await connection.request("GET", "/api/v1/nodes");
      t.mock.timers.tick(ms - 1);
      await connection.request("GET", "/api/v1/nodes");
      assert.equal(server.count("list", /services/), asked, `before ${ms} ms`);
      t.mock.timers.tick(1);
      asked++;
      await until(`attempt ${asked}`, () => server.count("list", /services/) === asked);
    }
    assert.equal(problems.length, 1);
  });
});

describe("startStore() watches", () => {
  it("tells of what is added, changed, deleted, and no longer kept by prune", async (t) => {
    const { server, store, changes } = await started(t, {}, fill("old"));
    await until("the watch", () => server.streams === 1);
    changes.length = 0;
    put(server, "web");
    put(server, "web", { type: "ClusterIP" });
    put(server, "old", { isForeign: true });
    remove(server, "web");
    await until("four changes", () => changes.length === 4);
    assert.deepEqual(changes, ["+a/web", "~a/web", "-a/old", "-a/web"]);
    assert.equal(store.size, 0);
    assert.equal(server.count("list"), 1);
  });

  for (const [what, end] of [
    ["a cut", (server: FakeApiServer) => server.cutStreams()],
    ["its timeout", (server: FakeApiServer) => server.endStreams()],
  ] as const) {
    it(`resumes after ${what} without a list, a problem or a repeat`, async (t) => {
      const { server, changes, problems } = await started(t, {}, fill("a"));
      await until("the watch", () => server.streams === 1);
      put(server, "b");
      await until("a change", () => changes.length === 2);
      end(server);
      put(server, "c");
      remove(server, "a");
      await until("the changes", () => changes.length === 4);
      assert.deepEqual(changes, ["+a/a", "+a/b", "+a/c", "-a/a"]);
      assert.equal(server.count("list"), 1);
      assert.deepEqual(problems, []);
    });
  }

  it("resumes after the server was away, with what happened in between", async (t) => {
    const { server, store, changes, problems } = await started(t, {}, fill("a", "b"));
    await until("the watch", () => server.streams === 1);
    await server.refuse();
    await until("a problem", () => problems.length === 1);
    assert.match(store.problem ?? "", /does not answer/);
    assert.equal(store.size, 2);
    assert.equal(store.synced, true);
    remove(server, "a");
    await server.accept();
    await until("the change", () => changes.length === 3);
    assert.deepEqual([changes.at(-1), server.count("list")], ["-a/a", 1]);
    assert.deepEqual(problems.slice(1), [undefined]);
  });

  it("resumes from the last bookmark", async (t) => {
    const { server } = await started(t, {}, fill("a"));
    await until("the watch", () => server.streams === 1);
    // Not ours, but it moves the version.
    const node = server.put({ apiVersion: "v1", kind: "Node", metadata: { name: "n" } });
    server.sendBookmarks();
    server.endStreams();
    await until("the next watch", () => server.count("watch") === 2);
    const queries = server.requests
      .filter(({ verb }) => verb === "watch")
      .map(({ query }) => query);
    assert.equal(queries[1]?.["resourceVersion"], node.metadata.resourceVersion);
    for (const query of queries) {
      assert.equal(query["allowWatchBookmarks"], "true");
      const seconds = Number(query["timeoutSeconds"]);
      assert.ok(seconds >= 300 && seconds <= 600, `timeoutSeconds ${seconds}`);
    }
  });

  for (const [what, end] of [
    ["as an event", (server: FakeApiServer) => server.expire()],
    [
      "as a status",
      (server: FakeApiServer) =>
        server.fault({ kind: "status", status: 410, reason: "Gone", verb: "watch" }),
    ],
    [
      "as a version that an etcd from a backup does not know yet",
      (server: FakeApiServer) =>
        server.fault({
          kind: "status",
          status: 504,
          verb: "watch",
          message: "Too large resource version: 9, current: 1",
        }),
    ],
  ] as const) {
    it(`lists again when its version expired ${what}, and finds what changed`, async (t) => {
      const { server, store, changes, problems, synced } = await started(
        t,
        {},
        fill("a", "b", "c"),
      );
      await until("the watch", () => server.streams === 1);
      server.holdStreams();
      remove(server, "a");
      put(server, "b", { type: "ClusterIP" });
      put(server, "d");
      end(server);
      server.cutStreams();
      await until("the changes", () => changes.length === 6);
      assert.deepEqual(changes, ["+a/a", "+a/b", "+a/c", "~a/b", "+a/d", "-a/a"]);
      assert.deepEqual(
        [...store.entries()].map(([key]) => key),
        ["a/b", "a/c", "a/d"],
      );
      assert.equal(server.count("list"), 2);
      assert.deepEqual([synced(), problems], [1, []]);
      server.releaseStreams();
      await until("the watch", () => server.streams === 1);
      put(server, "e");
      await until("the change", () => changes.at(-1) === "+a/e");
    });
  }

  it("lists again, all of it, when the second list fails half-way", async (t) => {
    const { server, store, changes } = await started(t, { pageSize: 1 }, fill("a", "b", "c"));
    await until("the watch", () => server.streams === 1);
    server.holdStreams();
    remove(server, "b");
    server.expire();
    // The first page comes, the second fails.
    server.fault({ kind: "slow", ms: 0, verb: "list" });
    server.fault({ kind: "status", status: 500, verb: "list" });
    server.cutStreams();
    await until("the deletion", () => changes.includes("-a/b"));
    assert.deepEqual(
      [...store.entries()].map(([key]) => key),
      ["a/a", "a/c"],
    );
    assert.deepEqual(changes, ["+a/a", "+a/b", "+a/c", "-a/b"]);
  });

  it("does not ask in a tight loop when each watch is ended at once", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { server, connection } = await started(t);
    for (const attempt of [1, 2]) {
      await until("a watch", () => server.count("watch") === attempt && server.streams === 1);
      server.endStreams();
    }
    for (let turn = 0; turn < 20; turn++) await connection.request("GET", "/api/v1/nodes");
    assert.equal(server.count("watch"), 2);
    t.mock.timers.tick(100);
    await until("the third watch", () => server.count("watch") === 3);
  });

  it("goes on after half a line", async (t) => {
    const { server, changes } = await started(t, {}, fill("a"));
    await until("the watch", () => server.streams === 1);
    server.sendRaw('{"type":"ADDED","object":{"metadata":');
    server.endStreams();
    put(server, "b");
    await until("the change", () => changes.length === 2);
    assert.equal(server.count("list"), 1);
  });

  it("ends with its signal, and tells nothing any more", async (t) => {
    const { server, stop, store, changes } = await started(t, {}, fill("a"));
    await until("the watch", () => server.streams === 1);
    stop.abort();
    await until("the end of the watch", () => server.streams === 0);
    put(server, "b");
    assert.deepEqual([changes, store.problem], [["+a/a"], undefined]);
    assert.deepEqual([server.count("list"), server.count("watch")], [1, 1]);
  });

  it("keeps integers above 2^53 exact", async (t) => {
    const free = 2n ** 63n - 1n;
    const seen: unknown[] = [];
    const { server } = await started(
      t,
      {
        prune: (object) => {
          seen.push((object as Json).spec.free);
          return { type: "", labels: undefined };
        },
      },
      (server) => void put(server, "a", { free }),
    );
    await until("the watch", () => server.streams === 1);
    put(server, "b", { free });
    await until("both", () => seen.length === 2);
    assert.deepEqual(seen, [free, free]);
  });

  it("holds 10 000 objects after a moment", async (t) => {
    const names = Array.from({ length: 10_000 }, (_, index) => `web-${index}`);
    const beganMs = performance.now();
    const { store } = await started(t, {}, fill(...names));
    await until("the list", () => store.synced);
    assert.equal(store.size, 10_000);
    // Some 100 ms; what grows with the square takes minutes.
    assert.ok(performance.now() - beganMs < 10_000);
  });
});
