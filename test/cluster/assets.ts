// Finds the programs of a real control plane: etcd, kube-apiserver, kube-controller-manager,
// kube-proxy, kubectl. Builds them once per user with Go, or downloads them. Starts none of them.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { boundToUs } from "./daemon.ts";
import {
  download,
  etcdRelease,
  kubernetesRelease,
  RELEASE_SITES,
  type ReleaseSites,
} from "./download.ts";

export type Assets = {
  readonly folder: string;
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  /** Absent from the folders that KUBEBUILDER_ASSETS usually names. */
  readonly kubeControllerManager: string | undefined;
  readonly kubeProxy: string | undefined;
};

export type FindOptions = {
  readonly env?: NodeJS.ProcessEnv;
  /** Gets a line now and then while something takes long; default standard error. */
  readonly progress?: (line: string) => void;
  /** Where to download from what cannot be built; default the projects' own sites. */
  readonly sites?: ReleaseSites;
};

/** Everything that one `kubernetes` binary is, by the name it is called. */
const FACES = ["kube-apiserver", "kube-controller-manager", "kube-proxy", "kubectl"] as const;
const BINARIES = fileURLToPath(new URL("./binaries/", import.meta.url));
const OLDEST_GO = { major: 1, minor: 26 };
const TICK_MS = 10_000;

/** The programs if they are there already: in $KUBEBUILDER_ASSETS or the cache. Builds nothing. */
export function assetsAtHand(env: NodeJS.ProcessEnv = process.env): Assets | undefined {
  const given = env["KUBEBUILDER_ASSETS"];
  if (given) {
    const needed = ["etcd", "kube-apiserver", "kubectl"];
    const missing = needed.filter((name) => !existsSync(join(given, name)));
    if (missing.length === 0) return assetsIn(resolve(given));
    throw new Error(`Cannot use KUBEBUILDER_ASSETS ${given}: it has no ${missing.join(", no ")}`);
  }
  const cached = cacheFolder(env);
  return existsSync(cached) ? assetsIn(cached) : undefined;
}

/**
 * The programs: at hand, else built with Go, which takes about five minutes, else downloaded; an
 * Error that says what to provide.
 */
export async function findAssets(options: FindOptions = {}): Promise<Assets> {
  const { env = process.env, progress = toStandardError, sites = RELEASE_SITES } = options;
  const atHand = assetsAtHand(env);
  if (atHand) return atHand;

  const target = cacheFolder(env);
  await mkdir(dirname(target), { recursive: true });
  const lock = await takeLock(`${target}.lock`, progress);
  const obstacles: string[] = [];
  try {
    // Another run may have made them while this one waited for the lock.
    if (existsSync(target)) return assetsIn(target);
    await removeHalfDone(target);
    for (const [done, make] of [
      ["built", (folder: string) => buildInto(folder, env, progress)],
      ["downloaded", (folder: string) => downloadInto(folder, sites, progress)],
    ] as const) {
      const halfDone = await mkdtemp(`${target}.half-`);
      try {
        await make(halfDone);
        await rename(halfDone, target);
        progress(`Control plane ${done}: ${target}`);
        return assetsIn(target);
      } catch (error) {
        obstacles.push(`cannot be ${done}: ${error instanceof Error ? error.message : error}`);
        await rm(halfDone, { recursive: true, force: true });
      }
    }
  } finally {
    lock.release();
  }
  throw new Error(
    [
      "Cannot find etcd, kube-apiserver and kubectl",
      ...obstacles.map((obstacle) => `  ${obstacle}`),
      "Provide one of these:",
      "  KUBEBUILDER_ASSETS naming a folder that holds them (setup-envtest makes one)",
      `  Go ${OLDEST_GO.major}.${OLDEST_GO.minor} or newer on PATH, to build them once`,
      `  a way to ${sites.kubernetes} and ${sites.etcd}, to download them once`,
    ].join("\n"),
  );
}

/** The version of `module` that the go.mod of the folder `binaries/<name>` asks for. */
export function wantedVersion(name: "kubernetes" | "etcd", module: string): string {
  const text = readFileSync(join(BINARIES, name, "go.mod"), "utf8");
  const version = new RegExp(`^(?:require|\\t) ?${module} (v\\S+)`, "m").exec(text)?.[1];
  if (version === undefined) throw new Error(`Cannot read ${name}/go.mod: no line for ${module}`);
  return version;
}

function assetsIn(folder: string): Assets {
  const optional = (name: string) =>
    existsSync(join(folder, name)) ? join(folder, name) : undefined;
  return {
    folder,
    etcd: join(folder, "etcd"),
    kubeApiserver: join(folder, "kube-apiserver"),
    kubectl: join(folder, "kubectl"),
    kubeControllerManager: optional("kube-controller-manager"),
    kubeProxy: optional("kube-proxy"),
  };
}

/** Named after everything it is made of, so that a changed version is another folder. */
function cacheFolder(env: NodeJS.ProcessEnv): string {
  const hash = createHash("sha256");
  for (const module of ["kubernetes", "etcd"]) {
    for (const file of ["go.mod", "go.sum", "main.go"]) {
      hash.update(readFileSync(join(BINARIES, module, file)));
    }
  }
  const cache = env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache");
  return join(cache, "metallb-ts", `control-plane-${hash.digest("hex").slice(0, 16)}`);
}

async function buildInto(folder: string, env: NodeJS.ProcessEnv, progress: Progress) {
  await requireGo(env);
  const kubernetes = wantedVersion("kubernetes", "k8s.io/kubernetes");
  // Without a version kubectl and others report one that nobody can parse.
  const versionFlags = ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(
    (path) => `-X ${path}.gitVersion=${kubernetes}`,
  );
  // Here rather than in the system's folder, so that nothing of a killed build stays.
  const temporary = join(folder, "go-tmp");
  await mkdir(temporary);
  const build = async (module: string, flags: readonly string[], usually: string) => {
    const [command, ...args] = boundToUs("go", [
      ...["build", "-trimpath", "-buildvcs=false", "-mod=readonly"],
      `-ldflags=${["-s", "-w", ...flags].join(" ")}`,
      ...["-o", join(folder, module), "."],
    ]);
    const child = spawn(command, args, {
      cwd: join(BINARIES, module),
      env: { ...env, CGO_ENABLED: "0", GOTMPDIR: temporary },
      stdio: ["ignore", "ignore", "pipe"],
    });
    await finished(child, `Building ${module} with Go, once (usually ${usually})`, progress);
  };
  await build("etcd", [], "under a minute");
  await build("kubernetes", versionFlags, "about five minutes on two cores");
  await rm(temporary, { recursive: true, force: true });
  for (const face of FACES) await symlink("kubernetes", join(folder, face));
}

async function downloadInto(folder: string, sites: ReleaseSites, progress: Progress) {
  const etcd = wantedVersion("etcd", "go.etcd.io/etcd/server/v3");
  const kubernetes = wantedVersion("kubernetes", "k8s.io/kubernetes");
  for (const release of [
    etcdRelease(sites.etcd, etcd),
    ...FACES.map((face) => kubernetesRelease(sites.kubernetes, kubernetes, face)),
  ]) {
    progress(`Downloading ${release.url}, once`);
    await download(release, folder);
  }
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  const wanted = `Go ${OLDEST_GO.major}.${OLDEST_GO.minor} or newer`;
  let found: string;
  try {
    // In the module's folder, where a Go that may fetch a newer toolchain says which it would use.
    const cwd = join(BINARIES, "kubernetes");
    const { stdout } = await promisify(execFile)("go", ["env", "GOVERSION"], { cwd, env });
    found = stdout.trim();
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no go" : `${cause}`;
    throw new Error(`${wanted} is needed: ${why.trim()}`, { cause });
  }
  const [major = 0, minor = 0] = (found.match(/\d+/g) ?? []).map(Number);
  const fits = major > OLDEST_GO.major || (major === OLDEST_GO.major && minor >= OLDEST_GO.minor);
  if (!fits) throw new Error(`${wanted} is needed: there is ${found}`);
}

/** Waits for the child's end, saying now and then that it still runs. */
async function finished(child: ChildProcess, what: string, progress: Progress): Promise<void> {
  const startedAt = performance.now();
  let said = "";
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-4000);
  });
  progress(what);
  const ticker = setInterval(() => {
    progress(`${what}: ${Math.round((performance.now() - startedAt) / 1000)} s`);
  }, TICK_MS);
  try {
    await new Promise<void>((done, fail) => {
      child.once("error", fail);
      child.once("close", (code, signal) => {
        if (code === 0) done();
        else fail(new Error(`${what}: ended with ${signal ?? `exit code ${code}`}\n${said}`));
      });
    });
  } finally {
    clearInterval(ticker);
  }
}

/**
 * Waits until no other process holds the lock, then holds it. The kernel gives it back when this
 * process ends in whatever way: flock(1) holds it for a `cat` that reads a pipe from us.
 */
async function takeLock(path: string, progress: Progress): Promise<{ release(): void }> {
  const holder = spawn("flock", [path, "sh", "-c", "echo locked; exec cat"], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const waiting = () => progress(`Waiting for another run to let go of ${path}`);
  const ticker = setInterval(waiting, TICK_MS);
  try {
    await new Promise<void>((done, fail) => {
      holder.once("error", (cause) => {
        const message = `Cannot lock ${path} with flock of util-linux: ${cause.message}`;
        fail(new Error(message, { cause }));
      });
      holder.once("exit", (code) => fail(new Error(`Cannot lock ${path}: exit code ${code}`)));
      holder.stdout.once("data", () => done());
    });
  } finally {
    clearInterval(ticker);
  }
  return { release: () => holder.stdin.end() };
}

/** What killed builds left; called with the lock held, so none of them can be alive. */
async function removeHalfDone(target: string): Promise<void> {
  const folder = dirname(target);
  const halfDone = (name: string) => name.startsWith(`${basename(target)}.half-`);
  for (const name of (await readdir(folder)).filter(halfDone)) {
    await rm(join(folder, name), { recursive: true, force: true });
  }
}

type Progress = (line: string) => void;

function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
