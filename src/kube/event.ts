// Events of core/v1 as client-go's recorder makes them: equal ones are counted, not repeated. Written
// one at a time, after everything else; what is too much is dropped. Decides nothing.

import { randomInt } from "node:crypto";
import { type Connection, MERGE_PATCH } from "./connection.ts";
import { KubeError } from "./error.ts";
import { startQueue } from "./queue.ts";
import { sleep } from "./sleep.ts";

/** What an event is about; `namespace` undefined: it is in none. */
export type ObjectReference = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string | undefined;
};

export type Event = {
  readonly object: ObjectReference;
  readonly type: "Normal" | "Warning";
  /** One word that programs match on, such as "IPAllocated". */
  readonly reason: string;
  /** For people. */
  readonly message: string;
};

export type Events = {
  /** Takes an event to be written some time; never waits, never throws. */
  emit(event: Event): void;
  /** Tries to write at once what is not written yet; resolves when that is done or time is up. */
  flush(timeoutMs: number): Promise<void>;
  /** Events that were not and will not be written, since the start. */
  readonly dropped: number;
};

export type EventsOptions = {
  readonly connection: Connection;
  /** Who says so, such as "metallb-controller". */
  readonly component: string;
  /** Told when an event could not be written; it is tried again if that can help. */
  readonly onError: (error: unknown) => void;
  readonly signal: AbortSignal;
};

/** Events that are remembered, so that equal ones are counted; client-go's number. */
const REMEMBERED = 4096;
/** Of one object, until the first of them is an interval old: client-go's spam filter. */
const PER_OBJECT = 25;
const PER_OBJECT_REFILL_MS = 300_000;
/** Between two writes of one event that repeats. */
const REPEAT_MS = 10_000;
/** Between any two writes: at most 100 a second. */
const PAUSE_MS = 10;
/** How long an event lets other requests of the connection go first. */
const POLITE_MS = 2_000;
const TIMEOUT_MS = 10_000;
const SILENT_PAUSE_MS = 2_000;

/** Starts to write events, until the signal fires. */
export function startEvents({ connection, component, onError, signal }: EventsOptions): Events {
  /** In the order of their last repeat. */
  const entries = new Map<string, Entry>();
  const limits = new Limits();
  let dropped = 0;
  let isHurried = false;
  let lastId = 0n;

  /**
   * Never the same twice, as client-go's: the object's name and the time in nanoseconds. Those below a
   * millisecond, which we do not know, are random: all speakers tell of a Service at the same moment.
   */
  const nameOf = ({ object }: Event): string => {
    const now = BigInt(Date.now()) * 1_000_000n + BigInt(randomInt(1_000_000));
    lastId = now > lastId ? now : lastId + 1n;
    // A name has 253 characters at most.
    return `${object.name.slice(0, 230)}.${lastId.toString(16)}`;
  };

  const queue = startQueue({
    concurrency: 1,
    signal,
    onError: (_key, error) => onError(error),
    async work(key) {
      await turn();
      const entry = entries.get(key);
      if (entry === undefined || entry.count === entry.written) return;
      const { count } = entry;
      try {
        await write(entry);
      } catch (error) {
        if (error instanceof KubeError && isLasting(error)) {
          entries.delete(key);
          dropped += entry.count - entry.written;
          onError(error);
          return;
        }
        // All the others would meet the same.
        if (!isHurried) await connection.untilAnswer(SILENT_PAUSE_MS, signal);
        throw error;
      }
      entry.written = count;
      if (entry.count > count) queue.addAfter(key, REPEAT_MS);
    },
  });

  /** Waits until other requests are through. */
  const turn = async () => {
    for (let waitedMs = 0; waitedMs < POLITE_MS && !isHurried; waitedMs += PAUSE_MS) {
      await sleep(PAUSE_MS, signal);
      if (connection.inFlight === 0) return;
    }
  };

  const write = async (entry: Entry) => {
    const folder = `/api/v1/namespaces/${namespaceOf(entry.event)}/events`;
    const options = { signal, timeoutMs: TIMEOUT_MS };
    if (entry.written > 0) {
      try {
        await connection.request("PATCH", `${folder}/${entry.name}`, {
          ...options,
          body: { count: entry.count, lastTimestamp: timeText(entry.lastMs) },
          contentType: MERGE_PATCH,
        });
        return;
      } catch (error) {
        // The API server forgets events, after an hour usually.
        if (!(error instanceof KubeError) || error.status !== 404) throw error;
        entry.name = nameOf(entry.event);
      }
    }
    try {
      await connection.request("POST", folder, { ...options, body: objectOf(entry, component) });
    } catch (error) {
      // Ours, of an attempt whose answer was lost: the next repeat mends the count.
      if (!(error instanceof KubeError) || error.reason !== "AlreadyExists") throw error;
    }
  };

  const forgetOldest = (): boolean => {
    for (const [key, { count, written }] of entries) {
      if (count > written) continue;
      entries.delete(key);
      return true;
    }
    return false;
  };

  return {
    emit(event) {
      const now = Date.now();
      const key = keyOf(event);
      const known = entries.get(key);
      const isTaken =
        limits.take(keyOfObject(event.object), now) &&
        (known !== undefined || entries.size < REMEMBERED || forgetOldest());
      if (!isTaken || signal.aborted) {
        dropped++;
        return;
      }
      if (known === undefined) {
        entries.set(key, {
          event,
          name: nameOf(event),
          firstMs: now,
          lastMs: now,
          count: 1,
          written: 0,
        });
        queue.add(key);
        return;
      }
      known.count++;
      known.lastMs = now;
      entries.delete(key);
      entries.set(key, known);
      if (known.written > 0) queue.addAfter(key, REPEAT_MS);
    },
    async flush(timeoutMs) {
      isHurried = true;
      for (const [key, { count, written }] of entries) if (count > written) queue.add(key);
      const done = new AbortController();
      await Promise.race([queue.idle(), sleep(timeoutMs, AbortSignal.any([signal, done.signal]))]);
      done.abort();
      isHurried = false;
    },
    get dropped() {
      return dropped;
    },
  };
}

type Entry = {
  readonly event: Event;
  readonly firstMs: number;
  name: string;
  lastMs: number;
  count: number;
  /** The count the API server knows; 0: it has no such event yet. */
  written: number;
};

/** How many events each object may still have: a bucket of tokens that fills again slowly. */
class Limits {
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** Takes a token of this object if it has one. */
  take(key: string, nowMs: number): boolean {
    const bucket = this.#buckets.get(key) ?? { tokens: PER_OBJECT, atMs: nowMs };
    const refill = (nowMs - bucket.atMs) / PER_OBJECT_REFILL_MS;
    bucket.tokens = Math.min(bucket.tokens + refill, PER_OBJECT);
    bucket.atMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > REMEMBERED) {
      for (const [oldest] of this.#buckets) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    if (bucket.tokens < 1) return false;
    bucket.tokens--;
    return true;
  }
}

/** Trying again does not help: the namespace is gone, we may not, the event is not as it should be. */
function isLasting({ status }: KubeError): boolean {
  return status !== undefined && status >= 400 && status < 500 && ![401, 409, 429].includes(status);
}

function keyOf({ object, type, reason, message }: Event): string {
  return JSON.stringify([keyOfObject(object), type, reason, message]);
}

function keyOfObject({ apiVersion, kind, namespace, name, uid }: ObjectReference): string {
  return JSON.stringify([apiVersion, kind, namespace, name, uid]);
}

/** The API server wants an event in the namespace of its object, and in "default" if that has none. */
function namespaceOf({ object }: Event): string {
  return object.namespace ?? "default";
}

function objectOf({ event, name, firstMs, lastMs, count }: Entry, component: string): object {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: namespaceOf(event) },
    involvedObject: event.object,
    type: event.type,
    reason: event.reason,
    message: event.message,
    source: { component },
    reportingComponent: component,
    firstTimestamp: timeText(firstMs),
    lastTimestamp: timeText(lastMs),
    count,
  };
}

/** Kubernetes writes whole seconds. */
function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}
