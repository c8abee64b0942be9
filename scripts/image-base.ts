// Stands for the image's base, gcr.io/distroless/cc-debian12, where no engine can fetch it: the same
// libraries from this machine, users, /tmp. Not in it: what node does not need of the base.

import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, globSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

const PASSWD = `root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
`;
const GROUP = `root:x:0:
nobody:x:65534:
nonroot:x:65532:
`;
const NSSWITCH = `passwd: files
group: files
hosts: files dns
`;

export async function layOutBase(root: string): Promise<void> {
  for (const library of await librariesOf(root)) {
    const target = join(root, library);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(library, target);
    chmodSync(target, 0o755);
  }
  for (const [path, text] of [
    ["etc/passwd", PASSWD],
    ["etc/group", GROUP],
    ["etc/nsswitch.conf", NSSWITCH],
    // The kubelet mounts its own over these two.
    ["etc/hosts", "127.0.0.1 localhost\n"],
    ["etc/resolv.conf", ""],
  ] as const) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  for (const folder of ["root", "proc", "dev", "sys", "run", "tmp"]) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  chmodSync(join(root, "tmp"), 0o1777);
}

/** Paths of the shared libraries that node and koffi are linked to, the loader included. */
async function librariesOf(root: string): Promise<ReadonlySet<string>> {
  const addons = globSync("app/node_modules/**/*.node", { cwd: root });
  const paths = new Set<string>();
  for (const file of ["usr/bin/node", ...addons]) {
    const { stdout } = await run("ldd", [join(root, file)]);
    for (const line of stdout.split("\n")) {
      const path = /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line)?.[1];
      if (path !== undefined) paths.add(path);
      else if (line.includes("not found")) {
        throw new Error(`Cannot run ${file}: ${line.trim()}, want the libraries of Debian 12`);
      }
    }
  }
  return paths;
}
