// The whole speaker between doubles, and what it wants of Layer 2: for which addresses this node
// comes first as Services, endpoints, Nodes and members come and go, and what people are told of it.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, describe, it } from "node:test";
import { eventually } from "./cluster/eventually.ts";
import type { FakeApiServer, Json, Manifest } from "./fakes/api-server.ts";
import { livingMembers, RecordedWire, wireStatus } from "./fakes/recorded-wire.ts";
import {
  CONFIGURATION,
  endAll,
  L2_STATUSES,
  POOLS,
  type Running,
  refused,
  serverWith,
  standing,
  start,
  writesAt,
} from "./running-speaker.ts";
import { address } from "./speaker-config.ts";
import {
  bgpAdvertisement,
  l2Advertisement,
  NAMESPACE,
  NODE,
  node,
  peer,
  pod,
  pool,
  SPEAKERS,
  service,
  slice,
  speakerPod,
} from "./speaker-samples.ts";

afterEach(endAll);

const NODES = [NODE, "node2", "node3"];
const L2_ADVERTISEMENTS = POOLS.replace("ipaddresspools", "l2advertisements");
const SERVICES = "/api/v1/namespaces/default/services";
const SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices";
const PODS = `/api/v1/namespaces/${NAMESPACE}/pods`;
const EXCLUDED = { labels: { "node.kubernetes.io/exclude-from-external-load-balancers": "" } };
const LOCAL = { spec: { externalTrafficPolicy: "Local" } };

/** The first address of the pool for which these nodes come first, in this order, by MetalLB's hash. */
function addressFor(...order: readonly string[]): string {
  for (let host = 1; host < 255; host += 1) {
    const ip = `192.0.2.${host}`;
    const digest = (name: string) => createHash("sha256").update(`${name}#${ip}`).digest("hex");
    const nodes = NODES.toSorted((a, b) => (digest(a) < digest(b) ? -1 : 1));
    if (order.every((name, index) => nodes[index] === name)) return ip;
  }
  throw new Error(`Cannot find an address for ${order}`);
}

const MINE = addressFor(NODE);
/** This node's when node2 is gone. */
const NEXT = addressFor("node2", NODE);
/** This node's when both others are gone. */
const LAST = addressFor("node2", "node3");

/** Three Nodes, one pool, one advertisement. */
const BASICS = [
  ...NODES.map((name) => node(name)),
  pool("pool", ["192.0.2.0/24", "2001:db8::/64"]),
  l2Advertisement("all"),
];

/** A Service with an endpoint on each node. */
function announced(name: string, ...ips: readonly string[]): readonly Manifest[] {
  return [service(name, ips), slice(name, NODES)];
}

const WEB = announced("web", MINE);

/** Waits until exactly these addresses are wanted, in these roles. */
function wanted({ wire }: Running, roles: Readonly<Record<string, string>>): Promise<boolean> {
  const look = () => {
    const now = Object.fromEntries([...wire.wants].map(([ip, { role }]) => [ip, role]));
    assert.deepEqual(now, roles);
    return true;
  };
  return eventually(look, { describe: `${JSON.stringify(roles)} to be wanted` });
}

/** Starts a speaker to which these are the living members. */
function startMember(server: FakeApiServer, ...alive: readonly string[]): Running {
  const running = start(server, { speakerSelector: SPEAKERS });
  if (alive.length > 0) running.wire.tell({ members: livingMembers(...alive) });
  return running;
}

describe("what is wanted of Layer 2", () => {
  it("each address of one node, by MetalLB's hash", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      ...announced("next", NEXT),
      ...announced("last", LAST),
    );
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby", [LAST]: "standby" });
    assert.deepEqual(running.wire.wants.get(address(MINE)), {
      role: "elected",
      interfaces: [],
      failbackDelayMs: 0,
      hasOthers: true,
    });
    // All of it in one piece.
    assert.equal(running.wire.changes.length, 1);
  });

  it("with the interfaces and the delay of its advertisement", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { wire } = start(server);
    server.put(l2Advertisement("all", { interfaces: ["eth1", "eth0"], failbackDelay: "30s" }));
    const want = await eventually(
      () => [...wire.wants.values()].find(({ failbackDelayMs }) => failbackDelayMs === 30_000),
      { describe: "the delay" },
    );
    assert.deepEqual(want.interfaces, ["eth0", "eth1"]);
  });

  it("nothing when the last endpoint goes, and it again when one comes", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(slice("web", NODES, { ready: false, serving: false, terminating: true }));
    await wanted(running, {});
    await refused(running, "default/web", "notOwner", "l2");
    server.put(slice("web", ["node3"]));
    await wanted(running, { [MINE]: "elected" });
    server.remove(`${SLICES}/web-1`);
    await wanted(running, {});
  });

  it("nothing for a Service that is deleted, or of another type", async () => {
    const server = await serverWith(...BASICS, ...WEB, ...announced("next", NEXT));
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    server.remove(`${SERVICES}/web`);
    await wanted(running, { [NEXT]: "standby" });
    server.put(service("next", [NEXT], { spec: { type: "ClusterIP" } }));
    await wanted(running, {});
  });

  it("another address when that changes, all at once", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(service("web", [NEXT, "2001:db8::1"]));
    // The first address elects for both.
    await wanted(running, { [NEXT]: "standby", "2001:db8::1": "standby" });
    assert.deepEqual(
      [...(running.wire.changes.at(-1) ?? [])].map(([ip, want]) => [ip, want?.role]),
      [
        [MINE, undefined],
        [NEXT, "standby"],
        ["2001:db8::1", "standby"],
      ],
    );
  });

  it("the same while its pool is gone, until the Service changes", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.remove(`${POOLS}/pool`);
    await eventually(() => /^poolGone/.test(standing(running, "default/web", "l2")?.warning), {
      describe: "the warning that the pool is gone",
    });
    await wanted(running, { [MINE]: "elected" });
    server.put(service("web", []));
    await wanted(running, {});
  });

  it("what advertisements of the pool say now", async () => {
    const server = await serverWith(...BASICS, pool("other", ["198.51.100.0/24"]), ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(l2Advertisement("all", { ipAddressPools: ["other"] }));
    await wanted(running, {});
    server.put(service("web", ["198.51.100.1"]));
    await eventually(() => running.wire.wants.size === 1, { describe: "the other address" });
    server.remove(`${L2_ADVERTISEMENTS}/all`);
    await wanted(running, {});
    await refused(running, "default/web", "noMatchingAdvertisement", "l2");
  });

  it("an address that two Services share until both are gone", async () => {
    const sharing = { annotations: { "metallb.io/allow-shared-ip": "key" } };
    const server = await serverWith(
      ...BASICS,
      service("tcp", [MINE], sharing),
      slice("tcp", NODES),
      service("udp", [MINE], sharing),
      slice("udp", ["node2"]),
    );
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.remove(`${SERVICES}/tcp`);
    await eventually(() => running.speaker.state().services.length === 1, {
      describe: "the Service to go",
    });
    await wanted(running, { [MINE]: "elected" });
    assert.equal(running.wire.changes.length, 1);
    server.put(slice("udp", []));
    await wanted(running, {});
  });

  it("no shared address by selectors, which could announce it from two nodes", async () => {
    const sharing = { annotations: { "metallb.io/allow-shared-ip": "key" }, labels: { a: "b" } };
    const server = await serverWith(
      ...BASICS,
      service("tcp", [MINE], sharing),
      slice("tcp", NODES),
    );
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(l2Advertisement("all", { serviceSelectors: [{ matchLabels: { a: "b" } }] }));
    await wanted(running, {});
    await refused(running, "default/tcp", "sharedIPWithServiceSelector", "l2");
  });

  it("addresses where endpoints are, when externalTrafficPolicy is Local", async () => {
    const server = await serverWith(
      ...BASICS,
      service("web", [NEXT], LOCAL),
      slice("web", [NODE, "node3"]),
    );
    const running = start(server);
    await wanted(running, { [NEXT]: "elected" });
    server.put(slice("web", NODES));
    await wanted(running, { [NEXT]: "standby" });
    server.put(slice("web", ["node2", "node3"]));
    // Left to node2 as soon as that asks for it.
    await wanted(running, { [NEXT]: "leaving" });
    server.put(slice("web", [NODE]));
    await wanted(running, { [NEXT]: "elected" });
    assert.equal(running.wire.wants.get(address(NEXT))?.hasOthers, false);
    server.put(slice("web", []));
    await wanted(running, {});
  });

  it("what a bad advertisement said before it was bad", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(l2Advertisement("all", { failbackDelay: "soon" }));
    await eventually(() => running.speaker.state().problems.length === 1, {
      describe: "the problem",
    });
    assert.match(
      running.speaker.state().problems.join(),
      /^L2Advertisement "all": spec\.failbackDelay: .*soon/,
    );
    await wanted(running, { [MINE]: "elected" });
    assert.equal(running.wire.changes.length, 1);
  });

  it("nothing for Services of another class", async () => {
    const spec = { loadBalancerClass: "example.com/other" };
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      service("other", [NEXT], { spec }),
      slice("other", NODES),
    );
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    const theirs = start(server, { loadBalancerClass: "example.com/other" });
    await wanted(theirs, { [NEXT]: "standby" });
  });

  it("everything in one piece, for 1000 Services too", async () => {
    const names = Array.from({ length: 1000 }, (_, index) => index);
    const server = await serverWith(
      ...NODES.map((name) => node(name)),
      pool("pool", ["198.18.0.0/16"]),
      l2Advertisement("all"),
      ...names.flatMap((index) => [
        service(`web${index}`, [`198.18.${index >> 8}.${index & 255}`]),
        slice(`web${index}`, NODES),
      ]),
    );
    const { wire } = start(server);
    await eventually(() => wire.wants.size > 0, { describe: "the first wishes" });
    assert.equal(wire.wants.size, 1000);
    assert.equal(wire.changes.length, 1);
    const elected = wire.in("elected").length;
    assert(elected > 250 && elected < 420, `${elected} of 1000 for one of three nodes`);
  });
});

describe("Nodes", () => {
  it("all count as alive without membership, as they come and go", async () => {
    const server = await serverWith(...BASICS, ...WEB, ...announced("next", NEXT));
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    server.remove("/api/v1/nodes/node2");
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected" });
    server.put(node("node2"));
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    // Pods are not even looked for.
    assert.equal(server.count("list", /pods/), 0);
  });

  it("change nothing by heartbeats", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    const metric = async () =>
      /^metallb_k8s_client_updates_total (\d+)$/m.exec(await running.registry.metrics())?.[1];
    const before = await metric();
    for (const name of NODES) {
      const lastHeartbeatTime = new Date().toISOString();
      server.put(
        node(name, { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime }] }),
      );
    }
    server.put(service("marker", []));
    await refused(running, "default/marker", "noIPAllocated", "l2");
    assert.equal(Number(await metric()) - Number(before), 1);
    assert.equal(running.wire.changes.length, 1);
  });

  it("with the exclude label are none, unless told otherwise", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    const told = start(server, { ignoreExcludeLabel: true });
    await wanted(running, { [MINE]: "elected" });
    server.put(node(NODE, EXCLUDED));
    await wanted(running, { [MINE]: "leaving" });
    for (const name of NODES) server.put(node(name, EXCLUDED));
    await wanted(running, {});
    await refused(running, "default/web", "nodeLabeledExcludeBalancers", "l2");
    await wanted(told, { [MINE]: "elected" });
    server.put(node(NODE));
    await wanted(running, { [MINE]: "elected" });
  });

  it("whose network is not set up are none", async () => {
    const down = { conditions: [{ type: "NetworkUnavailable", status: "True" }] };
    const server = await serverWith(...BASICS, ...WEB, ...announced("next", NEXT));
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    server.put(node("node2", down));
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected" });
    server.put(node(NODE, down));
    await wanted(running, { [MINE]: "leaving", [NEXT]: "leaving" });
  });

  it("come first by the annotation l2-weight, and by preferredNodeSelectors", async () => {
    const weight = (text: string) => ({ annotations: { "metallb.io/l2-weight": text } });
    const server = await serverWith(...BASICS, ...WEB, ...announced("last", LAST));
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [LAST]: "standby" });
    server.put(node("node3", weight("10")));
    await wanted(running, { [MINE]: "standby", [LAST]: "standby" });
    server.put(node(NODE, { ...weight("9"), labels: { rack: "a" } }));
    const preference = { matchLabels: { rack: "a" } };
    server.put(l2Advertisement("all", { preferredNodeSelectors: [{ weight: 2, preference }] }));
    await wanted(running, { [MINE]: "elected", [LAST]: "elected" });
    assert.equal(
      standing(running, "default/web", "l2").why,
      "score 11 (preferredNodeSelectors 2, l2-weight 9), the highest of 3 candidates",
    );
  });

  it("with a weight that is none count as if they had none, and are told so", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    server.put(node(NODE, { annotations: { "metallb.io/l2-weight": "heavy" } }));
    await eventually(() => /l2-weight "heavy"/.test(running.speaker.state().problems.join()), {
      describe: "the problem",
    });
    const event = await eventually(
      () => server.list("/api/v1/namespaces/default/events").find(isAbout("Node")),
      { describe: "the Event on the Node" },
    );
    assert.equal(event.reason, "ConfigurationError");
    assert.match(event.message, /"heavy": want an integer from 0 to 100$/);
    await wanted(running, { [MINE]: "elected" });
  });

  it("that nodeSelectors do not include leave it to the others", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    const others = { matchExpressions: [{ key: "name", operator: "Exists" }] };
    server.put(node("node2", { labels: { name: "node2" } }));
    server.put(l2Advertisement("all", { nodeSelectors: [others] }));
    await wanted(running, { [MINE]: "leaving" });
    await refused(running, "default/web", "noMatchingAdvertisement", "l2");
    server.put(l2Advertisement("all", { nodeSelectors: [{ matchLabels: { name: "nobody" } }] }));
    await wanted(running, {});
  });
});

describe("members", () => {
  it("are waited for before anything is wanted", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = startMember(server);
    await refused(running, "default/web", "notOwner", "l2");
    await wanted(running, {});
    running.wire.tell({ members: livingMembers(...NODES) });
    await wanted(running, { [MINE]: "elected" });
  });

  it("that die leave their addresses, and take them again when they return", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      ...announced("next", NEXT),
      ...announced("last", LAST),
    );
    const running = startMember(server, ...NODES);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby", [LAST]: "standby" });
    running.wire.tell({ members: livingMembers(NODE, "node3") });
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected", [LAST]: "standby" });
    // No other node was asked or told anything of those that stay.
    assert.deepEqual([...(running.wire.changes.at(-1)?.keys() ?? [])], [NEXT]);
    running.wire.tell({ members: livingMembers(NODE) });
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected", [LAST]: "elected" });
    assert.equal(
      [...running.wire.wants.values()].some(({ hasOthers }) => hasOthers),
      false,
    );
    running.wire.tell({ members: livingMembers(...NODES) });
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby", [LAST]: "standby" });
    assert.deepEqual(
      running.lines
        .filter(({ event }) => event === "memberState")
        .map(({ msg, member }) => `${member}: ${msg}`),
      [
        ...NODES.map((name) => `${name}: speaker is alive`),
        "node2: speaker is no longer known",
        "node3: speaker is no longer known",
        "node2: speaker is alive",
        "node3: speaker is alive",
      ],
    );
  });

  it("are no candidates without their Node, nor Nodes without their speaker", async () => {
    const server = await serverWith(node(NODE), ...BASICS.slice(2), ...announced("next", NEXT));
    const running = startMember(server, NODE, "node2");
    await wanted(running, { [NEXT]: "elected" });
    server.put(node("node2"));
    await wanted(running, { [NEXT]: "standby" });
    running.wire.tell({ members: livingMembers(NODE, "node3") });
    await wanted(running, { [NEXT]: "elected" });
  });

  it("of which this node is none leave everything to the others", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = startMember(server, ...NODES);
    await wanted(running, { [MINE]: "elected" });
    running.wire.tell({ members: livingMembers("node2", "node3") });
    await wanted(running, { [MINE]: "leaving" });
    running.wire.tell({ members: livingMembers() });
    await wanted(running, {});
  });

  it("are not known without the right to list Pods: BGP does not wait for that", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      peer("leaf1", "10.0.0.254"),
      bgpAdvertisement("all"),
      speakerPod("speaker-a", NODE, ["10.0.0.1"]),
    );
    const heal = server.fault({
      kind: "status",
      status: 403,
      path: /\/pods$/,
      times: 1e6,
      message: "may not list pods",
    });
    const { speaker, frr, wire } = startMember(server, NODE);
    await eventually(() => frr.applies.at(-1)?.routes.size === 1, { describe: "the route" });
    assert.match(speaker.waitingFor().join(), /may not list pods/);
    assert.deepEqual(wire.peers, []);
    heal();
    await eventually(() => wire.peers.length === 1, { describe: "the peers" });
  });

  it("are found by the Pods of speakers, one for each Node", async () => {
    const server = await serverWith(
      ...BASICS,
      speakerPod("speaker-a", NODE, ["10.0.0.1", "fd00::1"]),
      speakerPod("speaker-b", "node2", ["10.0.0.2"]),
      speakerPod("controller", "node3", ["10.244.0.9"], {
        app: "metallb",
        component: "controller",
      }),
      // Not started yet.
      speakerPod("speaker-c", "node3", []),
    );
    const { wire } = startMember(server, NODE);
    const peersAre = (peers: Readonly<Record<string, readonly string[]>>) => {
      const look = () => {
        assert.deepEqual(
          Object.fromEntries(wire.peers.map(({ name, addresses }) => [name, addresses])),
          peers,
        );
        return true;
      };
      return eventually(look, { describe: `the peers ${JSON.stringify(peers)}` });
    };
    const own = ["10.0.0.1", "fd00::1"];
    await peersAre({ [NODE]: own, node2: ["10.0.0.2"] });
    server.put(speakerPod("speaker-c", "node3", ["10.0.0.3"]));
    await peersAre({ [NODE]: own, node2: ["10.0.0.2"], node3: ["10.0.0.3"] });
    // As in a rollout: the new one is there before the old one is gone.
    server.put(speakerPod("speaker-d", "node2", ["10.0.0.2", "fd00::2"]));
    await peersAre({ [NODE]: own, node2: ["10.0.0.2", "fd00::2"], node3: ["10.0.0.3"] });
    server.remove(`${PODS}/speaker-b`);
    server.put({
      ...speakerPod("speaker-c", "node3", ["10.0.0.3"]),
      status: { phase: "Failed" },
    } as Manifest);
    await peersAre({ [NODE]: own, node2: ["10.0.0.2", "fd00::2"] });
    assert.equal(new Set(wire.peers.map(({ name }) => name)).size, wire.peers.length);
  });
});

describe("while the API server is away", () => {
  it("what is wanted stays, and a member that dies is followed by the next", async () => {
    const server = await serverWith(...BASICS, ...WEB, ...announced("next", NEXT));
    const running = startMember(server, ...NODES);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    const changes = running.wire.changes.length;
    await running.wire.askApi();
    await server.refuse();
    await eventually(() => /does not answer/.test(running.speaker.waitingFor().join()), {
      describe: "the API server to be missed",
    });
    await assert.rejects(running.wire.askApi());
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    assert.equal(running.wire.changes.length, changes);
    running.wire.tell({ members: livingMembers(NODE, "node3") });
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected" });
    server.remove(`${SERVICES}/web`);
    await server.accept();
    await wanted(running, { [NEXT]: "elected" });
    await running.wire.askApi();
  });

  it("asking whether it is there does not wait for long", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = startMember(server, ...NODES);
    await wanted(running, { [MINE]: "elected" });
    server.fault({ kind: "hang", path: /^\/version$/ });
    const sinceMs = performance.now();
    await assert.rejects(running.wire.askApi());
    const tookMs = performance.now() - sinceMs;
    assert(tookMs < 5000, `${tookMs} ms`);
  });
});

/** Picks the Events about objects of this kind. */
function isAbout(kind: string): (event: Json) => boolean {
  return ({ involvedObject }) => involvedObject.kind === kind;
}

function eventsAt(server: FakeApiServer): string[] {
  return server
    .list("/api/v1/namespaces/default/events")
    .map(({ reason, message, count }) => `${reason}: ${message} (${count})`)
    .sort();
}

/** Waits for the one ServiceL2Status of this node that is filled in. */
function ownStatus(server: FakeApiServer): Promise<Json> {
  const look = () => server.list(L2_STATUSES).find(({ status }) => status?.node === NODE);
  return eventually(look, { describe: "the ServiceL2Status of this node" });
}

/** A ServiceL2Status as the speaker of another node, or an earlier version, left it. */
function l2Status(name: string, nodeName: string, serviceName: string): Manifest {
  const labels = {
    "metallb.io/node": nodeName,
    "metallb.io/service-name": serviceName,
    "metallb.io/service-namespace": "default",
  };
  const status = { node: nodeName, serviceName, serviceNamespace: "default" };
  const manifest = {
    apiVersion: "metallb.io/v1beta1",
    kind: "ServiceL2Status",
    metadata: { name, namespace: NAMESPACE, labels },
    status,
  };
  return manifest;
}

describe("ServiceL2Status", () => {
  it("is there while this node answers, with its interfaces", async () => {
    const server = await serverWith(
      ...BASICS,
      l2Advertisement("all", { interfaces: ["eth0", "eth1"] }),
      ...WEB,
      pod("speaker-abc"),
    );
    const running = start(server, { podName: "speaker-abc" });
    const { metadata, status } = await ownStatus(server);
    assert.deepEqual(status, {
      node: NODE,
      serviceName: "web",
      serviceNamespace: "default",
      interfaces: [{ name: "eth0" }, { name: "eth1" }],
    });
    assert.match(metadata.name, /^l2-/);
    assert.deepEqual(metadata.labels, {
      "metallb.io/node": NODE,
      "metallb.io/service-name": "web",
      "metallb.io/service-namespace": "default",
    });
    const { uid } = server.get(`${PODS}/speaker-abc`).metadata;
    assert.deepEqual(metadata.ownerReferences, [
      { apiVersion: "v1", kind: "Pod", name: "speaker-abc", uid },
    ]);
    server.put(l2Advertisement("all"));
    await eventually(() => server.list(L2_STATUSES)[0]?.status.interfaces === undefined, {
      describe: "no interface to be named",
    });
    server.put(slice("web", []));
    await wanted(running, {});
    await eventually(() => server.list(L2_STATUSES).length === 0, { describe: "no object" });
  });

  it("waits until the address is this node's", async () => {
    const server = await serverWith(...BASICS, ...WEB, l2Status("l2-other", "node2", "web"));
    const wire = new RecordedWire();
    wire.isQuick = false;
    const running = start(server, { wire });
    await wanted(running, { [MINE]: "elected" });
    await refused(running, "default/web", "takingOver", "l2");
    await eventually(() => server.get(CONFIGURATION)?.status, { describe: "the first writes" });
    // What node2 wrote stays as long as node2 may have it.
    assert.deepEqual(
      server.list(L2_STATUSES).map(({ metadata }) => metadata.name),
      ["l2-other"],
    );
    assert.deepEqual(eventsAt(server), []);
    wire.tell({
      addresses: new Map([[address(MINE), { kind: "answering", sinceMs: 0, from: "node2" }]]),
    });
    await ownStatus(server);
    await eventually(() => server.list(L2_STATUSES).length === 1, {
      describe: "that of node2 to go",
    });
  });

  it("of other nodes is removed by the one that answers, and by no other", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      ...announced("next", NEXT),
      l2Status("l2-dead", "node3", "web"),
      l2Status("l2-theirs", "node2", "next"),
      // Of this node, by MetalLB, which lets the API server choose names.
      l2Status("l2-x7k2p", NODE, "next"),
      l2Status("l2-gone", NODE, "gone"),
      l2Status("l2-gone-too", "node2", "gone"),
    );
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    const names = await eventually(
      () => {
        const found = server.list(L2_STATUSES).map(({ metadata }) => metadata.name as string);
        return found.length === 3 && found.some((name) => /^l2-[0-9a-f]{16}$/.test(name)) && found;
      },
      { describe: "this node's own object and those of others" },
    );
    assert.deepEqual(names.filter((name) => !/^l2-[0-9a-f]{16}$/.test(name)).sort(), [
      "l2-gone-too",
      "l2-theirs",
    ]);
  });

  it("that is as it should be is not written again after a restart", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const first = start(server);
    await ownStatus(server);
    await eventually(() => server.get(CONFIGURATION)?.status?.result, { describe: "all writes" });
    await eventually(() => eventsAt(server).length === 1, { describe: "the Event" });
    await first.stop();
    const writes = writesAt(server).length;
    const second = start(server);
    await wanted(second, { [MINE]: "elected" });
    server.put(service("marker", [NEXT]));
    server.put(slice("marker", [NODE]));
    server.remove("/api/v1/nodes/node2");
    await eventually(
      () => server.list(L2_STATUSES).filter(({ status }) => status?.node === NODE).length === 2,
      { describe: "the object of the marker" },
    );
    const later = writesAt(server).slice(writes);
    assert.deepEqual(
      later.filter(({ path }) => /servicel2statuses/.test(path)).map(({ verb }) => verb),
      ["create", "patch"],
    );
  });

  it("is filled in although the first attempt was broken off", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    server.fault({
      kind: "status",
      status: 500,
      verb: "patch",
      path: /servicel2statuses/,
      times: 2,
    });
    start(server);
    assert.deepEqual((await ownStatus(server)).status, {
      node: NODE,
      serviceName: "web",
      serviceNamespace: "default",
    });
    assert.equal(server.list(L2_STATUSES).length, 1);
  });

  it("goes with its Service", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await ownStatus(server);
    server.remove(`${SERVICES}/web`);
    await wanted(running, {});
    await eventually(() => server.list(L2_STATUSES).length === 0, { describe: "no object" });
  });

  it("is written again when somebody removes it", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    start(server);
    const { metadata } = await ownStatus(server);
    server.remove(`${L2_STATUSES}/${metadata.name}`);
    await ownStatus(server);
  });
});

describe("people are told", () => {
  const assigned = `nodeAssigned: announcing from node "${NODE}" with protocol "layer2" (1)`;

  it("that this node announces, once", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await wanted(running, { [MINE]: "elected" });
    await eventually(() => eventsAt(server).length === 1, { describe: "the Event" });
    // Neither another interface nor a label of the Service is a new announcement.
    server.put(l2Advertisement("all", { interfaces: ["eth0"] }));
    server.put(service("web", [MINE], { labels: { a: "b" } }));
    await eventually(() => server.list(L2_STATUSES)[0]?.status?.interfaces?.length === 1, {
      describe: "the interface",
    });
    running.wire.tell({ interfaces: wireStatus().interfaces });
    assert.deepEqual(eventsAt(server), [assigned]);
    const told = running.lines.filter(({ event }) => event === "serviceAnnounced");
    assert.deepEqual(
      told.map(({ service: key, protocol, ips }) => [key, protocol, ips]),
      [["default/web", "layer2", [MINE]]],
    );
  });

  it("that it does not any more, and why", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = startMember(server, ...NODES);
    await wanted(running, { [MINE]: "elected" });
    assert.deepEqual(
      running.speaker.state().layer2.addresses.map(({ address: ip, state }) => [ip, state]),
      [[MINE, "answering"]],
    );
    running.wire.tell({ fence: "cut off: nobody was heard", addresses: new Map() });
    await refused(running, "default/web", "fenced", "l2");
    const [line] = running.lines.filter(({ event }) => event === "serviceWithdrawn");
    assert.deepEqual(
      [line.service, line.protocol, line.reason, line.message],
      ["default/web", "layer2", "fenced", "Elected, but cut off: nobody was heard"],
    );
    assert(running.lines.some(({ event, why }) => event === "fenced" && /^cut off/.test(why)));
    assert.match(await running.registry.metrics(), /^metallb_layer2_fenced 1$/m);
  });

  it("that its interfaces are not there", async () => {
    const server = await serverWith(
      ...BASICS,
      l2Advertisement("all", { interfaces: ["eth7"] }),
      ...WEB,
    );
    const running = start(server);
    await refused(running, "default/web", "noInterface", "l2");
    const [event] = await eventually(
      () => {
        const found = server.list("/api/v1/namespaces/default/events");
        return found.length > 0 && found;
      },
      { describe: "the Event" },
    );
    const { kind, name } = event.involvedObject;
    assert.deepEqual(
      [event.reason, event.type, kind, name],
      ["announceFailed", "Warning", "Service", "web"],
    );
    assert.match(
      event.message,
      /^cannot announce from node "node1" with protocol "layer2": This node has none of the interfaces eth7, want one of eth0$/,
    );
    assert.deepEqual(server.list(L2_STATUSES), []);
    const [eth0] = wireStatus().interfaces;
    assert(eth0 !== undefined);
    running.wire.tell({ interfaces: [eth0, { ...eth0, name: "eth7" }] });
    await ownStatus(server);
  });

  it("that Layer 2 does not work, while everything else goes on", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await ownStatus(server);
    const problem = "Cannot open a packet socket: EPERM, want the capability NET_RAW";
    running.wire.tell({ problem, addresses: new Map() });
    await refused(running, "default/web", "wireProblem", "l2");
    const condition = () =>
      server
        .get(CONFIGURATION)
        ?.status?.conditions?.find(({ type }: Json) => type === "layer2Working");
    await eventually(() => condition()?.status === "False", { describe: "the condition" });
    assert.equal(condition().message, problem);
    assert.equal(server.get(CONFIGURATION).status.result, "Valid");
    assert.deepEqual(running.speaker.state().layer2.problems, [problem]);
    const look = () =>
      server.list(`/api/v1/namespaces/${NAMESPACE}/events`).find(isAbout("ConfigurationState"));
    const event = await eventually(look, { describe: "the Event" });
    assert.equal(event.message, `node "node1": ${problem}`);
    await eventually(() => server.list(L2_STATUSES).length === 0, { describe: "no object" });
    running.wire.tell({ problem: undefined });
    await eventually(() => condition()?.status === "True", { describe: "the end of it" });
    assert.match(await running.registry.metrics(), /^metallb_layer2_up 1$/m);
  });

  it("that the exclude label leaves nobody, on the Service, until that is over", async () => {
    // The node that would announce says so: this one.
    const server = await serverWith(...BASICS, ...WEB, ...announced("next", NEXT));
    const running = start(server);
    await wanted(running, { [MINE]: "elected", [NEXT]: "standby" });
    const conditionOf = (name: string) =>
      server
        .get(`${SERVICES}/${name}`)
        .status.conditions?.find(({ type }: Json) => type === "metallb.io/L2Announced");
    for (const name of NODES) server.put(node(name, EXCLUDED));
    await wanted(running, {});
    const condition = await eventually(() => conditionOf("web"), { describe: "the condition" });
    assert.deepEqual(
      [condition.status, condition.reason],
      ["False", "nodeLabeledExcludeBalancers"],
    );
    assert.match(condition.message, /^No node can announce it: "node1", "node2", "node3" have /);
    assert.equal(conditionOf("next"), undefined);
    assert.deepEqual(server.get(`${SERVICES}/web`).status.loadBalancer.ingress, [{ ip: MINE }]);

    server.put(node(NODE));
    await wanted(running, { [MINE]: "elected", [NEXT]: "elected" });
    // The double never takes a condition away: what is asked of it has to do.
    const last = await eventually(
      () => {
        const patches = server.requests.filter(({ path }) => path === `${SERVICES}/web/status`);
        return patches.length === 2 && patches[1];
      },
      { describe: "the condition to be given up" },
    );
    assert.deepEqual(last.body.status, { conditions: [] });
    assert.equal(last.query["fieldManager"], "metallb-speaker");
  });

  it("what was taken over, and the members", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = startMember(server, NODE, "node2");
    await wanted(running, { [MINE]: "elected" });
    const lastTakeover = {
      at: "2026-11-01T00:00:00Z",
      address: MINE,
      from: "node2",
      durationMs: 1.2,
    };
    running.wire.tell({ lastTakeover, events: { gained: 1, lost: 0, conflict: 0 } });
    const { layer2 } = running.speaker.state();
    assert.deepEqual(layer2.lastTakeover, lastTakeover);
    assert.deepEqual(
      layer2.members?.map(({ name, state }) => [name, state]),
      [
        [NODE, "alive"],
        ["node2", "alive"],
      ],
    );
    const text = await running.registry.metrics();
    for (const expected of [
      `metallb_speaker_announced{service="default/web",protocol="layer2",node="node1",ip="${MINE}"} 1`,
      'metallb_members{state="alive"} 2',
      "metallb_layer2_takeovers_total 1",
    ]) {
      assert(text.includes(expected), `${expected} in\n${text}`);
    }
  });
});

it("a drain is the wire's", async () => {
  const server = await serverWith(...BASICS, ...WEB);
  const running = start(server);
  await wanted(running, { [MINE]: "elected" });
  await running.speaker.drain(1000);
  assert.equal(running.wire.drains, 1);
});
