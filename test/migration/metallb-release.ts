// MetalLB as its project released it, which migrations start from: its programs, built once with Go,
// its manifests and its chart, all from the Go module that test/cluster/binaries/metallb names.

import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { cp, mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { boundToUs } from "../cluster/daemon.ts";

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
const MODULE = "go.universe.tf/metallb";
const PROGRAMS = ["controller", "speaker"] as const;
const TICK_MS = 10_000;

/** The release; the first call on a machine takes about two minutes. */
export async function metallbRelease(): Promise<MetallbRelease> {
  const folder = cacheFolder();
  if (!existsSync(folder)) await buildInto(folder);
  const source = join(folder, "source");
  return {
    version: wantedVersion(),
    controller: join(folder, "root", "controller"),
    speaker: join(folder, "root", "speaker"),
    root: join(folder, "root"),
    manifest: join(source, "config", "manifests", "metallb-native.yaml"),
    chart: join(source, "charts", "metallb"),
    crds: join(source, "config", "crd", "bases"),
  };
}

function wantedVersion(): string {
  const text = readFileSync(join(MODULE_FOLDER, "go.mod"), "utf8");
  const version = new RegExp(`^(?:require|\\t) ?${MODULE} (v\\S+)`, "m").exec(text)?.[1];
  if (version === undefined) throw new Error(`Cannot read metallb/go.mod: no line for ${MODULE}`);
  return version;
}

/** Named after all it is made of, so that another version is another folder. */
function cacheFolder(): string {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum"]) hash.update(readFileSync(join(MODULE_FOLDER, file)));
  const cache = process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache");
  return join(cache, "metallb-ts", `metallb-${hash.digest("hex").slice(0, 16)}`);
}

/** Two who build at once both succeed; the first to end wins. */
async function buildInto(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true });
  const halfDone = await mkdtemp(`${folder}.half-`);
  try {
    const { stdout } = await promisify(execFile)("go", ["mod", "download", "-json", MODULE], {
      cwd: MODULE_FOLDER,
    });
    const { Dir: downloaded } = JSON.parse(stdout) as { readonly Dir: string };
    // A copy, since Go's module cache is not writable and may be cleaned.
    const source = join(halfDone, "source");
    for (const part of ["config", "charts"]) {
      await cp(join(downloaded, part), join(source, part), { recursive: true });
    }
    await build(halfDone);
    if (!existsSync(folder)) await rename(halfDone, folder);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause;
    throw new Error(`Cannot make MetalLB ${wantedVersion()} with Go: ${why}`, { cause });
  } finally {
    await promisify(execFile)("chmod", ["-R", "u+w", halfDone]).catch(() => {});
    await rm(halfDone, { recursive: true, force: true });
  }
}

async function build(folder: string): Promise<void> {
  const temporary = join(folder, "go-tmp");
  await mkdir(temporary);
  const [command, ...args] = boundToUs("go", [
    ...["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags=-s -w"],
    ...["-o", `${folder}/root/`, ...PROGRAMS.map((program) => `${MODULE}/${program}`)],
  ]);
  const what = `Building MetalLB ${wantedVersion()} with Go, once (usually two minutes)`;
  const say = () => process.stderr.write(`${what}\n`);
  say();
  const ticker = setInterval(say, TICK_MS);
  try {
    await new Promise<void>((done, fail) => {
      const child = spawn(command, args, {
        cwd: MODULE_FOLDER,
        env: { ...process.env, CGO_ENABLED: "0", GOTMPDIR: temporary },
        stdio: ["ignore", "ignore", "inherit"],
      });
      child.once("error", fail);
      child.once("close", (code) =>
        code === 0 ? done() : fail(new Error(`go build ended with exit code ${code}`)),
      );
    });
  } finally {
    clearInterval(ticker);
    await rm(temporary, { recursive: true, force: true });
  }
}
