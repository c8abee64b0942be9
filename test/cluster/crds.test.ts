// crds/ on a real API server: every definition is taken and served, every rule refuses with a
// message that names the field, the user's guide applies unchanged, nothing is lost between the
// versions of BGPPeer.

import assert from "node:assert/strict";
import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { objectOf, RULES } from "../crd-rules.ts";
import { guidesIn, manifestsIn } from "../guide-manifests.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { applyFolder, applyYaml } from "./objects.ts";
import { ApiError, type Json } from "./request.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const NAMESPACE = "metallb-system";

const PLURALS: Readonly<Record<string, string>> = {
  BFDProfile: "bfdprofiles",
  BGPAdvertisement: "bgpadvertisements",
  BGPPeer: "bgppeers",
  Community: "communities",
  ConfigurationState: "configurationstates",
  IPAddressPool: "ipaddresspools",
  L2Advertisement: "l2advertisements",
  ServiceBGPStatus: "servicebgpstatuses",
  ServiceL2Status: "servicel2statuses",
};

/** MetalLB's definitions hold fewer rules: this one holds none. */
const LAX_PEERS = JSON.stringify({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "bgppeers.metallb.io" },
  spec: {
    group: "metallb.io",
    names: { kind: "BGPPeer", plural: "bgppeers" },
    scope: "Namespaced",
    versions: [
      {
        name: "v1beta2",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    ],
  },
});

/** Against rules of one field and of the whole spec. */
const INVALID_PEER = {
  myASN: 64500,
  peerASN: 64500,
  peerAddress: "192.0.2.1",
  ebgpMultiHop: true,
  routerID: "2001:db8::1",
};

function pathOf(kind: string, name = "", version = kind === "BGPPeer" ? "v1beta2" : "v1beta1") {
  const folder = `/apis/metallb.io/${version}/namespaces/${NAMESPACE}/${PLURALS[kind]}`;
  return name === "" ? folder : `${folder}/${name}`;
}

describe("crds/", () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
    await cluster.kubectl(["create", "namespace", NAMESPACE]);
    await applyYaml(cluster, LAX_PEERS);
    await create("BGPPeer", "old", INVALID_PEER);
    await cluster.kubectl(["apply", "-f", `${ROOT}/crds`]);
    // Waits until all are served.
    await applyFolder(cluster, `${ROOT}/crds`);
  });
  after(() => cluster.stop());

  const post = (kind: string, object: object, version?: string): Promise<Json> => {
    const apiVersion = `metallb.io/${version ?? (kind === "BGPPeer" ? "v1beta2" : "v1beta1")}`;
    return cluster.request("POST", pathOf(kind, "", version), { apiVersion, kind, ...object });
  };
  const create = (kind: string, name: string, spec: object) =>
    post(kind, { metadata: { name }, spec });

  it("holds the nine kinds, all namespaced and with a status of their own", async () => {
    const found: string[] = [];
    for (const version of ["v1beta1", "v1beta2"]) {
      const { resources } = await cluster.request("GET", `/apis/metallb.io/${version}`);
      for (const { name, namespaced } of resources as Json[]) {
        assert.equal(namespaced, true, name);
        found.push(`${version} ${name}`);
      }
    }
    const wanted = Object.values(PLURALS).map((plural) => `v1beta1 ${plural}`);
    wanted.push("v1beta2 bgppeers");
    assert.deepEqual(found.sort(), wanted.flatMap((name) => [name, `${name}/status`]).sort());
  });

  describe("a single object", () => {
    for (const rule of RULES) {
      it(`refuses ${rule.kind} with ${rule.what}`, async () => {
        const path = `${pathOf(rule.kind)}?dryRun=All&fieldValidation=Strict`;
        await cluster.request("POST", path, objectOf(rule, "valid"));
        await assert.rejects(
          cluster.request("POST", path, objectOf(rule, "invalid")),
          (error: unknown) => {
            assert.ok(error instanceof ApiError);
            assert.equal(error.status, 422, error.message);
            for (const part of rule.says) assert.ok(error.message.includes(part), error.message);
            assert.doesNotMatch(error.message, /evaluating rule|correct-horse/);
            return true;
          },
        );
      });
    }
  });

  describe("kubectl apply", () => {
    const files = globSync(`${ROOT}/config/samples/**/*.yaml`).sort();
    for (const file of files) {
      it(`takes ${file.slice(ROOT.length)}`, async () => {
        const applied = await cluster.kubectl(["apply", "-o", "name", "-f", file]);
        const documents = readFileSync(file, "utf8").split(/^---$/m).length;
        assert.equal(applied.trim().split("\n").length, documents);
        await cluster.kubectl(["delete", "-f", file]);
      });
    }
    for (const guide of guidesIn(`${ROOT}/docs`)) {
      const manifests = manifestsIn(guide);
      it(`takes the manifests of ${guide.slice(ROOT.length)} one after another`, async () => {
        const folder = mkdtempSync(join(tmpdir(), "guide-"));
        const paths = manifests.map((text, index) => {
          const path = join(folder, `${index}.yaml`);
          writeFileSync(path, text);
          return path;
        });
        for (const path of paths) await cluster.kubectl(["apply", "-f", path]);
        await cluster.kubectl(["delete", "--ignore-not-found", "-f", folder]);
        rmSync(folder, { recursive: true });
      });
    }
    it("finds samples and the guide's manifests", () => {
      assert.equal(files.filter((file) => file.includes("/seed-guide/")).length, 7);
      assert.ok(files.length > 7);
    });
  });

  it("writes defaults into objects", async () => {
    const pool = await create("IPAddressPool", "defaults", { addresses: ["192.0.2.0/24"] });
    assert.deepEqual(pool.spec, {
      addresses: ["192.0.2.0/24"],
      autoAssign: true,
      avoidBuggyIPs: false,
    });
    const advertisement = await create("BGPAdvertisement", "defaults", {});
    assert.deepEqual(advertisement.spec, {
      aggregationLength: 32,
      aggregationLengthV6: 128,
      localPref: 0,
    });
    const peer = { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" };
    const { spec } = await create("BGPPeer", "defaults", { ...peer, peerPort: null });
    assert.deepEqual(spec, {
      ...peer,
      peerPort: 179,
      disableMP: false,
      dualStackAddressFamily: false,
    });
    const bare = { metadata: { name: "bare" } };
    for (const kind of ["L2Advertisement", "BGPAdvertisement", "BFDProfile", "Community"]) {
      assert.equal((await post(kind, bare)).spec, undefined);
    }
  });

  it("leaves open what may be the name of a community", async () => {
    const communities = ["fabric:no-export", "1:2:3", "large:customers:1:2"];
    const { spec } = await create("BGPAdvertisement", "aliases", { communities });
    assert.deepEqual(spec.communities, communities);
  });

  it("keeps BFD intervals as they were written", async () => {
    const spec = { receiveInterval: 300, transmitInterval: "300ms", echoInterval: "0.05s" };
    assert.deepEqual((await create("BFDProfile", "as-written", spec)).spec, spec);
  });

  it("loses nothing between v1beta1 and v1beta2 of BGPPeer", async () => {
    const common = {
      myASN: 4_200_000_000,
      localASN: 64510,
      peerPort: 1790,
      holdTime: "90s",
      keepaliveTime: "30s",
      connectTime: "10s",
      routerID: "192.0.2.9",
      nodeSelectors: [
        { matchLabels: { a: "b" } },
        { matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] },
      ],
      bfdProfile: "fast",
      enableGracefulRestart: true,
      vrf: "red",
      disableMP: true,
      dualStackAddressFamily: true,
    };
    const specs = {
      numbered: {
        ...common,
        peerASN: 64501,
        peerAddress: "192.0.2.1",
        sourceAddress: "192.0.2.2",
        password: "correct-horse",
        ebgpMultiHop: true,
      },
      unnumbered: {
        ...common,
        dynamicASN: "external",
        interface: "eth1",
        passwordSecret: { name: "leaf", namespace: NAMESPACE },
      },
    };
    for (const [name, spec] of Object.entries(specs)) {
      for (const [written, read] of [
        ["v1beta1", "v1beta2"],
        ["v1beta2", "v1beta1"],
      ] as const) {
        const object = `${name}-${written}`;
        await post("BGPPeer", { metadata: { name: object }, spec }, written);
        const other = await cluster.request("GET", pathOf("BGPPeer", object, read));
        assert.equal(other.apiVersion, `metallb.io/${read}`);
        assert.deepEqual(other.spec, spec);
        await cluster.request("PUT", pathOf("BGPPeer", object, read), other);
        const back = await cluster.request("GET", pathOf("BGPPeer", object, written));
        assert.deepEqual(back.spec, spec);
      }
    }
  });

  it("warns of v1beta1 of BGPPeer", async () => {
    const crd = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io";
    const { spec, status } = await cluster.request("GET", crd);
    const versions = spec.versions.map((v: Json) => [v.name, v.storage, v.deprecated ?? false]);
    assert.deepEqual(versions, [
      ["v1beta2", true, false],
      ["v1beta1", false, true],
    ]);
    assert.deepEqual(spec.versions[0].schema, spec.versions[1].schema);
    assert.deepEqual(status.storedVersions, ["v1beta2"]);
  });

  it("lets an object that became invalid be changed elsewhere, and mended", async () => {
    const path = pathOf("BGPPeer", "old");
    await cluster.request("PATCH", path, { metadata: { labels: { changed: "yes" } } });
    await cluster.request("PATCH", `${path}/status`, { status: { conditions: [CONDITION] } });
    // Rules of the spec as a whole are looked at again as soon as anything in it changes.
    const change = (spec: object) => cluster.request("PATCH", path, { spec });
    await assert.rejects(change({ peerPort: 1790 }), /spec.ebgpMultiHop: .* want different ones/);
    // Those of one field are not, as long as that field stays as it is.
    const { spec } = await change({ ebgpMultiHop: false, peerPort: 1790 });
    assert.equal(spec.routerID, "2001:db8::1");
    await assert.rejects(change({ routerID: "2001:db8::2" }), /spec.routerID: .*invalid router ID/);
    await change({ routerID: "192.0.2.9" });
  });

  it("keeps what must not change", async () => {
    const peer = { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" };
    await create("BGPPeer", "restart", { ...peer, enableGracefulRestart: true });
    await assert.rejects(
      cluster.request("PATCH", pathOf("BGPPeer", "restart"), {
        spec: { enableGracefulRestart: false },
      }),
      /spec.enableGracefulRestart: .*Cannot change enableGracefulRestart to false: it is immutable/,
    );
    for (const kind of ["ServiceL2Status", "ServiceBGPStatus"]) {
      const status = { node: "n1", serviceName: "web", serviceNamespace: "default" };
      await post(kind, { metadata: { name: "some" } });
      const path = `${pathOf(kind, "some")}/status`;
      const more =
        kind === "ServiceL2Status" ? { interfaces: [{ name: "eth1" }] } : { peers: ["leaf1"] };
      const first = await cluster.request("PATCH", path, { status: { ...status, ...more } });
      assert.deepEqual(first.status, { ...status, ...more });
      for (const field of Object.keys(status)) {
        await assert.rejects(
          cluster.request("PATCH", path, { status: { [field]: "other" } }),
          new RegExp(`status.${field}: .*Cannot change ${field}: it is immutable`),
        );
      }
    }
  });

  it("counts up to 2^63-1 in the status of a pool, and none of the counters is needed", async () => {
    const args = ["patch", "ipaddresspools", "counted", "-n", NAMESPACE, "--type=merge"];
    await create("IPAddressPool", "counted", { addresses: ["2001:db8::/32"] });
    const status = '{"assignedIPv4":0,"availableIPv6":9223372036854775807}';
    await cluster.kubectl([...args, "--subresource=status", "-p", `{"status":${status}}`]);
    const raw = await cluster.kubectl(["get", "--raw", pathOf("IPAddressPool", "counted")]);
    assert.ok(raw.includes(`"status":${status}`), raw);
    await assert.rejects(
      cluster.kubectl([
        ...args,
        "--subresource=status",
        "-p",
        '{"status":{"availableIPv6":9223372036854775808}}',
      ]),
      /status.availableIPv6/,
    );
  });

  const CONDITION = {
    type: "Accepted",
    status: "False",
    reason: "Invalid",
    message: "spec.peerASN: Cannot use 0",
    lastTransitionTime: "2026-11-24T00:00:00Z",
    observedGeneration: 1,
  };

  it("takes conditions, each type once, beside the spec and never with it", async () => {
    const specs: Readonly<Record<string, object>> = {
      BFDProfile: {},
      BGPAdvertisement: {},
      BGPPeer: { myASN: 64500, peerASN: 64501, peerAddress: "192.0.2.1" },
      Community: {},
      IPAddressPool: { addresses: ["192.0.2.0/24"] },
      L2Advertisement: {},
    };
    for (const [kind, spec] of Object.entries(specs)) {
      const object = { metadata: { name: "judged" }, spec, status: { conditions: [CONDITION] } };
      const created = await post(kind, object);
      assert.equal(created.status, undefined, kind);
      const path = `${pathOf(kind, "judged")}/status`;
      for (const reason of ["Invalid", "Conflict"]) {
        const { status } = await cluster.request(
          "PATCH",
          `${path}?fieldManager=test`,
          {
            apiVersion: created.apiVersion,
            kind,
            metadata: { name: "judged" },
            status: { conditions: [{ ...CONDITION, reason }] },
          },
          { patch: "apply" },
        );
        assert.deepEqual(status.conditions, [{ ...CONDITION, reason }], kind);
      }
      await assert.rejects(
        cluster.request("PATCH", path, { status: { conditions: [{ type: "Accepted" }] } }),
        /status.conditions\[0\].lastTransitionTime: Required/,
      );
    }
  });

  it("takes the state of a configuration", async () => {
    const path = pathOf("ConfigurationState", "speaker-n1");
    await post("ConfigurationState", { metadata: { name: "speaker-n1" } });
    const status = { result: "Invalid", errorSummary: "a\nb", conditions: [CONDITION] };
    const found = await cluster.request("PATCH", `${path}/status`, { status });
    assert.deepEqual(found.status, status);
    await assert.rejects(
      cluster.request("PATCH", `${path}/status`, { status: { result: "Good" } }),
      /status.result: Unsupported value: "Good": supported values: "Valid", "Invalid", "Unknown"/,
    );
  });

  it("prints MetalLB's columns", async () => {
    const selector = { matchLabels: { a: "b" } };
    const pools = { ipAddressPools: ["p"], ipAddressPoolSelectors: [selector] };
    const nodes = { nodeSelectors: [selector] };
    const seen = { node: "n1", serviceName: "web", serviceNamespace: "default" };
    const rows: readonly (readonly [kind: string, spec: object, status: object, row: object])[] = [
      [
        "IPAddressPool",
        { addresses: ["192.0.2.0/24"], avoidBuggyIPs: true },
        {},
        { "AUTO ASSIGN": "true", "AVOID BUGGY IPS": "true", ADDRESSES: '["192.0.2.0/24"]' },
      ],
      [
        "L2Advertisement",
        { ...pools, ...nodes, interfaces: ["eth1"] },
        {},
        {
          IPADDRESSPOOLS: '["p"]',
          "IPADDRESSPOOL SELECTORS": '[{"matchLabels":{"a":"b"}}]',
          INTERFACES: '["eth1"]',
          "NODE SELECTORS": '[{"matchLabels":{"a":"b"}}]',
        },
      ],
      [
        "BGPAdvertisement",
        { ...pools, ...nodes, peers: ["leaf1"] },
        {},
        {
          IPADDRESSPOOLS: '["p"]',
          "IPADDRESSPOOL SELECTORS": '[{"matchLabels":{"a":"b"}}]',
          PEERS: '["leaf1"]',
          "NODE SELECTORS": '[{"matchLabels":{"a":"b"}}]',
        },
      ],
      [
        "BGPPeer",
        {
          myASN: 1,
          peerASN: 4_294_967_295,
          peerAddress: "192.0.2.1",
          bfdProfile: "f",
          ebgpMultiHop: true,
        },
        {},
        { ADDRESS: "192.0.2.1", ASN: "4294967295", "BFD PROFILE": "f", "MULTI HOPS": "true" },
      ],
      [
        "BFDProfile",
        {
          passiveMode: true,
          transmitInterval: "300ms",
          receiveInterval: 200,
          detectMultiplier: 3,
        },
        {},
        {
          "PASSIVE MODE": "true",
          "TRANSMIT INTERVAL": "300ms",
          "RECEIVE INTERVAL": "200",
          MULTIPLIER: "3",
        },
      ],
      [
        "ServiceL2Status",
        {},
        seen,
        { "ALLOCATED NODE": "n1", "SERVICE NAME": "web", "SERVICE NAMESPACE": "default" },
      ],
      [
        "ServiceBGPStatus",
        {},
        seen,
        { NODE: "n1", "SERVICE NAME": "web", "SERVICE NAMESPACE": "default" },
      ],
      [
        "ConfigurationState",
        {},
        { result: "Invalid", errorSummary: "wrong" },
        { RESULT: "Invalid", ERRORSUMMARY: "wrong" },
      ],
    ];
    for (const [kind, spec, status, row] of rows) {
      await create(kind, "printed", spec);
      await cluster.request("PATCH", `${pathOf(kind, "printed")}/status`, { status });
      const get = ["get", `${PLURALS[kind]}.metallb.io`, "printed", "-n", NAMESPACE];
      const [head = "", line = ""] = (await cluster.kubectl([...get, "-o", "wide"])).split("\n");
      const printed: Record<string, string> = {};
      for (const { 0: title, index } of head.matchAll(/\S+(?: \S+)*/g)) {
        printed[title] = line.slice(index).split(/ {2,}/)[0] ?? "";
      }
      const { NAME, AGE, ...columns } = printed;
      assert.equal(NAME, "printed");
      assert.equal(AGE !== undefined, kind === "ConfigurationState");
      assert.deepEqual(columns, row, kind);
      const narrow = await cluster.kubectl(get);
      assert.doesNotMatch(narrow, /NODE SELECTORS/);
    }
  });

  it("explains itself to kubectl", async () => {
    const text = await cluster.kubectl(["explain", "bgppeers.spec.holdTime"]);
    assert.match(text, /3s to\s+65535s/);
  });
});
