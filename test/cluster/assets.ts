// Finds the programs of a real control plane and what tests use beside it: etcd, those of Kubernetes,
// helm, node-server. Builds them once per user with Go, or downloads them. Starts none of them.

import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { boundToUs } from "./daemon.ts";
import {
  download,
  etcdRelease,
  helmRelease,
  kubernetesRelease,
  RELEASE_SITES,
  type Release,
  type ReleaseSites,
} from "./download.ts";

export type Assets = {
  /** Of kube-apiserver and kubectl. */
  readonly folder: string;
  readonly etcd: string;
  readonly kubeApiserver: string;
  readonly kubectl: string;
  /** This one and those below are absent from the folders that KUBEBUILDER_ASSETS usually names. */
  readonly kubeControllerManager: string | undefined;
  readonly kubeProxy: string | undefined;
  readonly kubeScheduler: string | undefined;
  readonly helm: string | undefined;
  /** Ours, in `binaries/node-server`: nobody but Go can provide it. */
  readonly nodeServer: string | undefined;
};

export type FindOptions = {
  readonly env?: NodeJS.ProcessEnv;
  /** Gets a line now and then while something takes long; default standard error. */
  readonly progress?: (line: string) => void;
  /** Where to download from what cannot be built; default the projects' own sites. */
  readonly sites?: ReleaseSites;
};

type Module = {
  /** The folder in `binaries/`, and the binary that it builds. */
  readonly name: "etcd" | "kubernetes" | "helm" | "node-server";
  /** The programs that it is, by the name it is called. */
  readonly programs: readonly string[];
  /** What the linker is told, so that they report the version they are. */
  readonly versions: () => readonly string[];
  readonly releases: (sites: ReleaseSites) => readonly Release[];
  readonly usually: string;
};

const KUBERNETES_PROGRAMS = [
  "kube-apiserver",
  "kube-controller-manager",
  "kube-proxy",
  "kube-scheduler",
  "kubectl",
] as const;

const ETCD: Module = {
  name: "etcd",
  programs: ["etcd"],
  versions: () => [],
  releases: ({ etcd }) => [etcdRelease(etcd, wantedVersion("etcd", "go.etcd.io/etcd/server/v3"))],
  usually: "under a minute",
};

const KUBERNETES: Module = {
  name: "kubernetes",
  programs: KUBERNETES_PROGRAMS,
  // Without a version kubectl and others report one that nobody can parse.
  versions: () =>
    ["k8s.io/component-base/version", "k8s.io/client-go/pkg/version"].map(
      (path) => `-X ${path}.gitVersion=${wantedVersion("kubernetes", "k8s.io/kubernetes")}`,
    ),
  releases: ({ kubernetes }) => {
    const version = wantedVersion("kubernetes", "k8s.io/kubernetes");
    return KUBERNETES_PROGRAMS.map((name) => kubernetesRelease(kubernetes, version, name));
  },
  usually: "about five minutes on two cores",
};

const HELM: Module = {
  name: "helm",
  programs: ["helm"],
  versions: () => [
    `-X helm.sh/helm/v4/internal/version.version=${wantedVersion("helm", "helm.sh/helm/v4")}`,
  ],
  releases: ({ helm }) => [helmRelease(helm, wantedVersion("helm", "helm.sh/helm/v4"))],
  usually: "under three minutes",
};

const NODE_SERVER: Module = {
  name: "node-server",
  programs: ["node-server"],
  versions: () => [],
  releases: () => [],
  usually: "under a minute",
};

/** Without these there is no control plane; the others are for some tests only. */
const NEEDED = [ETCD, KUBERNETES];
const MODULES = [...NEEDED, HELM, NODE_SERVER];

const BINARIES = fileURLToPath(new URL("./binaries/", import.meta.url));
const OLDEST_GO = { major: 1, minor: 26 };
const TICK_MS = 10_000;

/** The programs if they are there already: in $KUBEBUILDER_ASSETS or the cache. Builds nothing. */
export function assetsAtHand(env: NodeJS.ProcessEnv = process.env): Assets | undefined {
  const given = env["KUBEBUILDER_ASSETS"];
  if (given) {
    const needed = ["etcd", "kube-apiserver", "kubectl"];
    const missing = needed.filter((name) => !existsSync(join(given, name)));
    if (missing.length === 0) return assetsIn(() => resolve(given));
    throw new Error(`Cannot use KUBEBUILDER_ASSETS ${given}: it has no ${missing.join(", no ")}`);
  }
  const cached = NEEDED.every((module) => existsSync(cacheFolder(module.name, env)));
  return cached ? assetsInCache(env) : undefined;
}

/**
 * The programs: at hand, else built with Go, which takes about eight minutes for all, else
 * downloaded; an Error that says what to provide if there is no control plane then.
 */
export async function findAssets(options: FindOptions = {}): Promise<Assets> {
  const { env = process.env, progress = toStandardError, sites = RELEASE_SITES } = options;
  if (env["KUBEBUILDER_ASSETS"]) {
    const given = assetsAtHand(env);
    if (given !== undefined) return given;
  }
  for (const module of MODULES) {
    const obstacles = await provide(module, { env, progress, sites });
    if (obstacles.length === 0) continue;
    const lines = obstacles.map((obstacle) => `  ${obstacle}`);
    if (!NEEDED.includes(module)) {
      progress([`Cannot find ${module.name}, which some tests want`, ...lines].join("\n"));
      continue;
    }
    throw new Error(
      [
        "Cannot find etcd, kube-apiserver and kubectl",
        ...lines,
        "Provide one of these:",
        "  KUBEBUILDER_ASSETS naming a folder that holds them (setup-envtest makes one)",
        `  Go ${OLDEST_GO.major}.${OLDEST_GO.minor} or newer on PATH, to build them once`,
        `  a way to ${sites.kubernetes} and ${sites.etcd}, to download them once`,
      ].join("\n"),
    );
  }
  return assetsInCache(env);
}

/** Builds or downloads the module into the cache; returns why it could not, nothing if it is there. */
function provide(
  module: Module,
  { env, progress, sites }: Required<FindOptions>,
): Promise<readonly string[]> {
  return makeOnce(module.name, env, progress, {
    built: (folder) => buildInto(folder, module, env, progress),
    downloaded: (folder) => downloadInto(folder, module, sites, progress),
  });
}

/**
 * Makes the cache folder of `binaries/<name>` once per user, in the first of these ways that succeeds, whole or not at all. Returns
 * why none did, nothing if the folder is there.
 */
export async function makeOnce(
  name: string,
  env: NodeJS.ProcessEnv,
  progress: Progress,
  ways: Readonly<Record<string, (folder: string) => Promise<void>>>,
): Promise<readonly string[]> {
  const target = cacheFolder(name, env);
  if (existsSync(target)) return [];
  await mkdir(dirname(target), { recursive: true });
  const lock = await takeLock(`${target}.lock`, progress);
  const obstacles: string[] = [];
  try {
    // Another run may have made it while this one waited for the lock.
    if (existsSync(target)) return [];
    await removeHalfDone(target);
    for (const [done, make] of Object.entries(ways)) {
      const halfDone = await mkdtemp(`${target}.half-`);
      try {
        await make(halfDone);
        await rename(halfDone, target);
        progress(`${name} ${done}: ${target}`);
        return [];
      } catch (error) {
        obstacles.push(`cannot be ${done}: ${error instanceof Error ? error.message : error}`);
        await rm(halfDone, { recursive: true, force: true });
      }
    }
  } finally {
    lock.release();
  }
  return obstacles;
}

/** The version of `module` that the go.mod of the folder `binaries/<name>` asks for. */
export function wantedVersion(name: string, module: string): string {
  const text = readFileSync(join(BINARIES, name, "go.mod"), "utf8");
  const version = new RegExp(`^(?:require|\\t) ?${module} (v\\S+)`, "m").exec(text)?.[1];
  if (version === undefined) throw new Error(`Cannot read ${name}/go.mod: no line for ${module}`);
  return version;
}

function assetsInCache(env: NodeJS.ProcessEnv): Assets {
  return assetsIn(({ name }) => cacheFolder(name, env));
}

function assetsIn(folderOf: (module: Module) => string): Assets {
  const path = (module: Module, program: string) => join(folderOf(module), program);
  const optional = (module: Module, program: string) =>
    existsSync(path(module, program)) ? path(module, program) : undefined;
  return {
    folder: folderOf(KUBERNETES),
    etcd: path(ETCD, "etcd"),
    kubeApiserver: path(KUBERNETES, "kube-apiserver"),
    kubectl: path(KUBERNETES, "kubectl"),
    kubeControllerManager: optional(KUBERNETES, "kube-controller-manager"),
    kubeProxy: optional(KUBERNETES, "kube-proxy"),
    kubeScheduler: optional(KUBERNETES, "kube-scheduler"),
    helm: optional(HELM, "helm"),
    nodeServer: optional(NODE_SERVER, "node-server"),
  };
}

/** Named after everything in `binaries/<name>`, so that a changed version is another folder. */
export function cacheFolder(name: string, env: NodeJS.ProcessEnv): string {
  const hash = createHash("sha256");
  const sources = join(BINARIES, name);
  for (const file of readdirSync(sources).sort()) {
    hash.update(`${file}\n`).update(readFileSync(join(sources, file)));
  }
  const cache = env["XDG_CACHE_HOME"] || join(env["HOME"] || homedir(), ".cache");
  return join(cache, "metallb-ts", `${name}-${hash.digest("hex").slice(0, 16)}`);
}

async function buildInto(
  folder: string,
  { name, programs, versions, usually }: Module,
  env: NodeJS.ProcessEnv,
  progress: Progress,
) {
  await goBuild(name, {
    ...{ folder, env, progress, usually },
    args: [`-ldflags=${["-s", "-w", ...versions()].join(" ")}`, "-o", join(folder, name), "."],
  });
  for (const program of programs.filter((p) => p !== name)) {
    await symlink(name, join(folder, program));
  }
}

export type GoBuild = {
  /** Takes what Go needs meanwhile, and nothing of it is left. */
  readonly folder: string;
  readonly env: NodeJS.ProcessEnv;
  readonly progress: Progress;
  /** How long it takes, for people. */
  readonly usually: string;
  readonly args: readonly string[];
};

/** `go build` in `binaries/<name>`, without C. */
export async function goBuild(name: string, options: GoBuild): Promise<void> {
  const { folder, env, progress, usually } = options;
  await requireGo(env);
  // Here rather than in the system's folder, so that nothing of a killed build stays.
  const temporary = join(folder, "go-tmp");
  await mkdir(temporary);
  const [command, ...args] = boundToUs("go", [
    ...["build", "-trimpath", "-buildvcs=false", "-mod=readonly", ...options.args],
  ]);
  const child = spawn(command, args, {
    cwd: join(BINARIES, name),
    env: { ...env, CGO_ENABLED: "0", GOTMPDIR: temporary },
    stdio: ["ignore", "ignore", "pipe"],
  });
  await finished(child, `Building ${name} with Go, once (usually ${usually})`, progress);
  await rm(temporary, { recursive: true, force: true });
}

async function downloadInto(
  folder: string,
  { name, releases }: Module,
  sites: ReleaseSites,
  progress: Progress,
) {
  if (releases(sites).length === 0) throw new Error(`nobody releases ${name}`);
  for (const release of releases(sites)) {
    progress(`Downloading ${release.url}, once`);
    await download(release, folder);
  }
}

async function requireGo(env: NodeJS.ProcessEnv): Promise<void> {
  const wanted = `Go ${OLDEST_GO.major}.${OLDEST_GO.minor} or newer`;
  let found: string;
  try {
    // In the module's folder, where a Go that may fetch a newer toolchain says which it would use.
    const cwd = join(BINARIES, KUBERNETES.name);
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

export type Progress = (line: string) => void;

export function toStandardError(line: string): void {
  process.stderr.write(`${line}\n`);
}
