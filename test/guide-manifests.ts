// The manifests of a guide: its YAML blocks, in their order, but for those that are not for the API server.

import { globSync, readFileSync } from "node:fs";

/**
 * The pages that hold any. Not the walk through the seed guide, which takes objects away between its
 * steps and is run as a whole by test/install/seed-guide.test.ts.
 */
export function guidesIn(folder: string): readonly string[] {
  const pages = globSync(`${folder}/*.md`).filter((page) => !page.endsWith("/seed-guide.md"));
  return pages.filter((page) => manifestsIn(page).length > 0).sort();
}

/** Each may hold several documents. */
export function manifestsIn(file: string): readonly string[] {
  const blocks = readFileSync(file, "utf8").matchAll(/^```yaml\n([\s\S]*?)^```/gm);
  return [...blocks]
    .map(([, text = ""]) => text)
    .filter((text) => !text.includes("apiVersion: kustomize.config.k8s.io/"));
}
