// Lays out what the image holds: node, the bundles, and a launcher for each program. The Dockerfile
// copies it onto its base image; without an engine scripts/image-base.ts stands for that.

import { createHash, randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildPrograms } from "./build.ts";
import { layOutBase } from "./image-base.ts";

/** What the Dockerfile says of the image beside its files. */
export const IMAGE = {
  user: { uid: 65534, gid: 65534 },
  env: { PATH: "/usr/bin:/" },
} as const;

/** V8's settings for a small heap: docs/decisions/0001-node-24-and-bundles.md. */
const NODE_FLAGS = ["--max-semi-space-size=1", "--optimize-for-size", "--v8-pool-size=0"];

/** Programs that run for long: node becomes itself once more, with flags and environment. */
const DAEMONS = ["controller", "speaker"];

/** Programs that end at once, by name with the arguments that come first. */
const COMMANDS = { metallb: [], "mirror-status": ["mirror-status"] } as const;

function daemonLauncher(name: string): string {
  // A "#!" line takes one argument, NODE_OPTIONS not every flag, and malloc reads its setting once.
  const argv = ["/usr/bin/node", ...NODE_FLAGS, `/app/${name}.js`];
  return `#!/usr/bin/node
const argv = ${JSON.stringify(argv)};
const env = { ...process.env, MALLOC_ARENA_MAX: "1" };
process.execve(argv[0], [...argv, ...process.argv.slice(2)], env);
`;
}

function commandLauncher(args: readonly string[]): string {
  return `#!/usr/bin/node
process.argv.splice(2, 0, ...${JSON.stringify(args)});
import("/app/metallb.js");
`;
}

/** What the image holds over its base. */
async function layOutImage(root: string): Promise<void> {
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  copyFileSync(process.execPath, join(root, "usr/bin/node"));
  chmodSync(join(root, "usr/bin/node"), 0o755);
  const app = join(root, "app");
  await buildPrograms(app);
  for (const file of globSync("*.map", { cwd: app })) rmSync(join(app, file));
  // What node makes of a .js file.
  write(join(app, "package.json"), `${JSON.stringify({ type: "module" })}\n`, 0o644);
  copyFileSync("LICENSE", join(app, "LICENSE"));
  for (const name of DAEMONS) write(join(root, name), daemonLauncher(name), 0o755);
  for (const [name, args] of Object.entries(COMMANDS)) {
    write(join(root, name), commandLauncher(args), 0o755);
  }
  for (const path of globSync("**", { cwd: app, withFileTypes: true })) {
    chmodSync(join(path.parentPath, path.name), path.isDirectory() ? 0o755 : 0o644);
  }
  for (const folder of [root, app, join(root, "usr"), join(root, "usr/bin")]) {
    chmodSync(folder, 0o755);
  }
}

function write(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, mode);
}

/** Changes with everything the tree is made of. */
function fingerprint(): string {
  const hash = createHash("sha256").update(process.version).update(process.arch);
  const files = globSync(["src/**/*.ts", "templates/*", "scripts/{build,image-*}.ts"]);
  for (const path of [...files.sort(), "package-lock.json", "LICENSE"]) {
    if (!path.endsWith(".test.ts")) hash.update(path).update(readFileSync(path));
  }
  return hash.digest("hex");
}

/**
 * Makes `folder` the root of a container of our image, base included. Does nothing if it is that
 * already; what runs from an older one goes on.
 */
export async function buildImageRoot(folder: string): Promise<void> {
  const stamp = `${resolve(folder)}.stamp`;
  const wanted = fingerprint();
  const isThere = () =>
    existsSync(folder) && existsSync(stamp) && readFileSync(stamp, "utf8") === wanted;
  if (isThere()) return;
  const fresh = `${resolve(folder)}.${randomUUID()}`;
  const old = `${fresh}.old`;
  try {
    await layOutImage(fresh);
    await layOutBase(fresh);
    // Another process was quicker, and something may run from what it made.
    if (isThere()) return;
    rmSync(stamp, { force: true });
    if (existsSync(folder)) renameSync(folder, old);
    renameSync(fresh, folder);
    writeFileSync(stamp, wanted);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
    rmSync(old, { recursive: true, force: true });
  }
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    options: { "without-base": { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const [folder = "dist/image-root"] = positionals;
  if (values["without-base"]) await layOutImage(resolve(folder));
  else await buildImageRoot(folder);
  let bytes = 0;
  for (const path of globSync("**", { cwd: folder, withFileTypes: true })) {
    if (path.isFile()) bytes += readFileSync(join(path.parentPath, path.name)).length;
  }
  console.log(`${folder}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
}
