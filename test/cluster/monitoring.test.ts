// The chart's monitors, alerts and dashboard: helm renders them, promtool runs the alerts, and a real API
// server with the Prometheus operator's definitions takes them.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { NAMESPACE, render, type Values } from "../../scripts/chart/helm.ts";
import { checkRules, promtool, testRules } from "../monitoring/promtool.ts";
import { CASES_FILE, RULES_FILE, type Rule, readDashboard } from "../monitoring/queries.ts";
import { type Cluster, startCluster } from "./cluster.ts";
import { apply, applyFolder, putNamespace } from "./objects.ts";
import type { Json } from "./request.ts";

const CRDS = fileURLToPath(new URL("../monitoring/crds/", import.meta.url));
const SCRAPER = { serviceAccount: "prometheus-k8s", namespace: "monitoring" };
const ON = { enabled: true };

/** What the chart makes with these values under `prometheus`, by kind and name. */
async function monitoring(prometheus: object, more: Values = {}): Promise<Map<string, Json>> {
  const objects = await render({ ...more, prometheus: { ...SCRAPER, ...prometheus } });
  return new Map(objects.map((object) => [`${object.kind} ${object.metadata.name}`, object]));
}

async function rulesWith(prometheusRule: object): Promise<Json> {
  const objects = await monitoring({ prometheusRule: { ...ON, ...prometheusRule } });
  return objects.get("PrometheusRule metallb")?.spec;
}

const alertsIn = ({ groups }: Json): readonly string[] =>
  groups.flatMap(({ rules }: Json) => rules.map(({ alert }: Rule) => alert));

describe("alerts of the chart", () => {
  it("pass promtool as a plain file, and so do their cases", async () => {
    assert.match(await promtool("check", "rules", RULES_FILE), /SUCCESS/);
    assert.match(await promtool("test", "rules", CASES_FILE), /SUCCESS/);
  });

  it("are in a PrometheusRule what they are in the file", async () => {
    const rules = await rulesWith({});
    assert.deepEqual(rules, parse(await readFile(RULES_FILE, "utf8")));
    assert.match(await testRules(rules), /SUCCESS/);
  });

  it("are about the namespace of the release, or what prometheusRule.selector says", async () => {
    const rules = await rulesWith({ selector: 'job="lb",cluster="a"' });
    assert.match(await checkRules(rules), /SUCCESS/);
    for (const { alert, expr } of rules.groups[0].rules) {
      assert(!expr.includes("namespace="), `${alert}: ${expr}`);
      assert(expr.includes('{job="lb",cluster="a"'), `${alert}: ${expr}`);
    }
    await assert.rejects(testRules(rules), /MetalLBBGPSessionDown/);
  });

  it("leave out pools and alerts that are not wanted", async () => {
    const excludePools = "full|spare-.*";
    const rules = await rulesWith({
      addressPoolExhausted: { excludePools },
      addressPoolFullSoon: ON,
      addressPoolUsage: { excludePools },
      nodeFenced: { enabled: false },
    });
    assert.match(await checkRules(rules), /SUCCESS/);
    assert(!alertsIn(rules).includes("MetalLBNodeFenced"));
    // Only the cases of these break, because pool "full" is left out.
    const complaint = await testRules(rules).then(
      () => "",
      ({ message }: Error) => message,
    );
    const missing = complaint.matchAll(/alertname="(\w+)"/g);
    const alerts = new Set([...missing].map(([, alert]) => alert));
    assert.deepEqual([...alerts].sort(), [
      ...["MetalLBAddressPoolExhausted", "MetalLBAddressPoolUsage75Percent"],
      ...["MetalLBAddressPoolUsage85Percent", "MetalLBAddressPoolUsage95Percent"],
      "MetalLBNodeFenced",
    ]);
  });

  it("have thresholds, labels and alerts of the user's own", async () => {
    const extra = { alert: "Mine", expr: "vector(1)" };
    const rules = await rulesWith({
      addressPoolUsage: { thresholds: [{ percent: 7, labels: { severity: "page", team: "a" } }] },
      bgpSessionDown: { labels: { severity: "page" } },
      extraAlerts: [extra],
    });
    assert.match(await checkRules(rules), /SUCCESS/);
    const byName = new Map<string, Rule>(
      rules.groups[0].rules.map((rule: Rule) => [rule.alert, rule]),
    );
    const usage = [...byName.keys()].filter((name) => name.includes("Usage"));
    assert.deepEqual(usage, ["MetalLBAddressPoolUsage7Percent"]);
    const seven = byName.get("MetalLBAddressPoolUsage7Percent");
    assert.match(seven?.expr ?? "", /\) > 7$/);
    assert.equal(seven?.annotations["summary"], "An address pool is more than 7 % full.");
    assert.deepEqual(seven?.labels, { severity: "page", team: "a" });
    assert.equal(byName.get("MetalLBBGPSessionDown")?.labels["severity"], "page");
    assert.deepEqual(byName.get("Mine"), extra);
  });
});

describe("dashboard of the chart", () => {
  it("is a ConfigMap that Grafana's sidecar finds, with the file as it is", async () => {
    const objects = await monitoring({ grafanaDashboard: { ...ON, namespace: "grafana" } });
    const { metadata, data } = objects.get("ConfigMap metallb-dashboard") ?? {};
    assert.equal(metadata.namespace, "grafana");
    assert.equal(metadata.labels.grafana_dashboard, "1");
    assert.deepEqual(JSON.parse(data["metallb.json"]), readDashboard());
  });

  it("asks in PromQL that Prometheus takes", async () => {
    const exprs = readDashboard().panels.flatMap(({ targets = [] }) =>
      targets.map(({ expr }) => expr.replaceAll("$__rate_interval", "5m")),
    );
    const rules = exprs.map((expr, index) => ({ record: `panel:${index}`, expr }));
    const printed = await checkRules({ groups: [{ name: "dashboard", rules }] });
    assert.match(printed, new RegExp(`SUCCESS: ${exprs.length} rules found`));
  });
});

describe("monitors of the chart", () => {
  const refused = [
    [{ podMonitor: ON, serviceMonitor: ON }, /would be counted twice, want one of them/],
    [{ podMonitor: ON, serviceAccount: "" }, /without prometheus.serviceAccount: want the service/],
    [{ serviceMonitor: ON, namespace: "" }, /without prometheus.namespace: want the namespace/],
    [{ podMonitor: { ...ON, interval: "soon" } }, /podMonitor\/interval.*does not match pattern/],
    [{ podMonitor: { ...ON, intervall: "30s" } }, /intervall/],
  ] as const;
  for (const [values, message] of refused) {
    it(`are refused: ${JSON.stringify(values)}`, async () => {
      await assert.rejects(monitoring(values), message);
    });
  }

  it("are not there by default, nor what belongs to them", async () => {
    const objects = await monitoring({ serviceAccount: "", namespace: "" });
    for (const name of objects.keys()) {
      assert.doesNotMatch(name, /^(Pod|Service)Monitor|^Service |PrometheusRule|metrics|dashboard/);
    }
  });

  it("need no service account of Prometheus if its rights are made elsewhere", async () => {
    const none = { rbacPrometheus: false, serviceAccount: "", namespace: "" };
    const objects = await monitoring({ ...none, serviceMonitor: ON });
    assert(objects.has("ServiceMonitor speaker-monitor"));
    assert(![...objects.keys()].some((name) => /Role.*(prometheus|metrics)/.test(name)));
  });

  it("go without tokens and TLS over HTTP", async () => {
    for (const kind of ["podMonitor", "serviceMonitor"] as const) {
      const objects = await monitoring({ scheme: "http", [kind]: ON });
      assert(![...objects.keys()].some((name) => /metrics-(reader|token)/.test(name)));
      for (const [name, { spec }] of objects) {
        if (!/^(Pod|Service)Monitor/.test(name)) continue;
        const [endpoint] = spec.podMetricsEndpoints ?? spec.endpoints;
        const { relabelings, ...rest } = endpoint;
        assert.deepEqual(rest, {
          ...{ port: "metrics", path: "/metrics", scheme: "http", honorLabels: true },
        });
      }
    }
  });

  it("name a port and labels that Pods have", async () => {
    for (const kind of ["podMonitor", "serviceMonitor"] as const) {
      const objects = await monitoring({ [kind]: ON });
      const kinds = { controller: "Deployment controller", speaker: "DaemonSet speaker" };
      for (const [program, workload] of Object.entries(kinds)) {
        const { template } = objects.get(workload)?.spec ?? {};
        const ports = template.spec.containers.flatMap(({ ports = [] }: Json) => ports);
        const byPods = objects.get(`PodMonitor ${program}-monitor`)?.spec;
        const byService = objects.get(`Service ${program}-monitor-service`)?.spec;
        const wanted = byPods?.selector.matchLabels ?? byService?.selector;
        for (const [label, value] of Object.entries(wanted)) {
          assert.equal(template.metadata.labels[label], value, `${workload}: ${label}`);
        }
        const [endpoint] =
          byPods?.podMetricsEndpoints ??
          objects.get(`ServiceMonitor ${program}-monitor`)?.spec.endpoints ??
          [];
        const port = ports.find(({ name }: Json) => name === endpoint.port);
        assert.equal(port?.containerPort, 9120);
        if (byService !== undefined) assert.equal(byService.ports[0].targetPort, 9120);
      }
    }
  });

  it("are not needed where Prometheus goes by annotations", async () => {
    for (const scheme of ["https", "http"]) {
      const objects = await monitoring({ scheme, scrapeAnnotations: true, metricsPort: 9999 });
      for (const name of ["Deployment controller", "DaemonSet speaker"]) {
        const { annotations } = objects.get(name)?.spec.template.metadata ?? {};
        assert.equal(annotations["prometheus.io/scrape"], "true");
        assert.equal(annotations["prometheus.io/scheme"], scheme);
        assert.equal(annotations["prometheus.io/port"], "9999");
      }
    }
  });

  it("have what the user adds", async () => {
    const objects = await monitoring({
      podMonitor: {
        ...{ enabled: true, interval: "1m30s", jobLabel: "component" },
        ...{ additionalLabels: { release: "kube-prometheus" }, annotations: { a: "b" } },
        relabelings: [{ action: "labeldrop", regex: "pod" }],
        metricRelabelings: [{ action: "drop", sourceLabels: ["__name__"], regex: "metallb_bfd.*" }],
        tlsConfig: { insecureSkipVerify: false, serverName: "metallb" },
      },
    });
    const { metadata, spec } = objects.get("PodMonitor speaker-monitor") ?? {};
    assert.equal(metadata.labels.release, "kube-prometheus");
    assert.deepEqual(metadata.annotations, { a: "b" });
    assert.equal(spec.jobLabel, "component");
    const [endpoint] = spec.podMetricsEndpoints;
    assert.equal(endpoint.interval, "1m30s");
    assert.deepEqual(endpoint.tlsConfig, { insecureSkipVerify: false, serverName: "metallb" });
    assert.equal(endpoint.relabelings.at(-1).action, "labeldrop");
    assert.equal(endpoint.metricRelabelings[0].action, "drop");
  });

  describe("on a real API server", () => {
    let cluster: Cluster;

    before(async () => {
      cluster = await startCluster();
      await applyFolder(cluster, CRDS);
      await putNamespace(cluster, NAMESPACE);
    });
    after(() => cluster?.stop());

    const alerts = { prometheusRule: ON, grafanaDashboard: ON };
    const sets: readonly (readonly [string, object])[] = [
      ["PodMonitors", { podMonitor: { ...ON, interval: "30s" }, ...alerts }],
      ["ServiceMonitors", { serviceMonitor: { ...ON, interval: "30s" }, ...alerts }],
      ["PodMonitors over HTTP", { podMonitor: ON, scheme: "http" }],
      ["ServiceMonitors over HTTP", { serviceMonitor: ON, scheme: "http" }],
    ];
    for (const [title, values] of sets) {
      it(`are taken: ${title}`, async () => {
        const objects = await monitoring(values, { crds: { enabled: false } });
        const ours = [...objects].filter(
          ([name, { apiVersion }]) =>
            apiVersion.startsWith("monitoring.") ||
            /prometheus|metrics|dashboard|monitor/.test(name),
        );
        assert(ours.length >= 4, ours.map(([name]) => name).join());
        for (const [, object] of ours) await apply(cluster, object);
      });
    }
  });
});
