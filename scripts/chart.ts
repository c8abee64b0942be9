// Looks after charts/metallb: renders it, has helm and a real API server check it, prints what its
// roles allow, and makes the files that are made of it.

import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { formatTable } from "../src/cli/table.ts";
import { type Cluster, startCluster } from "../test/cluster/cluster.ts";
import { applyFolder, putNamespace } from "../test/cluster/objects.ts";
import { drift, type Files, generatedCopies, generatedManifest } from "./chart/generated.ts";
import { CHART, NAMESPACE, type Rendered, render, runHelm } from "./chart/helm.ts";
import { rightsOf } from "./chart/rights.ts";
import { VALUE_SETS } from "./chart/value-sets.ts";

const ROOT = fileURLToPath(new URL("../", import.meta.url));
/** Those of the Prometheus operator. */
const MONITORING_KINDS = fileURLToPath(new URL("../test/monitoring/crds", import.meta.url));
const USAGE = `Usage: node scripts/chart.ts [check|render|generate]
  check     lint, dry run of every object on a real API server, drift, table of rights; the default
  render    count what each set of values makes
  generate  write the chart's copies of crds/, and config/manifests/
`;

/** The exit status. */
async function main(command = "check"): Promise<number> {
  switch (command) {
    case "render":
      for (const line of formatTable(await renderAll())) console.log(line);
      return 0;
    case "generate":
      await write(await generatedCopies());
      await write(await generatedManifest());
      return 0;
    case "check":
      return check();
    default:
      process.stderr.write(USAGE);
      return command === "--help" ? 0 : 2;
  }
}

async function renderAll(): Promise<string[][]> {
  const rows = [["VALUES", "OBJECTS"]];
  for (const [name, values] of Object.entries(VALUE_SETS)) {
    const kinds = Map.groupBy(await render(values), ({ kind }) => kind);
    const counts = [...kinds].map(([kind, objects]) => `${objects.length} ${kind}`);
    rows.push([name, counts.join(", ")]);
  }
  return rows;
}

async function check(): Promise<number> {
  const complaints = [...(await lint()), ...(await findDrift())];
  const cluster = await startCluster();
  try {
    await putNamespace(cluster, NAMESPACE);
    await applyFolder(cluster, MONITORING_KINDS);
    for (const [name, values] of Object.entries(VALUE_SETS)) {
      complaints.push(...(await dryRun(cluster, name, await render(values))));
    }
  } finally {
    await cluster.stop();
  }
  console.log("\nRights:");
  const rights = rightsOf(await render()).map(({ subject, scope, resource, names, verbs }) => {
    const only = names.length === 0 ? resource : `${resource} ${names.join(", ")}`;
    return [subject, scope, only, verbs.join(" ")];
  });
  for (const line of formatTable([["WHO", "WHERE", "WHAT", "VERBS"], ...rights])) console.log(line);
  for (const complaint of complaints) process.stderr.write(`\n${complaint}\n`);
  return complaints.length === 0 ? 0 : 1;
}

async function lint(): Promise<readonly string[]> {
  const complaints: string[] = [];
  for (const [name, values] of Object.entries(VALUE_SETS)) {
    try {
      await runHelm(["lint", CHART, "--strict", "--namespace", NAMESPACE], { values });
      console.log(`lint, ${name}: good`);
    } catch (error) {
      complaints.push(`lint, ${name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  return complaints;
}

async function findDrift(): Promise<readonly string[]> {
  const wrong = [
    ...(await drift(await generatedCopies())),
    ...(await drift(await generatedManifest())),
  ];
  return wrong.map((path) => `${path}: is not what \`node scripts/chart.ts generate\` makes`);
}

/** What the API server says of the objects without keeping them. */
async function dryRun(
  cluster: Cluster,
  name: string,
  objects: readonly Rendered[],
): Promise<readonly string[]> {
  const list = { apiVersion: "v1", kind: "List", items: objects };
  const args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
  try {
    await cluster.kubectl(args, { input: JSON.stringify(list) });
    console.log(`dry run, ${name}: ${objects.length} objects are good`);
    return [];
  } catch (error) {
    return [`dry run, ${name}: ${error instanceof Error ? error.message : error}`];
  }
}

async function write(files: Files): Promise<void> {
  for (const [path, text] of files) {
    await mkdir(dirname(ROOT + path), { recursive: true });
    await writeFile(ROOT + path, text);
    console.log(path);
  }
}

process.exitCode = await main(...process.argv.slice(2));
