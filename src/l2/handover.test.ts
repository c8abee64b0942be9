// Every transition of one node, as tables: what happened before, what happens now, what follows.

import assert from "node:assert/strict";
import { hash } from "node:crypto";
import { describe, it } from "node:test";
import { hardware, ip } from "../../test/frames.ts";
import { type Address, addressAt } from "../net/address.ts";
import { type AddressState, type Effect, Handover, LEAVING_MS, type Want } from "./handover.ts";
import {
  type HandoverMessage,
  type Manner,
  MOST_ADDRESSES,
  type Standing,
} from "./handover-message.ts";
import { ASK_TIMEOUT_MS } from "./rounds.ts";

const VIP = ip("192.0.2.1");
const STRANGER = hardware("02:00:00:00:00:99");

/** In the order that decides where two believe to be elected. */
const [FIRST, SELF, LAST] = ["a", "b", "c"].sort((one, other) => {
  return rank(one) < rank(other) ? -1 : 1;
}) as [string, string, string];

function rank(name: string): string {
  return hash("sha256", `${name}#${VIP}`, "hex");
}

type Event = (handover: Handover, nowMs: number) => void;
/** What happens when. */
type Script = readonly (readonly [number, Event])[];

function want(role: Want["role"], change: Partial<Want> = {}): Event {
  const wanted: Want = { role, interfaces: [], failbackDelayMs: 0, hasOthers: true, ...change };
  return (handover, nowMs) => handover.want(new Map([[VIP, wanted]]), nowMs);
}

const unwanted: Event = (handover, nowMs) => handover.want(new Map([[VIP, undefined]]), nowMs);
const nothing: Event = () => {};
const drain: Event = (handover) => handover.drain();
const claim: Event = (handover, nowMs) => handover.claim(VIP, STRANGER, nowMs);

function members(...names: readonly string[]): Event {
  return (handover, nowMs) => handover.members(new Set(names), nowMs);
}

function fence(why: string | undefined): Event {
  return (handover, nowMs) => handover.fence(why, nowMs);
}

function hear(from: string, message: HandoverMessage): Event {
  return (handover, nowMs) => handover.receive(from, message, nowMs);
}

function ask(from: string, manner: Manner, round = 7): Event {
  return hear(from, { kind: "ask", round, manner, addresses: [VIP] });
}

function reply(from: string, round: number, standing: Standing): Event {
  return hear(from, { kind: "reply", round, standings: new Map([[VIP, standing]]) });
}

function offer(from: string): Event {
  return hear(from, { kind: "offer", addresses: [VIP] });
}

const STARTED: Script = [
  [0, members(FIRST, LAST)],
  [0, fence(undefined)],
];

/** Round 1 has been asked. */
function asking(change: Partial<Want> = {}): Script {
  return [...STARTED, [0, want("elected", change)]];
}

function probing(change: Partial<Want> = {}): Script {
  return [...asking(change), [1, reply(FIRST, 1, "free")], [1, reply(LAST, 1, "free")]];
}

/** Since 51 ms. */
function answering(change: Partial<Want> = {}): Script {
  return [...probing(change), [51, nothing]];
}

/** For another member, since 1 ms. */
function waiting(change: Partial<Want> = {}): Script {
  return [...asking(change), [1, reply(LAST, 1, "held")]];
}

/** Another than this one comes first, yet it has not asked. */
function standing(change: Partial<Want> = {}): Script {
  return [...answering(change), [100, want("standby", change)]];
}

const STICKY: Partial<Want> = { failbackDelayMs: undefined };

type Outcome = { readonly effects: readonly string[]; readonly state: AddressState | undefined };

/** What follows from the last thing that happens. */
function outcomeOf(script: Script): Outcome {
  const handover = new Handover(SELF);
  let state: AddressState | undefined;
  let effects: readonly Effect[] = [];
  for (const [nowMs, event] of script) {
    event(handover, nowMs);
    doWhatIsDue(handover, nowMs);
    effects = handover.takeEffects();
    const changes = handover.takeChanges();
    if (changes.has(VIP)) state = changes.get(VIP);
  }
  return { effects: effects.map(textOf), state };
}

function doWhatIsDue(handover: Handover, nowMs: number): void {
  while ((handover.nextAtMs ?? Number.POSITIVE_INFINITY) <= nowMs) handover.tick(nowMs);
}

function textOf(effect: Effect): string {
  switch (effect.kind) {
    case "send":
      return `to ${effect.to}: ${messageText(effect.message)}`;
    case "answer":
      return effect.interfaces.length === 0 ? "answer" : `answer on ${effect.interfaces}`;
    case "silence":
    case "probe":
    case "unwatch":
    case "defend":
      return effect.kind;
    case "tell":
      return eventText(effect.event);
  }
}

function messageText(message: HandoverMessage): string {
  switch (message.kind) {
    case "ask":
      return `${message.manner} ${message.round}`;
    case "reply":
      return `${message.standings.get(VIP)} ${message.round}`;
    case "offer":
      return "offer";
  }
}

function eventText(event: Extract<Effect, { readonly kind: "tell" }>["event"]): string {
  switch (event.kind) {
    case "gained":
      return `gained from ${event.from ?? "nobody"} after ${event.durationMs} ms`;
    case "lost":
      return `lost, ${event.why}, to ${event.to ?? "nobody"}`;
    case "conflict":
      return `conflict while ${event.role}`;
  }
}

/** A name, what happened, what happens at last, its effects, and the state then. */
type Row = readonly [string, Script, readonly [number, Event], readonly string[], string];

function test(rows: readonly Row[]): void {
  for (const [name, before, last, effects, state] of rows) {
    it(name, () => {
      const outcome = outcomeOf([...before, last]);
      assert.deepEqual(outcome.effects, effects);
      assert.equal(stateText(outcome.state), state);
    });
  }
}

function stateText(state: AddressState | undefined): string {
  if (state === undefined) return "none";
  return state.kind === "waiting" ? `waiting for ${state.for}` : state.kind;
}

/** The same said to both others. */
function toBoth(text: string): readonly string[] {
  return [`to ${FIRST}: ${text}`, `to ${LAST}: ${text}`];
}

const EAGER_GAIN = ["unwatch", "answer", "gained from nobody after 51 ms"];

describe("Handover asks for an address", () => {
  test([
    [
      "of all members when it is elected",
      STARTED,
      [0, want("elected")],
      toBoth("take 1"),
      "asking",
    ],
    [
      "politely when a living node keeps it",
      STARTED,
      [0, want("elected", STICKY)],
      toBoth("polite 1"),
      "asking",
    ],
    [
      "of a node that is a member no more, without waiting for it",
      [...STARTED, [0, members(LAST)], [0, want("elected")]],
      [1, reply(LAST, 1, "free")],
      [`to ${FIRST}: take 1`, "probe"],
      "probing",
    ],
    [
      "of a node that asked, though it is no member",
      [
        [0, members()],
        [0, fence(undefined)],
        [0, ask(LAST, "take")],
      ],
      [5, want("elected")],
      [`to ${LAST}: take 1`, "probe"],
      "probing",
    ],
    [
      "only of members, long after the others were",
      [...STARTED, [0, members(LAST)]],
      [60_000, want("elected")],
      [`to ${LAST}: take 1`],
      "asking",
    ],
    [
      "of the wire when nobody else lives",
      [
        [0, members()],
        [0, fence(undefined)],
      ],
      [0, want("elected")],
      ["probe"],
      "probing",
    ],
    [
      "of the wire when all say that it is free",
      [...asking(), [1, reply(LAST, 1, "free")]],
      [2, reply(FIRST, 1, "free")],
      ["probe"],
      "probing",
    ],
    [
      "of the wire when those who have not replied are members no more",
      [...asking(), [1, reply(LAST, 1, "free")]],
      [2, members(LAST)],
      [`to ${FIRST}: take 1`, "probe"],
      "probing",
    ],
    [
      "once more of who has not replied for 20 ms",
      [...asking(), [1, reply(LAST, 1, "free")]],
      [20, nothing],
      [`to ${FIRST}: take 1`],
      "asking",
    ],
    [
      "of the wire when somebody has not replied for 100 ms",
      [...asking(), [1, reply(LAST, 1, "free")]],
      [ASK_TIMEOUT_MS, nothing],
      [`to ${FIRST}: take 1`, "probe"],
      "probing",
    ],
    ["of the wire once more after 20 ms", probing(), [21, nothing], ["probe"], "probing"],
    [
      "of a member that joins meanwhile",
      [...asking(), [1, reply(LAST, 1, "free")]],
      [2, members(FIRST, LAST, "new")],
      [`to ${FIRST}: take 1`, "to new: take 1"],
      "asking",
    ],
    ["not when another comes first", STARTED, [0, want("standby")], [], "none"],
    ["not when it is fenced", [[0, members(LAST)]], [0, want("elected")], [], "none"],
    [
      "when it is fenced no longer",
      [
        [0, members(LAST)],
        [0, want("elected")],
      ],
      [5, fence(undefined)],
      [`to ${LAST}: take 1`],
      "asking",
    ],
    ["not when it drains", [...STARTED, [0, drain]], [0, want("elected")], [], "none"],
  ]);
});

describe("Handover begins to answer", () => {
  test([
    [
      "at once when the node that had it released it",
      asking(),
      [3, reply(LAST, 1, "released")],
      ["answer", `gained from ${LAST} after 3 ms`],
      "answering",
    ],
    [
      "on the interfaces that are wanted",
      asking({ interfaces: ["eth0", "eth1"] }),
      [3, reply(LAST, 1, "released")],
      ["answer on eth0,eth1", `gained from ${LAST} after 3 ms`],
      "answering",
    ],
    [
      "when it is released while the wire is asked",
      probing(),
      [3, reply(LAST, 1, "released")],
      ["unwatch", "answer", `gained from ${LAST} after 3 ms`],
      "answering",
    ],
    [
      "when the node that was just heard on the wire released it",
      [...probing(), [2, claim]],
      [3, reply(LAST, 1, "released")],
      ["unwatch", "answer", `gained from ${LAST} after 3 ms`],
      "answering",
    ],
    ["when the wire is silent for 50 ms", probing(), [51, nothing], EAGER_GAIN, "answering"],
    [
      "when it is released after all by the node that kept it",
      waiting(),
      [5, reply(LAST, 1, "released")],
      ["answer", `gained from ${LAST} after 5 ms`],
      "answering",
    ],
  ]);

  it("not for what was released before it was promised to others", () => {
    const before: Script = [...waiting(), [2, ask(FIRST, "take")]];
    const { effects } = outcomeOf([...before, [5, reply(LAST, 1, "released")]]);
    assert.deepEqual(effects, toBoth("take 2"));
  });

  it("not for what was released before it fell silent for another", () => {
    const before: Script = [...answering(), [200, members(FIRST, LAST, "new")]];
    const silent: Script = [...before, [201, reply("new", 2, "held")]];
    const { effects } = outcomeOf([...silent, [202, reply("new", 2, "released")]]);
    assert.deepEqual(effects, [...toBoth("take 3"), "to new: take 3"]);
  });

  it("not for what another address was released for", () => {
    const other = ip("192.0.2.2");
    const standings = new Map<Address, Standing>([[other, "released"]]);
    const stray = hear(LAST, { kind: "reply", round: 1, standings });
    const { effects, state } = outcomeOf([...asking(), [2, stray]]);
    assert.deepEqual(effects, [`to ${LAST}: offer`]);
    assert.equal(state?.kind, "asking");
  });
});

describe("Handover waits for another", () => {
  test([
    ["that keeps the address", asking(), [1, reply(LAST, 1, "held")], [], `waiting for ${LAST}`],
    [
      "that asks and comes first",
      asking(),
      [1, reply(FIRST, 1, "wanted")],
      [],
      `waiting for ${FIRST}`,
    ],
    [
      "that says so while the wire is asked",
      probing(),
      [2, reply(LAST, 1, "held")],
      ["unwatch"],
      `waiting for ${LAST}`,
    ],
    [
      "that is heard on the wire",
      [...probing(), [2, claim]],
      [51, nothing],
      ["unwatch", "conflict while waiting"],
      `waiting for ${STRANGER}`,
    ],
    [
      "that asks too and comes first",
      asking(),
      [1, ask(FIRST, "take")],
      [`to ${FIRST}: free 7`],
      `waiting for ${FIRST}`,
    ],
    [
      "that asks too and comes first, while the wire is asked",
      probing(),
      [2, ask(FIRST, "polite")],
      ["unwatch", `to ${FIRST}: free 7`],
      `waiting for ${FIRST}`,
    ],
    [
      "not when it comes first itself",
      asking(),
      [1, ask(LAST, "take")],
      [`to ${LAST}: wanted 7`],
      "asking",
    ],
    [
      "not when it is asked by who has it, for it asks that one too",
      asking(),
      [1, ask(FIRST, "keep")],
      [`to ${FIRST}: free 7`],
      "asking",
    ],
    ["not because of a claim before the wire is asked", asking(), [1, claim], [], "asking"],
    ["not because of an earlier round", probing(), [2, reply(LAST, 0, "held")], [], "probing"],
  ]);
});

describe("Handover asks again", () => {
  const stranger: Script = [...probing(), [2, claim], [51, nothing]];
  test([
    [
      "the node that keeps it, after a second",
      waiting(),
      [1_001, nothing],
      [`to ${LAST}: take 2`],
      `waiting for ${LAST}`,
    ],
    ["not earlier", waiting(), [1_000, nothing], [], `waiting for ${LAST}`],
    [
      "politely while the node may keep it",
      waiting(STICKY),
      [1_001, nothing],
      [`to ${LAST}: polite 2`],
      `waiting for ${LAST}`,
    ],
    [
      "politely until the failback delay is over",
      waiting({ failbackDelayMs: 500 }),
      [501, nothing],
      [`to ${LAST}: take 2`],
      `waiting for ${LAST}`,
    ],
    [
      "after the whole failback delay when it has answered in between",
      [
        ...waiting({ failbackDelayMs: 500 }),
        [501, nothing],
        [502, reply(LAST, 2, "released")],
        [700, ask(FIRST, "take")],
      ],
      [1_200, nothing],
      [`to ${FIRST}: take 3`],
      `waiting for ${FIRST}`,
    ],
    [
      "only once at a time",
      [...waiting(), [990, offer(LAST)]],
      [1_001, nothing],
      [],
      `waiting for ${LAST}`,
    ],
    [
      "when the failback delay becomes another",
      waiting(STICKY),
      [100, want("elected", { failbackDelayMs: 50 })],
      [`to ${LAST}: take 2`],
      `waiting for ${LAST}`,
    ],
    [
      "all, when the node that kept it does so no more",
      [...waiting(), [1_001, nothing]],
      [1_002, reply(LAST, 2, "free")],
      toBoth("take 3"),
      `waiting for ${LAST}`,
    ],
    [
      "all, when the node that kept it does not reply",
      [...waiting(), [1_001, nothing]],
      [1_101, nothing],
      toBoth("take 3"),
      `waiting for ${LAST}`,
    ],
    [
      "all, when the node that kept it is a member no more",
      waiting(),
      [500, members(FIRST)],
      [`to ${FIRST}: take 2`, `to ${LAST}: take 2`],
      `waiting for ${LAST}`,
    ],
    [
      "not when another is a member no more",
      waiting(),
      [500, members(LAST)],
      [],
      `waiting for ${LAST}`,
    ],
    [
      "all, when it is offered",
      waiting(),
      [500, offer(LAST)],
      toBoth("take 2"),
      `waiting for ${LAST}`,
    ],
    [
      "at once, when it was offered before the reply",
      [...asking(), [1, offer(LAST)]],
      [2, reply(LAST, 1, "held")],
      [`to ${LAST}: take 2`],
      `waiting for ${LAST}`,
    ],
    [
      "all, when a stranger had it",
      stranger,
      [1_051, nothing],
      toBoth("take 2"),
      `waiting for ${STRANGER}`,
    ],
    [
      "and does not tell again of a stranger that still has it",
      [
        ...stranger,
        [1_051, nothing],
        [1_052, reply(FIRST, 2, "free")],
        [1_052, reply(LAST, 2, "free")],
        [1_053, claim],
      ],
      [1_102, nothing],
      ["unwatch"],
      `waiting for ${STRANGER}`,
    ],
    [
      "not when it is elected no more",
      [...waiting(), [500, want("standby")]],
      [1_001, nothing],
      [],
      "none",
    ],
  ]);

  it("without another state meanwhile", () => {
    const handover = new Handover(SELF);
    for (const [nowMs, event] of waiting()) event(handover, nowMs);
    handover.takeChanges();
    handover.tick(1_001);
    reply(LAST, 2, "held")(handover, 1_002);
    assert.equal(handover.takeChanges().size, 0);
    assert.equal(handover.nextAtMs, 2_002);
  });
});

describe("Handover hands an address over", () => {
  const given = (to: string) => ["silence", `lost, handedOver, to ${to}`, `to ${to}: released 7`];
  test([
    [
      "when the node that comes first asks",
      standing(),
      [200, ask(LAST, "take")],
      given(LAST),
      "none",
    ],
    [
      "when it leaves, even where it is asked politely",
      [...answering(), [100, want("leaving")]],
      [200, ask(LAST, "polite")],
      given(LAST),
      "none",
    ],
    [
      "when it drains, even where it is asked politely",
      [...answering(), [100, drain]],
      [200, ask(LAST, "polite")],
      given(LAST),
      "none",
    ],
    [
      "when both believe to come first, and the other does by name: it waits then",
      answering(),
      [200, ask(FIRST, "take")],
      given(FIRST),
      `waiting for ${FIRST}`,
    ],
    [
      "to a node that answers too and comes first",
      standing(),
      [200, ask(LAST, "keep")],
      given(LAST),
      "none",
    ],
    [
      "to a node that answers too, where neither comes first, by name",
      standing(STICKY),
      [200, ask(FIRST, "hold")],
      given(FIRST),
      "none",
    ],
    [
      "and says so again to who asks again",
      [...standing(), [200, ask(LAST, "take")]],
      [220, ask(LAST, "take")],
      [`to ${LAST}: released 7`],
      "none",
    ],
    [
      "and does not say so when it is asked anew",
      [...standing(), [200, ask(LAST, "take")]],
      [220, ask(LAST, "take", 8)],
      [`to ${LAST}: free 8`],
      "none",
    ],
    [
      "and does not say so to others",
      [...standing(), [200, ask(LAST, "take")]],
      [220, ask(FIRST, "take")],
      [`to ${FIRST}: free 7`],
      "none",
    ],
    [
      "and does not say so much later",
      [...standing(), [200, ask(LAST, "take")]],
      [500, ask(LAST, "take")],
      [`to ${LAST}: free 7`],
      "none",
    ],
  ]);
});

describe("Handover keeps an address", () => {
  test([
    [
      "when both believe to come first, and this one does by name",
      answering(),
      [200, ask(LAST, "take")],
      [`to ${LAST}: held 7`],
      "answering",
    ],
    [
      "when it is asked politely",
      standing(STICKY),
      [200, ask(FIRST, "polite")],
      [`to ${FIRST}: held 7`],
      "answering",
    ],
    [
      "when it comes first and the other does not",
      answering(),
      [200, ask(FIRST, "hold")],
      [`to ${FIRST}: held 7`],
      "answering",
    ],
    [
      "when the one that comes first by name is no member: it may have been frozen, and not know it",
      [...answering(), [100, members(LAST)]],
      [200, ask(FIRST, "take")],
      [`to ${FIRST}: held 7`],
      "answering",
    ],
    [
      "when the node that gave it to this one asked before whether that answers, too",
      [...asking(), [3, reply(FIRST, 1, "released")]],
      [4, ask(FIRST, "keep")],
      [`to ${FIRST}: held 7`],
      "answering",
    ],
    [
      "when neither comes first, and this one does by name",
      standing(STICKY),
      [200, ask(LAST, "hold")],
      [`to ${LAST}: held 7`],
      "answering",
    ],
    [
      "when another comes first but has not asked",
      answering(),
      [100, want("standby")],
      [],
      "answering",
    ],
    [
      "when it drains, whatever the election says then",
      [...answering(), [100, drain]],
      [110, unwanted],
      [],
      "answering",
    ],
    [
      "on other interfaces when these change",
      answering({ interfaces: ["eth0"] }),
      [100, want("standby", { interfaces: ["eth1"] })],
      ["answer on eth1"],
      "answering",
    ],
    [
      "on its interfaces when it leaves, and offers it",
      answering({ interfaces: ["eth0"] }),
      [100, want("leaving")],
      toBoth("offer"),
      "answering",
    ],
    [
      "when it was to leave and is elected again",
      [...answering(), [100, want("leaving")], [200, want("elected")]],
      [100 + LEAVING_MS, nothing],
      [],
      "answering",
    ],
  ]);
});

describe("Handover falls silent", () => {
  const lost = (why: string, to = "nobody") => ["silence", `lost, ${why}, to ${to}`];
  test([
    [
      "when the address is wanted no more, and offers it",
      answering(),
      [100, unwanted],
      [...lost("withdrawn"), ...toBoth("offer")],
      "none",
    ],
    [
      "when it has been leaving for half a second",
      [...answering(), [100, want("leaving")]],
      [100 + LEAVING_MS, nothing],
      [...lost("withdrawn"), ...toBoth("offer")],
      "none",
    ],
    [
      "when it is fenced",
      answering(),
      [100, fence("cut off")],
      [...lost("fenced"), ...toBoth("offer")],
      "none",
    ],
    [
      "when another comes first and nobody can ask, since members are unknown",
      [
        [0, fence(undefined)],
        [0, want("elected")],
        [50, nothing],
      ],
      [100, want("standby")],
      lost("withdrawn"),
      "none",
    ],
    [
      "about what it was asking for, and offers it",
      probing(),
      [2, fence("cut off")],
      ["unwatch", ...toBoth("offer")],
      "none",
    ],
    ["about what it waits for, when it leaves", waiting(), [2, want("leaving")], [], "none"],
    ["about what it was asking for, when it drains", asking(), [2, drain], toBoth("offer"), "none"],
  ]);
});

describe("Handover looks for others that answer", () => {
  const joined = "new";
  const joins: readonly [number, Event] = [200, members(FIRST, LAST, joined)];
  const unheard: Script = [
    ...asking(),
    [1, reply(FIRST, 1, "free")],
    [100, nothing],
    [150, nothing],
  ];
  test([
    ["when a member joins", answering(), joins, [`to ${joined}: keep 2`], "answering"],
    [
      "when a member joins and it does not come first",
      standing(),
      joins,
      [`to ${joined}: hold 2`],
      "answering",
    ],
    [
      "when a member joins and it drains",
      [...answering(), [100, drain]],
      joins,
      [`to ${joined}: hold 2`],
      "answering",
    ],
    [
      "and waits when one keeps the address",
      [...answering(), joins],
      [201, reply(joined, 2, "held")],
      ["silence", `lost, conflict, to ${joined}`],
      `waiting for ${joined}`,
    ],
    [
      "and is done with it when one keeps the address that comes first",
      [...standing(), joins],
      [201, reply(joined, 2, "held")],
      ["silence", `lost, conflict, to ${joined}`],
      "none",
    ],
    [
      "and goes on when one released it",
      [...answering(), joins],
      [201, reply(joined, 2, "released")],
      [],
      "answering",
    ],
    [
      "and goes on when one wants it, which will ask",
      [...answering(), joins],
      [201, reply(joined, 2, "wanted")],
      [],
      "answering",
    ],
    [
      "and goes on when there is no reply",
      [...answering(), joins],
      [300, nothing],
      [],
      "answering",
    ],
    [
      "once more when a member has not replied for a second",
      [...answering(), joins, [300, nothing]],
      [1_300, nothing],
      [`to ${joined}: keep 3`],
      "answering",
    ],
    [
      "not again when it has replied late",
      [...answering(), joins, [300, nothing], [301, reply(joined, 2, "free")]],
      [1_300, nothing],
      [],
      "answering",
    ],
    [
      "not again when it is a member no more",
      [...answering(), joins, [300, nothing], [301, members(FIRST, LAST)]],
      [1_300, nothing],
      [],
      "answering",
    ],
    [
      "later when it is looking already",
      [
        ...unheard,
        [1_100, members(FIRST, LAST, joined)],
        [1_150, nothing],
        [1_160, reply(joined, 2, "free")],
      ],
      [2_150, nothing],
      [`to ${LAST}: keep 3`],
      "answering",
    ],
    [
      "and forgets who did not reply when it has given the address away in between",
      [
        ...unheard,
        [200, ask(FIRST, "take")],
        [1_200, nothing],
        [1_201, reply(FIRST, 2, "released")],
        [1_300, members(FIRST, LAST, joined)],
        [1_400, nothing],
      ],
      [2_400, nothing],
      [`to ${joined}: keep 4`],
      "answering",
    ],
    [
      "a second after it took the address without the word of a member",
      unheard,
      [1_150, nothing],
      [`to ${LAST}: keep 2`],
      "answering",
    ],
    [
      "not when it leaves",
      [...answering(), joins, [300, nothing], [900, want("leaving")]],
      [1_300, nothing],
      [],
      "answering",
    ],
    [
      "when one says too late that it keeps the address",
      answering(),
      [200, reply(LAST, 1, "held")],
      [`to ${LAST}: keep 2`],
      "answering",
    ],
  ]);
});

describe("Handover meets a claim on the wire", () => {
  const conflict = ["conflict while answering"];
  const claimed: Script = [...answering(), [400, claim]];
  const heard = (script: Script, round: number): Script => {
    return [...script, [401, reply(FIRST, round, "free")], [401, reply(LAST, round, "free")]];
  };
  test([
    ["by asking all", answering(), [400, claim], [...conflict, ...toBoth("keep 2")], "answering"],
    ["by nothing when it has just begun", answering(), [300, claim], [], "answering"],
    [
      "by defending the address when none of the others has it",
      [...claimed, [401, reply(FIRST, 2, "free")]],
      [401, reply(LAST, 2, "free")],
      ["defend"],
      "answering",
    ],
    [
      "by defending the address when nobody replies",
      claimed,
      [500, nothing],
      ["defend"],
      "answering",
    ],
    [
      "by falling silent when one of the others has it",
      claimed,
      [401, reply(LAST, 2, "held")],
      ["silence", `lost, conflict, to ${LAST}`],
      `waiting for ${LAST}`,
    ],
    ["by nothing when it did within a second", heard(claimed, 2), [1_399, claim], [], "answering"],
    [
      "again after a second",
      heard(claimed, 2),
      [1_400, claim],
      [...conflict, ...toBoth("keep 3")],
      "answering",
    ],
    [
      "without defending the address again within ten seconds",
      [...heard(claimed, 2), [10_400, claim], [10_400, reply(FIRST, 3, "free")]],
      [10_400, reply(LAST, 3, "free")],
      [],
      "answering",
    ],
    [
      "and defends the address again after ten seconds",
      [...heard(claimed, 2), [10_401, claim], [10_401, reply(FIRST, 3, "free")]],
      [10_401, reply(LAST, 3, "free")],
      ["defend"],
      "answering",
    ],
    [
      "by asking as one that does not come first",
      standing(),
      [400, claim],
      [...conflict, ...toBoth("hold 2")],
      "answering",
    ],
    ["by nothing where it waits", waiting(), [400, claim], [], `waiting for ${LAST}`],
    ["by nothing for an address it knows nothing of", STARTED, [400, claim], [], "none"],
  ]);
});

describe("Handover replies", () => {
  const free = [`to ${LAST}: free 7`];
  test([
    ["that an unknown address is free", STARTED, [5, ask(LAST, "take")], free, "none"],
    [
      "that what it waits for is free",
      waiting(),
      [5, ask(LAST, "take")],
      free,
      `waiting for ${LAST}`,
    ],
    [
      "that all is free when it is fenced",
      [...answering(), [100, fence("cut off")]],
      [200, ask(LAST, "take")],
      free,
      "none",
    ],
    [
      "to what was released in vain by offering it back",
      [...asking(), [1, want("standby")]],
      [2, reply(LAST, 1, "released")],
      [`to ${LAST}: offer`],
      "none",
    ],
  ]);
});

describe("Handover.isDrained", () => {
  const rows: readonly (readonly [string, Script, boolean])[] = [
    ["without addresses", [...STARTED, [0, drain]], true],
    ["with one that others could take", [...answering(), [100, drain]], false],
    [
      "with one that only this node can have",
      [...answering({ hasOthers: false }), [100, drain]],
      true,
    ],
    ["when it was taken", [...answering(), [100, drain], [101, ask(LAST, "take")]], true],
    [
      "when nobody can ask",
      [
        [0, fence(undefined)],
        [0, want("elected")],
        [50, nothing],
        [60, drain],
      ],
      true,
    ],
  ];
  for (const [name, script, expected] of rows) {
    it(`is ${expected} ${name}`, () => {
      const handover = new Handover(SELF);
      for (const [nowMs, event] of script) {
        event(handover, nowMs);
        doWhatIsDue(handover, nowMs);
      }
      assert.equal(handover.isDrained, expected);
    });
  }
});

describe("Handover with many addresses", () => {
  const many = Array.from({ length: 10_000 }, (_, index) => {
    return addressAt("ipv4", BigInt(0x0a000000 + index));
  });
  const wants = (role: Want["role"]) => {
    const wanted: Want = { role, interfaces: [], failbackDelayMs: 0, hasOthers: true };
    return new Map(many.map((address) => [address, wanted]));
  };

  it("hands all of them over with as few messages as can be", () => {
    const handovers = new Map([FIRST, SELF, LAST].map((name) => [name, new Handover(name)]));
    for (const [name, handover] of handovers) {
      handover.members(new Set([FIRST, SELF, LAST].filter((other) => other !== name)), 0);
      handover.fence(undefined, 0);
    }
    const old = handovers.get(SELF);
    const next = handovers.get(LAST);
    assert(old !== undefined && next !== undefined);
    old.want(wants("elected"), 0);
    exchange(handovers, 0);
    for (const nowMs of [0, 20, 40, 50]) doWhatIsDue(old, nowMs);
    old.takeEffects();
    old.want(wants("standby"), 100);
    next.want(wants("elected"), 100);
    const messages = exchange(handovers, 100);
    assert.equal(messages, 4 * Math.ceil(many.length / MOST_ADDRESSES));
    const states = [...next.takeChanges().values()];
    assert.equal(states.filter((state) => state?.kind === "answering").length, many.length);
    assert.equal(old.nextAtMs, undefined);
    assert.equal(next.nextAtMs, undefined);
  });
});

/** Lets nodes talk until nothing is left to be said; returns how many messages that took. */
function exchange(handovers: ReadonlyMap<string, Handover>, nowMs: number): number {
  let messages = 0;
  for (let before = -1; before !== messages; ) {
    before = messages;
    for (const [name, handover] of handovers) {
      for (const effect of handover.takeEffects()) {
        if (effect.kind !== "send") continue;
        messages += 1;
        handovers.get(effect.to)?.receive(name, effect.message, nowMs);
      }
    }
  }
  return messages;
}
