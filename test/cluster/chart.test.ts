// charts/metallb on a real API server, by a real helm: what values do, which are refused and why, what
// each container may do, and install, upgrade, rollback and uninstall. No Pod runs here.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Ajv, type AnySchemaObject } from "ajv";
import addFormats from "ajv-formats";
import { isMap, isPair, isScalar, type Pair, parse, parseAllDocuments, parseDocument } from "yaml";
import { drift, generatedCopies, generatedManifest } from "../../scripts/chart/generated.ts";
import {
  CHART,
  HelmError,
  parseObjects,
  render,
  runHelm,
  type Values,
} from "../../scripts/chart/helm.ts";
import { rightsOf } from "../../scripts/chart/rights.ts";
import { VALUE_SETS } from "../../scripts/chart/value-sets.ts";
import { CONTROLLER } from "../../src/controller/flags.ts";
import { type Flags, type Program, parseFlags } from "../../src/flags.ts";
import { parseExcluded } from "../../src/l2/excluded.ts";
import { SPEAKER } from "../../src/speaker/flags.ts";
import { findAssets } from "./assets.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { find, putNamespace } from "./objects.ts";
import { ApiError, type Json } from "./request.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const NAMESPACE = "metallb-system";

/** Of these none can be left out; tried one at a time with FRR 8.4 and 10.3. */
const FRR_CAPABILITIES = "CHOWN KILL NET_ADMIN NET_BIND_SERVICE NET_RAW SETGID SETUID SYS_ADMIN";

/** What of the objects made with some values: a kind, a name, and a look at it. */
type Expectation = {
  readonly does: string;
  readonly values: Values;
  readonly object: string;
  readonly look: (object: Json) => unknown;
  readonly seen: unknown;
};

const podOf = ({ spec }: Json): Json => spec.template.spec;
const containerOf = (object: Json, name: string): Json =>
  podOf(object).containers.find((container: Json) => container.name === name);
const argsOf = (object: Json, pattern: RegExp): readonly string[] =>
  podOf(object).containers[0].args.filter((arg: string) => pattern.test(arg));
const envOf = (object: Json, name: string): Json =>
  podOf(object).containers[0].env.find((variable: Json) => variable.name === name);
const volumeOf = (object: Json, name: string): Json =>
  podOf(object).volumes?.find((volume: Json) => volume.name === name);
const isThere = (object: Json): boolean => object !== undefined;

const EXPECTATIONS: readonly Expectation[] = [
  {
    does: "loadBalancerClass is told to the controller",
    values: { loadBalancerClass: "example.com/lb" },
    object: "Deployment controller",
    look: (object) => argsOf(object, /lb-class/),
    seen: ["--lb-class=example.com/lb"],
  },
  {
    does: "loadBalancerClass is told to the speakers",
    values: { loadBalancerClass: "example.com/lb" },
    object: "DaemonSet speaker",
    look: (object) => argsOf(object, /lb-class/),
    seen: ["--lb-class=example.com/lb"],
  },
  {
    does: "no class is no flag",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => argsOf(object, /lb-class/),
    seen: [],
  },
  {
    does: "two controllers agree on one",
    values: {},
    object: "Deployment controller",
    look: (object) => [object.spec.replicas, argsOf(object, /leader/)],
    seen: [2, ["--leader-elect", "--leader-elect-lease-duration=5s"]],
  },
  {
    does: "a single controller needs no election",
    values: { controller: { replicas: 1, leaderElection: { enabled: false } } },
    object: "Deployment controller",
    look: (object) => argsOf(object, /leader/),
    seen: [],
  },
  {
    does: "without an election nobody may touch Leases",
    values: { controller: { replicas: 1, leaderElection: { enabled: false } } },
    object: "Role controller",
    look: ({ rules }) => rules.some((rule: Json) => rule.resources.includes("leases")),
    seen: false,
  },
  {
    does: "one controller always works during an update",
    values: {},
    object: "Deployment controller",
    look: ({ spec }) => spec.strategy,
    seen: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
  },
  {
    does: "strategy Recreate has nothing of RollingUpdate",
    values: { controller: { strategy: { type: "Recreate" } } },
    object: "Deployment controller",
    look: ({ spec }) => spec.strategy,
    seen: { type: "Recreate" },
  },
  {
    does: "updateStrategy OnDelete has nothing of RollingUpdate",
    values: { speaker: { updateStrategy: { type: "OnDelete" } } },
    object: "DaemonSet speaker",
    look: ({ spec }) => spec.updateStrategy,
    seen: { type: "OnDelete" },
  },
  {
    does: "replicas are spread over nodes",
    values: {},
    object: "Deployment controller",
    look: (object) => podOf(object).topologySpreadConstraints[0].whenUnsatisfiable,
    seen: "ScheduleAnyway",
  },
  {
    does: "an eviction takes one controller at a time",
    values: {},
    object: "PodDisruptionBudget controller",
    look: ({ spec }) => [spec.maxUnavailable, spec.selector.matchLabels],
    seen: [1, { app: "metallb", component: "controller" }],
  },
  {
    does: "logLevel is a flag",
    values: { speaker: { logLevel: "debug" } },
    object: "DaemonSet speaker",
    look: (object) => argsOf(object, /log-level/),
    seen: ["--log-level=debug"],
  },
  {
    does: "metrics are HTTPS on MetalLB's port",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => [
      argsOf(object, /--port|metrics|tls/),
      containerOf(object, "speaker").ports.find((port: Json) => port.containerPort === 9120).name,
    ],
    seen: [["--port=9120", "--metrics-scheme=https"], "metricshttps"],
  },
  {
    does: "scheme http needs no reviews",
    values: { prometheus: { scheme: "http" } },
    object: "ClusterRole metallb-system:speaker",
    look: ({ rules }) => rules.some((rule: Json) => rule.resources.includes("tokenreviews")),
    seen: false,
  },
  {
    does: "scheme http names the port so",
    values: { prometheus: { scheme: "http", metricsPort: 7472 } },
    object: "Deployment controller",
    look: (object) => containerOf(object, "controller").ports[0],
    seen: { name: "metrics", containerPort: 7472, protocol: "TCP" },
  },
  {
    does: "a certificate of one's own is mounted and named",
    values: { tls: { speakerMetricsTLSSecret: "certificate" } },
    object: "DaemonSet speaker",
    look: (object) => [
      argsOf(object, /cert-dir/),
      volumeOf(object, "metrics-certificate").secret.secretName,
    ],
    seen: [["--metrics-cert-dir=/etc/metrics"], "certificate"],
  },
  {
    does: "TLS 1.2 and its suites are flags",
    values: { tls: { minVersion: "VersionTLS12", cipherSuites: "A,B" } },
    object: "Deployment controller",
    look: (object) => argsOf(object, /tls/),
    seen: ["--tls-min-version=VersionTLS12", "--tls-cipher-suites=A,B"],
  },
  {
    does: "scrape annotations name the scheme",
    values: { prometheus: { scrapeAnnotations: true } },
    object: "DaemonSet speaker",
    look: ({ spec }) => spec.template.metadata.annotations["prometheus.io/scheme"],
    seen: "https",
  },
  {
    does: "a Pod has a new template when the excluded interfaces change",
    values: { speaker: { excludeInterfaces: { patterns: ["^eth9$"] } } },
    object: "DaemonSet speaker",
    look: ({ spec }) => spec.template.metadata.annotations["checksum/excludel2"].length,
    seen: 64,
  },
  {
    does: "excludel2 holds the patterns",
    values: { speaker: { excludeInterfaces: { patterns: ["^eth9$"] } } },
    object: "ConfigMap metallb-excludel2",
    look: ({ data }) => parse(data["excludel2.yaml"]),
    seen: { announcedInterfacesToExclude: ["^eth9$"] },
  },
  {
    does: "frr-startup holds the files of FRR",
    values: {},
    object: "ConfigMap frr-startup",
    look: ({ data }) => Object.keys(data).sort(),
    seen: ["daemons", "frr.conf", "start", "vtysh.conf"],
  },
  {
    does: "membership is by the labels of the Pods",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => [
      envOf(object, "METALLB_ML_LABELS").value,
      envOf(object, "METALLB_ML_BIND_PORT").value,
      envOf(object, "METALLB_ML_BIND_ADDR").valueFrom.fieldRef.fieldPath,
    ],
    seen: ["app=metallb,component=speaker", "7946", "status.podIPs"],
  },
  {
    does: "memberlist off: no address, no key, no port, no list of Pods",
    values: { speaker: { memberlist: { enabled: false } } },
    object: "DaemonSet speaker",
    look: (object) => [
      isThere(envOf(object, "METALLB_ML_BIND_ADDR")),
      isThere(volumeOf(object, "memberlist")),
      containerOf(object, "speaker").ports.length,
    ],
    seen: [false, false, 1],
  },
  {
    does: "the speaker's ports are those of MetalLB's speaker",
    values: {},
    object: "DaemonSet speaker",
    look: (object) =>
      containerOf(object, "speaker").ports.map((p: Json) => `${p.containerPort}/${p.protocol}`),
    seen: ["9120/TCP", "7946/UDP"],
  },
  {
    does: "secretName is mounted",
    values: { speaker: { secretName: "keys" } },
    object: "DaemonSet speaker",
    look: (object) => volumeOf(object, "memberlist").secret.secretName,
    seen: "keys",
  },
  {
    does: "secretName is made",
    values: { speaker: { secretName: "keys" } },
    object: "Deployment controller",
    look: (object) => envOf(object, "METALLB_ML_SECRET_NAME").value,
    seen: "keys",
  },
  {
    does: "tolerateMaster tolerates both taints of the control plane",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => podOf(object).tolerations.map((toleration: Json) => toleration.key),
    seen: ["node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"],
  },
  {
    does: "tolerateMaster false tolerates nothing",
    values: { speaker: { tolerateMaster: false } },
    object: "DaemonSet speaker",
    look: (object) => podOf(object).tolerations,
    seen: undefined,
  },
  {
    does: "ignoreExcludeLB and l2 are flags",
    values: { speaker: { ignoreExcludeLB: true, l2: { isolated: "answer", drainTimeout: "3s" } } },
    object: "DaemonSet speaker",
    look: (object) => argsOf(object, /ignore|l2/),
    seen: [
      "--ignore-exclude-lb",
      "--l2-isolated=answer",
      "--l2-refresh-interval=3m",
      "--l2-drain-timeout=3s",
    ],
  },
  {
    does: "the speaker is the first container, and what kubectl exec takes",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => [
      podOf(object).containers.map((container: Json) => container.name),
      object.spec.template.metadata.annotations["kubectl.kubernetes.io/default-container"],
    ],
    seen: [["speaker", "frr"], "speaker"],
  },
  {
    does: "the speaker is in the groups of FRR's sockets",
    values: { speaker: { frr: { groups: [7, 8] } } },
    object: "DaemonSet speaker",
    look: (object) => podOf(object).securityContext.supplementalGroups,
    seen: [7, 8],
  },
  {
    does: "images: ours of this version, and FRR's",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => podOf(object).containers.map((container: Json) => container.image),
    seen: ["metallb-ts/metallb:0.2.0", "quay.io/frrouting/frr:10.5.3"],
  },
  {
    does: "an image's tag and policy are taken",
    values: {
      controller: { image: { repository: "r/m", tag: "1@sha256:a", pullPolicy: "Never" } },
    },
    object: "Deployment controller",
    look: (object) => {
      const { image, imagePullPolicy } = containerOf(object, "controller");
      return [image, imagePullPolicy];
    },
    seen: ["r/m:1@sha256:a", "Never"],
  },
  {
    does: "classes of priority that every cluster has",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => podOf(object).priorityClassName,
    seen: "system-node-critical",
  },
  {
    does: "no priority class where none is wanted",
    values: { controller: { priorityClassName: "" } },
    object: "Deployment controller",
    look: (object) => podOf(object).priorityClassName,
    seen: undefined,
  },
  {
    does: "labels of the user cannot take the Pods from their selector",
    values: { controller: { labels: { app: "mine", team: "network" } } },
    object: "Deployment controller",
    look: ({ spec }) => [spec.template.metadata.labels.app, spec.template.metadata.labels.team],
    seen: ["metallb", "network"],
  },
  {
    does: "nodeSelector is beside kubernetes.io/os",
    values: { speaker: { nodeSelector: { edge: "true" } } },
    object: "DaemonSet speaker",
    look: (object) => podOf(object).nodeSelector,
    seen: { edge: "true", "kubernetes.io/os": "linux" },
  },
  {
    does: "no limit holds the speaker or FRR back",
    values: {},
    object: "DaemonSet speaker",
    look: (object) => podOf(object).containers.map((container: Json) => container.resources.limits),
    seen: [undefined, undefined],
  },
  {
    does: "probes can be set",
    values: { controller: { livenessProbe: { timeoutSeconds: 9 } } },
    object: "Deployment controller",
    look: (object) => containerOf(object, "controller").livenessProbe,
    seen: {
      httpGet: { path: "/healthz", port: "health" },
      failureThreshold: 3,
      initialDelaySeconds: 10,
      periodSeconds: 10,
      successThreshold: 1,
      timeoutSeconds: 9,
    },
  },
  {
    does: "fullnameOverride is before every name",
    values: { fullnameOverride: "metallb" },
    object: "DaemonSet metallb-speaker",
    look: (object) => [
      podOf(object).serviceAccountName,
      volumeOf(object, "memberlist").secret.secretName,
      volumeOf(object, "frr-startup").configMap.name,
    ],
    seen: ["metallb-speaker", "metallb-memberlist", "metallb-frr-startup"],
  },
  {
    does: "fullnameOverride is told to the controller",
    values: { fullnameOverride: "metallb" },
    object: "Deployment metallb-controller",
    look: (object) => [
      envOf(object, "METALLB_DEPLOYMENT").value,
      envOf(object, "METALLB_ML_SECRET_NAME").value,
    ],
    seen: ["metallb-controller", "metallb-memberlist"],
  },
  {
    does: "the controller is reached for metrics and reaches the API server",
    values: { networkpolicies: { enabled: true, apiPort: 443 } },
    object: "NetworkPolicy controller",
    look: ({ spec }) => [spec.ingress[0].ports[0].port, spec.egress[0].ports[0].port],
    seen: [9120, 443],
  },
  {
    does: "no policy unless asked for",
    values: {},
    object: "NetworkPolicy controller",
    look: isThere,
    seen: false,
  },
  {
    does: "definitions stay when the release goes",
    values: {},
    object: "CustomResourceDefinition bgppeers.metallb.io",
    look: ({ metadata }) => metadata.annotations["helm.sh/resource-policy"],
    seen: "keep",
  },
  {
    does: "crds.enabled false makes none",
    values: { crds: { enabled: false } },
    object: "CustomResourceDefinition bgppeers.metallb.io",
    look: isThere,
    seen: false,
  },
];

/** Values of MetalLB that mean something else or nothing here, and contradictions: what is said. */
const REFUSALS: readonly (readonly [values: Values, said: RegExp])[] = [
  [
    { speaker: { image: { tag: "v0.16.1" } } },
    /speaker\.image\.tag v0\.16\.1: that is a version of MetalLB/,
  ],
  [{ frrk8s: { enabled: true } }, /frrk8s\.enabled: .* FRR runs beside each speaker/],
  [{ frrk8s: { external: true } }, /frrk8s\.external: .* ConfigMap bgpextras/],
  [{ frrk8s: { namespace: "x" } }, /frrk8s\.namespace: .* Remove it/],
  [{ frrk8s: { secretPassthrough: true } }, /frrk8s\.secretPassthrough: .* Remove it/],
  [{ "frr-k8s": { prometheus: {} } }, /frr-k8s: .* speaker\.frr\.image/],
  [{ speaker: { frr: { enabled: false } } }, /speaker\.frr\.enabled: .* Remove it/],
  [{ configInline: { "address-pools": [] } }, /configInline: .* IPAddressPools/],
  [{ controller: { webhookMode: "onlywebhook" } }, /onlywebhook: .* controller\.enabled false/],
  [{ controller: { tlsMinVersion: "VersionTLS13" } }, /tlsMinVersion: .* Set tls\.minVersion/],
  [{ controller: { tlsCipherSuites: "A" } }, /tlsCipherSuites: .* Set tls\.cipherSuites/],
  [
    { prometheus: { controllerMetricsTLSSecret: "a" } },
    /prometheus\.controllerMetricsTLSSecret: .* Set tls\.controllerMetricsTLSSecret/,
  ],
  [
    { prometheus: { speakerMetricsTLSSecret: "a" } },
    /prometheus\.speakerMetricsTLSSecret: .* Set tls\.speakerMetricsTLSSecret/,
  ],
  [{ speaker: { wanConfig: true } }, /wanConfig: .* Set speaker\.memberlist\.probeInterval/],
  [{ tls: { curvePreferences: "23" } }, /curvePreferences: .* Remove it/],
  [{ tls: { cipherSuites: "A" } }, /tls\.cipherSuites: .* Set tls\.minVersion/],
  [
    { controller: { image: { repository: "quay.io/metallb/controller" } } },
    /controller\.image\.repository quay\.io\/metallb\/controller: that is MetalLB's image/,
  ],
  [
    { speaker: { image: { repository: "r.example.com/metallb/speaker" } } },
    /speaker\.image\.repository .* name a copy of metallb-ts\/metallb/,
  ],
  [{ speaker: { readinessProbe: { port: 1 } } }, /speaker\.readinessProbe\.port 1: .* 17472/],
  [{ controller: { leaderElection: { enabled: false } } }, /controller\.replicas 2 without/],
  [
    { speaker: { memberlist: { enabled: false }, nodeSelector: { a: "b" } } },
    /speaker\.nodeSelector with speaker\.memberlist\.enabled false/,
  ],
  [
    {
      prometheus: {
        rbacPrometheus: false,
        podMonitor: { enabled: true },
        serviceMonitor: { enabled: true },
      },
    },
    /podMonitor\.enabled and prometheus\.serviceMonitor\.enabled/,
  ],
  [{ prometheus: { podMonitor: { enabled: true } } }, /prometheus\.serviceAccount/],
];

/** MetalLB's values that change nothing: taken, and named in the notes. */
const IGNORED: readonly (readonly [values: Values, named: string])[] = [
  [{ controller: { webhookMode: "disabled" } }, "controller.webhookMode"],
  [{ crds: { validationFailurePolicy: "Ignore" } }, "crds.validationFailurePolicy"],
  [{ frrk8s: { enabled: false } }, "frrk8s"],
  [{ speaker: { bgpDebounceTimeout: 500 } }, "speaker.bgpDebounceTimeout"],
  [{ speaker: { frr: { metricsPort: 9121 } } }, "speaker.frr.metricsPort"],
  [{ speaker: { reloader: { resources: {} } } }, "speaker.reloader"],
  [{ speaker: { frrMetrics: { resources: {} } } }, "speaker.frrMetrics"],
  [{ speaker: { initContainers: { cpFrrFiles: { resources: {} } } } }, "speaker.initContainers"],
  [{ prometheus: { rbacProxy: { tag: "v1" } } }, "prometheus.rbacProxy"],
];

/** What the schema says no to, by a part of what helm says. */
const NONSENSE: readonly (readonly [values: Values, said: RegExp])[] = [
  [{ speaker: { tolerateMasters: true } }, /'\/speaker': .*'tolerateMasters' not allowed/],
  [{ controller: { logLevel: "loud" } }, /'\/controller\/logLevel': value must be one of/],
  [{ controller: { replicas: 0 } }, /'\/controller\/replicas'/],
  [{ controller: { leaderElection: { leaseDuration: "5" } } }, /leaseDuration/],
  [{ controller: { leaderElection: { leaseDuration: "500ms" } } }, /leaseDuration/],
  [{ speaker: { l2: { drainTimeout: "soon" } } }, /drainTimeout/],
  [{ speaker: { l2: { isolated: "maybe" } } }, /isolated/],
  [{ prometheus: { scheme: "ftp" } }, /scheme/],
  [{ prometheus: { metricsPort: 70000 } }, /metricsPort/],
  [{ prometheus: { podMonitor: { interval: "30 s" } } }, /interval/],
  [{ prometheus: { podMonitor: { interval: 30 } } }, /interval/],
  [{ crds: { validationFailurePolicy: "Maybe" } }, /validationFailurePolicy/],
  [{ speakers: {} }, /'speakers' not allowed/],
  [{ fullnameOverride: "Not A Name" }, /fullnameOverride/],
];

describe("values", () => {
  const rendered = new Map<string, Promise<readonly Json[]>>();
  /** Each set of values is rendered once. */
  const objectsFor = (values: Values): Promise<readonly Json[]> => {
    const key = JSON.stringify(values);
    const objects = rendered.get(key) ?? render(values);
    rendered.set(key, objects);
    return objects;
  };

  for (const { does, values, object, look, seen } of EXPECTATIONS) {
    it(does, async () => {
      const objects = await objectsFor(values);
      const found = objects.find(({ kind, metadata }) => `${kind} ${metadata.name}` === object);
      if (look !== isThere) assert.ok(found, `there is no ${object}`);
      assert.deepEqual(look(found), seen);
    });
  }

  it("change the Pods of speakers when a file they read only at the start changes", async () => {
    const annotationsFor = async (values: Values) => {
      const objects = await objectsFor(values);
      const speaker = objects.find(({ kind }) => kind === "DaemonSet");
      return speaker.spec.template.metadata.annotations;
    };
    const usual = await annotationsFor({});
    const other = await annotationsFor({
      speaker: { excludeInterfaces: { patterns: ["^eth9$"] } },
    });
    assert.notEqual(usual["checksum/excludel2"], other["checksum/excludel2"]);
    assert.equal(usual["checksum/frr-startup"], other["checksum/frr-startup"]);
  });

  for (const [values, said] of REFUSALS) {
    it(`refuse ${JSON.stringify(values)} and say what to do`, async () => {
      await assert.rejects(render(values), (error: HelmError) => {
        assert.match(error.message, said);
        return error instanceof HelmError;
      });
    });
  }

  it("are refused all at once", async () => {
    const values = { frrk8s: { enabled: true }, speaker: { wanConfig: true } };
    await assert.rejects(render(values), /frrk8s\.enabled[\s\S]*speaker\.wanConfig/);
  });

  for (const [values, said] of NONSENSE) {
    it(`refuse ${JSON.stringify(values)} by the schema`, async () => {
      await assert.rejects(render(values), (error: HelmError) => {
        assert.match(error.message, /don't meet the specifications of the schema/);
        assert.match(error.message, said);
        return true;
      });
    });
  }

  for (const [values, named] of IGNORED) {
    it(`take ${JSON.stringify(values)}, and say that it changes nothing`, async () => {
      const [theirs, ours] = [await objectsFor(values), await objectsFor({})];
      assert.deepEqual(theirs, ours);
      const notes = await notesFor(values);
      assert.match(notes, /change nothing here/);
      assert.ok(notes.includes(`- ${named}:`), notes);
    });
  }

  it("give notes with three things to do, and a word on Pod Security and strictARP", async () => {
    const notes = await notesFor({});
    assert.match(notes, /^1\. /m);
    assert.match(notes, /^3\. [\s\S]*kubectl exec -n metallb-system ds\/speaker -- mirror-status/m);
    assert.match(notes, /pod-security\.kubernetes\.io\/enforce=privileged/);
    assert.match(notes, /strictARP: true/);
    assert.doesNotMatch(notes, /change nothing here/);
    // What is pasted into a shell: neither END nor --- may be indented.
    const [, manifests = ""] = /^kubectl apply [^\n]* <<END\n([\s\S]*?)^END$/m.exec(notes) ?? [];
    const kinds = parseAllDocuments(manifests).map((document) => document.get("kind"));
    assert.deepEqual(kinds, ["IPAddressPool", "L2Advertisement"]);
  });
});

describe("values.yaml", () => {
  const text = readFileSync(`${CHART}/values.yaml`, "utf8");
  const schema: AnySchemaObject = JSON.parse(readFileSync(`${CHART}/values.schema.json`, "utf8"));
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(schema);

  it("has a comment above each value", () => {
    assert.deepEqual(silentKeys(text), []);
  });

  it("would be found out if it had none", () => {
    assert.deepEqual(silentKeys("# A\na:\n  # B\n  b: 1\n  c: 2\n# D\nd: []\n\n# far\n\ne: 1\n"), [
      "a.c",
      "e",
    ]);
  });

  it("is what the schema wants", () => {
    validate(parse(text));
    assert.deepEqual(validate.errors ?? [], []);
  });

  it("lists every value of the schema, but for MetalLB's that are no more", () => {
    const listed = new Set(pathsOf(parse(text)));
    const free = [...schemaPaths(schema)].filter((path) => !listed.has(path));
    assert.deepEqual(free, ["global", "crds.global"]);
  });

  it("and the schema leave no place for a typing error", () => {
    const maps = pathsOf(parse(text)).filter((path) => schemaAt(schema, path)?.["properties"]);
    assert.ok(maps.length > 40, `only ${maps.length} maps`);
    for (const path of ["", ...maps]) {
      const values = parse(text);
      const map = path === "" ? values : path.split(".").reduce((at, key) => at[key], values);
      map.typo = 1;
      assert.equal(validate(values), false, `${path}.typo`);
    }
  });
});

describe("generated files", () => {
  it("are what `node scripts/chart.ts generate` makes", async () => {
    assert.deepEqual(await drift(await generatedCopies()), []);
    assert.deepEqual(await drift(await generatedManifest()), []);
  });

  it("would be found out if they were not", async () => {
    const [[path = ""] = []] = await generatedManifest();
    assert.deepEqual(await drift(new Map([[path, "another"]])), [path]);
  });

  it("give the manifest a Namespace that speakers may run in, and nothing of helm", () => {
    const text = readFileSync(`${ROOT}config/manifests/metallb.yaml`, "utf8");
    const [namespace] = parseObjects(text);
    assert.equal(namespace?.kind, "Namespace");
    for (const mode of ["enforce", "audit", "warn"]) {
      const label: unknown = namespace.metadata.labels?.[`pod-security.kubernetes.io/${mode}`];
      assert.equal(label, "privileged", mode);
    }
    assert.doesNotMatch(text, /helm/i);
  });
});

describe("objects", () => {
  for (const [name, values] of Object.entries(VALUE_SETS)) {
    it(`have the labels of their component and fitting selectors, with ${name}`, async () => {
      for (const object of (await render(values)) as readonly Json[]) {
        const { kind, metadata } = object;
        if (kind === "CustomResourceDefinition") continue;
        const what = `${kind} ${metadata.name}`;
        assert.equal(metadata.labels.app, "metallb", what);
        assert.equal(metadata.labels["app.kubernetes.io/managed-by"], "Helm", what);
        assert.equal(metadata.labels["app.kubernetes.io/instance"], "metallb", what);
        if (kind !== "Deployment" && kind !== "DaemonSet") continue;
        const component = kind === "Deployment" ? "controller" : "speaker";
        assert.deepEqual(object.spec.selector, { matchLabels: { app: "metallb", component } });
        const { labels } = object.spec.template.metadata;
        assert.equal(labels.app, "metallb");
        assert.equal(labels.component, component);
        assert.equal(labels["app.kubernetes.io/component"], component);
      }
    });

    it(`give every container no more than it needs, with ${name}`, async () => {
      for (const object of (await render(values)) as readonly Json[]) {
        if (object.kind !== "Deployment" && object.kind !== "DaemonSet") continue;
        const pod = podOf(object);
        const own = pod.containers.filter((container: Json) => container.name !== "more");
        for (const container of [...own, ...(pod.initContainers ?? [])]) {
          const { allowPrivilegeEscalation, capabilities, ...context } = container.securityContext;
          assert.equal(allowPrivilegeEscalation, false, container.name);
          assert.equal(context.privileged, undefined, container.name);
          assert.equal(context.readOnlyRootFilesystem, true, container.name);
          assert.deepEqual(context.seccompProfile, { type: "RuntimeDefault" }, container.name);
          assert.deepEqual(capabilities.drop, ["ALL"], container.name);
          assert.ok(container.resources.requests.cpu, container.name);
          assert.ok(container.resources.requests.memory, container.name);
        }
        if (object.kind === "Deployment") {
          assert.equal(pod.securityContext.runAsNonRoot, true);
          assert.equal(own[0].securityContext.capabilities.add, undefined);
          assert.equal(pod.hostNetwork, undefined);
        } else {
          const speaker = containerOf(object, "speaker");
          const frr = containerOf(object, "frr");
          assert.deepEqual(speaker.securityContext.capabilities.add, ["NET_RAW"]);
          assert.deepEqual(frr.securityContext.capabilities.add.join(" "), FRR_CAPABILITIES);
          assert.equal(pod.securityContext.fsGroup, undefined, "would change the owner of sockets");
          assert.equal(pod.hostNetwork, true);
          assert.equal(pod.automountServiceAccountToken, false);
          const mountsOf = ({ volumeMounts }: Json) =>
            volumeMounts.map((mount: Json) => mount.name);
          assert.ok(mountsOf(speaker).includes("token"));
          assert.ok(!mountsOf(frr).includes("token"), "FRR has the token of the API server");
          assert.ok(!mountsOf(frr).includes("memberlist"), "FRR has the key of the speakers");
        }
      }
    });
  }

  for (const [name, values] of Object.entries(VALUE_SETS)) {
    it(`give the programs only flags and variables that they know, with ${name}`, async () => {
      for (const object of (await render(values)) as readonly Json[]) {
        if (object.kind !== "Deployment" && object.kind !== "DaemonSet") continue;
        const program: Program<Flags> = object.kind === "Deployment" ? CONTROLLER : SPEAKER;
        const { args, env } = podOf(object).containers[0];
        const texts = env.map(({ name, value = "" }: Json) => [name, value]);
        const parsed = parseFlags(program, args, Object.fromEntries(texts));
        assert.equal(parsed.kind, "values", parsed.kind === "refused" ? parsed.message : "");
        const known = new Set(Object.values(program.flags).map((flag) => flag.env));
        const unknown = env.filter((variable: Json) => !known.has(variable.name));
        assert.deepEqual(unknown, []);
      }
    });
  }

  it("give the speaker a file of excluded interfaces that it can read", async () => {
    const objects = (await render()) as readonly Json[];
    const map = objects.find(({ metadata }) => metadata.name === "metallb-excludel2");
    const result = parseExcluded(map.data["excludel2.yaml"]);
    assert.equal(result.kind, "patterns");
    assert.ok(result.patterns.some((pattern) => pattern.test("veth0")));
    assert.ok(!result.patterns.some((pattern) => pattern.test("eth0")));
  });

  it("are all of one version", async () => {
    const chart = parse(readFileSync(`${CHART}/Chart.yaml`, "utf8"));
    const kinds = parse(readFileSync(`${CHART}/charts/crds/Chart.yaml`, "utf8"));
    assert.equal(chart.version, chart.appVersion);
    assert.deepEqual([kinds.version, kinds.appVersion], [chart.version, chart.version]);
    assert.equal(chart.dependencies[0].version, chart.version);
  });

  it("allow nobody to read or write more than ours of what is not a list", async () => {
    const rights = rightsOf(await render());
    for (const { resource, scope, verbs } of rights) {
      assert.ok(!verbs.includes("*") && !resource.includes("*"), resource);
      if (/^(secrets|configmaps|pods|deployments|leases)/.test(resource)) {
        assert.equal(scope, NAMESPACE, resource);
      }
    }
    const writes = /^(create|update|patch|delete|deletecollection)$/;
    const cluster = rights.filter(({ scope, verbs }) => {
      return scope === "cluster" && verbs.some((verb) => writes.test(verb));
    });
    assert.deepEqual(
      [...new Set(cluster.map(({ resource }) => resource))],
      [
        "services/status",
        "events",
        "tokenreviews.authentication.k8s.io",
        "subjectaccessreviews.authorization.k8s.io",
      ],
    );
  });
});

describe("kustomize", () => {
  const build = async (folder: string): Promise<readonly Json[]> => {
    const { kubectl } = await findAssets();
    const args = ["kustomize", `${ROOT}config/${folder}`];
    const { stdout } = await promisify(execFile)(kubectl, args, { maxBuffer: 1 << 28 });
    return parseObjects(stdout);
  };

  it("builds the base from the single manifest", async () => {
    const manifest = parseObjects(readFileSync(`${ROOT}config/manifests/metallb.yaml`, "utf8"));
    const namesOf = (objects: readonly Json[]) =>
      objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`).sort();
    assert.deepEqual(namesOf(await build("default")), namesOf(manifest));
  });

  it("builds the overlay with images and log level of its own", async () => {
    const objects = await build("overlays/own-registry-and-debug-log");
    const speaker = objects.find(({ kind }) => kind === "DaemonSet");
    assert.equal(argsOf(speaker, /log-level/).at(-1), "--log-level=debug");
    assert.deepEqual(
      podOf(speaker).containers.map(({ image }: Json) => image),
      [
        "registry.example.com/metallb-ts/metallb:0.2.0",
        "registry.example.com/frrouting/frr:10.5.3",
      ],
    );
  });
});

describe("on a real API server", () => {
  let cluster: Cluster;
  before(async () => {
    cluster = await startCluster();
  });
  after(() => cluster?.stop());

  const helm = (args: readonly string[], values?: Values) =>
    runHelm([...args, "--namespace", NAMESPACE], {
      kubeconfig: cluster.kubeconfigPath,
      ...(values !== undefined && { values }),
    });
  const inNamespace = (path: string) => find(cluster, `/apis/${path.replace("NS", NAMESPACE)}`);
  const speaker = () => inNamespace("apps/v1/namespaces/NS/daemonsets/speaker");
  const POOLS = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/ipaddresspools`;

  it("everything that can be rendered is taken", async () => {
    await putNamespace(cluster, NAMESPACE);
    for (const [name, values] of Object.entries(VALUE_SETS)) {
      const objects = await render(values);
      const known = objects.filter(({ apiVersion }) => !apiVersion.startsWith("monitoring."));
      const input = JSON.stringify({ apiVersion: "v1", kind: "List", items: known });
      const args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
      const said = await cluster.kubectl([...args, "-o", "name"], { input });
      assert.equal(said.trim().split("\n").length, known.length, name);
    }
  });

  /** What the API server would make of a Pod of the workload. */
  const dryRunOfPod = async (kind: string, namespace: string): Promise<Json> => {
    const objects = (await render()) as readonly Json[];
    const { spec } = objects.find((object) => object.kind === kind);
    return cluster.request("POST", `/api/v1/namespaces/${namespace}/pods?dryRun=All`, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "pod", namespace },
      // The API server makes the classes of system Pods a little after it serves.
      spec: { ...spec.template.spec, priorityClassName: undefined },
    });
  };

  it("the controller's Pod keeps to the profile restricted, the speaker's cannot", async () => {
    await putNamespace(cluster, "restricted", {
      "pod-security.kubernetes.io/enforce": "restricted",
    });
    await dryRunOfPod("Deployment", "restricted");
    await assert.rejects(
      dryRunOfPod("DaemonSet", "restricted"),
      /violates PodSecurity "restricted/,
    );
  });

  it("the speaker's ports are host ports, which the scheduler keeps apart from MetalLB's", async () => {
    const { spec } = await dryRunOfPod("DaemonSet", NAMESPACE);
    assert.deepEqual(
      spec.containers[0].ports.map((p: Json) => `${p.hostPort}/${p.protocol}`),
      ["9120/TCP", "7946/UDP"],
    );
  });

  it("helm installs, and the objects of the user are taken", async () => {
    await helm(["install", "metallb", CHART, "--create-namespace"]);
    assert.ok(await speaker());
    assert.ok(await inNamespace("apps/v1/namespaces/NS/deployments/controller"));
    await cluster.request("POST", POOLS, {
      apiVersion: "metallb.io/v1beta1",
      kind: "IPAddressPool",
      metadata: { name: "public" },
      spec: { addresses: ["192.0.2.0/24"] },
    });
  });

  it("a second release in the namespace is refused", async () => {
    await assert.rejects(helm(["install", "another", CHART]), HelmError);
  });

  it("roles allow objects by name, where the API takes names", async () => {
    const account = { namespace: NAMESPACE, name: "controller" };
    const token = await cluster.serviceAccountToken(account);
    const states = `/apis/metallb.io/v1beta1/namespaces/${NAMESPACE}/configurationstates`;
    const applyState = (name: string) =>
      cluster.request(
        "PATCH",
        `${states}/${name}?fieldManager=test`,
        {
          apiVersion: "metallb.io/v1beta1",
          kind: "ConfigurationState",
          metadata: { name, namespace: NAMESPACE },
        },
        { patch: "apply", token },
      );
    await applyState("controller");
    await assert.rejects(applyState("speaker-node1"), isForbidden);
    const list = (path: string) => cluster.request("GET", path, undefined, { token });
    const maps = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
    await list(`${maps}?fieldSelector=metadata.name%3Dbgpextras`);
    await assert.rejects(list(maps), isForbidden);
    await assert.rejects(list("/api/v1/secrets"), isForbidden);
    await cluster.request("DELETE", `${states}/controller`);
  });

  it("helm upgrades, keeps what it need not change, and rolls back", async () => {
    const before = await speaker();
    await helm(["upgrade", "metallb", CHART]);
    assert.equal((await speaker()).metadata.generation, before.metadata.generation);

    const values = { speaker: { logLevel: "debug" }, controller: { replicas: 3 } };
    await helm(["upgrade", "metallb", CHART], values);
    const upgraded = await speaker();
    assert.deepEqual(argsOf(upgraded, /log-level/), ["--log-level=debug"]);
    assert.equal(upgraded.metadata.uid, before.metadata.uid);
    assert.deepEqual(upgraded.spec.selector, before.spec.selector);

    await helm(["rollback", "metallb", "1"]);
    assert.deepEqual((await speaker()).spec, before.spec);
    const controller = await inNamespace("apps/v1/namespaces/NS/deployments/controller");
    assert.equal(controller.spec.replicas, 2);
    assert.ok(await find(cluster, `${POOLS}/public`));
  });

  it("helm uninstalls all but the kinds and the objects of the user", async () => {
    await helm(["uninstall", "metallb"]);
    assert.equal(await speaker(), undefined);
    assert.equal(
      await inNamespace("rbac.authorization.k8s.io/v1/namespaces/NS/roles/speaker"),
      undefined,
    );
    assert.ok(
      await inNamespace("apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io"),
    );
    assert.ok(await find(cluster, `${POOLS}/public`));
  });

  it("helm installs again over the kinds that stayed, under another name too", async () => {
    await helm(["install", "metallb", CHART]);
    await helm(["uninstall", "metallb"]);
    await helm(["install", "other", CHART, "--take-ownership"]);
    await helm(["uninstall", "other"]);
    assert.ok(await find(cluster, `${POOLS}/public`));
  });

  it("kubectl applies the single manifest and the kustomize base, as a user would", async () => {
    const file = `${ROOT}config/manifests/metallb.yaml`;
    await cluster.kubectl(["apply", "--server-side", "--force-conflicts", "-f", file]);
    const said = await cluster.kubectl(["apply", "--server-side", "-k", `${ROOT}config/default`]);
    assert.match(said, /daemonset\.apps\/speaker serverside-applied/);
    assert.ok(await speaker());
    await cluster.kubectl(["apply", "-f", file]);
    const labels = (await find(cluster, `/api/v1/namespaces/${NAMESPACE}`)).metadata.labels;
    assert.equal(labels["pod-security.kubernetes.io/enforce"], "privileged");
  });
});

function isForbidden(error: unknown): boolean {
  return error instanceof ApiError && error.status === 403;
}

/** What helm prints after an install. */
async function notesFor(values: Values): Promise<string> {
  const args = ["install", "metallb", CHART, "--namespace", NAMESPACE, "--dry-run=client"];
  const text = await runHelm(args, { values });
  return text.slice(text.indexOf("NOTES:"));
}

/** Keys without a comment right above them. */
function silentKeys(text: string): readonly string[] {
  const lines = text.split("\n");
  const silent: string[] = [];
  const visit = (node: unknown, path: string) => {
    // Fields of Kubernetes' own and lists are explained by the value they are in.
    if (!isMap(node) || /(^|\.)resources$/.test(path)) return;
    for (const pair of node.items as Pair[]) {
      if (!isPair(pair) || !isScalar(pair.key)) continue;
      const name = path === "" ? String(pair.key.value) : `${path}.${pair.key.value}`;
      const line = text.slice(0, pair.key.range?.[0]).split("\n").length - 1;
      if (!/^ *# \S/.test(lines[line - 1] ?? "")) silent.push(name);
      visit(pair.value, name);
    }
  };
  visit(parseDocument(text).contents, "");
  return silent;
}

/** The paths of all keys of maps in maps. */
function pathsOf(values: Json, above = ""): readonly string[] {
  if (values === null || typeof values !== "object" || Array.isArray(values)) return [];
  return Object.entries(values).flatMap(([key, value]) => {
    const path = above === "" ? key : `${above}.${key}`;
    return [path, ...pathsOf(value, path)];
  });
}

/** Of the properties of maps that allow no others, those that are not marked as MetalLB's. */
function schemaPaths(root: AnySchemaObject, at = root, above = ""): readonly string[] {
  const { properties } = resolveSchema(root, at);
  return Object.entries(properties ?? {}).flatMap(([key, schema]) => {
    const { description = "" } = schema as AnySchemaObject;
    const path = above === "" ? key : `${above}.${key}`;
    if (description.startsWith("MetalLB's:") || /\.resources\./.test(`.${path}`)) return [];
    return [path, ...schemaPaths(root, schema as AnySchemaObject, path)];
  });
}

function schemaAt(root: AnySchemaObject, path: string): AnySchemaObject | undefined {
  let at: AnySchemaObject | undefined = root;
  for (const key of path.split(".")) {
    at = at && resolveSchema(root, at)["properties"]?.[key];
  }
  return at && resolveSchema(root, at);
}

function resolveSchema(root: AnySchemaObject, schema: AnySchemaObject): AnySchemaObject {
  const name = /^#\/definitions\/(\w+)$/.exec(schema["$ref"] ?? "")?.[1];
  return name === undefined ? schema : root["definitions"][name];
}
