// Runs helm on our chart, and reads what it renders. Knows where helm is, and nothing of the chart's
// content.

import { execFile } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { findAssets } from "../../test/cluster/assets.ts";

export const CHART = fileURLToPath(new URL("../../charts/metallb", import.meta.url));
export const NAMESPACE = "metallb-system";

/** Values as a user writes them in a file. */
export type Values = Readonly<Record<string, unknown>>;

/** An object of Kubernetes as a template makes it. */
export type Rendered = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
};

export type HelmOptions = {
  readonly values?: Values;
  readonly kubeconfig?: string;
};

/** helm did not do what it was asked to; the message is what it said. */
export class HelmError extends Error {}

/** Standard output of helm; its standard error is the message of the HelmError. */
export async function runHelm(
  args: readonly string[],
  { values, kubeconfig = "/nonexistent" }: HelmOptions = {},
): Promise<string> {
  const env = { ...process.env, KUBECONFIG: kubeconfig, NO_PROXY: "*" };
  const valuesArgs = values === undefined ? [] : ["--values", "-"];
  const helm = await findHelm();
  return new Promise((resolve, reject) => {
    const options = { env, maxBuffer: 1 << 28 };
    const child = execFile(helm, [...args, ...valuesArgs], options, (cause, stdout, stderr) => {
      if (cause) reject(new HelmError(stderr.trim() || cause.message, { cause }));
      else resolve(stdout);
    });
    // It may end without having read everything.
    child.stdin?.on("error", () => {});
    // JSON is YAML.
    child.stdin?.end(values === undefined ? "" : JSON.stringify(values));
  });
}

/** The text that `helm template` makes of the chart, for a release "metallb". */
export function renderText(values: Values = {}): Promise<string> {
  return runHelm(["template", "metallb", CHART, "--namespace", NAMESPACE], { values });
}

export async function render(values: Values = {}): Promise<readonly Rendered[]> {
  return parseObjects(await renderText(values));
}

/** The objects of a YAML text with one or several documents. */
export function parseObjects(text: string): readonly Rendered[] {
  return parseAllDocuments(text).flatMap((document) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const object = document.toJS() as Rendered | null;
    return object === null ? [] : [object];
  });
}

/** $HELM, else the one of the tests, which is built once, else that of PATH. */
async function findHelm(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  if (env["HELM"]) return env["HELM"];
  const { helm } = await findAssets({ env });
  if (helm !== undefined) return helm;
  const candidates = (env["PATH"] ?? "").split(delimiter).map((folder) => join(folder, "helm"));
  const found = candidates.find(isProgram);
  if (found === undefined) throw new Error("Cannot find helm: want $HELM, or helm on PATH");
  return found;
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
