import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { type Json, startApiServer } from "../../test/fakes/api-server.ts";
import { until } from "../../test/until.ts";
import { connect } from "./connection.ts";
import { type Event, startEvents } from "./event.ts";

const EVENTS = "/api/v1/namespaces/a/events";
const START_MS = Date.UTC(2026, 0, 2, 3, 4, 5, 678);

/** A double, and a recorder whose pauses the test ends with `pass`. */
async function started(t: TestContext) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"], now: START_MS });
  const server = await startApiServer();
  const connection = connect({ kubeconfig: server.kubeconfigFile() });
  const stop = new AbortController();
  const errors: unknown[] = [];
  const events = startEvents({
    connection,
    component: "metallb-controller",
    onError: (error) => errors.push(error),
    signal: stop.signal,
  });
  t.after(async () => {
    stop.abort();
    connection.close();
    await server.close();
  });
  /** Lets time go by in steps of 10 ms until so many requests have come. */
  const passUntil = (count: number) =>
    until(`${count} requests`, () => {
      if (server.requests.length >= count) return true;
      t.mock.timers.tick(10);
      return false;
    });
  /** Whatever was to be sent by now is answered by then. */
  const settled = async () => {
    for (let turn = 0; turn < 5; turn++) await connection.request("GET", "/api/v1/nodes");
  };
  const written = () => server.requests.filter(({ verb }) => verb !== "list");
  return { server, connection, events, errors, stop, passUntil, settled, written };
}

function event(more: Partial<Event> = {}, name = "web"): Event {
  return {
    object: { apiVersion: "v1", kind: "Service", namespace: "a", name, uid: "u-1" },
    type: "Normal",
    reason: "IPAllocated",
    message: 'Assigned IP ["10.0.0.1"]',
    ...more,
  };
}

describe("startEvents()", () => {
  it("writes what several programs tell of one object in the same millisecond", async (t) => {
    const { server, connection, events, stop, passUntil } = await started(t);
    const another = startEvents({
      connection,
      component: "metallb-speaker",
      onError: (error) => assert.fail(String(error)),
      signal: stop.signal,
    });
    for (const recorder of [events, another]) recorder.emit(event());
    await passUntil(2);
    await until("both events", () => server.list(EVENTS).length === 2);
  });

  it("writes an event as client-go's recorder does", async (t) => {
    const { server, events, passUntil } = await started(t);
    events.emit(event());
    await passUntil(1);
    await until("the event", () => server.list(EVENTS).length === 1);
    const [{ metadata, ...written }] = server.list(EVENTS) as [Json];
    assert.match(metadata.name, /^web\.[0-9a-f]{16}$/);
    assert.equal(metadata.namespace, "a");
    assert.deepEqual(written, {
      apiVersion: "v1",
      kind: "Event",
      involvedObject: {
        apiVersion: "v1",
        kind: "Service",
        namespace: "a",
        name: "web",
        uid: "u-1",
      },
      type: "Normal",
      reason: "IPAllocated",
      message: 'Assigned IP ["10.0.0.1"]',
      source: { component: "metallb-controller" },
      reportingComponent: "metallb-controller",
      firstTimestamp: "2026-01-02T03:04:05Z",
      lastTimestamp: "2026-01-02T03:04:05Z",
      count: 1,
    });
  });

  it("writes about an object in no namespace to the namespace default", async (t) => {
    const { server, events, passUntil } = await started(t);
    const object = {
      apiVersion: "v1",
      kind: "Node",
      namespace: undefined,
      name: "n",
      uid: undefined,
    };
    events.emit(event({ object }));
    await passUntil(1);
    assert.equal(server.requests[0]?.path, "/api/v1/namespaces/default/events");
  });

  it("counts equal events that come before the first is written", async (t) => {
    const { server, events, passUntil } = await started(t);
    for (const _ of [1, 2, 3]) events.emit(event());
    await passUntil(1);
    assert.deepEqual(
      server.requests.map(({ body }) => body.count),
      [3],
    );
  });

  it("counts later ones by a patch, at most every 10 s", async (t) => {
    const { server, events, passUntil, settled, written } = await started(t);
    events.emit(event());
    await passUntil(1);
    await settled();
    t.mock.timers.tick(2_000);
    for (const _ of [1, 2]) events.emit(event());
    t.mock.timers.tick(9_999);
    await settled();
    assert.equal(written().length, 1);
    t.mock.timers.tick(1);
    await until("the patch", () => {
      t.mock.timers.tick(10);
      return written().length === 2;
    });
    await until("the count", () => server.list(EVENTS)[0].count === 3);
    assert.equal(server.list(EVENTS)[0].lastTimestamp, "2026-01-02T03:04:07Z");
    assert.equal(server.list(EVENTS).length, 1);
  });

  it("keeps events apart by object, type, reason and message", async (t) => {
    const { server, events, passUntil } = await started(t);
    events.emit(event());
    events.emit(event({}, "other"));
    events.emit(event({ type: "Warning" }));
    events.emit(event({ reason: "AllocationFailed" }));
    events.emit(event({ message: "other" }));
    await passUntil(5);
    const names = server.requests.map(({ body }) => body.metadata.name);
    assert.equal(new Set(names).size, 5);
  });

  it("creates the event again, with its count, when the server has forgotten it", async (t) => {
    const { server, events, settled, written } = await started(t);
    const pass = (count: number) =>
      until(`${count} writes`, () => {
        t.mock.timers.tick(10);
        return written().length >= count;
      });
    events.emit(event());
    await pass(1);
    await settled();
    const [first] = server.list(EVENTS);
    server.remove(`${EVENTS}/${first.metadata.name}`);
    events.emit(event());
    await pass(3);
    await until("the event", () => server.list(EVENTS).length === 1);
    const [second] = server.list(EVENTS);
    assert.equal(second.count, 2);
    assert.equal(second.firstTimestamp, first.firstTimestamp);
    assert.notEqual(second.metadata.name, first.metadata.name);
  });

  it("lets other requests of the connection go first", async (t) => {
    const { server, connection, events, settled, written } = await started(t);
    server.fault({ kind: "hang", path: /services/ });
    const stop = new AbortController();
    const other = connection.request("GET", "/api/v1/services", { signal: stop.signal });
    await until("the other", () => server.requests.length === 1);
    events.emit(event());
    for (let turn = 0; turn < 50; turn++) {
      t.mock.timers.tick(10);
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.equal(written().length, 0);
    stop.abort();
    await assert.rejects(other);
    await until("the event", () => {
      t.mock.timers.tick(10);
      return written().length === 1;
    });
    await settled();
  });

  it("does not wait for a request that hangs", async (t) => {
    const { server, connection, events, written } = await started(t);
    server.fault({ kind: "hang", path: /services/ });
    const stop = new AbortController();
    const other = connection.request("GET", "/api/v1/services", {
      signal: stop.signal,
      timeoutMs: 600_000,
    });
    await until("the other", () => server.requests.length === 1);
    events.emit(event());
    await until("the event", () => {
      t.mock.timers.tick(10);
      return written().length === 1;
    });
    stop.abort();
    await assert.rejects(other);
  });

  it("tries again when the server was away", async (t) => {
    const { server, events, errors, passUntil } = await started(t);
    await server.refuse();
    events.emit(event());
    await until("an error", () => {
      t.mock.timers.tick(10);
      return errors.length === 1;
    });
    await server.accept();
    await passUntil(1);
    assert.equal(events.dropped, 0);
  });

  it("takes an event that exists already for the one whose answer was lost", async (t) => {
    const { server, events, errors } = await started(t);
    server.fault({ kind: "lose" });
    events.emit(event());
    await until("the second attempt", () => {
      t.mock.timers.tick(10);
      return server.requests.length === 2;
    });
    await events.flush(1_000);
    assert.equal(server.list(EVENTS).length, 1);
    assert.equal(errors.length, 1);
    assert.equal(events.dropped, 0);
  });

  for (const status of [403, 404, 422]) {
    it(`drops an event that is answered with ${status}`, async (t) => {
      const { server, events, errors, passUntil, settled, written } = await started(t);
      server.fault({ kind: "status", status });
      events.emit(event());
      await passUntil(1);
      await until("the error", () => errors.length === 1);
      assert.equal(events.dropped, 1);
      t.mock.timers.tick(60_000);
      await settled();
      assert.equal(written().length, 1);
    });
  }

  it("writes at most 25 events of an object, and one more each 5 minutes", async (t) => {
    const { events } = await started(t);
    for (let index = 0; index < 30; index++) events.emit(event({ message: `${index}` }));
    assert.equal(events.dropped, 5);
    events.emit(event({}, "other"));
    assert.equal(events.dropped, 5);
    t.mock.timers.setTime(START_MS + 300_000);
    events.emit(event({ message: "later" }));
    events.emit(event({ message: "and later" }));
    assert.equal(events.dropped, 6);
  });

  it("remembers 4096 events and drops what is more", async (t) => {
    const { server, events } = await started(t);
    await server.refuse();
    for (let index = 0; index < 4100; index++) events.emit(event({}, `web-${index}`));
    assert.equal(events.dropped, 4);
  });

  it("forgets the oldest that is written for a new one", async (t) => {
    const { events, server } = await started(t);
    events.emit(event());
    await events.flush(1_000);
    for (let index = 0; index < 4096; index++) events.emit(event({}, `web-${index}`));
    assert.equal(events.dropped, 0);
    await server.refuse();
  });

  it("flush() writes what waits without pauses, repeats included", async (t) => {
    const { server, events } = await started(t);
    events.emit(event());
    await events.flush(1_000);
    events.emit(event());
    for (let index = 0; index < 20; index++) events.emit(event({}, `web-${index}`));
    await events.flush(1_000);
    assert.equal(server.list(EVENTS).length, 21);
    assert.equal(server.list(EVENTS).find(({ count }) => count === 2)?.involvedObject.name, "web");
  });

  it("flush() ends when its time is up", async (t) => {
    const { server, events } = await started(t);
    server.fault({ kind: "hang" });
    events.emit(event());
    const flushed = events.flush(500);
    await until("the request", () => {
      t.mock.timers.tick(1);
      return server.requests.length === 1;
    });
    t.mock.timers.tick(500);
    await flushed;
  });

  it("writes nothing after its signal", async (t) => {
    const { events, stop, settled, written } = await started(t);
    events.emit(event());
    stop.abort();
    events.emit(event({ message: "late" }));
    t.mock.timers.tick(60_000);
    await settled();
    assert.equal(written().length, 0);
    assert.equal(events.dropped, 1);
  });
});
