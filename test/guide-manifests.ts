// The manifests of a guide: its YAML blocks, in their order, but for those that are not for the API server.

import { readFileSync } from "node:fs";

/** Each may hold several documents. */
export function manifestsIn(file: string): readonly string[] {
  const blocks = readFileSync(file, "utf8").matchAll(/^```yaml\n([\s\S]*?)^```/gm);
  return [...blocks]
    .map(([, text = ""]) => text)
    .filter((text) => !text.includes("apiVersion: kustomize.config.k8s.io/"));
}
