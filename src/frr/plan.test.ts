import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, it } from "node:test";
import fc from "fast-check";
import { DESIRED_SAMPLES } from "../../test/frr-samples.ts";
import type { Daemon } from "./client.ts";
import { divide, type FrrFlavor } from "./ownership.ts";
import { PHASE_BEFORE_NETWORKS, PHASE_FLAP, planChanges, type Step } from "./plan.ts";
import { createRenderer } from "./render.ts";
import { readTemplates } from "./templates.ts";
import { parseConfiguration } from "./tree.ts";

const FRR_8: FrrFlavor = { mgmtd: false, major: 8, minor: 4 };
const FRR_10: FrrFlavor = { mgmtd: true, major: 10, minor: 3 };

function plan(
  desired: string,
  running: string,
  { daemon = "bgpd", previous = "", flavor = FRR_8 }: PlanOptions = {},
): readonly Step[] {
  const tree = (text: string) => parseConfiguration(text).tree;
  return planChanges(daemon, tree(desired), tree(running), tree(previous), flavor);
}

type PlanOptions = {
  readonly daemon?: Daemon;
  readonly previous?: string;
  readonly flavor?: FrrFlavor;
};

/** Each line with its context, and what it does to a session unless that is nothing. */
function outline(steps: readonly Step[]): string[] {
  return steps.flatMap(({ context, lines, effect, neighbor }) => {
    const texts = lines.map(({ text }) => text || "(enter)");
    const suffix = effect === "live" ? "" : ` [${effect} ${neighbor ?? "all"}]`;
    return texts.map((text) => [...context, text].join(" > ") + suffix);
  });
}

const R = "router bgp 65000";
const V4 = "address-family ipv4 unicast";
const PEER = `${R}\n neighbor 10.0.0.1 remote-as 1\n`;

describe("planChanges()", () => {
  const rows: readonly (readonly [
    name: string,
    desired: string,
    running: string,
    expected: readonly string[],
  ])[] = [
    ["sends nothing for equal configurations", PEER, PEER, []],
    ["sends nothing for equal meanings", `${PEER} neighbor 10.0.0.1 port 179\n`, PEER, []],
    ["enters a router without lines", R, "", [`${R} > (enter)`]],
    ["removes a router", "", PEER, [`no ${R}`]],
    [
      "replaces a router whose AS number changes",
      "router bgp 65001\n neighbor 10.0.0.1 remote-as 1\n",
      PEER,
      [`no ${R} [flap all]`, "router bgp 65001 > neighbor 10.0.0.1 remote-as 1"],
    ],
    [
      "makes a neighbor: map, session, family, activation, in this order",
      `${R}
 address-family ipv4 unicast
  neighbor 10.0.0.1 activate
  neighbor 10.0.0.1 route-map a out
 exit-address-family
 neighbor 10.0.0.1 remote-as 1
 neighbor 10.0.0.1 password x
exit
route-map a permit 1
 match tag 1
`,
      R,
      [
        "route-map a permit 1 > match tag 1",
        `${R} > neighbor 10.0.0.1 remote-as 1`,
        `${R} > neighbor 10.0.0.1 password x`,
        `${R} > ${V4} > neighbor 10.0.0.1 route-map a out`,
        `${R} > ${V4} > neighbor 10.0.0.1 activate`,
      ],
    ],
    [
      "removes a neighbor with one line, and what it used afterwards",
      R,
      `${PEER} neighbor 10.0.0.1 password x
 address-family ipv4 unicast
  neighbor 10.0.0.1 activate
  neighbor 10.0.0.1 route-map a out
exit
route-map a permit 1
 match tag 1
ip prefix-list p seq 5 permit any
`,
      [
        `${R} > no neighbor 10.0.0.1`,
        "no route-map a permit 1",
        "no ip prefix-list p seq 5 permit any",
      ],
    ],
    [
      "removes an unnumbered neighbor by its interface",
      R,
      `${R}\n neighbor eth0 interface remote-as external\n`,
      [`${R} > no neighbor eth0 interface`],
    ],
    [
      "repoints a neighbor to another map without touching its session",
      `${PEER} address-family ipv4 unicast\n neighbor 10.0.0.1 route-map b out\nexit\nexit\nroute-map b permit 1\nmatch tag 1\n`,
      `${PEER} address-family ipv4 unicast\n neighbor 10.0.0.1 route-map a out\nexit\nexit\nroute-map a permit 1\nmatch tag 1\n`,
      [
        "route-map b permit 1 > match tag 1",
        `${R} > ${V4} > neighbor 10.0.0.1 route-map b out`,
        "no route-map a permit 1",
      ],
    ],
    [
      "changes the AS number of a neighbor in place",
      `${R}\n neighbor 10.0.0.1 remote-as 2\n`,
      PEER,
      [`${R} > neighbor 10.0.0.1 remote-as 2 [flap 10.0.0.1]`],
    ],
    [
      "keeps the resets of two neighbors apart",
      `${R}\n neighbor 10.0.0.1 remote-as 2\n neighbor 10.0.0.1 password x\n neighbor 10.0.0.2 remote-as 2\n`,
      `${PEER} neighbor 10.0.0.2 remote-as 1\n`,
      [
        `${R} > neighbor 10.0.0.1 remote-as 2 [flap 10.0.0.1]`,
        `${R} > neighbor 10.0.0.1 password x [flap 10.0.0.1]`,
        `${R} > neighbor 10.0.0.2 remote-as 2 [flap 10.0.0.2]`,
      ],
    ],
    [
      "ends BFD with one line: a second one for the profile would bring it back",
      PEER,
      `${PEER} neighbor 10.0.0.1 bfd\n neighbor 10.0.0.1 bfd profile p\n`,
      [`${R} > no neighbor 10.0.0.1 bfd`],
    ],
    [
      "lets go of a BFD profile alone",
      `${PEER} neighbor 10.0.0.1 bfd\n`,
      `${PEER} neighbor 10.0.0.1 bfd\n neighbor 10.0.0.1 bfd profile p\n`,
      [`${R} > no neighbor 10.0.0.1 bfd profile p`],
    ],
    [
      "leaves timers for the next session",
      `${PEER} neighbor 10.0.0.1 timers 3 9\n`,
      PEER,
      [`${R} > neighbor 10.0.0.1 timers 3 9 [next-session 10.0.0.1]`],
    ],
    [
      "resets everybody for a router ID",
      `${PEER} bgp router-id 1.1.1.1\n`,
      PEER,
      [`${R} > bgp router-id 1.1.1.1 [flap all]`],
    ],
    [
      "resets nobody for a router ID while there is no neighbor",
      `${PEER} bgp router-id 1.1.1.1\n`,
      R,
      [`${R} > bgp router-id 1.1.1.1`, `${R} > neighbor 10.0.0.1 remote-as 1`],
    ],
    [
      "permits where it denied, though nothing inside differs",
      "route-map x-in permit 20\nmatch tag 1\n",
      "route-map x-in deny 20\nmatch tag 1\n",
      ["route-map x-in permit 20 > (enter)"],
    ],
    ["enters an empty map", "route-map x-in deny 20\n", "", ["route-map x-in deny 20 > (enter)"]],
    [
      "takes a clause out of a map",
      "route-map x-in permit 20\nmatch tag 1\n",
      "route-map x-in permit 20\nmatch tag 1\nmatch metric 5\n",
      ["route-map x-in permit 20 > no match metric 5"],
    ],
    [
      "brings back a default by the opposite",
      R,
      `${R}\n no bgp ebgp-requires-policy\n`,
      [`${R} > bgp ebgp-requires-policy`],
    ],
    [
      "leaves a VRF's router alone when the default one changes",
      `${PEER} coalesce-time 0\nexit\n${R} vrf red\n neighbor 10.0.0.1 remote-as 1\n`,
      `${PEER}exit\n${R} vrf red\n neighbor 10.0.0.1 remote-as 1\n`,
      [`${R} > coalesce-time 0`],
    ],
  ];
  for (const [name, desired, running, expected] of rows) {
    it(name, () => assert.deepEqual(outline(plan(desired, running)), expected));
  }

  it("tells the VRF of a neighbor", () => {
    const text = (asn: number) => `router bgp 1 vrf red\n neighbor 10.0.0.1 remote-as ${asn}\n`;
    const [step] = plan(text(2), text(1));
    assert.equal(step?.vrf, "red");
    assert.equal(step?.neighbor, "10.0.0.1");
  });

  it("carries the desired line, for its number", () => {
    const [step] = plan(`!\n${PEER}`, R);
    assert.equal(step?.lines[0]?.desired?.lineNumber, 3);
    assert.equal(plan(R, PEER)[0]?.lines[0]?.desired, undefined);
  });
});

describe("planChanges() knows that a change of an established session's", () => {
  const cases: readonly (readonly [
    attribute: string,
    on8: Step["effect"],
    on10: Step["effect"],
  ])[] = [
    ["description x", "live", "live"],
    ["advertisement-interval 5", "live", "live"],
    ["bfd", "live", "live"],
    ["timers 3 9", "next-session", "next-session"],
    ["timers connect 5", "next-session", "next-session"],
    ["graceful-restart", "next-session", "flap"],
    ["password x", "flap", "flap"],
    ["ebgp-multihop", "flap", "flap"],
    ["update-source 10.0.0.9", "flap", "flap"],
    ["port 1790", "flap", "flap"],
    ["local-as 5 no-prepend replace-as", "flap", "flap"],
    ["disable-connected-check", "flap", "flap"],
    ["passive", "flap", "flap"],
    ["capability extended-nexthop", "flap", "flap"],
    ["ttl-security hops 1", "flap", "flap"],
    ["shutdown", "flap", "flap"],
  ];
  for (const [attribute, on8, on10] of cases) {
    it(`${attribute} is ${on8} on 8.4 and ${on10} on 10.3, its removal too`, () => {
      const changed = `${PEER} neighbor 10.0.0.1 ${attribute}\n`;
      for (const [flavor, effect] of [
        [FRR_8, on8],
        [FRR_10, on10],
      ] as const) {
        for (const steps of [plan(changed, PEER, { flavor }), plan(PEER, changed, { flavor })]) {
          assert.deepEqual(
            steps.map((step) => step.effect),
            [effect],
          );
          assert.equal(
            steps.every(({ phase }) => phase === PHASE_FLAP),
            effect === "flap",
          );
        }
      }
    });
  }
});

describe("planChanges() of BFD profiles", () => {
  const options = { daemon: "bfdd" } as const;

  it("makes, changes and removes them", () => {
    assert.deepEqual(
      outline(
        plan(
          "bfd\nprofile a\ndetect-multiplier 5\nexit\nprofile b\nexit\nprofile c\npassive-mode\n",
          "bfd\nprofile b\ntransmit-interval 100\nexit\nprofile c\necho-mode\nexit\nprofile d\n",
          options,
        ),
      ),
      [
        "bfd > profile a > detect-multiplier 5",
        "bfd > profile b > transmit-interval 300",
        "bfd > profile c > no echo-mode",
        "bfd > profile c > passive-mode",
        "bfd > no profile d",
      ],
    );
  });

  it("enters an empty new one", () => {
    assert.deepEqual(outline(plan("bfd\nprofile a\n", "", options)), ["bfd > profile a > (enter)"]);
  });

  it("removes all", () => {
    assert.deepEqual(outline(plan("", "bfd\nprofile a\nexit\nprofile b\n", options)), [
      "bfd > no profile a",
      "bfd > no profile b",
    ]);
  });
});

describe("planChanges() of a daemon that is not ours as a whole", () => {
  const options = { daemon: "zebra" } as const;

  it("leaves lines alone that we did not write", () => {
    const running = "interface eth0\n description mine\nexit\nip protocol bgp route-map x\n";
    assert.deepEqual(outline(plan("", running, options)), []);
  });

  it("takes back what we wrote before", () => {
    const ours = "interface eth0\n ipv6 nd ra-interval 10\n";
    const running = "interface eth0\n description mine\n ipv6 nd ra-interval 10\n";
    assert.deepEqual(outline(plan("", running, { ...options, previous: ours })), [
      "interface eth0 > no ipv6 nd ra-interval 10",
    ]);
  });
});

describe("planChanges() between any two samples", () => {
  const renderer = createRenderer(readTemplates(join(import.meta.dirname, "../../templates")));
  const texts = Object.values(DESIRED_SAMPLES).map(({ settings, routes }) =>
    renderer.render(settings, routes),
  );
  const text = fc.constantFrom(...texts);

  it("never removes a neighbor that is to stay", () => {
    fc.assert(
      fc.property(text, text, (desired, running) => {
        for (const line of outline(plan(desired, running))) {
          const removed = /^(router bgp .*) > no neighbor (\S+)$/.exec(line);
          if (removed === null) continue;
          const router = parseConfiguration(desired).tree.get("router bgp");
          assert.ok(!router?.inner?.has(`neighbor ${removed[2]} remote-as`), line);
        }
      }),
    );
  });

  it("defines a map before it is used, and takes it away afterwards", () => {
    fc.assert(
      fc.property(text, text, (desired, running) => {
        const lines = outline(plan(desired, running));
        for (const [index, line] of lines.entries()) {
          const used = / neighbor \S+ route-map (\S+) (?:in|out)/.exec(line)?.[1];
          if (used === undefined) continue;
          const late = lines.slice(index).filter((later) => later.startsWith(`route-map ${used} `));
          const early = lines.slice(0, index).filter((past) => past.startsWith("no route-map "));
          assert.deepEqual([late, early], [[], []]);
        }
      }),
    );
  });

  it("has only removals after the networks, besides resets", () => {
    fc.assert(
      fc.property(text, text, (desired, running) => {
        for (const step of plan(desired, running)) {
          if (step.phase <= PHASE_BEFORE_NETWORKS || step.phase >= PHASE_FLAP) continue;
          assert.ok(step.lines.every((line) => line.desired === undefined));
        }
      }),
    );
  });

  it("sends nothing to a daemon that has it, in both flavours", () => {
    for (const whole of texts) {
      for (const flavor of [FRR_8, FRR_10]) {
        for (const [daemon, part] of divide(parseConfiguration(whole).tree, flavor)) {
          assert.deepEqual(outline(planChanges(daemon, part, part, new Map(), flavor)), []);
        }
      }
    }
  });
});
