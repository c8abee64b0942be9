// Rules of the repository itself: what documents point at exists, every source says in its first
// line what it is, and a new run-time package is a visible change here.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { parse } from "yaml";

const DOCUMENTS = ["*.md", "docs/**/*.md", "lab/**/*.md"].flatMap((glob) => globSync(glob));
const SOURCES = ["src", "test", "lab", "bench", "scripts"].flatMap((folder) =>
  globSync(`${folder}/**/*.ts`),
);
/** Paths in documents that begin with one of these are meant to be there. */
const OUR_PATH = /`((?:src|test|lab|bench|scripts|crds|templates|docs|charts|config)\/[\w./-]*)`/g;
const LINK = /\]\((?!https?:|#)([^)#]+)(?:#[^)]*)?\)/g;

describe("documents", () => {
  for (const document of DOCUMENTS) {
    it(`${document} points at what exists`, () => {
      const text = readFileSync(document, "utf8");
      const paths = [...text.matchAll(OUR_PATH)].map(([, path = ""]) => path);
      const links = [...text.matchAll(LINK)].map(([, link = ""]) =>
        normalize(join(dirname(document), link)),
      );
      const missing = [...paths, ...links].filter((path) => globSync(path).length === 0);
      assert.deepEqual([...new Set(missing)], []);
    });
  }
});

describe("sources", () => {
  it("say in their first line what they are", () => {
    // A test beside its source is about that source.
    const sources = SOURCES.filter((path) => !/^src\/.*\.test\.ts$/.test(path));
    const silent = sources.filter((path) => !readFileSync(path, "utf8").startsWith("// "));
    assert.deepEqual(silent, []);
  });

  it("that are doubles say so in their first line", () => {
    const doubles = globSync("{test/fakes/*,test/cluster/kubelet/kubelet}.ts");
    assert.notEqual(doubles.length, 0);
    const silent = doubles.filter((path) => {
      const [first = ""] = readFileSync(path, "utf8").split("\n", 1);
      return !/\b(double|double's)\b/i.test(first);
    });
    assert.deepEqual(silent, []);
  });
});

describe("package.json", () => {
  it("lists the run-time packages that docs/decisions/0002-libraries.md gives reasons for", () => {
    const { dependencies } = JSON.parse(readFileSync("package.json", "utf8")) as {
      readonly dependencies: Readonly<Record<string, string>>;
    };
    const decision = readFileSync("docs/decisions/0002-libraries.md", "utf8");
    const reasons = [...decision.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = ""]) => name);
    assert.deepEqual(Object.keys(dependencies).sort(), reasons.sort());
  });

  it("has the version of the chart, of its part with the kinds, and of the image", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"));
    const chart = parse(readFileSync("charts/metallb/Chart.yaml", "utf8"));
    const kinds = parse(readFileSync("charts/metallb/charts/crds/Chart.yaml", "utf8"));
    assert.deepEqual(
      [chart.version, chart.appVersion, chart.dependencies[0].version, kinds.version],
      [version, version, version, version],
    );
  });

  it("has exact versions", () => {
    const { dependencies, devDependencies } = JSON.parse(readFileSync("package.json", "utf8"));
    const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
      ([, version]) => !/^\d+\.\d+\.\d+$/.test(String(version)),
    );
    assert.deepEqual(loose, []);
  });
});
