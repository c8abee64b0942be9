// MetalLB as its project released it, which migrations start from: its programs, built once with Go,
// its manifests and its chart, all from the Go module that test/cluster/binaries/metallb names.

import { execFile } from "node:child_process";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  cacheFolder,
  goBuild,
  makeOnce,
  toStandardError as progress,
  wantedVersion,
} from "../cluster/assets.ts";

export type MetallbRelease = {
  /** Such as "v0.16.1". */
  readonly version: string;
  readonly controller: string;
  readonly speaker: string;
  /** What its two images hold beside certificates of the world: /controller and /speaker. */
  readonly root: string;
  /** One file for `kubectl apply`, native mode: BGP by the speaker itself. */
  readonly manifest: string;
  /** The folder of its Helm chart, with the charts it depends on. */
  readonly chart: string;
  /** The folder of its definitions, one a file, without conversion. */
  readonly crds: string;
};

const MODULE_FOLDER = fileURLToPath(new URL("../cluster/binaries/metallb/", import.meta.url));
const NAME = "metallb";
const MODULE = "go.universe.tf/metallb";
const PROGRAMS = ["controller", "speaker"] as const;

/** The release; the first call on a machine takes about two minutes. */
export async function metallbRelease(): Promise<MetallbRelease> {
  const { env } = process;
  const version = wantedVersion(NAME, MODULE);
  const folder = cacheFolder(NAME, env);
  const [obstacle] = await makeOnce(NAME, env, progress, { built: (half) => buildInto(half, env) });
  if (obstacle !== undefined) throw new Error(`MetalLB ${version} ${obstacle}`);
  const source = join(folder, "source");
  return {
    version,
    controller: join(folder, "root", "controller"),
    speaker: join(folder, "root", "speaker"),
    root: join(folder, "root"),
    manifest: join(source, "config", "manifests", "metallb-native.yaml"),
    chart: join(source, "charts", "metallb"),
    crds: join(source, "config", "crd", "bases"),
  };
}

async function buildInto(folder: string, env: NodeJS.ProcessEnv): Promise<void> {
  const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", MODULE], {
    cwd: MODULE_FOLDER,
  });
  const { Dir: downloaded } = JSON.parse(stdout) as { readonly Dir: string };
  // A copy, since Go's module cache may be cleaned.
  for (const part of ["config", "charts"]) {
    await cp(join(downloaded, part), join(folder, "source", part), { recursive: true });
  }
  // Of Go's module cache, which is not writable: else a folder that fails could not be removed.
  await promisify(execFile)("chmod", ["-R", "u+w", folder]);
  const packages = PROGRAMS.map((program) => `${MODULE}/${program}`);
  await goBuild(NAME, {
    ...{ folder, env, progress, usually: "two minutes" },
    args: ["-ldflags=-s -w", "-o", `${folder}/root/`, ...packages],
  });
}
