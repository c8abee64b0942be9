// The control plane itself: serves, refuses, forgets nothing in an outage, and leaves nothing.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { hireJanitor, type Janitor } from "./janitor.ts";
import { startKubeProxy } from "./kube-proxy.ts";
import { apply, putEndpointSlice, putNode, putService, setLoadBalancerStatus } from "./objects.ts";
import { ApiError } from "./request.ts";

describe("startCluster()", () => {
  let cluster: Cluster;
  before(async () => {
    const startedAt = performance.now();
    cluster = await startCluster();
    console.log(`started in ${Math.round(performance.now() - startedAt)} ms`);
  });
  after(() => cluster?.stop());

  it("serves kubectl", async () => {
    const namespaces = await cluster.kubectl(["get", "namespaces", "-o", "name"]);
    assert.match(namespaces, /^namespace\/default$/m);
    await assert.rejects(cluster.kubectl(["get", "nonsense"]), /have a resource type "nonsense"/);
    const version = JSON.parse(await cluster.kubectl(["version", "-o", "json"]));
    assert.match(version.clientVersion.gitVersion, /^v1\./);
    assert.equal(version.serverVersion.gitVersion, version.clientVersion.gitVersion);
  });

  it("takes Services of both families at once", async () => {
    const services = "/api/v1/namespaces/default/services";
    const { spec } = await cluster.request("POST", services, {
      metadata: { name: "both" },
      spec: { type: "LoadBalancer", ports: [{ port: 80 }], ipFamilyPolicy: "RequireDualStack" },
    });
    assert.deepEqual(spec.ipFamilies, ["IPv4", "IPv6"]);
  });

  it("lets a service account do what its role says and no more", async () => {
    const account = { namespace: "default", name: "reader" };
    const core = "/api/v1/namespaces/default";
    await cluster.request("POST", `${core}/serviceaccounts`, { metadata: { name: "reader" } });
    const token = await cluster.serviceAccountToken(account);
    const asReader = (path: string) => cluster.request("GET", path, undefined, { token });
    const refused = (status: number) => (error: unknown) =>
      error instanceof ApiError && error.status === status;

    await assert.rejects(asReader(`${core}/configmaps`), refused(403));
    await apply(cluster, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "Role",
      metadata: { name: "reader" },
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["list"] }],
    });
    await apply(cluster, {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "RoleBinding",
      metadata: { name: "reader" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" },
      subjects: [{ kind: "ServiceAccount", ...account }],
    });
    await eventually(() => asReader(`${core}/configmaps`), { describe: "the role to count" });
    await assert.rejects(asReader(`${core}/secrets`), refused(403));
    const stranger = cluster.request("GET", `${core}/configmaps`, undefined, { token: "guessed" });
    await assert.rejects(stranger, refused(401));

    const kubeconfig = await cluster.writeKubeconfig({ serviceAccount: account });
    const whoAmI = await cluster.kubectl(["auth", "whoami"], { kubeconfig });
    assert.match(whoAmI, /system:serviceaccount:default:reader/);
  });

  it("is believed by its certificate only", async () => {
    const get = (...args: string[]) =>
      execFileSync("curl", ["--silent", "--show-error", ...args, `${cluster.url}/readyz`], {
        encoding: "utf8",
        stdio: "pipe",
      });
    assert.throws(() => get(), /certificate/);
    const kubeconfig = JSON.parse(readFileSync(cluster.kubeconfigPath, "utf8"));
    const ca = kubeconfig.clusters[0].cluster["certificate-authority-data"];
    const path = await cluster.writeFile("ca.pem", Buffer.from(ca, "base64").toString());
    assert.equal(get("--cacert", path), "ok");
  });

  it("keeps its data through an outage of the API server", async () => {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "kept" } };
    const { metadata } = await apply(cluster, object);
    const path = "/api/v1/namespaces/default/configmaps/kept";
    const { url } = cluster;

    await cluster.stopApiServer();
    await assert.rejects(cluster.request("GET", path), { code: "ECONNREFUSED" });
    await cluster.startApiServer();

    assert.equal(cluster.url, url);
    assert.equal((await cluster.request("GET", path)).metadata.uid, metadata.uid);
  });
});

describe("stop()", () => {
  it("leaves no process and no file, and two clusters do not disturb each other", async () => {
    const [one, two] = await Promise.all([startCluster(), startCluster()]);
    const folder = dirname(one.kubeconfigPath);
    assert.ok(processesNaming(folder).length >= 2);
    await one.stop();
    assert.deepEqual(processesNaming(folder), []);
    assert.equal(existsSync(folder), false);
    await two.request("GET", "/api/v1/namespaces/default");
    await two.stop();
    await two.stop();
  });

  it("follows a start that fails, and the error shows the log", async () => {
    // An address of documentation: nobody has it.
    const starting = startCluster({ bindAddress: "192.0.2.1" });
    await assert.rejects(starting, /kube-apiserver: it ended with exit code 1\n.*192\.0\.2\.1/s);
    assert.deepEqual(processesNaming(`metallb-ts-cluster-${process.pid}-`), []);
  });
});

const why = cannotUseNamespaces();

describe("a cluster in a network namespace", { skip: skipped(why) }, () => {
  const inside = `mlt-api-${process.pid}`;
  const node = `mlt-node-${process.pid}`;
  const janitors: Janitor[] = [];
  let cluster: Cluster;

  before(async () => {
    for (const name of [inside, node]) janitors.push(addNamespace(name));
    const link = ["link", "add", "eth0", "netns", inside, "type", "veth"];
    ip(...link, "peer", "name", "eth0", "netns", node);
    for (const [name, host] of [
      [inside, 1],
      [node, 2],
    ] as const) {
      ip("-n", name, "address", "add", `198.18.0.${host}/24`, "dev", "eth0");
      ip("-n", name, "link", "set", "eth0", "up");
    }
    cluster = await startCluster({ netns: inside, bindAddress: "198.18.0.1" });
  });
  after(async () => {
    await cluster?.stop();
    for (const janitor of janitors) await janitor.clean();
  });

  it("is reached from here and from other namespaces", async () => {
    assert.match(await cluster.kubectl(["get", "namespaces", "-o", "name"]), /namespace\/default/);
    const kubeconfig = await cluster.writeKubeconfig({ forNodes: true });
    const { kubectl } = cluster.assets;
    const args = ["--kubeconfig", kubeconfig, "get", "--raw", "/readyz"];
    assert.equal(ip("netns", "exec", node, kubectl, ...args), "ok");
  });

  it("survives an outage of the API server", async () => {
    await cluster.stopApiServer();
    await assert.rejects(cluster.request("GET", "/readyz"), { code: "ECONNRESET" });
    await cluster.startApiServer();
    await cluster.request("GET", "/api/v1/namespaces/default");
  });

  it("has kube-proxy lead the address of a Service to its endpoint", async () => {
    await putNode(cluster, { name: "node1", addresses: ["198.18.0.2"] });
    const proxy = await startKubeProxy({ cluster, netns: node, nodeName: "node1" });
    await putService(cluster, { name: "web" });
    const endpoints = [{ address: "198.18.0.2", nodeName: "node1" }];
    await putEndpointSlice(cluster, { service: "web", endpoints });
    await setLoadBalancerStatus(cluster, "default", "web", ["203.0.113.7"]);
    await eventually(
      () => ip("netns", "exec", node, "nft", "list", "ruleset").includes("203.0.113.7"),
      { describe: "nftables to know the address" },
    );

    const serve = `require("node:http").createServer((_, r) => r.end("endpoint")).listen(8080)`;
    const server = cluster.startDaemon("server", process.execPath, ["--eval", serve], node);
    try {
      ip("-n", inside, "route", "add", "203.0.113.7", "via", "198.18.0.2");
      const curl = ["curl", "--silent", "--max-time", "5", "http://203.0.113.7"];
      const answer = await eventually(() => ip("netns", "exec", inside, ...curl), {
        describe: "an answer from the Service's address",
      });
      assert.equal(answer, "endpoint");
    } finally {
      await server.stop();
      await proxy.stop();
    }
  });
});

describe("SIGKILL of the process that started a cluster", () => {
  async function killUp(...args: string[]): Promise<void> {
    const main = fileURLToPath(new URL("./main.ts", import.meta.url));
    const up = spawn(process.execPath, [main, "up", ...args], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const lines = createInterface({ input: up.stdout });
    const [kubeconfig] = await once(lines, "line", { signal: AbortSignal.timeout(120_000) });
    const folder = dirname(kubeconfig);
    assert.ok(processesNaming(folder).length >= 3);
    assert.ok(existsSync(folder));
    up.kill("SIGKILL");
    await once(up, "exit");
    await eventually(() => processesNaming(folder).length === 0 && !existsSync(folder), {
      describe: `the processes and files of ${folder} to be gone`,
    });
  }

  it("takes the daemons and their files with it", () => killUp());

  it("does the same inside a namespace", { skip: skipped(why) }, async () => {
    const name = `mlt-killed-${process.pid}`;
    const janitor = addNamespace(name);
    try {
      ip("-n", name, "address", "add", "198.18.0.1/32", "dev", "lo");
      await killUp("--netns", name, "--bind-address", "198.18.0.1");
      await eventually(() => ip("netns", "pids", name) === "", { describe: `${name} to be empty` });
    } finally {
      await janitor.clean();
    }
  });
});

function ip(...args: readonly string[]): string {
  return execFileSync("ip", args, { encoding: "utf8", stdio: "pipe" });
}

function addNamespace(name: string): Janitor {
  ip("netns", "add", name);
  const janitor = hireJanitor("ip", "netns", "delete", name);
  ip("-n", name, "link", "set", "lo", "up");
  return janitor;
}

/** Process ids whose command line has the text in it. */
function processesNaming(text: string): number[] {
  const ids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return ids.map(Number).filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text);
    } catch {
      return false;
    }
  });
}

/** Why tests with network namespaces cannot run here; undefined if they can. */
function cannotUseNamespaces(): string | undefined {
  if (process.getuid?.() !== 0) return "not root: cannot make network namespaces";
  for (const [command, flag] of [
    ["ip", "-Version"],
    ["nft", "--version"],
  ] as const) {
    try {
      execFileSync(command, [flag], { stdio: "ignore" });
    } catch {
      return `no ${command} here`;
    }
  }
  return undefined;
}

/** The reason as node:test wants it; with REQUIRE_ALL a reason is a failure. */
function skipped(reason: string | undefined): string | false {
  if (reason === undefined) return false;
  if (process.env["REQUIRE_ALL"]) throw new Error(`Cannot skip with REQUIRE_ALL: ${reason}`);
  return reason;
}
