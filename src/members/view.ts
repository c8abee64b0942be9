// Who is alive, as one node sees it: messages and the clock in, messages and verdicts out. Pure: the
// product and the simulation run this very file.

import type { Address } from "../net/address.ts";
import { Greetings } from "./greetings.ts";
import type { Message, Opinion, Row, State, Why } from "./message.ts";
import { News } from "./news.ts";
import { deathsOf, type Entry, isComing, isNewer, rowOf, Table } from "./table.ts";
import { Votes } from "./votes.ts";
import { Watch } from "./watch.ts";
import { Rings } from "./watchers.ts";

export type Timings = {
  /** Between two probes of a watched node; three missed ones make a suspect; default 200. */
  readonly probeIntervalMs: number;
  /** A node that was not alive must answer this long without a gap; default 1000. */
  readonly readmitMs: number;
  /** `readmitMs` doubles with each death in ten minutes, up to this; default 60 000. */
  readonly longestReadmitMs: number;
  /** After this time of silence of all others a node counts itself as alive; default 3000. */
  readonly aloneMs: number;
};

export const DEFAULT_TIMINGS: Timings = {
  probeIntervalMs: 200,
  readmitMs: 1000,
  longestReadmitMs: 60_000,
  aloneMs: 3000,
};

/** One speaker as others can be told of it. */
export type Member = {
  readonly name: string;
  readonly state: State;
  /** Of the view's clock. */
  readonly sinceMs: number;
  readonly why: Why;
  /** Milliseconds since 1970 when it started, raised when it was declared dead in error. */
  readonly incarnation: number;
  /** Of its last answer to this node; undefined: this node does not watch it, or had none. */
  readonly rttMs: number | undefined;
  readonly isWatchedByMe: boolean;
};

/** A speaker that should be there, by the API server. */
export type Peer = {
  /** Of its node. */
  readonly name: string;
  /** One per family at most; each datagram goes to all of them. */
  readonly addresses: readonly Address[];
};

/** Evidence for fencing. */
export type Contact =
  /** Nobody watches this node: no other speaker is listed, or all are dead. */
  | { readonly kind: "alone" }
  /**
   * Until then so many of this node's watchers were heard that the others could not have declared
   * it dead.
   */
  | {
      readonly kind: "watched";
      readonly quorumHeardAtMs: number;
      /** How many watch this node; at least one. */
      readonly watchers: number;
    };

/** What a node knows of all speakers, itself included. A value: it can be copied to a thread. */
export type MembershipSnapshot = {
  /** Names, sorted. */
  readonly alive: readonly string[];
  /** Sorted by name. */
  readonly members: readonly Member[];
  readonly contact: Contact;
  /** This node was declared dead by its watchers, and is not a member again yet. */
  readonly isDeclaredDead: boolean;
  /** False: there is no secret, and everybody who reaches the port can take part. */
  readonly isAuthenticated: boolean;
};

/** One row that changed. */
export type Change = {
  readonly name: string;
  readonly from: State;
  readonly to: State;
  readonly why: Why;
};

export type Send = { readonly to: string; readonly message: Message };

export type Output = { readonly sends: readonly Send[]; readonly changes: readonly Change[] };

export type ViewOptions = {
  readonly self: string;
  readonly nowMs: number;
  /** Milliseconds since 1970. */
  readonly incarnation: number;
  /** From 0 to below 1, with at least 52 random bits. */
  readonly random: () => number;
  readonly timings: Timings;
};

/** Of a node that is no member: a split of the network must be seen to end. */
const SLOW_PROBE_MS = 1000;

/** Between attempts while an answer is wanted soon. */
const QUICK_MS = 50;

/** Between looks at who has not confirmed news. */
const NEWS_MS = 25;

/** Between bursts, and datagrams in one: what a socket's buffer takes. */
const BURST_PAUSE_MS = 10;
const BURST = 250;

/** So many votes are sent quickly, later ones once in an interval. */
const QUICK_VOTES = 4;

/** A node that is coming is probed as often as a member so long after it was heard. */
const COMING_MS = 1500;
/** And counts as a watcher so long. */
const COUNTING_MS = 3000;

/** A node that another watcher asked us to watch is watched so long. */
const HELP_MS = 3000;

/** Tables may differ so long before one is asked for: news are on their way. */
const DIFFERENCE_MS = 300;
const PULL_PAUSE_MS = 500;
/** The same two tables are not compared again before that. */
const SAME_PULL_PAUSE_MS = 5000;

export class View {
  readonly #self: string;
  readonly #random: () => number;
  readonly #timings: Timings;
  readonly #table = new Table();
  readonly #me: Entry;
  readonly #watches = new Map<string, Watch>();
  readonly #votes = new Votes();
  readonly #news: News[] = [];
  readonly #greetings: Greetings;
  #rings: Rings;
  #hasPeers = false;
  #nowMs: number;
  #incarnation: number;
  #isDeclaredDead = false;
  #version = 0;
  #tickedAtMs: number;
  #roundAtMs: number;
  /** When the watchers of this node were not heard for the last time. */
  #missedAtMs = Number.NEGATIVE_INFINITY;
  #pullAtMs = Number.NEGATIVE_INFINITY;
  /** Since when nobody else has been heard. */
  #silenceSinceMs: number;
  #nextId: number;
  #sends: Send[] = [];
  #changes: Change[] = [];

  constructor({ self, nowMs, incarnation, random, timings }: ViewOptions) {
    this.#self = self;
    this.#random = random;
    this.#timings = timings;
    this.#incarnation = incarnation;
    this.#nowMs = nowMs;
    this.#tickedAtMs = nowMs;
    this.#silenceSinceMs = nowMs;
    this.#greetings = new Greetings(nowMs);
    this.#nextId = 1 + Math.floor(random() * 2 ** 31);
    // Nodes that start together do not all speak at the same moment.
    this.#roundAtMs = nowMs + random() * timings.probeIntervalMs;
    this.#rings = new Rings([self]);
    this.#table.add(self, nowMs);
    const me = this.#table.get(self);
    if (me === undefined) throw new Error("Cannot start without a row of this node");
    this.#me = me;
  }

  /** Names. */
  get alive(): ReadonlySet<string> {
    return this.#table.alive;
  }

  /** This node was declared dead by its watchers, and is not a member again yet. */
  get isDeclaredDead(): boolean {
    return this.#isDeclaredDead;
  }

  /** Another number whenever something in `members` has changed, round trip times apart. */
  get version(): number {
    return this.#version;
  }

  get contact(): Contact {
    const watchers = this.#rings.watchersOf(this.#self, this.#counts);
    if (watchers.length === 0) return { kind: "alone" };
    const never = Number.NEGATIVE_INFINITY;
    const heard = watchers.map((name) => this.#table.get(name)?.heardAtMs ?? never);
    heard.sort((a, b) => b - a);
    // When this many are heard, those that are not are no majority.
    const enough = Math.ceil(watchers.length / 2);
    const quorumHeardAtMs = heard[enough - 1] ?? never;
    return { kind: "watched", quorumHeardAtMs, watchers: watchers.length };
  }

  /** When `tick` wants to be called next. */
  get nextTickMs(): number {
    const pauseMs = this.#pauseMs();
    if (pauseMs === undefined) return this.#roundAtMs;
    return Math.min(this.#roundAtMs, this.#tickedAtMs + pauseMs);
  }

  /** Sorted by name. */
  members(): readonly Member[] {
    return this.#rings.names.flatMap((name) => {
      const entry = this.#table.get(name);
      if (entry === undefined) return [];
      const { state, sinceMs, why, incarnation } = entry;
      const watch = this.#watches.get(name);
      const isWatchedByMe = watch !== undefined;
      return [{ name, state, sinceMs, why, incarnation, rttMs: watch?.rttMs, isWatchedByMe }];
    });
  }

  /** Everybody who should be there, this node included. */
  setPeers(rings: Rings, nowMs: number): void {
    if (!rings.has(this.#self)) throw new Error(`Cannot watch without "${this.#self}" itself`);
    this.#nowMs = nowMs;
    const removed = this.#rings.names.filter((name) => !rings.has(name));
    for (const name of removed) this.#forget(name);
    const added = rings.names.filter((name) => this.#table.get(name) === undefined);
    for (const name of added) this.#table.add(name, nowMs);
    this.#rings = rings;
    if (!this.#hasPeers) this.#silenceSinceMs = nowMs;
    this.#hasPeers = true;
    if (added.length + removed.length > 0) this.#version += 1;
    this.#greet(added);
    this.#liveAlone();
  }

  /**
   * A message, authentic and no replay. Fresh: a round trip has proven that it was sent now; without
   * that a probe is answered, and nothing believed.
   */
  receive(from: string, message: Message, nowMs: number, isFresh = true): void {
    const sender = this.#table.get(from);
    if (sender === undefined || sender === this.#me) return;
    this.#nowMs = nowMs;
    if (message.kind === "probe") this.#send(from, this.#probe("ack", message.nonce));
    if (!isFresh) return;
    sender.heardAtMs = nowMs;
    sender.askedAtMs = undefined;
    this.#silenceSinceMs = nowMs;
    switch (message.kind) {
      case "ack":
        this.#watches.get(from)?.ack(message.nonce, nowMs);
        this.#learn(sender, message.incarnation, message.state);
        this.#compare(sender, message.digest);
        this.#judge(from);
        return;
      case "probe":
        this.#learn(sender, message.incarnation, message.state);
        this.#compare(sender, message.digest);
        return;
      case "vote":
        this.#hearVote(sender, message);
        return;
      case "rows":
        for (const row of message.rows) this.#hearRow(sender, row);
        if (message.id !== 0) this.#send(from, { kind: "confirm", id: message.id });
        return;
      case "confirm":
        this.#news.find(({ id }) => id === message.id)?.confirm(from);
        return;
      case "pull":
        this.#sendTable(from);
        return;
      case "payload":
        return;
    }
  }

  /** The host of that node said that nobody listens on its port. */
  refused(name: string, nowMs: number): void {
    this.#nowMs = nowMs;
    const watch = this.#watches.get(name);
    if (watch?.refuse()) this.#send(name, this.#probe("probe", watch.nonce));
    this.#judge(name);
  }

  /** Asks that node something at once: its answer proves that its session is one of now. */
  challenge(name: string, nowMs: number): void {
    this.#nowMs = nowMs;
    this.#send(name, this.#probe("probe", this.#newNonce()));
  }

  /**
   * After everything that had come by then was received: a node that did not run for a while has the
   * answers of that time, and takes nobody's silence for what was its own.
   */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#tickedAtMs = nowMs;
    if (nowMs >= this.#roundAtMs) this.#round();
    else this.#copyProbes();
    for (const name of this.#watches.keys()) this.#judge(name);
    this.#sendBurst();
  }

  /** Says goodbye to all. Messages are still answered afterwards. */
  leave(nowMs: number): void {
    if (this.#me.state === "left") return;
    this.#nowMs = nowMs;
    this.#watches.clear();
    this.#greetings.reset(nowMs);
    this.#set(this.#me, { state: "left", incarnation: this.#incarnation, why: "goodbye" });
    this.#publish([rowOf(this.#me)]);
  }

  /** What is to be sent, in order, and what has changed, since the last call. */
  takeOutput(): Output {
    const output = { sends: this.#sends, changes: this.#changes };
    this.#sends = [];
    this.#changes = [];
    return output;
  }

  #pauseMs(): number | undefined {
    if (this.#greetings.hasMore || this.#news.some(({ hasBacklog }) => hasBacklog)) {
      return BURST_PAUSE_MS;
    }
    if (this.#news.length > 0) return NEWS_MS;
    for (const watch of this.#watches.values()) {
      if (watch.wantsCopy && this.#isFast(watch)) return QUICK_MS;
      if (watch.votes > 0 && watch.votes < QUICK_VOTES) return QUICK_MS;
    }
    return undefined;
  }

  /** Once in an interval: ends the probes of the last one and sends new ones. */
  #round(): void {
    const nowMs = this.#nowMs;
    this.#roundAtMs += this.#timings.probeIntervalMs;
    if (this.#roundAtMs <= nowMs) this.#roundAtMs = nowMs + this.#timings.probeIntervalMs;
    if (this.#me.state === "left") return;
    this.#liveAlone();
    this.#lookForContact();
    if (this.#me.state !== "alive" && this.#greetings.isDue(nowMs)) this.#greetAll();
    const kept = this.#rings.watchedBy(this.#self, this.#counts, this.#isWanted);
    for (const watch of this.#watches.values()) {
      if (watch.helpUntilMs < nowMs && !kept.includes(watch.name)) this.#watches.delete(watch.name);
    }
    for (const name of kept) this.#watch(name);
    for (const watch of this.#watches.values()) {
      const isFast = this.#isFast(watch);
      if (!isFast && !watch.isDue(nowMs, SLOW_PROBE_MS)) continue;
      watch.settle();
      const nonce = this.#newNonce();
      watch.probe(nonce, nowMs);
      this.#ask(watch.name, this.#probe("probe", nonce));
    }
  }

  #copyProbes(): void {
    for (const watch of this.#watches.values()) {
      if (!watch.wantsCopy || !this.#isFast(watch)) continue;
      watch.copy();
      this.#ask(watch.name, this.#probe("probe", watch.nonce));
    }
  }

  #sendBurst(): void {
    let left = BURST;
    for (const news of this.#news) {
      const targets = news.take(left, this.#nowMs);
      left -= targets.length;
      const message: Message = { kind: "rows", id: news.id, rows: news.rows };
      for (const to of targets) this.#send(to, message);
    }
    for (const name of this.#greetings.take(left)) {
      this.#send(name, this.#probe("probe", this.#newNonce()));
    }
    const open = this.#news.filter(({ isOver }) => !isOver);
    this.#news.splice(0, this.#news.length, ...open);
  }

  /** With nobody else to ask, this node is a member by its own word. */
  #liveAlone(): void {
    if (!this.#hasPeers || this.#me.state === "alive" || this.#me.state === "left") return;
    const isAlone = this.#rings.names.length === 1;
    if (!isAlone && this.#nowMs - this.#silenceSinceMs < this.#timings.aloneMs) return;
    this.#set(this.#me, { state: "alive", incarnation: this.#incarnation, why: "alone" });
  }

  /** Tells all that this node is there, but those that were heard just now. */
  #greetAll(): void {
    const heardAfterMs = this.#nowMs - COMING_MS;
    const wasHeard = (name: string) => (this.#table.get(name)?.heardAtMs ?? 0) > heardAfterMs;
    this.#greetings.begin(this.#nowMs);
    this.#greet(this.#rings.names.filter((name) => !wasHeard(name)));
  }

  /** Its own watchers first. */
  #greet(names: readonly string[]): void {
    const wanted = new Set(names);
    wanted.delete(this.#self);
    const watchers = this.#rings.watchersOf(this.#self, (name) => wanted.has(name));
    for (const name of watchers) wanted.delete(name);
    this.#greetings.add(watchers, [...wanted], this.#random);
  }

  /** What it says of itself, against its row. */
  #learn(entry: Entry, incarnation: number, state: State): void {
    if (incarnation > entry.toldIncarnation) this.#watches.get(entry.name)?.restart();
    entry.toldIncarnation = incarnation;
    entry.toldState = state;
    if (incarnation > entry.incarnation) {
      if (entry.state !== "alive") return;
      // Alive and higher: it was declared dead in error by nodes that we count as dead.
      if (state === "alive") this.#set(entry, { state, incarnation, why: entry.why });
      else this.#set(entry, { ...rowOf(entry), state: "dead", why: "restarted" });
      return;
    }
    if (incarnation === entry.incarnation) {
      if (entry.state === state || entry.state === "unknown") return;
      if (state === "left") {
        this.#set(entry, { state, incarnation, why: "goodbye" });
        return;
      }
    }
    this.#sendRow(entry.name, entry);
  }

  /** Asks a member for its table when it has differed from ours for a while. */
  #compare(entry: Entry, digest: number): void {
    const nowMs = this.#nowMs;
    if (digest === this.#table.digest) {
      entry.differsSinceMs = undefined;
      return;
    }
    entry.differsSinceMs ??= nowMs;
    if (entry.toldState !== "alive" || entry.state === "dead" || nowMs < this.#pullAtMs) return;
    const isNew = this.#me.state !== "alive";
    if (!isNew && nowMs - entry.differsSinceMs < DIFFERENCE_MS) return;
    const key = `${digest} ${this.#table.digest}`;
    const { pulled } = entry;
    const pauseMs = isNew ? PULL_PAUSE_MS : SAME_PULL_PAUSE_MS;
    if (pulled?.key === key && nowMs - pulled.atMs < pauseMs) return;
    entry.pulled = { key, atMs: nowMs };
    this.#pullAtMs = nowMs + PULL_PAUSE_MS;
    this.#send(entry.name, { kind: "pull" });
  }

  #sendTable(to: string): void {
    for (const rows of this.#table.pages()) this.#send(to, { kind: "rows", id: 0, rows });
  }

  #hearRow(sender: Entry, row: Row): void {
    const entry = this.#table.get(row.name);
    if (entry === undefined) return;
    if (entry === this.#me) this.#hearOfMe(sender, row);
    // After a split each side has the other's nodes dead, and its table says so of ours.
    else if (sender.state !== "dead" && isNewer(row, entry)) this.#set(entry, row);
  }

  #hearOfMe(sender: Entry, row: Row): void {
    if (this.#me.state === "left") return;
    if (row.incarnation < this.#incarnation) {
      if (row.state !== "alive" && this.#me.state === "alive") this.#sendRow(sender.name, this.#me);
      return;
    }
    if (row.state === "unknown") return;
    if (row.state === "alive" && row.incarnation === this.#incarnation) {
      if (this.#me.state !== "alive") this.#set(this.#me, row);
      return;
    }
    // Dead, or alive with an incarnation of an earlier life that had a clock ahead of ours.
    this.#incarnation = row.incarnation + 1;
    if (sender.state === "dead" && this.#isAmongMembers) {
      this.#set(this.#me, { ...rowOf(this.#me), incarnation: this.#incarnation });
      this.#publish([rowOf(this.#me)]);
      this.#send(sender.name, this.#probe("probe", this.#newNonce()));
      return;
    }
    this.#greetings.reset(this.#nowMs);
    if (row.state === "alive") return;
    if (this.#me.state === "alive") this.#isDeclaredDead = true;
    this.#set(this.#me, row);
  }

  /** A member that its watchers have not missed lately: who says otherwise was cut off from us. */
  get #isAmongMembers(): boolean {
    if (this.#me.state !== "alive") return false;
    return this.contact.kind === "alone" || this.#nowMs - this.#missedAtMs > this.#patienceMs;
  }

  /** Notes when the watchers of this node are not heard. */
  #lookForContact(): void {
    const { contact } = this;
    if (contact.kind === "alone") return;
    if (this.#nowMs - contact.quorumHeardAtMs > this.#patienceMs) this.#missedAtMs = this.#nowMs;
  }

  /** Silence for so long is more than bad luck. */
  get #patienceMs(): number {
    return 3 * this.#timings.probeIntervalMs;
  }

  #hearVote(sender: Entry, { subject, incarnation, opinion, wantsReply }: VoteMessage): void {
    const entry = this.#table.get(subject);
    if (entry === undefined || entry === this.#me || this.#me.state === "left") return;
    this.#votes.note(subject, sender.name, { opinion, incarnation, atMs: this.#nowMs });
    if (wantsReply) {
      this.#help(entry, opinion);
      // Perhaps it is decided already, and the sender does not know.
      const isDecided = entry.state === decidedBy(opinion) && entry.incarnation >= incarnation;
      if (isDecided) this.#sendRow(sender.name, entry);
      this.#send(sender.name, this.#vote(entry, false));
    }
    this.#judge(subject);
  }

  /** Watches, for a while, a node that another watcher asks about. */
  #help(entry: Entry, opinion: Opinion): void {
    const watch = this.#watch(entry.name);
    watch.helpUntilMs = this.#nowMs + HELP_MS;
    if (opinion !== "down" || entry.state !== "alive") return;
    if (this.#opinionOn(entry) === "down" || !watch.isDue(this.#nowMs, BURST_PAUSE_MS)) return;
    // Not to wait for the next interval: its host may say at once that nobody listens.
    if (watch.nonce === 0) watch.probe(this.#newNonce(), this.#nowMs);
    this.#ask(entry.name, this.#probe("probe", watch.nonce));
  }

  /** Decides about a watched node if enough of its watchers agree with us; else asks them. */
  #judge(name: string): void {
    const watch = this.#watches.get(name);
    const entry = this.#table.get(name);
    if (watch === undefined || entry === undefined) return;
    const opinion = this.#opinionOn(entry);
    const isChange = opinion === (entry.state === "alive" ? "down" : "up");
    if (opinion !== watch.voted || !isChange) {
      watch.voted = opinion;
      watch.votes = 0;
    }
    if (!isChange) return;
    const voters = this.#votersOn(name);
    if (!voters.includes(this.#self)) return;
    const agreeing = this.#agreeing(entry, opinion).add(this.#self);
    const others = voters.filter((voter) => !agreeing.has(voter));
    if (2 * others.length < voters.length) {
      this.#decide(entry, watch);
    } else if (watch.votes === 0 || this.#nowMs >= watch.voteAtMs) {
      watch.votes += 1;
      const { probeIntervalMs } = this.#timings;
      const pauseMs = watch.votes < QUICK_VOTES ? QUICK_MS : probeIntervalMs;
      watch.voteAtMs = this.#nowMs + pauseMs;
      for (const voter of others) this.#ask(voter, this.#vote(entry, true));
    }
  }

  #decide(entry: Entry, watch: Watch): void {
    if (entry.state !== "alive") {
      const incarnation = entry.toldIncarnation;
      this.#set(entry, { state: "alive", incarnation, why: "answers" });
    } else if (this.#me.state === "alive") {
      const why = watch.isRefused ? "refused" : "silent";
      // A node that hears nobody is the one to doubt: the others must not take its word. Of two
      // nodes none can be told from the other.
      const isDoubtful = this.#isCutOff && this.#rings.names.length > 2;
      this.#set(entry, { state: "dead", incarnation: entry.incarnation, why });
      if (isDoubtful) return;
    } else {
      return;
    }
    this.#publish([rowOf(entry)], entry.name);
  }

  /** Its watchers are not heard. */
  get #isCutOff(): boolean {
    const { contact } = this;
    if (contact.kind === "alone") return false;
    return this.#nowMs - contact.quorumHeardAtMs > 2.5 * this.#timings.probeIntervalMs;
  }

  #opinionOn(entry: Entry): Opinion {
    const watch = this.#watches.get(entry.name);
    if (watch === undefined) return "none";
    if (entry.state === "alive") {
      return watch.opinionOfMember(this.#agreeing(entry, "down").size > 0);
    }
    if (!isComing(entry, this.#nowMs, COMING_MS)) return "none";
    const { readmitMs, longestReadmitMs } = this.#timings;
    const deaths = Math.max(1, deathsOf(entry, this.#nowMs));
    return watch.opinionOfComing(
      this.#nowMs,
      Math.min(longestReadmitMs, readmitMs * 2 ** (deaths - 1)),
    );
  }

  /** Others that have this opinion. */
  #agreeing(entry: Entry, opinion: Opinion): Set<string> {
    const sinceMs = this.#nowMs - this.#patienceMs;
    return this.#votes.holding(entry.name, opinion, votedIncarnation(entry), sinceMs);
  }

  #vote(entry: Entry, wantsReply: boolean): Message {
    const opinion = this.#opinionOn(entry);
    const incarnation = votedIncarnation(entry);
    return { kind: "vote", subject: entry.name, incarnation, opinion, wantsReply };
  }

  /** The watchers of a node; for one that does not answer us, the next one on its ring. */
  #votersOn(name: string): readonly string[] {
    const { probeIntervalMs } = this.#timings;
    const latestMs = this.#nowMs - 2.5 * probeIntervalMs;
    return this.#rings.watchersOf(name, (other) => {
      const askedAtMs = this.#table.get(other)?.askedAtMs;
      return this.#counts(other) && (askedAtMs === undefined || askedAtMs > latestMs);
    });
  }

  /** Whether a node is a watcher: members are; when all start together, they are none yet. */
  readonly #counts = (name: string): boolean => {
    const entry = this.#table.get(name);
    if (entry === undefined) return false;
    if (entry.state === "alive") return true;
    if (entry === this.#me) return entry.state !== "left";
    return this.#me.state !== "alive" && isComing(entry, this.#nowMs, COUNTING_MS);
  };

  /** Whether a node is watched at all. */
  readonly #isWanted = (name: string): boolean => {
    const entry = this.#table.get(name);
    if (entry === undefined || entry === this.#me) return false;
    const { state } = entry;
    return state === "alive" || state === "dead" || isComing(entry, this.#nowMs, COMING_MS);
  };

  #isFast({ name, helpUntilMs }: Watch): boolean {
    const entry = this.#table.get(name);
    if (entry === undefined) return false;
    if (entry.state === "alive" || helpUntilMs >= this.#nowMs) return true;
    return isComing(entry, this.#nowMs, COMING_MS);
  }

  #watch(name: string): Watch {
    const known = this.#watches.get(name);
    if (known !== undefined) return known;
    const watch = new Watch(name);
    this.#watches.set(name, watch);
    return watch;
  }

  #set(entry: Entry, row: Omit<Row, "name">): void {
    const from = entry.state;
    this.#table.set(entry, row, this.#nowMs);
    this.#version += 1;
    if (from === entry.state) return;
    if (entry === this.#me && entry.state === "alive") {
      this.#isDeclaredDead = false;
      this.#greetings.reset(this.#nowMs);
    }
    this.#votes.forget(entry.name);
    const watch = this.#watches.get(entry.name);
    if (entry.state !== "alive") watch?.restart();
    this.#changes.push({ name: entry.name, from, to: entry.state, why: entry.why });
  }

  #forget(name: string): void {
    this.#table.remove(name);
    this.#watches.delete(name);
    this.#votes.forget(name);
    this.#greetings.remove(name);
  }

  /** Tells everybody, until they confirm or were told often enough. */
  #publish(rows: readonly Row[], about: string | undefined = undefined): void {
    const targets = new Set(about === undefined ? [] : [about]);
    for (const entry of this.#table.entries) {
      if (entry === this.#me) continue;
      if (entry.state === "alive" || isComing(entry, this.#nowMs, COUNTING_MS)) {
        targets.add(entry.name);
      }
    }
    this.#news.push(new News(this.#newId(), rows, targets, this.#nowMs));
    this.#sendBurst();
  }

  #probe(kind: "probe" | "ack", nonce: number): Message {
    const { state } = this.#me;
    return { kind, nonce, incarnation: this.#incarnation, state, digest: this.#table.digest };
  }

  /** Sends what wants an answer. */
  #ask(to: string, message: Message): void {
    const entry = this.#table.get(to);
    if (entry !== undefined) entry.askedAtMs ??= this.#nowMs;
    this.#send(to, message);
  }

  #send(to: string, message: Message): void {
    this.#sends.push({ to, message });
  }

  #sendRow(to: string, entry: Entry): void {
    this.#send(to, { kind: "rows", id: 0, rows: [rowOf(entry)] });
  }

  #newNonce(): number {
    return Math.floor(this.#random() * 2 ** 52);
  }

  #newId(): number {
    this.#nextId = (this.#nextId % (2 ** 32 - 1)) + 1;
    return this.#nextId;
  }
}

type VoteMessage = Extract<Message, { readonly kind: "vote" }>;

/** The incarnation that a decision is about: of a node that is coming, the one it has now. */
function votedIncarnation(entry: Entry): number {
  return entry.state === "alive" ? entry.incarnation : entry.toldIncarnation;
}

/** The state that enough of such votes lead to. */
function decidedBy(opinion: Opinion): State {
  return opinion === "down" ? "dead" : opinion === "up" ? "alive" : "unknown";
}
