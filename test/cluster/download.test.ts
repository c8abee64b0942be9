// That a download is believed only if its checksum fits. The release site is a server on loopback.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import {
  checksumFor,
  download,
  etcdRelease,
  helmRelease,
  kubernetesRelease,
  RELEASE_SITES,
} from "./download.ts";

describe("kubernetesRelease(), etcdRelease() and helmRelease()", () => {
  it("name the files of the official sites", () => {
    const kubectl = kubernetesRelease(RELEASE_SITES.kubernetes, "v1.36.3", "kubectl");
    assert.match(
      kubectl.url,
      /^https:\/\/dl\.k8s\.io\/release\/v1\.36\.3\/bin\/linux\/(amd64|arm64)\/kubectl$/,
    );
    assert.equal(kubectl.checksumUrl, `${kubectl.url}.sha512`);
    const etcd = etcdRelease(RELEASE_SITES.etcd, "v3.6.15");
    const base = "https://github.com/etcd-io/etcd/releases/download/v3.6.15";
    assert.match(etcd.url, new RegExp(`^${base}/etcd-v3\\.6\\.15-linux-(amd64|arm64)\\.tar\\.gz$`));
    assert.equal(etcd.checksumUrl, `${base}/SHA256SUMS`);
    const helm = helmRelease(RELEASE_SITES.helm, "v4.3.1");
    assert.match(helm.url, /^https:\/\/get\.helm\.sh\/helm-v4\.3\.1-linux-(amd64|arm64)\.tar\.gz$/);
    assert.equal(helm.checksumUrl, `${helm.url}.sha256sum`);
  });
});

describe("checksumFor()", () => {
  for (const [what, text, expected] of [
    ["a bare checksum", "AB12\n", "ab12"],
    ["a line of sha256sum", "ff  other\nab12  file\n", "ab12"],
    ["a line of sha256sum in binary mode", "ab12 *file\n", "ab12"],
    ["a list without the file", "ff  other\n", undefined],
    ["an empty file", "", undefined],
  ] as const) {
    it(`reads ${what}`, () => assert.equal(checksumFor("file", text), expected));
  }
});

describe("download()", () => {
  const sha512 = (text: string) => createHash("sha512").update(text).digest("hex");
  const served = new Map<string, string>();
  const server = createServer((request, response) => {
    const body = served.get(request.url ?? "");
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  let folder: string;
  before(async () => {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    folder = await mkdtemp(join(tmpdir(), "metallb-ts-download-test-"));
  });
  after(async () => {
    server.close();
    await rm(folder, { recursive: true, force: true });
  });

  for (const [what, checksum, expected] of [
    ["whose checksum differs", sha512("another program"), /its sha512 is .*, published is /],
    ["whose checksum is of another file", `${sha512("program")}  other\n`, /no checksum for it/],
    ["without a published checksum", undefined, /kubectl\.sha512: HTTP status 404/],
  ] as const) {
    it(`refuses a program ${what} and writes nothing`, async () => {
      const site = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const release = kubernetesRelease(site, "v1.2.3", "kubectl");
      served.clear();
      served.set(new URL(release.url).pathname, "program");
      if (checksum !== undefined) served.set(new URL(release.checksumUrl).pathname, checksum);
      await assert.rejects(download(release, folder), expected);
      assert.deepEqual(await readdir(folder), []);
    });
  }
});
