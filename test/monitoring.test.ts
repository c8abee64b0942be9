// Alerts and dashboard ask only for what controller and speaker export, label by label; every alert has
// a case in which it is raised and one in which it is not. promtool runs these in test/cluster.

import assert from "node:assert/strict";
import { afterEach, before, describe, it } from "node:test";
import { Registry } from "prom-client";
import { registerLeader } from "../src/controller/candidate.ts";
import { startController } from "../src/controller/loop.ts";
import { connect } from "../src/kube/connection.ts";
import { createLogger } from "../src/log.ts";
import { eventually } from "./cluster/eventually.ts";
import { frrStatus, neighbor } from "./fakes/recorded-frr.ts";
import { livingMembers } from "./fakes/recorded-wire.ts";
import { labelsIn, readCases, readDashboard, readRules, usageOf } from "./monitoring/queries.ts";
import { endAll, serverWith, start } from "./running-speaker.ts";
import { address } from "./speaker-config.ts";
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
} from "./speaker-samples.ts";

/** Labels that scraping adds, with the monitors of the chart. */
const TARGET_LABELS = ["namespace", "pod", "node", "instance", "job", "container", "endpoint"];

type Exported = ReadonlyMap<string, ReadonlySet<string>>;

/** Each metric of a page, with the labels of its series. */
function metricsOn(page: string): Exported {
  const metrics = new Map<string, Set<string>>();
  for (const [, name = "", labels = ""] of page.matchAll(/^(metallb_\w+)(?:\{(.*)\})? \S+$/gm)) {
    const seen = metrics.get(name) ?? new Set();
    for (const [, label = ""] of labels.matchAll(/(\w+)="/g)) seen.add(label);
    metrics.set(name, seen);
  }
  return metrics;
}

/** The page of a speaker in which something of everything happened. */
async function speakerPage(): Promise<string> {
  const server = await serverWith(
    node(NODE),
    peer("leaf1", "10.0.0.2"),
    pool("pool", ["192.0.2.0/24"]),
    bgpAdvertisement("all"),
    l2Advertisement("all"),
    service("web", ["192.0.2.1"]),
    slice("web", [NODE]),
    service("foreign", ["203.0.113.1"]),
  );
  const running = start(server);
  const { frr, wire, registry, speaker } = running;
  const counters = {
    controlPacketsIn: 1,
    controlPacketsOut: 1,
    echoPacketsIn: 0,
    echoPacketsOut: 0,
    upEvents: 1,
    downEvents: 0,
    zebraNotifications: 0,
  };
  const bfd = { peer: "10.0.0.2", vrf: "default", state: "up", counters } as const;
  frr.tell({
    ...frrStatus({ neighbors: [neighbor("10.0.0.2")] }),
    bfd: [{ ...bfd, interfaceName: undefined, diagnostic: undefined, remoteDiagnostic: undefined }],
    problems: [{ kind: "file", message: "Cannot write x" }],
  });
  const answered = { requestsReceived: 1, responsesSent: 1, gratuitousSent: 1 };
  wire.tell({
    members: livingMembers(NODE),
    counters: {
      responder: {
        addresses: new Map([[address("192.0.2.1"), answered]]),
        silences: new Map([["unknownAddress", 1]]),
      },
      datagrams: { accepted: 1 },
    },
  });
  await eventually(() => speaker.state().services.length === 2, { describe: "two Services" });
  return eventually(
    async () => {
      const page = await registry.metrics();
      return page.includes('protocol="layer2",node="node1"') && page;
    },
    { describe: "web to be announced" },
  );
}

/** The page of a controller that leads and has a pool. */
async function controllerPage(): Promise<string> {
  const server = await serverWith(pool("pool", ["192.0.2.0/24"]));
  const ended = new AbortController();
  const connection = connect({ kubeconfig: server.kubeconfigFile() });
  const registry = new Registry();
  registerLeader(registry, () => true);
  const controller = startController({
    ...{ connection, namespace: NAMESPACE, loadBalancerClass: "", registry, signal: ended.signal },
    ...{ podName: undefined, deployment: undefined, memberlistSecret: undefined },
    log: createLogger({ level: "none" }),
  });
  try {
    return await eventually(
      async () => {
        const page = await registry.metrics();
        return page.includes('pool="pool"') && page;
      },
      { describe: "the pool to be counted" },
    );
  } finally {
    ended.abort();
    await controller.closed();
    connection.close();
  }
}

describe("monitoring", () => {
  let exported: Exported;

  before(async () => {
    const pages = [await speakerPage(), await controllerPage()];
    exported = metricsOn(pages.join("\n"));
    await endAll();
  });
  afterEach(endAll);

  /** Fails unless each metric of the expression is exported with each label asked for. */
  function check(where: string, expr: string, ...texts: readonly string[]): void {
    const { metrics, grouping, results } = usageOf(expr);
    assert(metrics.size > 0, `${where}: no metric of ours in ${expr}`);
    const known = new Set(TARGET_LABELS);
    for (const [name, labels] of metrics) {
      const has = exported.get(name);
      assert(has !== undefined, `${where}: nobody exports ${name}`);
      for (const label of has) known.add(label);
      for (const label of labels) {
        const isThere = has.has(label) || TARGET_LABELS.includes(label);
        assert(isThere, `${where}: ${name} has no label ${label}, but ${[...has].join(", ")}`);
      }
    }
    for (const label of grouping) {
      assert(known.has(label), `${where}: no series of ${expr} has the label ${label}`);
    }
    const shown = new Set(results ?? known);
    for (const label of texts.flatMap(labelsIn)) {
      assert(shown.has(label), `${where}: the result of ${expr} has no label ${label}`);
    }
  }

  describe("alerts", () => {
    for (const { alert, expr, annotations } of readRules()) {
      it(`${alert} asks for what is exported`, () => {
        check(alert, expr, ...Object.values(annotations));
        assert.deepEqual(Object.keys(annotations), ["summary", "description"]);
        for (const [metric, labels] of usageOf(expr).metrics) {
          assert(labels.has("namespace"), `${alert}: ${metric} of every namespace`);
        }
      });

      it(`${alert} has a case in which it is raised, with the labels its text shows`, () => {
        const raised = readCases()
          .flatMap(({ samples }) => samples)
          .filter((labels) => labels.includes(`alertname="${alert}"`));
        assert(raised.length > 0, `no case with exp_samples of ${alert}`);
        for (const label of Object.values(annotations).flatMap(labelsIn)) {
          assert(
            raised.every((labels) => labels.includes(`,${label}="`)),
            `${alert} does not have the label ${label} that its text shows`,
          );
        }
      });

      it(`${alert} has a case in which it is silent`, () => {
        const silent = readCases().filter(({ expr: asked, samples }) => {
          const [, operator, wanted = ""] = /alertname(=~|=)"([^"]*)"/.exec(asked) ?? [];
          const isAsked =
            operator === "=" ? wanted === alert : new RegExp(`^(?:${wanted})$`).test(alert);
          return isAsked && !samples.some((labels) => labels.includes(`"${alert}"`));
        });
        assert(silent.length > 0, `no case without exp_samples of ${alert}`);
      });
    }

    for (const name of [
      "MetalLBStaleConfig",
      "MetalLBConfigNotLoaded",
      "MetalLBAddressPoolExhausted",
      "MetalLBAddressPoolUsage75Percent",
      "MetalLBAddressPoolUsage85Percent",
      "MetalLBAddressPoolUsage95Percent",
      "MetalLBBGPSessionDown",
    ]) {
      it(`has MetalLB's ${name}`, () => {
        assert(readRules().some(({ alert }) => alert === name));
      });
    }
  });

  describe("dashboard", () => {
    const { panels, templating, schemaVersion } = readDashboard();

    for (const { title, targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        it(`"${title}" shows what is exported: ${legendFormat || "a number"}`, () => {
          check(title, expr, legendFormat);
        });
      }
    }

    it("has variables made of what is exported", () => {
      for (const { name, type, definition = "" } of templating.list) {
        if (type === "query") check(`variable ${name}`, definition);
        else assert.equal(type, "datasource");
      }
    });

    it("has panels that say what they show, from the data source chosen, each in its own place", () => {
      assert(schemaVersion >= 39, "older than Grafana 10.4");
      assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
      const taken = new Map<string, string>();
      for (const { type, title, description, datasource, targets, gridPos } of panels) {
        for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++) {
          for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
            assert.equal(taken.get(`${x} ${y}`), undefined, `"${title}" at ${x}, ${y}`);
            taken.set(`${x} ${y}`, title);
          }
        }
        assert(gridPos.x + gridPos.w <= 24, `"${title}" is out of sight`);
        if (type === "row") continue;
        assert(description, `"${title}" has no description`);
        assert.equal(datasource?.uid, "$" + "{datasource}", title);
        assert(targets !== undefined && targets.length > 0, title);
      }
    });
  });
});
