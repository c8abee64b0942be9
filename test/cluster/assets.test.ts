// How the programs are found. Builds nothing and downloads nothing from outside: a script stands for
// Go, and the release sites are a server on loopback.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { assetsAtHand, findAssets, wantedVersion } from "./assets.ts";
import { etcdRelease, helmRelease, kubernetesRelease, type Release } from "./download.ts";

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "metallb-ts-assets-test-"));
});
after(() => rm(folder, { recursive: true, force: true }));

async function folderWith(files: Record<string, string> = {}): Promise<string> {
  const made = await mkdtemp(join(folder, "with-"));
  for (const [name, text] of Object.entries(files)) {
    await writeFile(join(made, name), text, { mode: 0o755 });
  }
  return made;
}

/** An environment with an empty cache and, before the system's, a folder of programs. */
async function environment(programs: Record<string, string>): Promise<NodeJS.ProcessEnv> {
  const path = `${await folderWith(programs)}:/usr/bin:/bin`;
  return { XDG_CACHE_HOME: await folderWith(), PATH: path };
}

/** Writes what -o names. */
const WRITING_GO = `#!/bin/sh
if [ "$1" = env ]; then echo go1.26.0; exit; fi
while [ "$1" != -o ]; do shift; done
echo binary >"$2"
`;
const OLD_GO = "#!/bin/sh\necho go1.22.3\n";
const progress = () => {};
/** Nothing listens there. */
const nowhere = {
  kubernetes: "http://127.0.0.1:2",
  etcd: "http://127.0.0.1:2",
  helm: "http://127.0.0.1:2",
};

describe("assetsAtHand()", () => {
  it("takes KUBEBUILDER_ASSETS and says which programs are absent from it", async () => {
    const given = await folderWith({ etcd: "", "kube-apiserver": "", kubectl: "" });
    const assets = assetsAtHand({ KUBEBUILDER_ASSETS: given });
    assert.equal(assets?.kubeApiserver, join(given, "kube-apiserver"));
    assert.equal(assets?.kubeControllerManager, undefined);
    assert.equal(assets?.kubeProxy, undefined);
  });

  it("refuses KUBEBUILDER_ASSETS without what every cluster needs", async () => {
    const given = await folderWith({ "kube-apiserver": "" });
    assert.throws(() => assetsAtHand({ KUBEBUILDER_ASSETS: given }), /has no etcd, no kubectl$/);
  });

  it("finds nothing in an empty cache", () => {
    assert.equal(assetsAtHand({ XDG_CACHE_HOME: folder }), undefined);
  });
});

describe("findAssets()", () => {
  it("says what it tried and what to provide when nothing can be found", async () => {
    const env = await environment({ go: OLD_GO });
    await assert.rejects(findAssets({ env, sites: nowhere, progress }), (error: Error) => {
      for (const part of [
        /cannot be built: Go 1\.26 or newer is needed: there is go1\.22\.3/,
        /cannot be downloaded: Cannot download .*: connect ECONNREFUSED/,
        /KUBEBUILDER_ASSETS naming a folder/,
      ]) {
        assert.match(error.message, part);
      }
      return true;
    });
    const left = await readdir(join(env["XDG_CACHE_HOME"] ?? "", "metallb-ts"));
    assert.deepEqual(
      left.map((name) => name.split(".").at(-1)),
      ["lock"],
    );
  });

  it("lets one of two runs build and gives both the same folder", async () => {
    const builds = join(folder, "builds");
    // Notes each build, takes its time, writes what -o names.
    const go = `#!/bin/sh
if [ "$1" = env ]; then echo go1.26.0; exit; fi
echo build >>"${builds}"
while [ "$1" != -o ]; do shift; done
sleep 0.3
echo binary >"$2"
`;
    const env = await environment({ go });
    const options = { env, sites: nowhere, progress };
    const [one, two] = await Promise.all([findAssets(options), findAssets(options)]);
    assert.deepEqual(one, two);
    assert.equal(await readFile(builds, "utf8"), "build\n".repeat(4));
    assert.equal(await readFile(one.kubeProxy ?? "", "utf8"), "binary\n");
    assert.equal(await readFile(one.nodeServer ?? "", "utf8"), "binary\n");
    assert.deepEqual(assetsAtHand(env), one);
  });

  it("builds one module again without the others", async () => {
    const env = await environment({ go: WRITING_GO });
    const options = { env, sites: nowhere, progress };
    const { helm = "" } = await findAssets(options);
    await rm(dirname(helm), { recursive: true });
    const said: string[] = [];
    await findAssets({ ...options, progress: (line) => said.push(line) });
    assert.match(said.join("\n"), /^Building helm with Go.*\nhelm built: \S+$/);
  });

  it("shows what a build that fails said", async () => {
    const go =
      '#!/bin/sh\n[ "$1" = env ] && echo go1.26.0 && exit\necho "no such module" >&2\nexit 1\n';
    const env = await environment({ go });
    const found = findAssets({ env, sites: nowhere, progress });
    await assert.rejects(found, /Building etcd .*: ended with exit code 1\nno such module/);
  });

  it("downloads what cannot be built", async () => {
    const served = new Map<string, string | Buffer>();
    const server = createServer((request, response) => {
      const body = served.get(request.url ?? "");
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const put = ({ url, checksumUrl, algorithm }: Release, body: string | Buffer) => {
        const checksum = createHash(algorithm).update(body).digest("hex");
        served.set(new URL(url).pathname, body);
        served.set(new URL(checksumUrl).pathname, `${checksum}  ${basename(url)}\n`);
      };
      const etcd = etcdRelease(site, wantedVersion("etcd", "go.etcd.io/etcd/server/v3"));
      const tree = await folderWith();
      await mkdir(join(tree, dirname(etcd.member ?? "")));
      await writeFile(join(tree, etcd.member ?? ""), "etcd itself");
      put(etcd, execFileSync("tar", ["-cz", "-C", tree, dirname(etcd.member ?? "")]));
      const helm = helmRelease(site, wantedVersion("helm", "helm.sh/helm/v4"));
      await mkdir(join(tree, dirname(helm.member ?? "")));
      await writeFile(join(tree, helm.member ?? ""), "helm itself");
      put(helm, execFileSync("tar", ["-cz", "-C", tree, dirname(helm.member ?? "")]));
      const kubernetes = wantedVersion("kubernetes", "k8s.io/kubernetes");
      for (const program of [
        "kube-apiserver",
        "kube-controller-manager",
        "kube-proxy",
        "kube-scheduler",
        "kubectl",
      ]) {
        put(kubernetesRelease(site, kubernetes, program), program);
      }

      const env = await environment({ go: OLD_GO });
      const sites = { kubernetes: site, etcd: site, helm: site };
      const assets = await findAssets({ env, sites, progress });
      assert.equal(await readFile(assets.etcd, "utf8"), "etcd itself");
      assert.equal(await readFile(assets.kubeProxy ?? "", "utf8"), "kube-proxy");
      assert.equal((await stat(assets.kubectl)).mode & 0o111, 0o111);
      assert.equal(await readFile(assets.helm ?? "", "utf8"), "helm itself");
      assert.equal((await readdir(assets.folder)).length, 5);
      assert.equal(assets.nodeServer, undefined);
      assert.deepEqual(assetsAtHand(env), assets);
    } finally {
      server.close();
    }
  });
});

describe("wantedVersion()", () => {
  it("reads the versions that are built", () => {
    assert.match(wantedVersion("kubernetes", "k8s.io/kubernetes"), /^v1\.\d+\.\d+$/);
    assert.match(wantedVersion("etcd", "go.etcd.io/etcd/server/v3"), /^v3\.\d+\.\d+$/);
    assert.match(wantedVersion("helm", "helm.sh/helm/v4"), /^v4\.\d+\.\d+$/);
  });
});
