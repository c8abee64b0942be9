import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import {
  DESIRED_SAMPLES,
  neighborWith,
  routerWith,
  routesWith,
  settingsWith,
} from "../../test/frr-samples.ts";
import { nameClasses } from "./classes.ts";
import type { FrrSettings } from "./model.ts";
import { createRenderer } from "./render.ts";
import { readTemplates } from "./templates.ts";

const root = join(import.meta.dirname, "../..");
const templates = readTemplates(join(root, "templates"));
const renderer = createRenderer(templates);

describe("render() writes the golden file of", () => {
  for (const [name, { settings, routes }] of Object.entries(DESIRED_SAMPLES)) {
    it(name, (t) => {
      t.assert.fileSnapshot(
        renderer.render(settings, routes),
        join(root, "test/golden", `${name.replaceAll(" ", "-")}.conf`),
        { serializers: [String] },
      );
    });
  }
});

describe("render()", () => {
  it("does not depend on the order of routes", () => {
    const { settings, routes } = DESIRED_SAMPLES["communities"] ?? assert.fail();
    const turned = new Map([...routes].toReversed());
    assert.equal(renderer.render(settings, turned), renderer.render(settings, routes));
  });

  it("ends the user's extra text with a line break", () => {
    assert.match(renderer.render(settingsWith({ extras: "! mine" }), new Map()), /\n! mine\n$/);
  });

  const withNeighbor = (changes: Parameters<typeof neighborWith>[0]): FrrSettings =>
    settingsWith({ routers: [routerWith({ neighbors: [neighborWith(changes)] })] });
  for (const [path, settings] of [
    ["hostname", settingsWith({ hostname: "a\nb" })],
    ["routers.0.neighbors.0.password", withNeighbor({ password: "a\n no neighbor 10.0.0.1" })],
    ["routers.0.neighbors.0.password", withNeighbor({ password: "a\rb" })],
    ["routers.0.neighbors.0.password", withNeighbor({ password: "a\u2028b" })],
    ["routers.0.neighbors.0.bfdProfile", withNeighbor({ bfdProfile: "a\u0000" })],
  ] as const) {
    it(`refuses a control character in ${path}, and does not show the value`, () => {
      assert.throws(() => renderer.render(settings, new Map()), {
        message: `Cannot render ${path}: it holds a control character`,
      });
    });
  }

  it("leaves quotes, angle brackets and braces as they are", () => {
    const text = renderer.render(withNeighbor({ password: `<a>&"'{{b}}` }), new Map());
    assert.ok(text.includes(` neighbor 10.88.0.2 password <a>&"'{{b}}\n`));
  });

  it("shows no network to a family that no neighbor carries", () => {
    const routes = routesWith({ "2001:db8::1/128": [] });
    assert.ok(!renderer.render(settingsWith(), routes).includes("2001:db8"));
  });
});

it("renderStatic() is the whole text without networks and extra text", () => {
  const { settings, routes } = DESIRED_SAMPLES["extras"] ?? assert.fail();
  const classes = nameClasses(routes.values());
  const whole = renderer.render(settings, routes);
  const networks = /^ *network .*\n/gm;
  assert.equal(
    renderer.renderStatic(settings, classes) + settings.extras,
    whole.replace(networks, ""),
  );
});

describe("createRenderer() refuses templates that", () => {
  for (const [why, text] of [
    ["are not well-formed", "{{#if a}}"],
    ["call an unknown helper", "{{#unknown}}{{/unknown}}{{upper hostname}}"],
  ] as const) {
    it(why, () => {
      assert.throws(() =>
        createRenderer({ ...templates, "frr.conf": text }).render(settingsWith(), new Map()),
      );
    });
  }

  it("read a value the view does not have", () => {
    assert.throws(
      () =>
        createRenderer({ ...templates, "frr.conf": "{{hostnam}}" }).render(
          settingsWith(),
          new Map(),
        ),
      /hostnam/,
    );
  });
});
