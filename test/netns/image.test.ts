// Controller, speaker and FRR as their Pods run them: from the image's tree, or by the chart's start
// script, as the user and with the capabilities of the container and no more, read only. The API
// server is a double; the machine's FRR and libraries stand for those of the images.

import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { copyFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { run } from "../../lab/netns/command.ts";
import { buildImageRoot, IMAGE } from "../../scripts/image-root.ts";
import { Daemon } from "../cluster/daemon.ts";
import { eventually } from "../cluster/eventually.ts";
import { type FakeApiServer, type Json, startApiServer } from "../fakes/api-server.ts";
import {
  bgpAdvertisement,
  l2Advertisement,
  NAMESPACE,
  NODE,
  node,
  peer,
  pool,
  service,
  slice,
} from "../speaker-samples.ts";
import { Contained } from "./contained.ts";
import { type ResponderLab, startResponderLab } from "./responder-lab.ts";

const ROOT = "dist/image-root";
/** Given by us, and looked up in charts/metallb by chart.test.ts. */
const FRR_CAPABILITIES = [
  ...["cap_chown", "cap_kill", "cap_net_admin", "cap_net_bind_service", "cap_net_raw"],
  ...["cap_setgid", "cap_setuid", "cap_sys_admin"],
];
const NET_RAW = 1n << 13n;
const ADDRESS = "192.0.2.240";

let lab: ResponderLab;
let api: FakeApiServer;
let folder: string;
let router: Daemon;
const containers: Contained[] = [];

/** Folders of the Pod that its containers share, and a kubeconfig for whoever runs in it. */
const shared = (name: string) => join(folder, name);

before(async () => {
  await buildImageRoot(ROOT);
  folder = mkdtempSync(join(tmpdir(), "image-"));
  chmodSync(folder, 0o755);
  for (const name of ["frr-conf", "frr-sockets", "frr-tmp", "frr-lib", "kube"]) {
    mkdirSync(shared(name));
    // As an emptyDir.
    if (name !== "kube") chmodSync(shared(name), 0o777);
  }
  lab = await startResponderLab();
  await lab.node.ip("link set lo up");
  await lab.node.ip("addr add 192.0.2.2/24 dev eth0");
  // The double listens here; a cable of its own leads to it.
  const host = `169.254.${(process.pid % 250) + 1}.1`;
  const cable = `image${process.pid}`;
  await lab.node.ip(`link add api0 type veth peer name ${cable} netns ${process.pid}`);
  await run(["ip", "addr", "add", `${host}/30`, "dev", cable]);
  await run(["ip", "link", "set", cable, "up"]);
  await lab.node.ip(`addr add ${host.replace(/1$/, "2")}/30 dev api0`);
  await lab.node.ip("link set api0 up");
  api = await startApiServer({ host });
  await copyFile(api.kubeconfigFile(), join(shared("kube"), "config"));
  chmodSync(join(shared("kube"), "config"), 0o644);
  for (const manifest of [
    node(NODE),
    pool("public", [`${ADDRESS}/28`]),
    l2Advertisement("public"),
    bgpAdvertisement("public"),
    peer("leaf", "192.0.2.1"),
    slice("web", [NODE]),
    service("web", [], { spec: { clusterIPs: ["10.96.0.1"], ports: [{ port: 80 }] } }),
  ]) {
    api.put(manifest);
  }
  await startRouter();
});

/** BIRD on the client: it keeps a route for minutes after its neighbor fell silent. */
async function startRouter(): Promise<void> {
  const file = shared("bird.conf");
  await writeFile(
    file,
    `router id 192.0.2.1;
protocol device { }
protocol bgp node {
  local 192.0.2.1 as 65100;
  neighbor 192.0.2.2 as 65000;
  hold time 240;
  ipv4 { import all; export none; };
}
`,
  );
  router = new Daemon({
    name: "bird",
    command: "bird",
    args: ["-f", "-c", file, "-s", shared("bird.ctl"), "-P", shared("bird.pid")],
    logPath: shared("bird.log"),
    netns: lab.client.netns,
  });
}

/** Whether the router knows the way to the Service. */
async function hasRoute(): Promise<boolean> {
  const routes = await run(["birdc", "-s", shared("bird.ctl"), "show", "route"]);
  return routes.includes(`${ADDRESS}/32`);
}

after(async () => {
  await router?.stop();
  for (const container of containers) await container.stop();
  await api?.close();
  lab?.remove();
  if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
});

type Start = Pick<
  Parameters<typeof Contained.start>[0],
  "name" | "layers" | "mounts" | "uid" | "gid" | "groups" | "capabilities" | "env" | "command"
>;

async function start(options: Start): Promise<Contained> {
  const own = mkdtempSync(join(folder, `${options.name}-`));
  chmodSync(own, 0o755);
  const container = await Contained.start({ ...options, folder: own, netns: lab.node.netns });
  containers.push(container);
  return container;
}

const KUBE = () => ({ source: shared("kube"), target: "/kube", readOnly: true });
const FRR_SHARED = () => [
  { source: shared("frr-conf"), target: "/etc/frr" },
  { source: shared("frr-sockets"), target: "/var/run/frr" },
];

function startController(): Promise<Contained> {
  return start({
    name: "controller",
    layers: [ROOT],
    mounts: [KUBE()],
    ...IMAGE.user,
    env: { ...IMAGE.env, KUBECONFIG: "/kube/config", METALLB_NAMESPACE: NAMESPACE },
    command: ["/controller", "--port=0", "--health-probe-port=17473"],
  });
}

function startSpeaker(group: number): Promise<Contained> {
  return start({
    name: "speaker",
    layers: [ROOT],
    mounts: [KUBE(), ...FRR_SHARED()],
    uid: 0,
    gid: 0,
    groups: [group],
    capabilities: ["cap_net_raw"],
    env: {
      ...IMAGE.env,
      KUBECONFIG: "/kube/config",
      METALLB_NAMESPACE: NAMESPACE,
      METALLB_NODE_NAME: NODE,
      FRR_CONFIG_FILE: "/etc/frr/frr.conf",
    },
    command: ["/speaker", "--port=0"],
  });
}

function startFrr(group: number): Promise<Contained> {
  return start({
    name: "frr",
    layers: ["/"],
    mounts: [
      { source: "charts/metallb/files/frr", target: "/etc/frr-startup", readOnly: true },
      ...FRR_SHARED(),
      { source: shared("frr-tmp"), target: "/var/tmp/frr" },
      { source: shared("frr-lib"), target: "/var/lib/frr" },
    ],
    uid: 0,
    gid: 0,
    groups: [group],
    capabilities: FRR_CAPABILITIES,
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", VTYSH_HISTFILE: "/dev/null" },
    command: ["/bin/bash", "/etc/frr-startup/start"],
  });
}

/** The one group of FRR's that opens its sockets. */
async function socketsGroup(): Promise<number> {
  return Number((await run(["getent", "group", "frrvty"])).split(":")[2]);
}

/** What the kernel says about process 1 of a container. */
function rights({ pid }: Contained) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)`, "m").exec(status)?.[1] ?? "";
  const capabilities = ["CapPrm", "CapEff", "CapBnd"].map((name) => BigInt(`0x${field(name)}`));
  return { uid: Number(field("Uid")), capabilities, noNewPrivileges: field("NoNewPrivs") };
}

function commandLine({ pid }: Contained): readonly string[] {
  return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
}

/** Status of a page of the Pod. */
function page(port: number, path: string): Promise<string> {
  const url = `http://127.0.0.1:${port}${path}`;
  const curl = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url];
  return run(["ip", "netns", "exec", lab.node.netns, ...curl]).catch(() => "none");
}

const webStatus = (): Json =>
  api.get("/api/v1/namespaces/default/services/web")?.status?.loadBalancer?.ingress;

describe("the image's programs in containers", () => {
  let controller: Contained;
  let speaker: Contained;
  let frr: Contained;
  let group: number;

  it("the controller gives an address, as nobody and without a capability", async () => {
    controller = await startController();
    await eventually(() => webStatus()?.[0]?.ip === ADDRESS, { describe: "the address" });
    const { uid, capabilities, noNewPrivileges } = rights(controller);
    assert.deepEqual([uid, capabilities, noNewPrivileges], [65534, [0n, 0n, 0n], "1"]);
    assert.equal(await page(17473, "/readyz"), "200");
  });

  it("FRR's container ends where its groups are not the image's, and says which are", async () => {
    group = await socketsGroup();
    const said = await startFrr(group + 1000).then(
      async (wrong) => {
        await eventually(() => wrong.ended !== undefined, { describe: "FRR's container to end" });
        return wrong.log();
      },
      (ended: Error) => ended.message,
    );
    assert.match(said, new RegExp(`want value speaker.frr.groups={[\\d,]*\\b${group}\\b`));
  });

  it("FRR starts by the chart's script; vtysh works for who enters", async () => {
    frr = await startFrr(group);
    await eventually(() => /all daemons up/.test(frr.log()), { describe: "FRR's daemons" });
    assert.doesNotMatch(frr.log(), /denied|not permitted|Permission|Failed/i);
    const daemons = await run(frr.command(["/usr/bin/vtysh", "-c", "show daemons"]));
    assert.deepEqual(
      daemons.trim().split(/\s+/).sort().join(" "),
      [...["bfdd", "bgpd", "staticd", "watchfrr", "zebra"]].join(" "),
    );
  });

  it("the speaker is ready beside it and answers ARP, with NET_RAW alone", async () => {
    speaker = await startSpeaker(group);
    await eventually(async () => (await page(17472, "/readyz")) === "200", {
      describe: "the speaker to be ready",
    });
    const mac = await lab.node.macOf("eth0");
    await eventually(
      async () => {
        await lab.client.exitCode(`ping -c 1 -W 0.1 ${ADDRESS}`);
        return (await lab.client.ip(`neigh show ${ADDRESS}`)).includes(mac);
      },
      { describe: "the client to learn who has the address" },
    );
    const { uid, capabilities, noNewPrivileges } = rights(speaker);
    assert.deepEqual([uid, capabilities, noNewPrivileges], [0, [NET_RAW, NET_RAW, NET_RAW], "1"]);
  });

  it("they are process 1 with the settings of decision 1, and cannot write to their roots", async () => {
    for (const [container, name] of [
      [controller, "controller"],
      [speaker, "speaker"],
    ] as const) {
      const [program, ...args] = commandLine(container);
      assert.equal(program, "/usr/bin/node");
      const flags = ["--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=0"];
      assert.deepEqual(args.slice(0, 4), [...flags, `/app/${name}.js`]);
      const environment = readFileSync(`/proc/${container.pid}/environ`, "utf8").split("\0");
      assert(environment.includes("MALLOC_ARENA_MAX=1"));
      const write = `require("node:fs").writeFileSync("/app/new", "")`;
      const attempt = run(container.command(["/usr/bin/node", "-e", write]));
      await assert.rejects(attempt, /EROFS: read-only file system/);
    }
  });

  it("mirror-status is found by name and shows the Service", async () => {
    const text = await run(speaker.command(["/mirror-status"]));
    assert.match(text, /default\/web/);
    assert.match(text, new RegExp(ADDRESS));
    // As "kubectl exec" looks it up: by the PATH of the image.
    const found = IMAGE.env.PATH.split(":").some((path) => {
      return statSync(join(ROOT, path, "mirror-status"), { throwIfNoEntry: false })?.isFile();
    });
    assert(found);
  });

  it("the speaker keeps its configuration in the folder it shares with FRR", async () => {
    const file = join(shared("frr-conf"), "frr.conf");
    await eventually(() => readFileSync(file, "utf8").includes(`network ${ADDRESS}/32 `), {
      describe: "frr.conf to have the route",
    });
    // It holds passwords.
    assert.equal(statSync(file).mode & 0o007, 0);
  });

  it("SIGTERM ends controller and speaker with code 0, and FRR goes on", async () => {
    await eventually(hasRoute, { describe: "the router to learn the route" });
    assert.equal(await controller.terminate(), "with exit code 0");
    assert.equal(await speaker.terminate(), "with exit code 0");
    assert(await hasRoute());
  });

  it("FRR ends on SIGTERM, and starts again from what the speaker wrote", async () => {
    const file = join(shared("frr-conf"), "frr.conf");
    const written = readFileSync(file, "utf8");
    assert.equal(await frr.terminate(), "with exit code 0");
    assert.doesNotMatch(frr.log(), /Cannot stop/);
    // bgpd has taken leave: nothing waits for the hold time.
    await eventually(async () => !(await hasRoute()), { describe: "the route to be gone" });
    frr = await startFrr(group);
    const configuration = () => run(frr.command(["/usr/bin/vtysh", "-c", "show running-config"]));
    await eventually(
      async () => (await configuration().catch(() => "")).includes(`network ${ADDRESS}/32 `),
      { describe: "FRR to have the route again" },
    );
    await eventually(hasRoute, { describe: "the router to learn it again" });
    assert.equal(readFileSync(file, "utf8"), written);
  });

  it("a daemon of FRR that was killed comes back", async () => {
    const pidFile = join(shared("frr-sockets"), "bgpd.pid");
    const before = readFileSync(pidFile, "utf8");
    // Nobody but root of the container may, and it has the capability for it.
    await run(frr.command(["/bin/bash", "-c", `kill -KILL ${before.trim()}`]));
    const summary = () =>
      run(frr.command(["/usr/bin/vtysh", "-d", "bgpd", "-c", "show bgp summary"]));
    await eventually(
      async () =>
        readFileSync(pidFile, "utf8") !== before && /leaf|192\.0\.2\.1/.test(await summary()),
      { describe: "bgpd to run again" },
    );
  });
});
