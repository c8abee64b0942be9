// The controller wired as in its program, against the API server double.

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { Registry } from "prom-client";
import { type Controller, startController } from "../src/controller/loop.ts";
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
const POOLS = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;
const SERVICES = /\/services\/[^/]+\/status$/;

/** A running controller, as often as it is started, and what it is to see. */
class Bench {
  readonly api: FakeApiServer;
  readonly logLines: Json[] = [];
  registry = new Registry();
  #running:
    | { readonly ended: AbortController; controller: Controller; connection: Connection }
    | undefined;

  constructor(api: FakeApiServer) {
    this.api = api;
    this.namespace(NAMESPACE);
    this.namespace("default");
  }

  get controller(): Controller {
    assert(this.#running !== undefined);
    return this.#running.controller;
  }

  start(options: { readonly loadBalancerClass?: string; readonly memberlistSecret?: string } = {}) {
    const ended = new AbortController();
    const connection = connect({ kubeconfig: this.api.kubeconfigFile() });
    this.registry = new Registry();
    const controller = startController({
      connection,
      namespace: NAMESPACE,
      podName: undefined,
      deployment: undefined,
      memberlistSecret: options.memberlistSecret,
      loadBalancerClass: options.loadBalancerClass ?? "",
      log: createLogger({
        level: "debug",
        destination: { write: (line) => void this.logLines.push(JSON.parse(line)) },
      }),
      registry: this.registry,
      signal: ended.signal,
    });
    this.#running = { ended, controller, connection };
  }

  /** As SIGTERM does. */
  async stop(): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    running?.ended.abort();
    await running?.controller.closed();
    running?.connection.close();
  }

  /** As SIGKILL does: no request goes out any more, no answer arrives. */
  kill(): void {
    const running = this.#running;
    this.#running = undefined;
    running?.connection.close();
    running?.ended.abort();
  }

  namespace(name: string, labels: Readonly<Record<string, string>> = {}): void {
    this.api.put({ apiVersion: "v1", kind: "Namespace", metadata: { name, labels } } as Manifest);
  }

  pool(name: string, addresses: readonly string[], spec: object = {}): void {
    this.api.put({
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { name, namespace: NAMESPACE, generation: 1 },
      spec: { addresses, ...spec },
    } as Manifest);
  }

  service(
    name: string,
    { spec, metadata, status }: { spec?: object; metadata?: object; status?: object } = {},
  ): void {
    this.api.put({
      apiVersion: "v1",
      kind: "Service",
      metadata: { namespace: "default", ...metadata, name },
      spec: {
        type: "LoadBalancer",
        clusterIPs: ["10.96.0.10"],
        ipFamilies: ["IPv4"],
        ipFamilyPolicy: "SingleStack",
        ports: [{ protocol: "TCP", port: 80 }],
        ...spec,
      },
      status: { loadBalancer: {}, ...status },
    } as Manifest);
  }

  get(name: string): Json {
    return this.api.get(`/api/v1/namespaces/default/services/${name}`);
  }

  addresses(name: string): readonly string[] {
    const ingress: Json[] = this.get(name)?.status?.loadBalancer?.ingress ?? [];
    return ingress.map(({ ip }) => ip);
  }

  /** All addresses given, of all Services. */
  given(): readonly string[] {
    return this.api
      .list("/api/v1/services")
      .flatMap(({ status }) => (status?.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip));
  }

  condition(name: string): Json {
    return (this.get(name)?.status?.conditions ?? []).find(
      ({ type }: Json) => type === "metallb.io/AddressAllocated",
    );
  }

  change(name: string, patch: (service: Json) => void): void {
    const service = this.get(name);
    patch(service);
    delete service.metadata.resourceVersion;
    this.api.put(service);
  }

  remove(name: string): void {
    assert(this.api.remove(`/api/v1/namespaces/default/services/${name}`));
  }

  async has(name: string, ...expected: readonly string[]): Promise<void> {
    await eventually(() => same(this.addresses(name), expected), {
      describe: `${name} to have ${expected.join(" ") || "nothing"}, not ${this.addresses(name).join(" ")}`,
    });
  }

  async refused(name: string, message: RegExp): Promise<void> {
    await eventually(
      () => {
        const { status, message: text = "" } = this.condition(name) ?? {};
        return status === "False" && message.test(text);
      },
      { describe: `${name} to be refused with ${message}` },
    );
  }

  async event(reason: string, message: RegExp): Promise<Json> {
    return eventually(
      () =>
        this.api
          .list("/api/v1/events")
          .find((event) => event.reason === reason && message.test(event.message)),
      { describe: `event ${reason} ${message}` },
    );
  }

  async ready(): Promise<void> {
    await eventually(() => this.controller.waitingFor().length === 0, { describe: "readiness" });
  }

  async metric(name: string): Promise<string | undefined> {
    const lines = (await this.registry.metrics()).split("\n");
    return lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  }
}

async function bench(t: TestContext): Promise<Bench> {
  const api = await startApiServer();
  const made = new Bench(api);
  t.after(async () => {
    await made.stop();
    await api.close();
  });
  return made;
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}

const DUAL = {
  clusterIPs: ["10.96.0.10", "fd00::10"],
  ipFamilies: ["IPv4", "IPv6"],
  ipFamilyPolicy: "RequireDualStack",
};
const annotated = (key: string, value: string) => ({
  metadata: { annotations: { [`metallb.io/${key}`]: value } },
});

describe("controller gives addresses", () => {
  for (const [what, options, expected] of [
    ["IPv4", {}, ["192.0.2.1"]],
    ["IPv6", { spec: { clusterIPs: ["fd00::10"], ipFamilies: ["IPv6"] } }, ["2001:db8::"]],
    ["dual-stack", { spec: DUAL }, ["192.0.2.1", "2001:db8::"]],
    ["a requested address", annotated("loadBalancerIPs", "192.0.2.7"), ["192.0.2.7"]],
    ["spec.loadBalancerIP", { spec: { loadBalancerIP: "192.0.2.8" } }, ["192.0.2.8"]],
    ["a requested pool", annotated("address-pool", "manual"), ["198.51.100.1"]],
  ] as const) {
    test(`${what}: status, annotation, condition, event and pool counters`, async (t) => {
      const on = await bench(t);
      on.pool("first", ["192.0.2.1-192.0.2.10", "2001:db8::/64"]);
      on.pool("manual", ["198.51.100.1-198.51.100.3"], { autoAssign: false });
      on.start();
      on.service("web", options);
      await on.has("web", ...expected);
      const pool = expected[0].startsWith("198.") ? "manual" : "first";
      assert.equal(on.get("web").metadata.annotations["metallb.io/ip-allocated-from-pool"], pool);
      assert.equal(on.condition("web").status, "True");
      assert.equal(on.api.count("patch", SERVICES), 1);
      const { involvedObject, source } = await on.event("IPAllocated", /^Assigned IP \["/);
      assert.equal(involvedObject.uid, on.get("web").metadata.uid);
      assert.equal(source.component, "metallb-controller");
      const v6 = expected.filter((ip) => ip.includes(":")).length;
      await eventually(
        () => {
          const status = on.api.get(`${POOLS}/${pool}`).status ?? {};
          return (
            status.assignedIPv4 === expected.length - v6 &&
            status.assignedIPv6 === v6 &&
            (pool === "manual" || status.availableIPv6 === 9_223_372_036_854_775_807n || v6 > 0)
          );
        },
        { describe: "the counters" },
      );
      assert.equal(
        await on.metric(`metallb_allocator_addresses_in_use_total{pool="${pool}"}`),
        String(expected.length),
      );
    });
  }

  test("sharing keys put Services on one address until a port clashes", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    on.start();
    const shared = annotated("allow-shared-ip", "key");
    on.service("a", { ...shared });
    on.service("b", { ...shared, spec: { ports: [{ protocol: "TCP", port: 81 }] } });
    await on.has("a", "192.0.2.1");
    await on.has("b", "192.0.2.1");
    on.service("c", { ...shared });
    await on.refused("c", /pool "one" has no free IPv4 address and none whose sharing key/);
    on.remove("a");
    await on.has("c", "192.0.2.1");
    assert.equal(await on.metric('metallb_allocator_addresses_in_use_total{pool="one"}'), "1");
  });

  test("a class is served by its controller only", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.start({ loadBalancerClass: "example.com/lb" });
    on.service("plain");
    on.service("other", { spec: { loadBalancerClass: "example.com/other" } });
    on.service("mine", { spec: { loadBalancerClass: "example.com/lb" } });
    await on.has("mine", "192.0.2.1");
    on.service("last", { spec: { loadBalancerClass: "example.com/lb" } });
    await on.has("last", "192.0.2.2");
    assert.deepEqual(on.given().toSorted(), ["192.0.2.1", "192.0.2.2"]);
  });

  test("namespaces are matched by their labels, as they become", async (t) => {
    const on = await bench(t);
    on.pool("team", ["192.0.2.1/32"], {
      serviceAllocation: { namespaceSelectors: [{ matchLabels: { team: "a" } }] },
    });
    on.start();
    on.service("web");
    await on.refused("web", /pool "team" does not serve this namespace/);
    on.namespace("default", { team: "a" });
    await on.has("web", "192.0.2.1");
  });

  test("500 Services created at once have 500 addresses, one PATCH each", async (t) => {
    const on = await bench(t);
    on.pool("first", ["10.0.0.0/16"]);
    on.start();
    await on.ready();
    for (let index = 0; index < 500; index++) on.service(`s${index}`);
    await eventually(() => new Set(on.given()).size === 500, { describe: "500 addresses" });
    assert.equal(on.given().length, 500);
    assert.equal(on.api.count("patch", SERVICES), 500);
  });
});

describe("controller takes addresses away and passes them on", () => {
  test("a pool that is added serves those who wait, the oldest first", async (t) => {
    const on = await bench(t);
    on.start();
    on.service("young", { metadata: { creationTimestamp: "2026-01-02T00:00:00Z" } });
    on.service("old", { metadata: { creationTimestamp: "2026-01-01T00:00:00Z" } });
    await on.refused("young", /no IPAddressPool is configured/);
    await on.refused("old", /no IPAddressPool is configured/);
    on.pool("one", ["192.0.2.1/32"]);
    await on.has("old", "192.0.2.1");
    await on.refused("young", /pool "one" has no free IPv4 address/);
    await on.event(
      "AllocationFailed",
      /Failed to allocate IP for "default\/young": no available IPs/,
    );
  });

  const waysToFree: readonly (readonly [string, (on: Bench) => void])[] = [
    ["is deleted", (on) => on.remove("holder")],
    ["changes its type", (on) => on.change("holder", ({ spec }) => (spec.type = "ClusterIP"))],
    [
      "asks for another address",
      (on) =>
        on.change("holder", ({ metadata }) => {
          metadata.annotations["metallb.io/loadBalancerIPs"] = "198.51.100.1";
        }),
    ],
    [
      "asks for another pool",
      (on) =>
        on.change("holder", ({ metadata }) => {
          metadata.annotations["metallb.io/address-pool"] = "manual";
        }),
    ],
  ];
  for (const [how, free] of waysToFree) {
    test(`the one that waits gets the address when its holder ${how}`, async (t) => {
      const on = await bench(t);
      on.pool("one", ["192.0.2.1/32"]);
      on.pool("manual", ["198.51.100.1/32"], { autoAssign: false });
      on.start();
      on.service("holder");
      await on.has("holder", "192.0.2.1");
      on.service("waits");
      await on.refused(
        "waits",
        /pool "manual" is not assigned automatically.*pool "one" has no free/,
      );
      free(on);
      await on.has("waits", "192.0.2.1");
      assert(!on.addresses("holder").includes("192.0.2.1"));
    });
  }

  test("a type other than LoadBalancer clears status, annotation and condition", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    on.start();
    on.service("web", {
      status: { conditions: [{ type: "Other", status: "True", reason: "Is", message: "" }] },
    });
    await on.has("web", "192.0.2.1");
    on.change("web", ({ spec }) => (spec.type = "ClusterIP"));
    await on.has("web");
    assert.equal(on.condition("web"), undefined);
    assert.equal(
      on.get("web").metadata.annotations["metallb.io/ip-allocated-from-pool"],
      undefined,
    );
    assert.deepEqual(
      on.get("web").status.conditions.map(({ type }: Json) => type),
      ["Other"],
    );
  });

  test("the status of a Service that was never a load balancer is left alone", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    const foreign = { loadBalancer: { ingress: [{ ip: "203.0.113.9" }] } };
    on.service("foreign", { spec: { type: "ClusterIP" }, status: foreign });
    on.start();
    on.service("web");
    await on.has("web", "192.0.2.1");
    assert.deepEqual(on.addresses("foreign"), ["203.0.113.9"]);
  });

  test("a removed pool: its Services move with an event, or wait", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    on.start();
    on.service("web");
    await on.has("web", "192.0.2.1");
    on.pool("two", ["198.51.100.1/32"]);
    on.api.remove(`${POOLS}/one`);
    await on.has("web", "198.51.100.1");
    await on.event("ClearAssignment", /current IP for "default\/web" is not allowed by config/);
  });

  test("an address is given on only when its holder's status no longer shows it", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    on.pool("manual", ["198.51.100.1/32"], { autoAssign: false });
    on.start();
    on.service("holder");
    await on.has("holder", "192.0.2.1");
    on.service("waits");
    await on.refused("waits", /no free/);
    const heal = on.api.fault({
      kind: "status",
      status: 500,
      verb: "patch",
      path: /holder/,
      times: 1e6,
    });
    on.change("holder", ({ metadata }) => {
      metadata.annotations["metallb.io/address-pool"] = "manual";
    });
    const tries = on.api.count("patch", /holder/);
    await eventually(() => on.api.count("patch", /holder/) > tries + 2, { describe: "tries" });
    assert.deepEqual(on.addresses("waits"), []);
    heal();
    await on.has("holder", "198.51.100.1");
    await on.has("waits", "192.0.2.1");
  });
});

describe("controller restarts", () => {
  test("everybody keeps the address, and nothing is written", async (t) => {
    const on = await bench(t);
    on.pool("first", ["10.0.0.0/24"]);
    on.start();
    for (let index = 0; index < 50; index++) on.service(`s${index}`);
    await eventually(() => on.given().length === 50, { describe: "50 addresses" });
    await eventually(() => on.api.get(`${POOLS}/first`).status?.assignedIPv4 === 50, {
      describe: "the counters",
    });
    const before = on.api.list("/api/v1/services");
    await on.stop();
    const patches = on.api.count("patch", SERVICES);
    on.remove("s0");
    on.start();
    on.service("new");
    await on.has("new", before[0].status.loadBalancer.ingress[0].ip);
    for (const service of before.slice(1)) {
      assert.deepEqual(on.get(service.metadata.name), service);
    }
    assert.equal(on.api.count("patch", SERVICES), patches + 1);
  });

  test("a new Service that is older gets none of the addresses that are held", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1/32"]);
    on.service("a-pending", { metadata: { creationTimestamp: "2026-01-01T00:00:00Z" } });
    on.service("z-holder", {
      metadata: { creationTimestamp: "2026-01-02T00:00:00Z" },
      status: { loadBalancer: { ingress: [{ ip: "192.0.2.1" }] } },
    });
    on.start();
    await on.refused("a-pending", /pool "one" has no free IPv4 address/);
    assert.deepEqual(on.addresses("z-holder"), ["192.0.2.1"]);
  });

  test("two Services with one address: the older keeps it", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.3"]);
    const status = { loadBalancer: { ingress: [{ ip: "192.0.2.2" }] } };
    on.service("a-young", { metadata: { creationTimestamp: "2026-01-02T00:00:00Z" }, status });
    on.service("z-old", { metadata: { creationTimestamp: "2026-01-01T00:00:00Z" }, status });
    on.start();
    await on.has("a-young", "192.0.2.1");
    assert.deepEqual(on.addresses("z-old"), ["192.0.2.2"]);
  });

  test("killed again and again during 200 creations: no address twice, none moved", async (t) => {
    const on = await bench(t);
    on.pool("first", ["10.0.0.0/24"]);
    on.start();
    const seen = new Map<string, string>();
    const look = () => {
      for (const { metadata, status } of on.api.list("/api/v1/services")) {
        const ip = status?.loadBalancer?.ingress?.[0]?.ip;
        if (ip === undefined) continue;
        assert.equal(seen.get(metadata.name) ?? ip, ip, metadata.name);
        seen.set(metadata.name, ip);
      }
      assert.equal(new Set(seen.values()).size, seen.size);
    };
    for (let index = 0; index < 200; index++) {
      on.service(`s${index}`);
      if (index % 40 !== 39) continue;
      const known = seen.size;
      await eventually(() => on.given().length > known + 5, { describe: "some addresses" });
      on.kill();
      look();
      on.start();
    }
    await eventually(() => on.given().length === 200, { describe: "200 addresses" });
    look();
    assert.equal(seen.size, 200);
  });
});

describe("controller copes with the API server", () => {
  test("a conflict: the newest object is decided on", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.start();
    await on.ready();
    on.api.fault({ kind: "slow", ms: 200, verb: "patch", path: SERVICES });
    on.service("web");
    await eventually(() => on.api.count("patch", SERVICES) === 1, { describe: "the first PATCH" });
    on.change("web", ({ metadata }) => {
      metadata.annotations = { "metallb.io/loadBalancerIPs": "192.0.2.9" };
    });
    await on.has("web", "192.0.2.9");
    assert.equal(await on.metric("metallb_controller_write_conflicts_total"), "1");
  });

  test("an answer that is lost: the Service keeps what was written", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.start();
    await on.ready();
    on.api.fault({ kind: "lose", verb: "patch", path: SERVICES, times: 2 });
    on.service("web");
    on.service("other");
    await on.has("web", "192.0.2.1");
    await on.has("other", "192.0.2.2");
    on.service("third");
    await on.has("third", "192.0.2.3");
    assert.equal(new Set(on.given()).size, 3);
  });

  test("away and back: what changed meanwhile is done", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.start();
    on.service("web");
    await on.has("web", "192.0.2.1");
    await on.api.refuse();
    on.service("meanwhile");
    on.remove("web");
    await on.api.accept();
    await on.has("meanwhile", "192.0.2.1");
  });

  test("away at the start, then without CRDs: says what it waits for and goes on", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.service("web");
    on.api.absent.add("bgppeers.metallb.io");
    await on.api.refuse();
    on.start();
    const says = (text: string) =>
      eventually(() => on.controller.waitingFor().some((line) => line.includes(text)), {
        describe: `it to wait for ${text}`,
      });
    await says("does not answer");
    await on.api.accept();
    await says("waiting for the CRD bgppeers.metallb.io");
    assert.deepEqual(on.addresses("web"), []);
    on.api.absent.clear();
    await on.has("web", "192.0.2.1");
    assert.deepEqual(on.controller.waitingFor(), []);
  });

  test("a Service whose write is refused does not hold up the others", async (t) => {
    const on = await bench(t);
    on.pool("first", ["192.0.2.1-192.0.2.10"]);
    on.start();
    const heal = on.api.fault({
      kind: "status",
      status: 422,
      verb: "patch",
      path: /\/bad\//,
      times: 1e6,
    });
    on.service("bad");
    on.service("good");
    await on.has("good", "192.0.2.2");
    heal();
    await on.has("bad", "192.0.2.1");
  });
});

describe("controller reports on the configuration", () => {
  test("a bad pool is refused by name, the others give addresses", async (t) => {
    const on = await bench(t);
    on.pool("bad", ["192.0.2.9-192.0.2.1"]);
    on.pool("good", ["198.51.100.1/32"]);
    on.start();
    on.service("web");
    await on.has("web", "198.51.100.1");
    on.service("next", annotated("address-pool", "bad"));
    await on.refused("next", /pool "bad" is refused: see its conditions/);
    const condition = await eventually(
      () =>
        on.api
          .get(`${POOLS}/bad`)
          .status?.conditions?.find(({ type }: Json) => type === "Accepted"),
      { describe: "the condition" },
    );
    assert.equal(condition.status, "False");
    assert.match(condition.message, /spec\.addresses\[0\]: .*192\.0\.2\.9-192\.0\.2\.1/);
    await on.event("ConfigurationError", /IPAddressPool "bad"/);
    await eventually(
      () => {
        const path = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/configurationstates/controller`;
        const { result, errorSummary = "" } = on.api.get(path)?.status ?? {};
        return result === "Invalid" && errorSummary.includes('IPAddressPool "bad"');
      },
      { describe: "the ConfigurationState" },
    );
    assert.equal(await on.metric("metallb_k8s_client_config_stale_bool"), "1");
    on.pool("bad", ["192.0.2.1-192.0.2.9"]);
    await on.has("next", "192.0.2.1");
    assert.equal(await on.metric("metallb_k8s_client_config_stale_bool"), "0");
  });

  test("a bad edit leaves the pool as it was", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1-192.0.2.2"]);
    on.start();
    on.service("web");
    await on.has("web", "192.0.2.1");
    const pool = on.api.get(`${POOLS}/one`);
    on.api.put({ ...pool, spec: { addresses: ["nonsense"] } });
    await on.event("ConfigurationError", /nonsense/);
    on.service("next");
    await on.has("next", "192.0.2.2");
    assert.deepEqual(on.addresses("web"), ["192.0.2.1"]);
  });

  test("a status that somebody else wrote is put right", async (t) => {
    const on = await bench(t);
    on.pool("one", ["192.0.2.1-192.0.2.2"]);
    on.start();
    const counted = () => on.api.get(`${POOLS}/one`).status?.availableIPv4 === 2;
    await eventually(counted, { describe: "the counters" });
    const pool = on.api.get(`${POOLS}/one`);
    on.api.put({ ...pool, status: { ...pool.status, availableIPv4: 7 } });
    await eventually(counted, { describe: "the counters to be put right" });
  });

  test("the memberlist Secret is made once", async (t) => {
    const on = await bench(t);
    const secrets = `/api/v1/namespaces/${NAMESPACE}/secrets`;
    on.start({ memberlistSecret: "memberlist" });
    const secret = await eventually(() => on.api.get(`${secrets}/memberlist`), {
      describe: "the Secret",
    });
    assert.match(secret.stringData.secretkey, /^[A-Za-z0-9+/]{22}$/);
    await on.stop();
    on.start({ memberlistSecret: "memberlist" });
    await on.ready();
    await eventually(() => on.api.count("list", /secrets$/) >= 4, { describe: "the second look" });
    assert.deepEqual(on.api.get(`${secrets}/memberlist`), secret);
  });
});
