import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import {
  address,
  classWith,
  DESIRED_SAMPLES,
  neighborWith,
  PLAIN,
  prefix,
  profileWith,
  routerWith,
  routesWith,
  settingsWith,
} from "../../test/frr-samples.ts";
import type { Prefix } from "../net/prefix.ts";
import { allPrefixes, type CompiledSettings, compileSettings, networkChanges } from "./desired.ts";
import type { FrrSettings, Neighbor, RouteClass, Router, Routes } from "./model.ts";
import { createRenderer } from "./render.ts";
import { readTemplates } from "./templates.ts";
import { type FrrTree, type Networks, networksKey, parseConfiguration } from "./tree.ts";

const renderer = createRenderer(readTemplates(join(import.meta.dirname, "../../templates")));

const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | null> =>
  fc.option(value, { nil: null });
const addresses = fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2").map(address);

const neighbors: fc.Arbitrary<Neighbor> = fc
  .record({
    peerName: fc.constantFrom("a", "b", "c"),
    address: maybe(addresses),
    remoteAs: fc.constantFrom<Neighbor["remoteAs"]>(65000, 65100, "internal", "external"),
    localAs: maybe(fc.constant(64999)),
    port: fc.constantFrom(179, 1790),
    sourceAddress: maybe(addresses),
    timers: maybe(fc.constantFrom([0, 0] as const, [3, 9] as const)),
    connectSeconds: maybe(fc.integer({ min: 1, max: 65535 })),
    password: maybe(fc.stringMatching(/^[!-~]{1,8}$/)),
    ebgpMultihop: fc.boolean(),
    gracefulRestart: fc.boolean(),
    bfdProfile: maybe(fc.constantFrom("p", "q")),
    ipv4: fc.boolean(),
    ipv6: fc.boolean(),
  })
  .map(({ timers, ...rest }) => ({
    ...rest,
    interfaceName: rest.address === null ? "eth0" : null,
    keepaliveSeconds: timers?.[0] ?? null,
    holdTimeSeconds: timers?.[1] ?? null,
  }));

const routers: fc.Arbitrary<readonly Router[]> = fc.uniqueArray(
  fc.record({
    asn: fc.constantFrom(65000, 65001),
    vrf: fc.constantFrom(null, "red"),
    routerId: maybe(fc.constant(address("1.1.1.1"))),
    neighbors: fc.uniqueArray(neighbors, {
      maxLength: 3,
      selector: ({ address: at, interfaceName }) => at ?? interfaceName,
    }),
  }),
  { maxLength: 2, selector: ({ vrf }) => vrf },
);

const classes: fc.Arbitrary<RouteClass> = fc.array(
  fc.record({
    peers: fc.subarray(["a", "b", "c"]),
    localPreference: maybe(fc.constantFrom(100, 4294967295)),
    communities: fc.subarray(["65000:1", "65535:0", "65535:65281"]),
    largeCommunities: fc.subarray(["65000:1:2"]),
  }),
  { minLength: 1, maxLength: 2 },
);

const extras = fc.constantFrom(
  "",
  "ip prefix-list learn permit 10.0.0.0/8\nroute-map 10.0.0.1-in permit 20\n match ip address prefix-list learn",
  "router bgp 65000\n address-family ipv4 unicast\n  network 203.0.113.0/24\n  network 192.0.2.1/32",
);

const settings: fc.Arbitrary<FrrSettings> = fc.record({
  hostname: maybe(fc.constant("node1")),
  logLevel: fc.constantFrom("debugging", "informational"),
  routers,
  bfdProfiles: fc.constant([
    profileWith({ name: "p" }),
    profileWith({ name: "q", echoMode: true }),
  ]),
  classes: fc.array(classes, { maxLength: 2 }),
  extras,
});

const routes: fc.Arbitrary<Routes> = fc
  .uniqueArray(
    fc.tuple(
      fc
        .constantFrom("192.0.2.1/32", "192.0.2.0/24", "198.51.100.7/32", "2001:db8::1/128")
        .map(prefix),
      classes,
    ),
    { selector: ([text]) => text },
  )
  .map((entries) => new Map(entries));

/** Keys and values, without line numbers. */
function outline(tree: FrrTree): object {
  return [...tree].map(([key, { value, inner }]) => [key, value, inner && outline(inner)]);
}

function compiledFor(wanted: FrrSettings, ...wantedRoutes: Routes[]): CompiledSettings {
  return compileSettings(
    renderer,
    wanted,
    wantedRoutes.flatMap((each) => [...each.values()]),
  );
}

/** The networks after the changes. */
function changed(
  compiled: CompiledSettings,
  wanted: Routes,
  running: ReadonlyMap<string, Networks>,
  prefixes: Iterable<Prefix> = allPrefixes(compiled, wanted, running),
): Record<string, Record<string, string>> {
  const networks = new Map([...running].map(([key, known]) => [key, new Map(known)]));
  for (const { key, prefix: of, rest } of networkChanges(compiled, wanted, running, prefixes)) {
    const known = networks.get(key) ?? new Map();
    networks.set(key, known);
    if (rest === undefined) known.delete(of);
    else known.set(of, rest);
  }
  return plain(networks);
}

function plain(networks: ReadonlyMap<string, Networks>): Record<string, Record<string, string>> {
  const filled = [...networks].filter(([, known]) => known.size > 0);
  return Object.fromEntries(filled.map(([key, known]) => [key, Object.fromEntries(known)]));
}

describe("settings and routes on the fast path", () => {
  it("are what the whole text says", () => {
    fc.assert(
      fc.property(settings, routes, (wanted, wantedRoutes) => {
        const compiled = compiledFor(wanted, wantedRoutes);
        const whole = parseConfiguration(renderer.render(wanted, wantedRoutes));
        assert.deepEqual(outline(compiled.tree), outline(whole.tree));
        assert.deepEqual(changed(compiled, wantedRoutes, new Map()), plain(whole.networks));
      }),
      { numRuns: 300 },
    );
  });

  it("are reached from any other routes, and then change no more", () => {
    fc.assert(
      fc.property(settings, routes, routes, (wanted, before, after) => {
        const compiled = compiledFor(wanted, before, after);
        const running = parseConfiguration(renderer.render(wanted, before)).networks;
        const whole = parseConfiguration(renderer.render(wanted, after)).networks;
        assert.deepEqual(changed(compiled, after, running), plain(whole));
        assert.deepEqual(changed(compiled, after, whole), plain(whole));
      }),
      { numRuns: 300 },
    );
  });
});

describe("networkChanges()", () => {
  const compiled = compiledFor(settingsWith(), new Map([[prefix("192.0.2.1/32"), PLAIN]]));
  const key = networksKey("router bgp", "ipv4");
  const line = "route-map c-472f9ef7";
  const one = prefix("192.0.2.1/32");
  const two = prefix("192.0.2.2/32");

  for (const [name, wanted, running, looked, expected] of [
    ["announces", { [one]: PLAIN }, {}, [one], [`network ${one} ${line}`]],
    ["withdraws", {}, { [one]: line }, [one], [`no network ${one}`]],
    [
      "replaces in place",
      { [one]: PLAIN },
      { [one]: "route-map c-2" },
      [one],
      [`network ${one} ${line}`],
    ],
    ["says nothing of what is as it should be", { [one]: PLAIN }, { [one]: line }, [one], []],
    [
      "looks only at the prefixes given",
      { [one]: PLAIN, [two]: PLAIN },
      {},
      [two],
      [`network ${two} ${line}`],
    ],
    [
      "withdraws what no neighbor hears any more",
      { [one]: [] },
      { [one]: line },
      [one],
      [`no network ${one}`],
    ],
  ] as const satisfies readonly (readonly [
    string,
    Record<string, RouteClass>,
    Record<string, string>,
    readonly Prefix[],
    readonly string[],
  ])[]) {
    it(name, () => {
      const networks = new Map([[key, new Map(Object.entries(running)) as unknown as Networks]]);
      const changes = networkChanges(compiled, routesWith(wanted), networks, looked);
      assert.deepEqual(
        changes.map(({ text }) => text),
        expected,
      );
      for (const change of changes) {
        assert.deepEqual(compiled.contexts.get(change.key), [
          "router bgp 65000",
          "address-family ipv4 unicast",
        ]);
      }
    });
  }

  it("keeps a network of the user's extra text when ours goes", () => {
    const extra = "router bgp 65000\n address-family ipv4 unicast\n  network 192.0.2.1/32\n";
    const withExtra = compiledFor(settingsWith({ extras: extra }), routesWith({ [one]: PLAIN }));
    const running = new Map([[key, new Map([[one, line]])]]);
    const changes = networkChanges(withExtra, new Map(), running, [one]);
    assert.deepEqual(
      changes.map(({ text }) => text),
      [`network ${one}`],
    );
  });
});

describe("compileSettings()", () => {
  it("knows where the user's text begins", () => {
    const { settings: wanted } = DESIRED_SAMPLES["extras"] ?? assert.fail();
    const { linesBeforeExtras, tree } = compiledFor(wanted);
    const lines =
      `${renderer.renderStatic(wanted, compiledFor(wanted).classes)}${wanted.extras}`.split("\n");
    assert.equal(lines[linesBeforeExtras], wanted.extras.split("\n")[0]);
    const first = tree.get("ip prefix-list learn seq 5");
    assert.equal(first?.lineNumber, linesBeforeExtras + 1);
  });

  it("names peers across VRFs", () => {
    const { settings: wanted } = DESIRED_SAMPLES["vrf"] ?? assert.fail();
    assert.deepEqual(Object.fromEntries(compiledFor(wanted).peerNames), {
      "default 10.88.0.2": "leaf1",
      "red 10.88.0.2": "red1",
    });
  });

  it("sends a class only where somebody hears it", () => {
    const red = classWith({ peers: ["red1"] });
    const { settings: wanted } = DESIRED_SAMPLES["vrf"] ?? assert.fail();
    const compiled = compiledFor(wanted, routesWith({ "192.0.2.2/32": red }));
    const changes = networkChanges(compiled, routesWith({ "192.0.2.2/32": red }), new Map(), [
      two(),
    ]);
    assert.deepEqual(
      changes.map(({ key }) => key),
      [networksKey("router bgp vrf red", "ipv4")],
    );
    function two(): Prefix {
      return prefix("192.0.2.2/32");
    }
  });

  it("does not care for an unused neighbor", () => {
    const alone = settingsWith({
      routers: [routerWith({ neighbors: [neighborWith({ ipv4: false })] })],
    });
    const compiled = compiledFor(alone, routesWith({ [String(prefix("192.0.2.1/32"))]: PLAIN }));
    assert.deepEqual(changed(compiled, routesWith({ "192.0.2.1/32": PLAIN }), new Map()), {});
  });
});
