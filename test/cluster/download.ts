// Downloads released programs and believes none whose checksum differs from the published one.
// Knows the layout of the release sites of Kubernetes, etcd and helm.

import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, rm, writeFile } from "node:fs/promises";
import { arch, platform } from "node:os";
import { basename, join } from "node:path";
import { promisify } from "node:util";

export type Release = {
  readonly url: string;
  /** A file that is just the checksum, or one with lines of checksum and file name. */
  readonly checksumUrl: string;
  readonly algorithm: "sha256" | "sha512";
  /** The member to take out of a .tar.gz; undefined if what is served is the program itself. */
  readonly member: string | undefined;
  /** The name to give the program. */
  readonly program: string;
};

export type ReleaseSites = {
  readonly kubernetes: string;
  readonly etcd: string;
  readonly helm: string;
};

export const RELEASE_SITES: ReleaseSites = {
  kubernetes: "https://dl.k8s.io",
  etcd: "https://github.com/etcd-io/etcd/releases/download",
  helm: "https://get.helm.sh",
};

export function kubernetesRelease(site: string, version: string, program: string): Release {
  const url = `${site}/release/${version}/bin/${goPlatform().join("/")}/${program}`;
  return { url, checksumUrl: `${url}.sha512`, algorithm: "sha512", member: undefined, program };
}

export function etcdRelease(site: string, version: string): Release {
  const name = `etcd-${version}-${goPlatform().join("-")}`;
  return {
    url: `${site}/${version}/${name}.tar.gz`,
    checksumUrl: `${site}/${version}/SHA256SUMS`,
    algorithm: "sha256",
    member: `${name}/etcd`,
    program: "etcd",
  };
}

export function helmRelease(site: string, version: string): Release {
  const platform = goPlatform().join("-");
  const url = `${site}/helm-${version}-${platform}.tar.gz`;
  return {
    url,
    checksumUrl: `${url}.sha256sum`,
    algorithm: "sha256",
    member: `${platform}/helm`,
    program: "helm",
  };
}

/** Puts the program into the folder; an Error, and nothing in the folder, if the checksum differs. */
export async function download(release: Release, folder: string): Promise<void> {
  const fileName = basename(release.url);
  const checksums = new TextDecoder().decode(await get(release.checksumUrl));
  const wanted = checksumFor(fileName, checksums);
  if (wanted === undefined) {
    throw new Error(`Cannot verify ${fileName}: ${release.checksumUrl} has no checksum for it`);
  }
  const bytes = await get(release.url);
  const found = createHash(release.algorithm).update(bytes).digest("hex");
  if (found !== wanted) {
    throw new Error(
      `Cannot use ${release.url}: its ${release.algorithm} is ${found}, published is ${wanted}`,
    );
  }
  const program = join(folder, release.program);
  if (release.member === undefined) {
    await writeFile(program, bytes);
  } else {
    const archive = join(folder, fileName);
    await writeFile(archive, bytes);
    const strip = `--strip-components=${release.member.split("/").length - 1}`;
    await promisify(execFile)("tar", ["-xzf", archive, "-C", folder, strip, release.member]);
    await rm(archive);
  }
  await chmod(program, 0o755);
}

/** The checksum in a file of one bare checksum or of lines like sha256sum(1) prints. */
export function checksumFor(fileName: string, text: string): string | undefined {
  const lines = text.split("\n").map((line) => line.trim().split(/\s+/));
  const [first] = lines;
  const bare = first?.length === 1 ? first[0] : undefined;
  const named = lines.find(([, name]) => name === fileName || name === `*${fileName}`)?.[0];
  return (named ?? bare)?.toLowerCase() || undefined;
}

async function get(url: string): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(url);
  } catch (cause) {
    // fetch itself says no more than "fetch failed".
    const why = cause instanceof Error ? (cause.cause ?? cause) : cause;
    throw new Error(`Cannot download ${url}: ${why instanceof Error ? why.message : why}`, {
      cause,
    });
  }
  if (!response.ok) throw new Error(`Cannot download ${url}: HTTP status ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** This machine in Go's words, as all sites use them. */
function goPlatform(): [string, string] {
  const architecture = arch();
  return [platform(), architecture === "x64" ? "amd64" : architecture];
}
