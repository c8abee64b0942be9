// The whole speaker between doubles, and what it has FRR announce; for Layer 2 see speaker-layer2.test.ts.

import assert from "node:assert/strict";
import { afterEach, describe, it } from "node:test";
import { eventually } from "./cluster/eventually.ts";
import { neighbor, type RecordedFrr } from "./fakes/recorded-frr.ts";
import {
  BGP_STATUSES,
  CONFIGURATION,
  endAll,
  POOLS,
  refused,
  serverWith,
  standing,
  start,
  writesAt,
} from "./running-speaker.ts";
import {
  bgpAdvertisement,
  community,
  NAMESPACE,
  NODE,
  node,
  passwordSecret,
  peer,
  pod,
  pool,
  service,
  slice,
} from "./speaker-samples.ts";

const PEERS = `/apis/metallb.io/v1beta2/namespaces/${NAMESPACE}/bgppeers`;

afterEach(endAll);

/** One peer, one pool, one advertisement. */
const BASICS = [
  node(NODE),
  peer("leaf1", "10.0.0.2"),
  pool("pool", ["192.0.2.0/24", "2001:db8::/64"]),
  bgpAdvertisement("all"),
];

const WEB = [service("web", ["192.0.2.1"]), slice("web", [NODE, "node2"])];

function announced(frr: RecordedFrr, ...prefixes: readonly string[]): Promise<boolean> {
  return eventually(() => frr.last !== undefined && frr.prefixes.join() === prefixes.join(), {
    describe: `[${prefixes}] to be announced`,
  });
}

describe("what is announced", () => {
  it("a Service of every peer, with the attributes of its advertisements", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      peer("leaf2", "10.0.0.3"),
      community("known", [{ name: "blue", value: "65000:1" }]),
      bgpAdvertisement("wide", {
        aggregationLength: 24,
        aggregationLengthV6: 64,
        localPref: 200,
        communities: ["blue", "large:65000:1:2"],
        peers: ["leaf2"],
      }),
    );
    const { frr } = start(server);
    await announced(frr, "192.0.2.0/24", "192.0.2.1/32");
    assert.deepEqual(frr.last?.routes.get("192.0.2.1/32"), [
      { peers: [], localPreference: null, communities: [], largeCommunities: [] },
    ]);
    assert.deepEqual(frr.last?.routes.get("192.0.2.0/24"), [
      {
        peers: ["leaf2"],
        localPreference: 200,
        communities: ["65000:1"],
        largeCommunities: ["65000:1:2"],
      },
    ]);
    const [router] = frr.last?.settings.routers ?? [];
    assert.deepEqual(
      router?.neighbors.map(({ peerName, address }) => [peerName, address]),
      [
        ["leaf1", "10.0.0.2"],
        ["leaf2", "10.0.0.3"],
      ],
    );
  });

  it("is taken back when the last endpoint goes, and put back when one comes", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { frr } = start(server);
    await announced(frr, "192.0.2.1/32");
    const before = frr.applies.length;
    server.put(slice("web", ["node2"], { ready: false, serving: false, terminating: true }));
    await announced(frr);
    assert.deepEqual(frr.last?.changed, ["192.0.2.1/32"]);
    assert.equal(frr.applies.length, before + 1);
    server.put(slice("web", ["node2"]));
    await announced(frr, "192.0.2.1/32");
  });

  it("follows the endpoints of this node when externalTrafficPolicy is Local", async () => {
    const server = await serverWith(
      ...BASICS,
      service("web", ["192.0.2.1"], { spec: { externalTrafficPolicy: "Local" } }),
      slice("web", ["node2"]),
    );
    const running = start(server);
    await refused(running, "default/web", "noLocalEndpoints");
    assert.deepEqual(running.frr.prefixes, []);
    server.put(slice("web", [NODE]));
    await announced(running.frr, "192.0.2.1/32");
    // Going away, but still serving: the node keeps its traffic until the pod is gone.
    server.put(slice("web", [NODE], { ready: false, serving: true, terminating: true }));
    server.put(service("marker", ["192.0.2.9"]));
    await refused(running, "default/marker", "noEndpoints");
    assert.deepEqual(running.frr.prefixes, ["192.0.2.1/32"]);
    server.put(slice("web", [NODE], { ready: false, serving: false, terminating: true }));
    await announced(running.frr);
  });

  it("follows the labels and conditions of the Node", async () => {
    const exclude = { "node.kubernetes.io/exclude-from-external-load-balancers": "" };
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      peer("rack", "10.0.0.9", { nodeSelectors: [{ matchLabels: { rack: "a" } }] }),
    );
    const running = start(server);
    const neighbors = () =>
      running.frr.last?.settings.routers.flatMap((router) =>
        router.neighbors.map(({ peerName }) => peerName),
      ) ?? [];
    await announced(running.frr, "192.0.2.1/32");
    assert.deepEqual(neighbors(), ["leaf1"]);
    server.put(node(NODE, { labels: exclude }));
    await refused(running, "default/web", "nodeLabeledExcludeBalancers");
    assert.deepEqual(running.frr.prefixes, []);
    server.put(node(NODE, { labels: { rack: "a" } }));
    await announced(running.frr, "192.0.2.1/32");
    assert.deepEqual(neighbors(), ["leaf1", "rack"]);
    server.put(node(NODE, { conditions: [{ type: "NetworkUnavailable", status: "True" }] }));
    await refused(running, "default/web", "nodeNetworkUnavailable");
    assert.deepEqual(neighbors(), ["leaf1"]);
  });

  it("skips Services of another class, unless it is ours", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      service("other", ["192.0.2.2"], { spec: { loadBalancerClass: "example.com/other" } }),
      slice("other", [NODE]),
    );
    const { frr, speaker } = start(server);
    await announced(frr, "192.0.2.1/32");
    assert.deepEqual(
      speaker.state().services.map(({ service: key }) => key),
      ["default/web"],
    );
    const { frr: theirs } = start(server, { loadBalancerClass: "example.com/other" });
    await announced(theirs, "192.0.2.2/32");
  });

  it("goes on after its pool vanished, until the Service changes", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const running = start(server);
    await announced(running.frr, "192.0.2.1/32");
    server.remove(`${POOLS}/pool`);
    await eventually(() => /^poolGone/.test(standing(running, "default/web", "bgp")?.warning), {
      describe: "the warning that the pool is gone",
    });
    assert.deepEqual(running.frr.prefixes, ["192.0.2.1/32"]);
    server.put(service("web", []));
    await announced(running.frr);
    assert.equal(standing(running, "default/web", "bgp").reason, "noIPAllocated");
  });

  it("is complete with the first word to FRR, for 1000 Services too", async () => {
    const keys = Array.from({ length: 1000 }, (_, index) => index);
    const server = await serverWith(
      node(NODE),
      peer("leaf1", "10.0.0.2"),
      pool("pool", ["198.18.0.0/16"]),
      bgpAdvertisement("all"),
      ...keys.flatMap((index) => [
        service(`web${index}`, [`198.18.${index >> 8}.${index & 255}`]),
        slice(`web${index}`, [NODE]),
      ]),
    );
    const first = start(server);
    await eventually(() => first.frr.applies.length > 0, { describe: "the first apply" });
    assert.equal(first.frr.applies[0]?.routes.size, 1000);
    await first.stop();
    // A restarted speaker wants the same, which FRR has already: no command, no flap.
    const second = start(server);
    await eventually(() => second.frr.applies.length > 0, { describe: "the first apply" });
    assert.deepEqual(second.frr.applies[0]?.routes, first.frr.last?.routes);
    assert.deepEqual(second.frr.applies[0]?.settings, first.frr.last?.settings);
  });
});

describe("what is missing", () => {
  it("keeps everything announced while the API server is away, and says so", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { frr, speaker } = start(server);
    await announced(frr, "192.0.2.1/32");
    const applies = frr.applies.length;
    await server.refuse();
    await eventually(() => speaker.waitingFor().some((text) => /does not answer/.test(text)), {
      describe: "the API server to be missed",
    });
    // One sentence, not one for each collection.
    assert.equal(speaker.waitingFor().length, 1);
    assert.equal(frr.applies.length, applies);
    server.put(service("late", ["192.0.2.2"]));
    server.put(slice("late", [NODE]));
    await server.accept();
    await announced(frr, "192.0.2.1/32", "192.0.2.2/32");
    await eventually(() => speaker.waitingFor().length === 0, { describe: "the end of the wait" });
    assert.equal(frr.applies.length, applies + 1);
  });

  it("tells nothing to FRR before every CRD is there", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    server.absent.add("communities.metallb.io");
    const { frr, speaker } = start(server);
    await eventually(
      () => speaker.waitingFor().join().includes("waiting for the CRD communities.metallb.io"),
      { describe: "the CRD to be missed" },
    );
    assert.deepEqual(frr.applies, []);
    server.absent.clear();
    await announced(frr, "192.0.2.1/32");
    assert.deepEqual(speaker.waitingFor(), []);
  });

  it("tells nothing to FRR when it starts without an API server, until that comes", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    await server.refuse();
    const { frr, speaker } = start(server);
    await eventually(() => /does not answer/.test(speaker.waitingFor().join()), {
      describe: "the API server to be missed",
    });
    await server.accept();
    await announced(frr, "192.0.2.1/32");
    assert.equal(frr.applies.length, 1);
    await eventually(() => speaker.waitingFor().length === 0, { describe: "the end of the wait" });
  });

  it("waits for its Node", async () => {
    const server = await serverWith(...BASICS.slice(1), ...WEB);
    const { frr, speaker } = start(server);
    await eventually(() => speaker.waitingFor().join() === 'Node "node1" does not exist', {
      describe: "the Node to be missed",
    });
    assert.deepEqual(frr.applies, []);
    server.put(node(NODE));
    await announced(frr, "192.0.2.1/32");
  });

  it("says that FRR is away", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { frr, speaker, lines } = start(server);
    await announced(frr, "192.0.2.1/32");
    frr.tell({ connection: { kind: "waiting", reason: "bgpd.vty: no such file" } });
    frr.tell({ connection: { kind: "waiting", reason: "bgpd.vty: no such file" } });
    assert.deepEqual(speaker.waitingFor(), ["FRR: waiting: bgpd.vty: no such file"]);
    assert.equal(lines.filter(({ event }) => event === "frrWaiting").length, 1);
  });
});

describe("bad objects", () => {
  it("are reported by name while all others are in force", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      peer("bad", "10.0.0.4", { bfdProfile: "missing" }),
      peer("worse", "nonsense"),
    );
    const { frr, speaker, lines, registry } = start(server);
    await announced(frr, "192.0.2.1/32");
    assert.equal(frr.last?.settings.routers[0]?.neighbors.length, 1);
    const { problems } = speaker.state();
    assert.match(problems.join("\n"), /BGPPeer "bad": spec\.bfdProfile: .*missing/);
    assert.match(problems.join("\n"), /BGPPeer "worse": spec\.peerAddress: .*nonsense/);
    const { status } = await eventually(
      () => server.get(CONFIGURATION)?.status && server.get(CONFIGURATION),
      {
        describe: "the ConfigurationState",
      },
    );
    assert.equal(status.result, "Invalid");
    assert.match(status.errorSummary, /^configuration error: BGPPeer "bad": /);
    assert.equal(status.conditions[0].status, "False");
    assert.match(await registry.metrics(), /metallb_k8s_client_config_stale_bool 1/);

    const errors = lines.filter(({ level }) => level === "error").length;
    assert.equal(errors, 2);
    server.put(peer("worse", "10.0.0.5"));
    server.remove(`${PEERS}/bad`);
    await eventually(() => server.get(CONFIGURATION)?.status.result === "Valid", {
      describe: "a valid configuration",
    });
    assert.equal(server.get(CONFIGURATION).status.conditions[0].status, "True");
    assert.equal(frr.last?.settings.routers[0]?.neighbors.length, 2);
    assert.match(await registry.metrics(), /metallb_k8s_client_config_stale_bool 0/);
    // Every node sees these, so the Events are the controller's.
    assert.deepEqual(server.list(`/api/v1/namespaces/${NAMESPACE}/events`), []);
  });

  it("have an Event where only this node sees what is wrong", async () => {
    const spec = { nodeSelectors: [{ matchLabels: { rack: "a" } }] };
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      node(NODE, { labels: { rack: "a" } }),
      peer("rack", "10.0.0.9", spec),
    );
    const { frr } = start(server);
    await announced(frr, "192.0.2.1/32");
    server.put(peer("same", "10.0.0.9", spec));
    const [event] = await eventually(
      () => {
        const found = server.list(`/api/v1/namespaces/${NAMESPACE}/events`);
        return found.length > 0 && found;
      },
      { describe: "the Event" },
    );
    const { kind, name, uid } = event.involvedObject;
    assert.deepEqual([event.reason, kind, name], ["ConfigurationError", "BGPPeer", "same"]);
    assert.equal(uid, server.get(`${PEERS}/same`).metadata.uid);
    assert.match(event.message, /^on node "node1": spec\.peerAddress: /);
    assert.equal(frr.last?.settings.routers[0]?.neighbors.length, 2);
  });

  it("keep their last good version", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { frr, speaker } = start(server);
    await announced(frr, "192.0.2.1/32");
    server.put(peer("leaf1", "nonsense"));
    await eventually(() => speaker.state().problems.length === 1, { describe: "the problem" });
    assert.equal(frr.last?.settings.routers[0]?.neighbors[0]?.address, "10.0.0.2");
    assert.deepEqual(frr.prefixes, ["192.0.2.1/32"]);
  });

  it("a password Secret that comes later makes the session", async () => {
    const server = await serverWith(
      ...BASICS,
      ...WEB,
      peer("secured", "10.0.0.5", { passwordSecret: { name: "bgp" } }),
    );
    const { frr, speaker, lines } = start(server);
    await announced(frr, "192.0.2.1/32");
    assert.match(speaker.state().problems.join(), /Cannot find Secret "bgp"/);
    server.put(passwordSecret("bgp", "s3cret"));
    await eventually(() => frr.last?.settings.routers[0]?.neighbors[1]?.password === "s3cret", {
      describe: "the session with its password",
    });
    assert.deepEqual(speaker.state().problems, []);
    assert(!JSON.stringify([speaker.state(), lines]).includes("s3cret"));
  });

  it("names the type of a Secret that is no password", async () => {
    const secret = { ...passwordSecret("bgp", "s3cret"), type: "Opaque" };
    const server = await serverWith(
      ...BASICS,
      peer("secured", "10.0.0.5", { passwordSecret: { name: "bgp" } }),
      secret,
    );
    const { speaker } = start(server);
    await eventually(() => /secret type mismatch/.test(speaker.state().problems.join()), {
      describe: "the problem",
    });
  });
});

describe("status objects", () => {
  it("name the peers of each Service, once, and go with the announcement", async () => {
    const server = await serverWith(...BASICS, ...WEB, pod("speaker-abc"));
    const { stop } = start(server, { podName: "speaker-abc" });
    const [status] = await eventually(
      () => {
        const found = server.list(BGP_STATUSES);
        return found[0]?.status !== undefined && found;
      },
      { describe: "the status object" },
    );
    assert.deepEqual(status.status, {
      node: NODE,
      serviceName: "web",
      serviceNamespace: "default",
      peers: ["leaf1"],
    });
    assert.deepEqual(status.metadata.labels, {
      "metallb.io/node": NODE,
      "metallb.io/service-name": "web",
      "metallb.io/service-namespace": "default",
    });
    const { uid } = server.get(`/api/v1/namespaces/${NAMESPACE}/pods/speaker-abc`).metadata;
    assert.deepEqual(status.metadata.ownerReferences, [
      { apiVersion: "v1", kind: "Pod", name: "speaker-abc", uid },
    ]);
    const [event] = await eventually(
      () => {
        const found = server.list("/api/v1/namespaces/default/events");
        return found.length > 0 && found;
      },
      { describe: "the Event" },
    );
    assert.equal(event.reason, "nodeAssigned");
    assert.equal(event.message, 'announcing from node "node1" with protocol "bgp"');
    assert.deepEqual([event.involvedObject.kind, event.involvedObject.name], ["Service", "web"]);
    await eventually(() => server.get(CONFIGURATION)?.status?.result === "Valid", {
      describe: "the ConfigurationState",
    });
    await stop();

    // A restarted speaker finds them as they should be, and removes what is left of others.
    const stale = {
      ...status,
      metadata: {
        name: "bgp-stale",
        namespace: NAMESPACE,
        labels: { ...status.metadata.labels, "metallb.io/service-name": "gone" },
      },
    };
    server.put(stale);
    const writes = writesAt(server).length;
    const { frr } = start(server, { podName: "speaker-abc" });
    await eventually(() => server.list(BGP_STATUSES).length === 1, {
      describe: "the stale object to go",
    });
    server.put(slice("web", []));
    await announced(frr);
    await eventually(() => server.list(BGP_STATUSES).length === 0, {
      describe: "no status object",
    });
    assert.deepEqual(
      writesAt(server)
        .slice(writes)
        .map(({ verb, path }) => [verb, path.slice(path.lastIndexOf("/") + 1)]),
      [
        ["delete", "bgp-stale"],
        ["delete", status.metadata.name],
      ],
    );
  });

  it("come when the API server takes them again; announcing does not wait for that", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const heal = server.fault({
      kind: "status",
      status: 500,
      verb: "create",
      path: /servicebgpstatuses/,
      times: 1_000_000,
    });
    const { frr, lines } = start(server);
    await eventually(() => server.count("create", /servicebgpstatuses/) > 2, {
      describe: "several attempts",
    });
    server.put(service("second", ["192.0.2.2"]));
    server.put(slice("second", [NODE]));
    await announced(frr, "192.0.2.1/32", "192.0.2.2/32");
    assert(lines.some(({ op, level }) => op === "write" && level === "warn"));
    heal();
    await eventually(() => server.list(BGP_STATUSES).filter(({ status }) => status).length === 2, {
      describe: "both status objects",
    });
  });

  it("are one for each Service although an answer was lost", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    server.fault({ kind: "lose", verb: "create", path: /servicebgpstatuses/ });
    server.fault({ kind: "reset", verb: "patch", path: /servicebgpstatuses/, times: 2 });
    start(server);
    await eventually(() => server.list(BGP_STATUSES)[0]?.status?.peers.length === 1, {
      describe: "the status object",
    });
    assert.equal(server.list(BGP_STATUSES).length, 1);
  });

  it("go without an owner when the Pod cannot be found", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    start(server, { podName: "no-such-pod" });
    await eventually(() => server.list(BGP_STATUSES)[0]?.status, { describe: "the status object" });
    assert.equal(server.list(BGP_STATUSES)[0].metadata.ownerReferences, undefined);
  });

  it("are written again when somebody removes them", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    start(server);
    const name = await eventually(
      () => server.get(CONFIGURATION)?.status && server.list(BGP_STATUSES)[0]?.metadata.name,
      { describe: "the status objects" },
    );
    server.remove(`${BGP_STATUSES}/${name}`);
    server.remove(CONFIGURATION);
    await eventually(
      () => server.list(BGP_STATUSES)[0]?.status && server.get(CONFIGURATION)?.status,
      {
        describe: "the status objects to be back",
      },
    );
  });
});

describe("sessions", () => {
  it("are logged as they come up and go down, and counted", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    const { frr, lines, registry, speaker } = start(server);
    await announced(frr, "192.0.2.1/32");
    const up = neighbor("10.0.0.2", { sentPrefixes: 1 });
    frr.tell({ neighbors: [up] });
    frr.event({ kind: "session", neighbor: up, oldState: "Idle", newState: "Established" });
    const line = lines.find(({ msg }) => msg === "BGP session established");
    assert.deepEqual([line.peer, line.address, line.node], ["leaf1", "10.0.0.2", NODE]);
    const text = await registry.metrics();
    for (const expected of [
      'metallb_bgp_session_up{peer="10.0.0.2:179",vrf="default"} 1',
      'metallb_bgp_announced_prefixes_total{peer="10.0.0.2:179",vrf="default"} 1',
      'metallb_bgp_updates_total{peer="10.0.0.2:179",vrf="default"} 7',
      'metallb_speaker_announced{service="default/web",protocol="bgp",node="node1",ip="192.0.2.1"} 1',
      "metallb_k8s_client_config_loaded_bool 1",
    ]) {
      assert(text.includes(expected), `${expected} in\n${text}`);
    }

    const reason = "Hold timer expired";
    const down = neighbor("10.0.0.2", { sessionState: "Active", reason });
    frr.tell({ neighbors: [down] });
    frr.event({ kind: "session", neighbor: down, oldState: "Established", newState: "Active" });
    assert.equal(lines.find(({ msg }) => msg === "BGP session down").reason, reason);
    const [session] = speaker.state().sessions;
    assert.deepEqual([session?.peer, session?.state, session?.reason], ["leaf1", "Active", reason]);
    assert.match(await registry.metrics(), /metallb_bgp_session_up\{.*\} 0/);
  });

  it("have the names of their peers also when FRR tells of them first", async () => {
    const server = await serverWith(...BASICS, ...WEB);
    server.absent.add("bgppeers.metallb.io");
    const { frr, lines } = start(server);
    const up = neighbor("10.0.0.2");
    frr.event({ kind: "session", neighbor: up, oldState: "Idle", newState: "Established" });
    server.absent.clear();
    await announced(frr, "192.0.2.1/32");
    const told = lines.filter(({ msg }) => msg === "BGP session established");
    assert.deepEqual(
      told.map(({ peer: name }) => name),
      ["leaf1"],
    );
  });
});
