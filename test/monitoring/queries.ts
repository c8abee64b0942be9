// What the alerts and the dashboard ask for: the metrics and labels in their PromQL and texts.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

export const RULES_FILE = fileURLToPath(
  new URL("../../charts/metallb/files/rules/metallb.yaml", import.meta.url),
);
export const CASES_FILE = fileURLToPath(new URL("./alerts.yaml", import.meta.url));
const DASHBOARD_FILE = new URL(
  "../../charts/metallb/files/dashboards/metallb.json",
  import.meta.url,
);

export type Rule = {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

export function readRules(): readonly Rule[] {
  const { groups } = parse(readFileSync(RULES_FILE, "utf8"));
  return groups.flatMap(({ rules }: { rules: readonly Rule[] }) => rules);
}

export type Case = {
  readonly expr: string;
  /** The series expected, as PromQL writes them; empty: silence. */
  readonly samples: readonly string[];
};

/** The cases of the alerts, without the series that make them. */
export function readCases(): readonly Case[] {
  const { tests } = parse(readFileSync(CASES_FILE, "utf8"));
  return tests.flatMap(({ promql_expr_test }: { promql_expr_test: readonly RawCase[] }) =>
    promql_expr_test.map(({ expr, exp_samples = [] }) => ({
      expr,
      samples: exp_samples.map(({ labels }) => labels),
    })),
  );
}

type RawCase = { readonly expr: string; readonly exp_samples?: readonly { labels: string }[] };

export type Panel = {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: {
    readonly x: number;
    readonly y: number;
    readonly w: number;
    readonly h: number;
  };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
};

export type Dashboard = {
  readonly title: string;
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: {
    readonly list: readonly {
      readonly name: string;
      readonly type: string;
      readonly definition?: string;
    }[];
  };
};

export function readDashboard(): Dashboard {
  return JSON.parse(readFileSync(DASHBOARD_FILE, "utf8"));
}

export type Usage = {
  /** Each metric of ours, and the labels its matchers name. */
  readonly metrics: ReadonlyMap<string, ReadonlySet<string>>;
  /** Labels that results are grouped or joined by. */
  readonly grouping: ReadonlySet<string>;
  /** Labels of the results, if the expression says so by `by`; undefined: those of the metrics. */
  readonly results: readonly string[] | undefined;
};

/** What one expression asks for. */
export function usageOf(expr: string): Usage {
  const metrics = new Map<string, Set<string>>();
  for (const [, name = "", matchers = ""] of expr.matchAll(/\b(metallb_\w+)(?:\{([^}]*)\})?/g)) {
    const labels = metrics.get(name) ?? new Set();
    for (const [, label = ""] of matchers.matchAll(/(\w+)\s*(?:=~|!~|!=|=)\s*"/g))
      labels.add(label);
    metrics.set(name, labels);
  }
  const groups = expr.matchAll(
    /\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)/g,
  );
  const grouping = [...groups].flatMap(([, labels = ""]) => labels.match(/\w+/g) ?? []);
  const results = /\bby\s*\(([^)]*)\)/.exec(expr)?.[1]?.match(/\w+/g) ?? undefined;
  return { metrics, grouping: new Set(grouping), results };
}

/** The labels a text shows: `{{ $labels.pod }}` of an alert, `{{pod}}` of a legend. */
export function labelsIn(text: string): readonly string[] {
  return [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = ""]) => label);
}
