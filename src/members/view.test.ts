// One view alone: what it says and believes, message by message. Many together: simulation.test.ts.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeMessage, type Message, type Row } from "./message.ts";
import { DEFAULT_TIMINGS, View } from "./view.ts";
import { Rings } from "./watchers.ts";

const STARTED_MS = 5000;

function view(peers: readonly string[] = ["a", "b", "c"]): View {
  const made = new View({
    self: "a",
    nowMs: 0,
    incarnation: STARTED_MS,
    random: () => 0.5,
    timings: DEFAULT_TIMINGS,
  });
  made.setPeers(new Rings(peers), 0);
  made.takeOutput();
  return made;
}

type Probe = Extract<Message, { readonly digest: number }>;

function say(kind: "probe" | "ack", more: Partial<Omit<Probe, "kind">> = {}): Message {
  return { kind, nonce: 1, incarnation: 900, state: "alive", digest: 0, ...more };
}

function rows(...listed: readonly Partial<Row>[]): Message {
  return {
    kind: "rows",
    id: 0,
    rows: listed.map((row) => ({
      name: "b",
      state: "alive",
      incarnation: 900,
      why: "answers",
      ...row,
    })),
  };
}

/** Makes a and b members by word of b. */
function member(): View {
  const made = view();
  made.receive("b", rows({}, { name: "a", incarnation: STARTED_MS }), 10);
  made.takeOutput();
  assert.deepEqual([...made.alive].sort(), ["a", "b"]);
  return made;
}

function stateOf(view: View, name: string): string {
  const found = view.members().find((member) => member.name === name);
  return `${found?.state} ${found?.incarnation}`;
}

function runTo(view: View, nowMs: number): void {
  while (view.nextTickMs <= nowMs) view.tick(view.nextTickMs);
}

describe("View", () => {
  it("is no member before it knows whether others are there", () => {
    const { self, nowMs } = { self: "a", nowMs: 0 };
    const options = { random: Math.random, timings: DEFAULT_TIMINGS, incarnation: STARTED_MS };
    const made = new View({ self, nowMs, ...options });
    runTo(made, 60_000);
    assert.equal(made.alive.size, 0);
  });

  it("is a member at once when no other is listed", () => {
    const made = view(["a"]);
    assert.deepEqual([...made.alive], ["a"]);
    assert.deepEqual(made.contact, { kind: "alone" });
  });

  it("is a member after a while when all others are silent", () => {
    const made = view();
    runTo(made, DEFAULT_TIMINGS.aloneMs - 1);
    assert.equal(made.alive.size, 0);
    runTo(made, DEFAULT_TIMINGS.aloneMs + DEFAULT_TIMINGS.probeIntervalMs);
    assert.deepEqual([...made.alive], ["a"]);
  });

  it("refuses a list without itself", () => {
    assert.throws(() => view().setPeers(new Rings(["b"]), 0), /Cannot watch without "a" itself/);
  });

  it("greets whom it did not know", () => {
    const made = member();
    made.setPeers(new Rings(["a", "b", "c", "d"]), 20);
    runTo(made, 50);
    assert(
      made.takeOutput().sends.some(({ to, message }) => to === "d" && message.kind === "probe"),
    );
  });

  it("answers a probe, of whatever session, with its nonce", () => {
    for (const isFresh of [true, false]) {
      const made = view();
      made.receive("b", say("probe", { nonce: 42 }), 5, isFresh);
      const [answer] = made.takeOutput().sends;
      assert.equal(answer?.to, "b");
      assert(answer.message.kind === "ack" && answer.message.nonce === 42);
      assert.equal(answer.message.incarnation, STARTED_MS);
    }
  });

  it("believes nothing that is not proven to be of now", () => {
    const made = member();
    const before = made.version;
    made.receive("b", say("probe", { incarnation: 999, state: "left" }), 20, false);
    made.receive("b", rows({ name: "c" }), 20, false);
    assert.equal(made.version, before);
    assert.deepEqual(made.contact, { kind: "watched", quorumHeardAtMs: 10, watchers: 1 });
  });

  it("hears nothing from who is not listed", () => {
    const made = view();
    made.receive("z", say("probe"), 5);
    assert.deepEqual(made.takeOutput().sends, []);
  });

  const news: readonly (readonly [string, Partial<Row>, string])[] = [
    ["takes a death at the same incarnation", { state: "dead" }, "dead 900"],
    ["takes no death of an earlier incarnation", { state: "dead", incarnation: 899 }, "alive 900"],
    ["takes a life at a later incarnation", { incarnation: 901 }, "alive 901"],
    ["takes a goodbye", { state: "left" }, "left 900"],
  ];
  for (const [name, row, expected] of news) {
    it(name, () => {
      const made = member();
      made.receive("c", rows(row), 20);
      assert.equal(stateOf(made, "b"), expected);
    });
  }

  it("takes no word on others from who is dead: it comes from the other side of a split", () => {
    const made = member();
    made.receive("b", rows({ name: "c", state: "dead" }), 20);
    made.receive("c", rows({ state: "dead" }), 20);
    assert.equal(stateOf(made, "b"), "alive 900");
  });

  it("drops out when a member says that it is dead, with a later incarnation to come back", () => {
    const made = member();
    made.receive("b", rows({ name: "a", state: "dead", incarnation: STARTED_MS }), 20);
    assert.equal(made.isDeclaredDead, true);
    assert.deepEqual([...made.alive], ["b"]);
    made.receive("b", rows({ name: "a", incarnation: STARTED_MS + 1 }), 2000);
    assert.equal(made.isDeclaredDead, false);
    assert.equal(stateOf(made, "a"), `alive ${STARTED_MS + 1}`);
  });

  it("stays a member when the dead say that it is dead, with a later incarnation", () => {
    const made = member();
    made.receive("c", rows({ state: "left" }), 20);
    made.receive("b", rows({ name: "c", state: "dead" }), 30);
    assert.deepEqual(made.contact, { kind: "alone" });
    made.receive("c", rows({ name: "a", state: "dead", incarnation: STARTED_MS }), 30);
    assert.equal(made.isDeclaredDead, false);
    assert.equal(stateOf(made, "a"), `alive ${STARTED_MS + 1}`);
  });

  it("is not what its name was in an earlier life, even if that had a clock ahead", () => {
    const made = view();
    made.receive("b", rows({ name: "a", incarnation: 9000 }), 20);
    assert.equal(made.alive.has("a"), false);
    made.receive("b", say("probe"), 30);
    const answer = made.takeOutput().sends.find(({ message }) => message.kind === "ack");
    assert(answer?.message.kind === "ack" && answer.message.incarnation === 9001);
  });

  it("has contact as long as those of its watchers that are not heard are no majority", () => {
    const names = ["a", "b", "c", "d", "e"];
    const made = view(names);
    made.receive("b", rows(...names.map((name) => ({ name, incarnation: STARTED_MS }))), 10);
    made.receive("c", say("probe"), 20);
    assert.deepEqual(made.contact, { kind: "watched", quorumHeardAtMs: 10, watchers: 4 });
    made.receive("d", say("probe"), 30);
    assert.deepEqual(made.contact, { kind: "watched", quorumHeardAtMs: 20, watchers: 4 });
  });

  it("tells one who asks about a death that it is decided", () => {
    const made = member();
    made.receive("b", rows({ name: "c" }, { name: "c", state: "dead" }), 20);
    const ask = { kind: "vote", subject: "c", incarnation: 900, opinion: "down" } as const;
    made.receive("b", { ...ask, wantsReply: true }, 30);
    const told = made
      .takeOutput()
      .sends.flatMap(({ message }) => (message.kind === "rows" ? message.rows : []));
    assert.deepEqual(told, [{ name: "c", state: "dead", incarnation: 900, why: "answers" }]);
  });

  it("answers nothing but messages after its goodbye", () => {
    const made = member();
    made.leave(20);
    assert.equal(stateOf(made, "a"), `left ${STARTED_MS}`);
    const { sends } = made.takeOutput();
    assert.deepEqual(
      sends.map(({ message }) => message.kind),
      ["rows"],
    );
    runTo(made, 5000);
    const kinds = new Set(made.takeOutput().sends.map(({ message }) => message.kind));
    assert.deepEqual([...kinds], ["rows"]);
    made.receive("b", say("probe"), 5010);
    assert(made.takeOutput().sends.some(({ message }) => message.kind === "ack"));
  });

  it("gives its table in pages that fit any path", () => {
    const names = Array.from({ length: 500 }, (_, index) => `worker-${index}.rack.example.com`);
    const made = view(["a", "b", ...names]);
    made.receive("b", rows({}, ...names.map((name) => ({ name }))), 10);
    made.takeOutput();
    made.receive("b", { kind: "pull" }, 20);
    const pages = made.takeOutput().sends.map(({ message }) => message);
    assert(pages.every((page) => encodeMessage(page).length <= 1150));
    const told = pages.flatMap((page) => (page.kind === "rows" ? page.rows : []));
    assert.equal(told.length, 501);
  });

  it("forgets who is no longer listed", () => {
    const made = member();
    made.setPeers(new Rings(["a"]), 20);
    assert.deepEqual([...made.alive], ["a"]);
    assert.deepEqual(made.contact, { kind: "alone" });
  });
});
