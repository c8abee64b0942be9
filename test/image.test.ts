// What the image holds and what it does not, looked up in the tree it is made of.

import assert from "node:assert/strict";
import { type Dirent, globSync, readFileSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { before, describe, it } from "node:test";
import { buildImageRoot, IMAGE } from "../scripts/image-root.ts";

const ROOT = "dist/image-root";

const pathOf = (entry: Dirent) => `/${relative(ROOT, join(entry.parentPath, entry.name))}`;
const entries = () => globSync("**", { cwd: ROOT, withFileTypes: true });
const files = () => entries().filter((entry) => entry.isFile());
const statOf = (entry: Dirent) => statSync(join(entry.parentPath, entry.name));

describe("the image's tree", () => {
  before(() => buildImageRoot(ROOT));

  it("has the programs, and node alone beside them", () => {
    const programs = files().filter((entry) => (statOf(entry).mode & 0o111) !== 0);
    const names = programs.map(pathOf).filter((path) => !/^\/lib(64)?\//.test(path));
    assert.deepEqual(names.sort(), [
      "/controller",
      "/metallb",
      "/mirror-status",
      "/speaker",
      "/usr/bin/node",
    ]);
  });

  it("has no shell, no package manager, no sources, no maps of them", () => {
    const unwanted = /\/(ba|da|a)?sh$|busybox|\bnpm\b|esbuild|typescript|\.ts$|\.map$|\.test\./;
    assert.deepEqual(
      files()
        .map(pathOf)
        .filter((path) => unwanted.test(path)),
      [],
    );
  });

  it("has one package, with its binary for this platform and glibc", () => {
    const binaries = files()
      .map(pathOf)
      .filter((path) => path.endsWith(".node"));
    const platform = `linux_${process.arch}`;
    assert.deepEqual(binaries, [
      `/app/node_modules/@koromix/koffi-linux-${process.arch}/${platform}/koffi.node`,
    ]);
    const packages = globSync("app/node_modules/{@*/*,[!@]*}", { cwd: ROOT });
    assert.deepEqual(packages.sort(), [
      `app/node_modules/@koromix/koffi-linux-${process.arch}`,
      "app/node_modules/koffi",
    ]);
  });

  it("can be read by everybody and changed by its owner alone, with nothing setuid", () => {
    const wrong = entries().filter((entry) => {
      if (pathOf(entry) === "/tmp") return false;
      const { mode } = statOf(entry);
      const readable = entry.isDirectory() ? 0o555 : 0o444;
      return (mode & readable) !== readable || (mode & 0o6022) !== 0;
    });
    assert.deepEqual(wrong.map(pathOf), []);
  });

  it("names no folder of the machine it was made on", () => {
    const texts = files().filter(({ name }) => /\.(js|json|cjs|hbs)$/.test(name));
    const naming = texts.filter((entry) =>
      readFileSync(join(entry.parentPath, entry.name), "utf8").includes(process.cwd()),
    );
    assert.deepEqual(naming.map(pathOf), []);
  });

  it("is left alone while nothing it is made of changes", async () => {
    const before = statSync(join(ROOT, "app")).ino;
    await buildImageRoot(ROOT);
    assert.equal(statSync(join(ROOT, "app")).ino, before);
  });
});

describe("the Dockerfile", () => {
  const text = readFileSync("Dockerfile", "utf8");
  const stages = text.split(/^(?=FROM )/m).slice(1);
  const instruction = (stage: string | undefined, name: string) =>
    [...(stage ?? "").matchAll(new RegExp(`^${name} (.*)$`, "gm"))].map(([, value]) => value);

  it("builds the tree by the script, with everything the script reads", () => {
    const [build] = stages;
    assert.match(build ?? "", /^RUN .*scripts\/image-root\.ts --without-base \/image-root$/m);
    const copied = instruction(build, "COPY").flatMap((value) => (value ?? "").split(" "));
    for (const path of ["package-lock.json", "LICENSE", "scripts", "src", "templates"]) {
      assert(copied.includes(path), path);
      assert.match(readFileSync(".dockerignore", "utf8"), new RegExp(`^!${path}$`, "m"));
    }
  });

  it("adds nothing but the tree to the base", () => {
    const image = stages.at(-1);
    assert.deepEqual(instruction(image, "COPY"), ["--from=build /image-root/ /"]);
    assert.deepEqual(instruction(image, "RUN"), []);
    assert.deepEqual(instruction(image, "ADD"), []);
  });

  it("says of user and environment what tests start it with", () => {
    const image = stages.at(-1);
    const { user, env } = IMAGE;
    assert.deepEqual(instruction(image, "USER"), [`${user.uid}:${user.gid}`]);
    const lines = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    assert.deepEqual(instruction(image, "ENV"), lines);
  });
});
