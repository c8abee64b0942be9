// Pods on the lab's nodes by the double of the kubelet: made, placed and replaced by the real
// controllers and scheduler, seen with kubectl, their containers as restricted as they ask.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type Lab, startLab } from "../../lab/netns/lab.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { eventually } from "./eventually.ts";
import { machineImage } from "./kubelet/image.ts";
import { type LabKubelets, startKubelets } from "./kubelet/lab.ts";
import { applyYaml, putNamespace } from "./objects.ts";
import type { Json } from "./request.ts";

const NAMESPACE = "kubelet-test";

let lab: Lab;
let cluster: Cluster;
let kubelets: LabKubelets;
before(async () => {
  lab = await startLab({ bareNodes: true });
  const { netns, addresses } = lab.node("control");
  cluster = await startCluster({
    netns,
    bindAddress: addresses[0] ?? "",
    workloads: true,
    audit: true,
  });
  kubelets = await startKubelets(lab, cluster, { machine: machineImage() });
  await putNamespace(cluster, NAMESPACE);
});
after(async () => {
  await kubelets?.stop();
  await cluster?.stop();
  await lab?.stop();
});

const kubectl = (...args: readonly string[]) => cluster.kubectl(["-n", NAMESPACE, ...args]);

async function pods(selector: string): Promise<readonly Json[]> {
  const query = `labelSelector=${encodeURIComponent(selector)}`;
  const { items } = await cluster.request("GET", `/api/v1/namespaces/${NAMESPACE}/pods?${query}`);
  return items;
}

function isReady({ status }: Json): boolean {
  return status.conditions?.some((c: Json) => c.type === "Ready" && c.status === "True") ?? false;
}

function untilReady(app: string, count: number): Promise<readonly Json[]> {
  return eventually(
    async () => {
      const found = await pods(`app=${app}`);
      return found.length === count && found.every(isReady) && found;
    },
    { describe: `${count} Pods of ${app} to be ready`, timeoutMs: 20_000 },
  );
}

/** A Pod of one container that runs a shell script on the machine's image. */
function shellPod(name: string, script: string, more = "", ofPod = ""): string {
  const indented = script.replaceAll("\n", "\n          ");
  return `
apiVersion: v1
kind: Pod
metadata: { name: ${name}, namespace: ${NAMESPACE}, labels: { app: ${name} } }
spec:
  terminationGracePeriodSeconds: 5
  containers:
    - name: main
      image: machine:1
      command: [sh, -c]
      args:
        - |
          ${indented}
${more}
${ofPod}
`;
}

const WAIT = "trap 'exit 0' TERM; sleep 1000 & wait";

describe("a DaemonSet on the host's network", () => {
  before(() =>
    applyYaml(
      cluster,
      `
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, namespace: ${NAMESPACE} }
data: { greeting: hello }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent, namespace: ${NAMESPACE} }
spec:
  selector: { matchLabels: { app: agent } }
  template:
    metadata: { labels: { app: agent } }
    spec:
      hostNetwork: true
      terminationGracePeriodSeconds: 5
      securityContext: { supplementalGroups: [4242], fsGroup: 4343 }
      initContainers:
        - name: first
          image: machine:1
          command: [sh, -c, "echo made by init >/shared/init"]
          volumeMounts: [{ name: shared, mountPath: /shared }]
      containers:
        - name: main
          image: machine:1
          command: [sh, -c, "echo version $(VERSION) on $(NODE); ${WAIT}"]
          env:
            - { name: VERSION, value: one }
            - { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
            - { name: HOST, valueFrom: { fieldRef: { fieldPath: status.hostIP } } }
            - { name: IPS, valueFrom: { fieldRef: { fieldPath: status.podIPs } } }
          ports: [{ containerPort: 7999, hostPort: 7999 }]
          securityContext:
            runAsUser: 0
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities: { drop: [ALL], add: [NET_RAW] }
          volumeMounts:
            - { name: shared, mountPath: /shared }
            - { name: settings, mountPath: /var/run/settings, readOnly: true }
        - name: plain
          image: machine:1
          command: [sh, -c, "${WAIT}"]
          securityContext: { runAsUser: 1234, runAsGroup: 1235, runAsNonRoot: true }
      volumes:
        - { name: shared, emptyDir: {} }
        - { name: settings, configMap: { name: settings } }
`,
    ),
  );

  it("runs on each node, with the node's addresses", async () => {
    const found = await untilReady("agent", 3);
    assert.deepEqual(found.map(({ spec }) => spec.nodeName).sort(), ["node1", "node2", "node3"]);
    for (const { spec, status } of found) {
      const { addresses } = lab.node(spec.nodeName);
      assert.deepEqual(
        status.podIPs.map(({ ip }: Json) => ip),
        addresses,
      );
    }
    assert.match(await kubectl("get", "pods"), /agent-\w+ +2\/2 +Running +0/);
  });

  it("shows the logs of all of them", async () => {
    const logs = await kubectl("logs", "-l", "app=agent", "-c", "main");
    const wanted = [1, 2, 3].map((n) => `version one on node${n}`);
    assert.deepEqual(logs.trim().split("\n").sort(), wanted);
    const stamped = await kubectl("logs", "ds/agent", "-c", "main", "--timestamps", "--tail=1");
    assert.match(stamped, /^\d{4}-\d\d-\d\dT\S+Z version one on node\d\n$/);
  });

  it("has the environment, the volumes and a token that the API server takes", async () => {
    const exec = (script: string) => kubectl("exec", "ds/agent", "--", "sh", "-c", script);
    const [host, ips] = (await exec("echo $HOST $IPS")).trim().split(" ");
    assert.ok(ips?.startsWith(`${host},2001:db8:`), ips);
    assert.equal(await exec("cat /shared/init"), "made by init\n");
    assert.equal(await exec("cat /var/run/settings/greeting"), "hello");
    const who = await exec(
      'cd /var/run/secrets/kubernetes.io/serviceaccount; curl -s --cacert ca.crt -H "Authorization: Bearer $(cat token)" ' +
        '-H "Content-Type: application/json" -d \'{"apiVersion":"authentication.k8s.io/v1","kind":"SelfSubjectReview"}\' ' +
        "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/apis/authentication.k8s.io/v1/selfsubjectreviews",
    );
    assert.equal(
      JSON.parse(who).status.userInfo.username,
      `system:serviceaccount:${NAMESPACE}:default`,
    );
  });

  it("may no more than it asks for", async () => {
    const status = (container: string) =>
      kubectl("exec", "ds/agent", "-c", container, "--", "cat", "/proc/self/status");
    const main = await status("main");
    assert.match(main, /^Uid:\t0\t/m);
    assert.match(main, /^Groups:\t0 4242 4343 $/m);
    for (const set of ["Prm", "Eff", "Bnd"]) {
      assert.match(main, new RegExp(`^Cap${set}:\\t0000000000002000$`, "m"));
    }
    assert.match(main, /^NoNewPrivs:\t1$/m);
    const plain = await status("plain");
    assert.match(plain, /^Uid:\t1234\t1234\t1234\t1234$/m);
    assert.match(plain, /^Gid:\t1235\t/m);
    assert.match(plain, /^CapEff:\t0000000000000000$/m);
    assert.match(plain, /^CapBnd:\t00000000a80425fb$/m);
    assert.match(plain, /^NoNewPrivs:\t0$/m);
  });

  it("cannot write to its root, and can to a volume", async () => {
    const touch = (path: string) => kubectl("exec", "ds/agent", "--", "touch", path);
    await assert.rejects(touch("/etc/file"), /Read-only file system/);
    await assert.rejects(touch("/var/run/settings/file"), /Read-only file system/);
    await touch("/shared/file");
  });

  it("tells kubectl the exit code of a command, and gives it standard input", async () => {
    await assert.rejects(kubectl("exec", "ds/agent", "--", "sh", "-c", "exit 7"), /exit code 7/);
    const echoed = await cluster.kubectl(["-n", NAMESPACE, "exec", "-i", "ds/agent", "--", "cat"], {
      input: "said\n",
    });
    assert.equal(echoed, "said\n");
  });

  it("is replaced node by node when it changes", async () => {
    const old = new Set((await pods("app=agent")).map(({ metadata }) => metadata.uid));
    await kubectl("set", "env", "ds/agent", "-c", "main", "VERSION=two");
    await kubectl("rollout", "status", "ds/agent", "--timeout=60s");
    const now = await untilReady("agent", 3);
    assert.ok(now.every(({ metadata }) => !old.has(metadata.uid)));
    assert.match(await kubectl("logs", "ds/agent", "-c", "main"), /^version two on /);
  });

  it("keeps its port from another Pod on the same node", async () => {
    await applyYaml(
      cluster,
      shellPod(
        "rival",
        WAIT,
        "      ports: [{ containerPort: 7999, hostPort: 7999 }]",
        "  nodeName: ~",
      ),
    );
    const reason = await eventually(
      async () => {
        const [pod] = await pods("app=rival");
        return pod?.status.conditions?.find((c: Json) => c.type === "PodScheduled")?.message;
      },
      { describe: "the scheduler's verdict" },
    );
    assert.match(reason, /3 node\(s\) didn't have free ports/);
  });
});

describe("a Deployment with networks of its own", () => {
  it("has addresses of its own, by which its Pods and the API server reach each other", async () => {
    await applyYaml(
      cluster,
      `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: ${NAMESPACE} }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: machine:1
          command: [python3, -m, http.server, "8000", --bind, "::", --directory, /etc/frr]
          readinessProbe: { httpGet: { path: /, port: 8000 }, periodSeconds: 1 }
          startupProbe: { exec: { command: ["true"] }, periodSeconds: 1 }
`,
    );
    const [one, other] = await untilReady("web", 2);
    const { podIP, podIPs } = other.status;
    assert.match(podIP, /^10\.244\.\d\.1\d\d$/);
    assert.equal(podIPs.length, 2);
    const { name } = one.metadata;
    const get = (url: string) =>
      kubectl("exec", name, "--", "curl", "-sm5", "-o", "/dev/null", "-w", "%{http_code}", url);
    assert.equal(await get(`http://${podIP}:8000/`), "200");
    assert.equal(await get(`http://[${podIPs[1].ip}]:8000/`), "200");
    const version = await kubectl(
      "exec",
      name,
      "--",
      "curl",
      "-skm5",
      `${cluster.nodeUrl}/version`,
    );
    assert.match(version, /gitVersion/);
  });

  it("ends in its grace period, and its Pods are gone then", async () => {
    await kubectl("delete", "deployment", "web", "--timeout=20s");
    await eventually(async () => (await pods("app=web")).length === 0, {
      describe: "the Pods of web to be gone",
    });
  });
});

describe("a container", () => {
  it("is started again when it ends, later each time, and its last log stays", async () => {
    await applyYaml(cluster, shellPod("short", "echo once; exit 3"));
    const status = await eventually(
      async () => {
        const [pod] = await pods("app=short");
        const found = pod?.status.containerStatuses?.[0];
        return found?.restartCount >= 2 && found.state.waiting && found;
      },
      { describe: "two restarts" },
    );
    assert.equal(status.state.waiting.reason, "CrashLoopBackOff");
    assert.equal(status.lastState.terminated.exitCode, 3);
    assert.equal(await kubectl("logs", "short", "--previous"), "once\n");
    const events = await kubectl("get", "events", "--field-selector=involvedObject.name=short");
    assert.match(events, /BackOff/);
    await kubectl("delete", "pod", "short", "--timeout=20s");
  });

  it("is ready only while its probe succeeds, and restarted when it is not alive", async () => {
    const script = `touch /tmp/ready /tmp/alive; ${WAIT}`;
    const probes = ["readiness", "liveness"].map((kind) => {
      const file = kind === "readiness" ? "ready" : "alive";
      return `      ${kind}Probe: { exec: { command: [test, -e, /tmp/${file}] }, periodSeconds: 1, failureThreshold: 2 }`;
    });
    await applyYaml(cluster, shellPod("probed", script, probes.join("\n")));
    await untilReady("probed", 1);
    await kubectl("exec", "probed", "--", "rm", "/tmp/ready");
    await eventually(async () => (await pods("app=probed")).every((pod) => !isReady(pod)), {
      describe: "probed not to be ready",
    });
    await kubectl("exec", "probed", "--", "rm", "/tmp/alive");
    const [{ status }] = await eventually(
      async () => {
        const found = await pods("app=probed");
        return (
          found[0]?.status.containerStatuses[0].restartCount === 1 && found.every(isReady) && found
        );
      },
      { describe: "a restart" },
    );
    assert.equal(status.containerStatuses[0].lastState.terminated.exitCode, 0);
    await kubectl("delete", "pod", "probed", "--timeout=20s");
  });

  it("gets SIGTERM first, and SIGKILL when it stays", async () => {
    await applyYaml(
      cluster,
      shellPod("stubborn", "trap 'echo no' TERM; while :; do sleep .1; done"),
    );
    await untilReady("stubborn", 1);
    const follow = kubectl("logs", "-f", "stubborn");
    const begun = performance.now();
    await kubectl("delete", "pod", "stubborn", "--grace-period=2", "--timeout=20s");
    assert.ok(performance.now() - begun >= 2000);
    assert.equal(await follow, "no\n");
  });

  it("waits for a Secret, and is refused as root where it must not be", async () => {
    const volume = `  volumes: [{ name: key, secret: { secretName: late } }]`;
    const mount = `      volumeMounts: [{ name: key, mountPath: /key }]`;
    await applyYaml(cluster, shellPod("waiting", `cat /key/a; echo; ${WAIT}`, mount, volume));
    await eventually(
      async () => /secrets "late" not found/.test(await kubectl("describe", "pod", "waiting")),
      { describe: "the event FailedMount" },
    );
    await kubectl("create", "secret", "generic", "late", "--from-literal=a=b");
    await untilReady("waiting", 1);
    assert.equal(await kubectl("logs", "waiting"), "b\n");
    await applyYaml(
      cluster,
      shellPod("refused", WAIT, "      securityContext: { runAsNonRoot: true }"),
    );
    await eventually(async () => /CreateContainerConfigError/.test(await kubectl("get", "pods")), {
      describe: "the refusal",
    });
  });

  it("is killed on demand", async () => {
    const [{ spec, metadata }] = await untilReady("waiting", 1);
    await kubelets.node(spec.nodeName).kill(metadata.name, "main");
    const terminated = await eventually(
      async () => (await pods("app=waiting"))[0]?.status.containerStatuses[0].lastState.terminated,
      { describe: "the end" },
    );
    assert.equal(terminated.exitCode, 137);
  });
});

describe("a node", () => {
  it("that stops takes its containers along and runs its Pods again when it is back", async () => {
    const [before] = await pods("app=agent");
    const { nodeName } = before.spec;
    await kubelets.node(nodeName).stop();
    await assert.rejects(kubectl("exec", before.metadata.name, "--", "true"));
    await kubelets.start(nodeName);
    await eventually(
      async () => {
        const again = (await pods("app=agent")).find((p) => p.metadata.uid === before.metadata.uid);
        return again?.status.containerStatuses[0].restartCount === 1 && isReady(again);
      },
      { describe: "the Pod to run again" },
    );
  });
});

describe("audit()", () => {
  it("says who asked for what", async () => {
    const user = `system:serviceaccount:${NAMESPACE}:default`;
    const requests = await cluster.audit();
    const own = requests.filter((request) => request.user === user);
    assert.deepEqual(
      own.map(({ verb, resource, code }) => [verb, resource, code]),
      [["create", "selfsubjectreviews", 201]],
    );
  });
});
