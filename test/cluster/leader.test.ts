// Two controllers as processes against a real API server: one ends, is killed, freezes, loses the API
// server. Somebody watches all Services: no address is ever shown twice.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Connection, connect } from "../../src/kube/connection.ts";
import { type Store, startStore } from "../../src/kube/store.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apply, applyFolder, putNamespace } from "./objects.ts";
import type { Json } from "./request.ts";

const NAMESPACE = "metallb-system";
const SERVICES = "/api/v1/namespaces/default/services";
const LEASES = `/apis/coordination.k8s.io/v1/namespaces/${NAMESPACE}/leases`;
const MAIN = fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url));
const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
/** The program's own default. */
const DURATION_MS = 5_000;

class Observer {
  /** Addresses shown by two Services at the same time, as sentences. */
  readonly clashes: string[] = [];
  /** Which Service shows an address now. */
  readonly holders = new Map<string, string>();
  readonly leases: Store<Json>;
  readonly #connection: Connection;
  readonly #ended = new AbortController();

  constructor(kubeconfig: string) {
    this.#connection = connect({ kubeconfig });
    const options = {
      connection: this.#connection,
      prune: (object: unknown) => object as Json,
      onSynced: () => {},
      onProblem: () => {},
      signal: this.#ended.signal,
    };
    startStore<Json>({
      ...options,
      path: "/api/v1/services",
      onChange: (change) => {
        for (const ip of addressesOf(change.previous)) {
          if (this.holders.get(ip) === change.key) this.holders.delete(ip);
        }
        for (const ip of change.kind === "set" ? addressesOf(change.object) : []) {
          const other = this.holders.get(ip);
          if (other !== undefined) this.clashes.push(`${ip}: ${other} and ${change.key}`);
          this.holders.set(ip, change.key);
        }
      },
    });
    this.leases = startStore<Json>({ ...options, path: LEASES, onChange: () => {} });
  }

  get holder(): string {
    return this.leases.get(`${NAMESPACE}/metallb-controller`)?.spec.holderIdentity ?? "";
  }

  close(): void {
    this.#ended.abort();
    this.#connection.close();
  }
}

function addressesOf(service: Json): readonly string[] {
  return (service?.status?.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip);
}

class Controller {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
  log = "";

  constructor(name: string, port: number, kubeconfig: string) {
    this.name = name;
    this.port = port;
    const args = ["--leader-elect", `--port=${port}`, "--health-probe-port=0"];
    this.child = spawn(process.execPath, [MAIN, `--namespace=${NAMESPACE}`, ...args], {
      env: { ...process.env, KUBECONFIG: kubeconfig, METALLB_POD_NAME: name, NO_PROXY: "*" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.child.stdout?.on("data", (piece: Buffer) => {
      this.log += piece;
    });
  }

  async metrics(): Promise<string> {
    const url = `http://127.0.0.1:${this.port}/metrics`;
    return (await fetch(url, { signal: AbortSignal.timeout(2000) })).text();
  }

  async leads(): Promise<boolean> {
    return /^metallb_controller_leader 1$/m.test(await this.metrics());
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill(signal);
    await exited;
  }
}

describe("two controllers with a real API server", () => {
  let cluster: Cluster;
  let observer: Observer;
  let count = 0;
  const controllers = new Set<Controller>();

  const start = () => {
    count++;
    const name = `controller-${count}`;
    const port = 20_000 + (process.pid % 10_000) + count;
    const controller = new Controller(name, port, cluster.kubeconfigPath);
    controllers.add(controller);
    return controller;
  };
  const end = async (controller: Controller, signal: NodeJS.Signals) => {
    controllers.delete(controller);
    await controller.end(signal);
  };
  const create = async (name: string) => {
    await cluster.request("POST", SERVICES, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: {
        type: "LoadBalancer",
        allocateLoadBalancerNodePorts: false,
        ports: [{ port: 80 }],
      },
    });
  };
  const addressOf = (name: string) =>
    [...observer.holders].find(([, holder]) => holder === `default/${name}`)?.[0];
  const hasAddress = (name: string) =>
    eventually(() => addressOf(name), { describe: `${name} to have an address` });
  const leader = () =>
    eventually(
      async () => {
        for (const one of controllers) {
          if (observer.holder === one.name && (await one.leads())) return one;
        }
        return undefined;
      },
      { describe: "one to lead" },
    );
  const other = (one: Controller) => {
    const [found] = [...controllers].filter((each) => each !== one);
    assert(found !== undefined);
    return found;
  };
  const untilReady = (one: Controller) =>
    eventually(async () => (await fetch(`http://127.0.0.1:${one.port}/readyz`)).ok, {
      describe: `${one.name} to be ready`,
    });
  /** How long it takes from the act until the other leads, and until a Service has its address. */
  const takeover = async (t: TestContext, what: string, act: () => unknown) => {
    const before = await leader();
    const next = other(before);
    await untilReady(next);
    const name = `s-${next.name}`;
    const startedAtMs = performance.now();
    const tookMs = { lease: 0 };
    const watching = (async () => {
      while (observer.holder !== next.name) await new Promise((resolve) => setTimeout(resolve, 2));
      tookMs.lease = performance.now() - startedAtMs;
    })();
    await act();
    await create(name);
    while (addressOf(name) === undefined) await new Promise((resolve) => setTimeout(resolve, 2));
    const addressMs = performance.now() - startedAtMs;
    await watching;
    t.diagnostic(
      `${what}: Lease taken over after ${tookMs.lease.toFixed(0)} ms, the first address after ${addressMs.toFixed(0)} ms`,
    );
    assert.deepEqual(observer.clashes, []);
    return tookMs.lease;
  };

  before(async () => {
    cluster = await startCluster();
    await putNamespace(cluster, NAMESPACE);
    await applyFolder(cluster, CRDS);
    await apply(cluster, {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { namespace: NAMESPACE, name: "first" },
      spec: { addresses: ["10.1.0.0/23"] },
    });
    observer = new Observer(cluster.kubeconfigPath);
    await Promise.all([start(), start()].map(untilReady));
  });
  after(async () => {
    observer?.close();
    await Promise.all([...controllers].map((controller) => end(controller, "SIGKILL")));
    await cluster?.stop();
  });

  test("one leads, and the Lease reads as any other", async () => {
    const one = await leader();
    await create("first");
    await hasAddress("first");
    assert.equal(await other(one).leads(), false);
    assert.doesNotMatch(await other(one).metrics(), /metallb_allocator/);
    const text = await cluster.kubectl(["get", "lease", "-n", NAMESPACE, "metallb-controller"]);
    assert.match(text, new RegExp(`metallb-controller\\s+${one.name}\\s`));
    const described = await cluster.kubectl(["describe", "lease", "-n", NAMESPACE]);
    assert.match(described, /Lease Duration Seconds:\s+5/);
    await eventually(
      async () =>
        (await cluster.kubectl(["describe", "lease", "-n", NAMESPACE])).includes(
          `${one.name} became leader`,
        ),
      { describe: "the event" },
    );
  });

  test("SIGTERM: the other need not wait for the Lease to run out", async (t) => {
    const one = await leader();
    const leaseMs = await takeover(t, "SIGTERM", () => void one.child.kill("SIGTERM"));
    assert(leaseMs < DURATION_MS / 2, `${leaseMs} ms`);
    await end(one, "SIGTERM");
    assert.equal(one.child.exitCode, 0);
    await untilReady(start());
  });

  test("SIGKILL: the other waits for the Lease to run out", async (t) => {
    const one = await leader();
    await takeover(t, "SIGKILL", () => void one.child.kill("SIGKILL"));
    await end(one, "SIGKILL");
    await untilReady(start());
  });

  test("frozen beyond its Lease and thawed amid 200 creations: no address twice", async (t) => {
    const frozen = await leader();
    const next = other(frozen);
    const before = observer.holders.size;
    let isDone = false;
    const created = (async () => {
      for (let index = 0; index < 200; index += 10) {
        const names = Array.from({ length: 10 }, (_, offset) => `f${index + offset}`);
        await Promise.all(names.map(create));
        // Half before the freeze; the others up to the thaw and beyond.
        if (index >= 100) await new Promise((resolve) => setTimeout(resolve, 800));
      }
      isDone = true;
    })();
    await eventually(() => observer.holders.size > before + 20, { describe: "some addresses" });
    frozen.child.kill("SIGSTOP");
    const stoppedAtMs = performance.now();
    await eventually(() => observer.holder === next.name, { describe: "the other to lead" });
    const leadsAtMs = performance.now();
    await eventually(() => observer.holders.size > before + 100, { describe: "more addresses" });
    const given = observer.holders.size - before;
    assert.equal(isDone, false, "the thaw is to come while Services are created");
    frozen.child.kill("SIGCONT");
    await created;
    await eventually(() => observer.holders.size === before + 200, {
      describe: `200 addresses, not ${observer.holders.size - before}`,
    });
    assert.deepEqual(observer.clashes, []);
    await eventually(async () => !(await frozen.leads()), { describe: "the frozen one to stop" });
    assert.equal(await next.leads(), true);
    const lines = frozen.log.split("\n").filter((line) => line.includes('"leaderElection"'));
    const { msg, reason } = JSON.parse(lines.at(-1) ?? "{}");
    assert.equal(msg, "lost, standing by");
    const isWrite = (line: string) => line.includes('"ipAllocated"');
    const written = frozen.log.split("\n").filter(isWrite).length;
    t.diagnostic(
      `SIGSTOP: the other leads after ${(leadsAtMs - stoppedAtMs).toFixed(0)} ms; thawed when ${given} of 200 had an address: "${reason}"; it had given ${written} before`,
    );
  });

  test("the API server away beyond the Lease and back: exactly one leads", async (t) => {
    const one = await leader();
    await cluster.stopApiServer();
    await eventually(async () => !(await one.leads()), { describe: "the leader to step down" });
    const leaders = () => Promise.all([...controllers].map((each) => each.leads()));
    assert.deepEqual(await leaders(), [false, false]);
    await cluster.startApiServer();
    const startedAtMs = performance.now();
    await eventually(async () => (await leaders()).includes(true), { describe: "one to lead" });
    t.diagnostic(`one leads ${(performance.now() - startedAtMs).toFixed(0)} ms after it serves`);
    await create("after");
    await hasAddress("after");
    assert.equal((await leaders()).filter(Boolean).length, 1);
    assert.deepEqual(observer.clashes, []);
  });

  test("the API server restarted at once: exactly one leads", async (t) => {
    const one = await leader();
    const terms = () => one.log.match(/became leader/g)?.length;
    const before = terms();
    await cluster.stopApiServer();
    const stoppedAtMs = performance.now();
    await cluster.startApiServer();
    const awayMs = performance.now() - stoppedAtMs;
    await create("again");
    await hasAddress("again");
    const isSame = (await leader()) === one && terms() === before;
    t.diagnostic(`${isSame ? "the same goes on" : "a new term"} after ${awayMs.toFixed(0)} ms`);
    const leaders = await Promise.all([...controllers].map((each) => each.leads()));
    assert.equal(leaders.filter(Boolean).length, 1);
    assert.deepEqual(observer.clashes, []);
  });
});
