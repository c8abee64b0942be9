// The controller as a process of its own against a real API server.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { apply, applyFolder, find, putNamespace } from "./objects.ts";
import type { Json } from "./request.ts";

const NAMESPACE = "metallb-system";
const SERVICES = "/api/v1/namespaces/default/services";
const POOLS = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;
const MAIN = fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url));
const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));

describe("controller with a real API server", () => {
  let cluster: Cluster;
  let controller: ChildProcess | undefined;

  const start = () => {
    const ports = ["--port=0", "--health-probe-port=0"];
    const args = [MAIN, `--namespace=${NAMESPACE}`, ...ports, "--log-level=error"];
    const env = { ...process.env, KUBECONFIG: cluster.kubeconfigPath, NO_PROXY: "*" };
    controller = spawn(process.execPath, args, { env, stdio: "inherit" });
  };
  const end = async (signal: NodeJS.Signals): Promise<unknown> => {
    const child = controller;
    controller = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode;
    const exited = once(child, "exit");
    child.kill(signal);
    const [code] = await exited;
    return code;
  };
  const pool = (name: string, addresses: readonly string[], spec: object = {}) =>
    apply(cluster, {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { namespace: NAMESPACE, name },
      spec: { addresses, ...spec },
    });
  const service = (name: string, { annotations = {}, spec = {} } = {}) =>
    cluster.request("POST", SERVICES, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, annotations },
      spec: {
        type: "LoadBalancer",
        allocateLoadBalancerNodePorts: false,
        ports: [{ port: 80 }],
        ...spec,
      },
    });
  const addressesOf = ({ status }: Json): readonly string[] =>
    (status.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip);
  const given = async (): Promise<Map<string, string>> => {
    const { items } = await cluster.request("GET", SERVICES);
    return new Map(
      items.flatMap((item: Json) => addressesOf(item).map((ip) => [item.metadata.name, ip])),
    );
  };
  const has = (name: string, ...addresses: readonly string[]) =>
    eventually(
      async () => {
        const found = await cluster.request("GET", `${SERVICES}/${name}`);
        return addressesOf(found).join() === addresses.join() && found;
      },
      { describe: `${name} to have ${addresses.join(" ") || "nothing"}` },
    );
  const conditionOf = ({ status }: Json, type: string): Json =>
    (status?.conditions ?? []).find((condition: Json) => condition.type === type);

  before(async () => {
    cluster = await startCluster();
    await putNamespace(cluster, NAMESPACE);
  });
  after(async () => {
    await end("SIGKILL");
    await cluster?.stop();
  });

  test("starts without CRDs and goes on when they come", async () => {
    start();
    await service("early");
    await applyFolder(cluster, CRDS);
    await pool("first", ["10.1.0.0/23", "2001:db8::/64"]);
    await pool("manual", ["192.0.2.1/32"], { autoAssign: false });
    await has("early", "10.1.0.0");
  });

  test("one PATCH of the status carries status, annotation and condition", async () => {
    const { metadata, status } = await has("early", "10.1.0.0");
    assert.equal(metadata.annotations["metallb.io/ip-allocated-from-pool"], "first");
    assert.equal(conditionOf({ status }, "metallb.io/AddressAllocated").status, "True");
    const entries: Json[] = metadata.managedFields.filter(
      ({ subresource }: Json) => subresource === "status",
    );
    assert(
      entries.some(({ fieldsV1 }) => "f:metadata" in fieldsV1 && "f:status" in fieldsV1),
      JSON.stringify(entries),
    );
  });

  test("dual-stack, requested address, sharing", async () => {
    await service("dual", { spec: { ipFamilyPolicy: "RequireDualStack" } });
    await has("dual", "10.1.0.1", "2001:db8::");
    await service("asked", { annotations: { "metallb.io/loadBalancerIPs": "10.1.0.77" } });
    await has("asked", "10.1.0.77");
    const annotations = { "metallb.io/allow-shared-ip": "k", "metallb.io/address-pool": "manual" };
    await service("a", { annotations });
    await service("b", { annotations, spec: { ports: [{ port: 81 }] } });
    await has("a", "192.0.2.1");
    await has("b", "192.0.2.1");
  });

  test("pools show exact counters and that they are accepted, events tell of Services", async () => {
    await eventually(
      async () => {
        const text = await cluster.kubectl([
          "get",
          "-n",
          NAMESPACE,
          "ipaddresspool",
          "first",
          "-ojson",
        ]);
        return (
          /"availableIPv6": 9223372036854775807\b/.test(text) && text.includes('"assignedIPv4": 3')
        );
      },
      { describe: "the counters" },
    );
    const accepted = conditionOf(await cluster.request("GET", `${POOLS}/first`), "Accepted");
    assert.equal(accepted.status, "True");
    await eventually(
      async () => {
        const { items } = await cluster.request("GET", "/api/v1/namespaces/default/events");
        return items.some(
          ({ reason, message, involvedObject }: Json) =>
            reason === "IPAllocated" &&
            message === 'Assigned IP ["10.1.0.1" "2001:db8::"]' &&
            involvedObject.name === "dual",
        );
      },
      { describe: "the event" },
    );
  });

  test("another type: nothing of ours stays", async () => {
    await cluster.request("PATCH", `${SERVICES}/asked`, { spec: { type: "ClusterIP" } });
    await eventually(
      async () => {
        const { metadata, status } = await cluster.request("GET", `${SERVICES}/asked`);
        return (
          metadata.annotations["metallb.io/ip-allocated-from-pool"] === undefined &&
          status.loadBalancer?.ingress === undefined &&
          conditionOf({ status }, "metallb.io/AddressAllocated") === undefined
        );
      },
      { describe: "the Service to be bare" },
    );
  });

  test("SIGKILL during 200 creations: no address twice, none moved", async () => {
    const before = await given();
    const created = (async () => {
      for (let index = 0; index < 200; index += 10) {
        const names = Array.from({ length: 10 }, (_, offset) => `s${index + offset}`);
        await Promise.all(names.map((name) => service(name)));
      }
    })();
    const killed: Map<string, string>[] = [before];
    for (const count of [20, 60, 110]) {
      await eventually(async () => (await given()).size > count, {
        describe: `${count} addresses`,
      });
      await end("SIGKILL");
      killed.push(await given());
      start();
    }
    await created;
    const total = before.size + 200 + 1; // "dual" has two, of which the map keeps one.
    await eventually(async () => (await given()).size >= total - 1, { describe: "all addresses" });
    const now = await given();
    for (const then of killed) {
      for (const [name, ip] of then) assert.equal(now.get(name), ip, name);
    }
    const own = [...now].filter(([name]) => /^s\d+$/.test(name)).map(([, ip]) => ip);
    assert.equal(own.length, 200);
    assert.equal(new Set([...own, now.get("early")]).size, 201);
  });

  test("the API server away and back, a bad pool reported, SIGTERM ends with 0", async () => {
    await cluster.stopApiServer();
    await cluster.startApiServer();
    await service("after");
    await eventually(async () => (await given()).has("after"), { describe: "an address" });
    await pool("overlapping", ["10.1.1.0/24"]);
    const refused = await eventually(
      async () => {
        const found = await find(cluster, `${POOLS}/overlapping`);
        return found && conditionOf(found, "Accepted");
      },
      { describe: "the condition" },
    );
    assert.equal(refused.status, "False");
    assert.match(refused.message, /overlaps with already defined CIDR/);
    assert.equal(await end("SIGTERM"), 0);
  });
});
