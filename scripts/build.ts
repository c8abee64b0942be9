// Bundles the programs into dist/ for the image: one file each, with the few parts of the
// Kubernetes client that are used. Memory and speed are measured on these bundles.

import { cpSync, globSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

/**
 * What KubeConfig imports for API classes and for fetch: we take credentials and agents of it only
 * (src/kube/credentials.ts), and these are half of a bundle. Calling one of them is an error.
 */
const NOT_BUNDLED: Readonly<Record<string, readonly string[]>> = {
  undici: ["Agent", "ProxyAgent"],
  "./gen/index.js": ["createConfiguration", "ServerConfiguration"],
};

const leaveOut: Plugin = {
  name: "leave-out",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^(undici|\.\/gen\/index\.js)$/ }, ({ path, importer }) =>
      importer.endsWith("client-node/dist/config.js")
        ? { path, namespace: "left-out" }
        : { errors: [{ text: `Cannot bundle "${path}": want it imported by config.js only` }] },
    );
    onLoad({ filter: /.*/, namespace: "left-out" }, ({ path }) => {
      const names = NOT_BUNDLED[path] ?? [];
      const functions = names.map(
        (name) =>
          `export function ${name}() { throw new Error("Cannot call ${name} of ${path}: not in the bundle"); }`,
      );
      return { contents: functions.join("\n") };
    });
  },
};

/** What is left out of koffi's packages: sources, documents, and the binary for musl. */
const UNUSED = /\.(c|cc|hh|inc|S|asm|def|txt|md|d\.ts)$|\/(cnoke\.cjs|doc|vendor|lib|musl_\w+)$/;

/** Puts bundles, templates and the one package that cannot be bundled into `folder`, and removes older ones. */
export async function buildPrograms(folder: string): Promise<void> {
  // Not the folder: the image's root may be in it, and run.
  for (const old of globSync(["*.js*", "templates", "node_modules"], { cwd: folder })) {
    rmSync(join(folder, old), { recursive: true });
  }
  await build({
    entryPoints: {
      controller: "src/controller/main.ts",
      speaker: "src/speaker/main.ts",
      "wire-thread": "src/speaker/wire-thread.ts",
      metallb: "src/cli/main.ts",
    },
    outdir: folder,
    bundle: true,
    platform: "node",
    target: "node24",
    format: "esm",
    // Names stay for stack traces. Comments go: one letter beyond Latin-1 in them, and V8 keeps the
    // whole source in memory with two octets a letter.
    minifyWhitespace: true,
    minifySyntax: true,
    charset: "ascii",
    sourcemap: true,
    legalComments: "linked",
    // Packages written in CommonJS call require(), which an ES module does not have.
    banner: {
      js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
    },
    // It finds its binary beside itself.
    external: ["koffi"],
    plugins: [leaveOut],
    logLevel: "warning",
  });
  // The rest there are files for FRR itself.
  for (const template of globSync("templates/*.hbs")) cpSync(template, join(folder, template));
  // Its binary, which it looks for beside itself.
  for (const name of ["koffi", "@koromix"]) {
    cpSync(`node_modules/${name}`, join(folder, "node_modules", name), {
      recursive: true,
      filter: (path) => !UNUSED.test(path) || path.endsWith("LICENSE.txt"),
    });
  }
}

if (import.meta.main) await buildPrograms("dist");
