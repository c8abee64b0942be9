// Bundles the programs into dist/ for the image: one file each, with the few parts of the
// Kubernetes client that are used. Memory and speed are measured on these bundles.

import { cpSync, rmSync } from "node:fs";
import { build } from "esbuild";

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: {
    controller: "src/controller/main.ts",
    speaker: "src/speaker/main.ts",
    metallb: "src/cli/main.ts",
  },
  outdir: "dist",
  bundle: true,
  platform: "node",
  target: "node24",
  format: "esm",
  minify: false,
  sourcemap: true,
  legalComments: "linked",
  // Packages written in CommonJS call require(), which an ES module does not have.
  banner: {
    js: 'import { createRequire as createBundleRequire } from "node:module"; const require = createBundleRequire(import.meta.url);',
  },
  logLevel: "warning",
});
cpSync("templates", "dist/templates", { recursive: true });
