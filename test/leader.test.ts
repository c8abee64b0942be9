// Several controllers as candidates for one Lease, against the API server double.

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { type Candidate, startCandidate } from "../src/controller/candidate.ts";
import { type Connection, connect } from "../src/kube/connection.ts";
import { createLogger } from "../src/log.ts";
import { eventually } from "./cluster/eventually.ts";
import {
  type FakeApiServer,
  type Json,
  type Manifest,
  startApiServer,
} from "./fakes/api-server.ts";

const NAMESPACE = "metallb-system";
const LEASE = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases/metallb-controller`;
const STATUS = /\/services\/[^/]+\/status$/;
/** Short, so that a test need not wait long; not so short that a busy machine loses it by itself. */
const DURATION_MS = 2_000;

class Stand {
  readonly identity: string;
  readonly logLines: Json[] = [];
  readonly candidate: Candidate;
  readonly connections: Connection[] = [];
  readonly #ended = new AbortController();

  constructor(api: FakeApiServer, identity: string, durationMs = DURATION_MS) {
    this.identity = identity;
    const connectOwn = (mayWrite?: () => boolean) => {
      const connection = connect({
        kubeconfig: api.kubeconfigFile(),
        ...(mayWrite && { mayWrite }),
      });
      this.connections.push(connection);
      return connection;
    };
    this.candidate = startCandidate({
      connection: connectOwn(),
      connectTerm: connectOwn,
      identity,
      durationMs,
      namespace: NAMESPACE,
      podName: undefined,
      deployment: undefined,
      memberlistSecret: undefined,
      loadBalancerClass: "",
      log: createLogger({
        level: "debug",
        destination: { write: (line) => void this.logLines.push(JSON.parse(line)) },
      }),
      signal: this.#ended.signal,
    });
  }

  /** As SIGTERM does. */
  async stop(): Promise<void> {
    this.#ended.abort();
    await this.candidate.closed();
    for (const connection of this.connections) connection.close();
  }

  async metrics(): Promise<string> {
    const texts = this.candidate.registries().map((registry) => registry.metrics());
    return (await Promise.all(texts)).join("");
  }

  async leads(): Promise<boolean> {
    return /^metallb_controller_leader 1$/m.test(await this.metrics());
  }

  async untilLeads(): Promise<void> {
    await eventually(() => this.leads(), { describe: `${this.identity} to lead` });
  }

  said(message: RegExp): boolean {
    return this.logLines.some(({ msg, reason = "" }) => message.test(`${msg}: ${reason}`));
  }
}

async function bench(t: TestContext) {
  const api = await startApiServer();
  const stands: Stand[] = [];
  t.after(async () => {
    await Promise.all(stands.map((stand) => stand.stop()));
    await api.close();
  });
  for (const name of [NAMESPACE, "default"]) {
    api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  api.put({
    apiVersion: "metallb.io/v1beta1",
    kind: "IPAddressPool",
    metadata: { name: "first", namespace: NAMESPACE },
    spec: { addresses: ["10.0.0.0/24"] },
  } as Manifest);
  return {
    api,
    start: (identity: string, durationMs?: number) => {
      const stand = new Stand(api, identity, durationMs);
      stands.push(stand);
      return stand;
    },
    service: (name: string) =>
      api.put({
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "default", name },
        spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.1"], ports: [{ port: 80 }] },
      } as Manifest),
    given: () =>
      api
        .list("/api/v1/services")
        .flatMap(({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip)),
  };
}

describe("candidates", () => {
  test("one leads; the other is ready, follows no Services and exports no pools", async (t) => {
    const { api, start, service, given } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    await eventually(() => a.candidate.waitingFor().length === 0, { describe: "a to be ready" });
    const lists = api.count("list", /services$/);
    const b = start("b");
    await eventually(() => b.candidate.waitingFor().length === 0, { describe: "b to be ready" });
    service("web");
    await eventually(() => given().length === 1, { describe: "an address" });
    assert.equal(api.count("list", /services$/), lists);
    const metrics = await b.metrics();
    assert.match(metrics, /^metallb_controller_leader 0$/m);
    assert.doesNotMatch(metrics, /metallb_allocator|metallb_k8s_client/);
    assert.match(
      await a.metrics(),
      /^metallb_allocator_addresses_in_use_total\{pool="first"\} 1$/m,
    );
    const { spec } = api.get(LEASE);
    assert.equal(spec.holderIdentity, "a");
    assert.equal(spec.leaseDurationSeconds, 2);
    assert.match(spec.renewTime, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert(spec.renewTime >= spec.acquireTime);
    await eventually(
      () =>
        api
          .list("/api/v1/events")
          .some(
            ({ reason, message }) => reason === "LeaderElection" && message === "a became leader",
          ),
      { describe: "the event" },
    );
  });

  test("the leader ends: the other leads at once, lists afresh and goes on", async (t) => {
    const { api, start, service, given } = await bench(t);
    // So long that a takeover in time can only come of the release.
    const [a, b] = [start("a", 60_000), start("b", 60_000)];
    await eventually(async () => (await a.leads()) || (await b.leads()), { describe: "a leader" });
    const [leader, other] = (await a.leads()) ? [a, b] : [b, a];
    await eventually(() => leader.candidate.waitingFor().length === 0, { describe: "readiness" });
    service("one");
    await eventually(() => given().length === 1, { describe: "an address" });
    const { spec: before } = api.get(LEASE);
    await leader.stop();
    await other.untilLeads();
    service("two");
    await eventually(() => given().length === 2, { describe: "the second address" });
    assert.deepEqual(given(), ["10.0.0.0", "10.0.0.1"]);
    const { spec } = api.get(LEASE);
    assert.equal(spec.holderIdentity, other.identity);
    assert.equal(spec.leaseTransitions, before.leaseTransitions + 1);
    assert(!leader.said(/^lost/));
  });

  test("a write under way at the end is waited for before the Lease is released", async (t) => {
    const { api, start, service } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    await eventually(() => a.candidate.waitingFor().length === 0, { describe: "readiness" });
    api.fault({ kind: "slow", ms: 300, verb: "patch", path: STATUS });
    service("web");
    await eventually(() => api.count("patch", STATUS) === 1, { describe: "the write" });
    await a.stop();
    const written = api.get("/api/v1/namespaces/default/services/web");
    assert.equal(written.status.loadBalancer.ingress[0].ip, "10.0.0.0");
    const { metadata, spec } = api.get(LEASE);
    assert.equal(spec.holderIdentity, "");
    assert.equal(spec.leaseDurationSeconds, 1);
    assert(Number(metadata.resourceVersion) > Number(written.metadata.resourceVersion));
  });

  test("one that gets no answer at the end does not release: its time runs out", async (t) => {
    const { api, start, service } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    await eventually(() => a.candidate.waitingFor().length === 0, { describe: "readiness" });
    api.fault({ kind: "hang", verb: "patch", path: STATUS, times: 1e6 });
    service("web");
    await eventually(() => api.count("patch", STATUS) === 1, { describe: "the write" });
    await a.stop();
    assert.equal(api.get(LEASE).spec.holderIdentity, "a");
  });

  for (const [verb, path] of [
    ["list", /leases$/],
    ["create", /leases$/],
    ["list", /services$/],
    ["list", /ipaddresspools$/],
    ["update", /leases/],
  ] as const) {
    test(`ends in the middle of "${verb} ${path.source}": nobody has to wait for it`, async (t) => {
      const { api, start } = await bench(t);
      api.fault({ kind: "slow", ms: 100, verb, path });
      const a = start("a");
      await eventually(() => api.count(verb, path) > 0, { describe: "the request" });
      await a.stop();
      assert.equal(await a.leads(), false);
      assert.equal(api.get(LEASE)?.spec.holderIdentity ?? "", "");
      const count = api.requests.length;
      const b = start("b", 60_000);
      await b.untilLeads();
      const asked = api.requests.slice(count).filter(({ body }) => body?.spec?.holderIdentity);
      assert(asked.every(({ body }) => body.spec.holderIdentity === "b"));
    });
  }

  test("a leader that cannot renew steps down before the other takes over", async (t) => {
    const { api, start, service, given } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    await eventually(() => a.candidate.waitingFor().length === 0, { describe: "readiness" });
    api.fault({ kind: "status", status: 500, path: /leases/, verb: "update", times: 1e6 });
    await eventually(() => a.said(/^lost, standing by: the Lease could not be renewed/), {
      describe: "a to step down",
    });
    assert.equal(await a.leads(), false);
    assert.doesNotMatch(await a.metrics(), /metallb_allocator/);
    await eventually(() => a.candidate.waitingFor().some((text) => /Lease .*500/.test(text)), {
      describe: "a to say why",
    });
    service("web");
    const patches = api.count("patch", STATUS);
    await eventually(() => api.count("update", /leases/) > 8, { describe: "attempts" });
    assert.equal(api.count("patch", STATUS), patches);
    assert.deepEqual(given(), []);
  });

  test("the API server away and back: one leads again, in the same process", async (t) => {
    const { api, start, service, given } = await bench(t);
    const stands = [start("a"), start("b")];
    const leaders = async () => {
      const all = await Promise.all(
        stands.map(async (stand) => ((await stand.leads()) ? [stand] : [])),
      );
      return all.flat();
    };
    await eventually(async () => (await leaders()).length === 1, { describe: "a leader" });
    await api.refuse();
    await eventually(async () => (await leaders()).length === 0, { describe: "nobody to lead" });
    service("meanwhile");
    await api.accept();
    await eventually(async () => (await leaders()).length === 1, { describe: "a leader again" });
    await eventually(() => given().length === 1, { describe: "the address" });
  });

  test("one that stood still beyond its time writes nothing before it leads anew", async (t) => {
    const { api, start, service, given } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    await eventually(() => a.candidate.waitingFor().length === 0, { describe: "readiness" });
    service("first");
    await eventually(() => given().length === 1, { describe: "an address" });
    const before = api.requests.length;
    // What the watch brings is there when it goes on, before any timer.
    service("second");
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, DURATION_MS);
    await eventually(() => given().length === 2, { describe: "the second address" });
    const writes = api.requests
      .slice(before)
      .filter(({ verb }) => verb === "update" || verb === "patch")
      .map(({ path }) => path.split("/").at(-2));
    assert.equal(writes[0], "leases", writes.join());
    assert(a.said(/^lost, standing by: the Lease could not be renewed/));
  });

  test("a late write of an earlier leader that gives an address twice is repaired", async (t) => {
    const { api, start, service, given } = await bench(t);
    const a = start("a");
    await a.untilLeads();
    service("one");
    await eventually(() => given().length === 1, { describe: "an address" });
    api.put({
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        namespace: "default",
        name: "late",
        annotations: { "metallb.io/ip-allocated-from-pool": "first" },
        // Older, but it came later: who holds the address keeps it.
        creationTimestamp: "2020-01-01T00:00:00Z",
      },
      spec: { type: "LoadBalancer", clusterIPs: ["10.96.0.1"], ports: [{ port: 80 }] },
      status: { loadBalancer: { ingress: [{ ip: "10.0.0.0" }] } },
    } as Manifest);
    await eventually(() => new Set(given()).size === 2, { describe: "two addresses" });
    assert.equal(
      api.get("/api/v1/namespaces/default/services/one").status.loadBalancer.ingress[0].ip,
      "10.0.0.0",
    );
  });

  test("somebody takes the Lease away: the leader stops at once", async (t) => {
    const { api, start } = await bench(t);
    const a = start("a", 60_000);
    await a.untilLeads();
    const lease = api.get(LEASE);
    api.put({ ...lease, spec: { ...lease.spec, holderIdentity: "x" } });
    await eventually(() => a.said(/^lost, standing by: "x" leads/), { describe: "a to stop" });
    assert.equal(await a.leads(), false);
  });

  test("a Lease that was removed is made again by its leader", async (t) => {
    const { api, start } = await bench(t);
    const [a, b] = [start("a", 60_000), start("b", 60_000)];
    await eventually(async () => (await a.leads()) || (await b.leads()), { describe: "a leader" });
    const { spec } = api.get(LEASE);
    api.remove(LEASE);
    await eventually(() => api.get(LEASE), { describe: "the Lease" });
    assert.equal(api.get(LEASE).spec.holderIdentity, spec.holderIdentity);
    assert.equal(api.get(LEASE).spec.acquireTime, spec.acquireTime);
  });

  test("without the right to the Lease it is not ready, and says why", async (t) => {
    const { api, start } = await bench(t);
    api.fault({ kind: "status", status: 403, path: /leases/, times: 1e6, message: "may not" });
    const a = start("a");
    await eventually(() => a.candidate.waitingFor().some((text) => text.includes("may not")), {
      describe: "the reason",
    });
  });
});
