// The files that are made of others: the chart's copies of crds/, and the single manifest of the
// chart. Writes nothing.

import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { NAMESPACE, renderText } from "./helm.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const COPIES = "charts/metallb/charts/crds/templates";

const KEPT = "    helm.sh/resource-policy: keep\n";

/** Texts by their paths from the top of the repository. */
export type Files = ReadonlyMap<string, string>;

/** What the generated files are to be. Copies of crds/ in the tree are not looked at. */
export async function generatedCopies(): Promise<Files> {
  const names = (await readdir(`${ROOT}crds`)).filter((name) => name.endsWith(".yaml")).sort();
  const entries = names.map(async (name) => {
    const text = await readFile(`${ROOT}crds/${name}`, "utf8");
    return [`${COPIES}/${name}`, crdTemplate(name, text)] as const;
  });
  return new Map(await Promise.all(entries));
}

/** To be asked for when the copies are as they should be: the manifest holds them too. */
export async function generatedManifest(): Promise<Files> {
  return new Map([["config/manifests/metallb.yaml", manifest(await renderText())]]);
}

/** The paths of `files` whose files say something else, and of copies that nothing makes any more. */
export async function drift(files: Files): Promise<readonly string[]> {
  const wrong: string[] = [];
  for (const [path, text] of files) {
    const found = await readFile(ROOT + path, "utf8").catch(() => undefined);
    if (found !== text) wrong.push(path);
  }
  if ([...files.keys()].some((path) => path.startsWith(COPIES))) {
    const copies = (await readdir(ROOT + COPIES)).map((name) => `${COPIES}/${name}`);
    wrong.push(...copies.filter((path) => !files.has(path)));
  }
  return wrong;
}

/** A definition as a template, which helm leaves where it is when the release goes. */
function crdTemplate(name: string, text: string): string {
  const complain = (wanted: string) => new Error(`Cannot copy crds/${name}: want ${wanted}`);
  if (text.includes("{{")) throw complain('no "{{", which begins an action');
  if (!text.includes(KEPT)) throw complain(`the annotation "${KEPT.trim()}"`);
  return `# Made of crds/${name} by \`node scripts/chart.ts generate\`.\n${text}`;
}

/** What `kubectl apply` needs: the Namespace too, and nothing that says helm keeps the objects. */
function manifest(rendered: string): string {
  const objects = rendered
    .split(/^---\n/m)
    .map((text) =>
      text
        .replace(/^# Source: .*\n/m, "")
        .replace(/^# Made of .*\n/m, "")
        .replace(/^ *app\.kubernetes\.io\/managed-by: .*\n/gm, "")
        .replace(KEPT, "")
        .replace(/[ \t]+$/gm, "")
        .trim(),
    )
    .filter((text) => text !== "");
  return [HEAD, NAMESPACE_OBJECT, ...objects].join("\n---\n").concat("\n");
}

const HEAD = `# metallb in one file, made of charts/metallb by \`node scripts/chart.ts generate\`:
#     kubectl apply -f metallb.yaml`;

const NAMESPACE_OBJECT = `apiVersion: v1
kind: Namespace
metadata:
  name: ${NAMESPACE}
  labels:
    app.kubernetes.io/name: metallb
    # Speakers use their node's network and raw packets.
    pod-security.kubernetes.io/enforce: privileged
    pod-security.kubernetes.io/audit: privileged
    pod-security.kubernetes.io/warn: privileged`;
