// The metrics of both programs as a page, read from registries that nobody asks for values.

import { type Metric, Registry } from "prom-client";
import { registerLeader } from "../../src/controller/candidate.ts";
import {
  type MetricsSource as ControllerSource,
  registerMetrics as registerController,
} from "../../src/controller/metrics.ts";
import {
  registerMetrics as registerSpeaker,
  type MetricsSource as SpeakerSource,
} from "../../src/speaker/metrics.ts";
import { code, page, table } from "./markdown.ts";

export function metricsPage(): string {
  return page("Metrics", "the registries of the programs", [
    "Both programs serve `/metrics` in Prometheus' text format; see [the flags](flags.md) `--port` and `--metrics-scheme`. Names, labels and meanings are MetalLB's where it has them, those of its FRR exporter included.",
    "## Of the controller",
    "A controller that stands by has `metallb_controller_leader` only.",
    metricTable(controllerRegistry()),
    "## Of each speaker",
    metricTable(speakerRegistry()),
  ]);
}

export function controllerRegistry(): Registry {
  const registry = new Registry();
  const source = new Proxy({} as ControllerSource, { get: () => notAsked });
  registerController(registry, source);
  registerLeader(registry, notAsked);
  return registry;
}

export function speakerRegistry(): Registry {
  const registry = new Registry();
  const source = new Proxy({} as SpeakerSource, { get: () => notAsked });
  registerSpeaker(registry, source);
  return registry;
}

function notAsked(): never {
  throw new Error("Cannot give a value: want only names, kinds and labels to be read");
}

function metricTable(registry: Registry): string {
  return table(
    ["Metric", "Type", "Labels", "Meaning"],
    registry
      .getMetricsAsArray()
      .map((metric) => metric as unknown as RegisteredMetric)
      .toSorted((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, type, labelNames, help }) => [
        code(name),
        type,
        labelNames.map(code).join(", "),
        help,
      ]),
  );
}

/** What metrics have that the types of prom-client do not tell of. */
type RegisteredMetric = Metric & {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labelNames: readonly string[];
};
