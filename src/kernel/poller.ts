// One thread's loop: waits in poll(2) for descriptors, timers and a wake from another thread.
// Knows no protocol. Promises and events of Node do not run while it does.

import { type Libc, libc } from "./libc.ts";
import { checked } from "./system-error.ts";
import { Timers } from "./timers.ts";

export type PollerOptions = {
  /** Called in this thread after another one wrote to `wakeFd`; several writes may be one call. */
  readonly onWake: () => void;
};

type Watch = { readonly fd: number; readonly onReadable: () => void; active: boolean };

/** Octets of a struct pollfd: int fd, short events, short revents. */
const POLLFD_LENGTH = 8;
const POLLIN = 0x1;
const EFD_CLOEXEC = 0x80000;
const EFD_NONBLOCK = 0x800;
const EINTR = -4;
/** The longest wait poll(2) can be asked for; a later timer waits more than once. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

export class Poller {
  /**
   * An eventfd: whoever writes the eight octets of a little-endian 1 to it, from any thread, ends
   * the wait and has `onWake` called.
   */
  readonly wakeFd: number;
  readonly #libc: Libc = libc();
  readonly #timers = new Timers();
  #watches: Watch[] = [];
  #fds = new DataView(new ArrayBuffer(POLLFD_LENGTH * 16));
  #fdBytes = new Uint8Array(this.#fds.buffer);
  #fdsChanged = true;
  #running = false;
  #lateMs = 0;

  /** Opens the eventfd; throws a SystemError when that fails. */
  constructor(options: PollerOptions) {
    const fd = this.#libc.eventfd(EFD_CLOEXEC | EFD_NONBLOCK);
    this.wakeFd = checked(fd, "eventfd", "open an eventfd");
    const count = new Uint8Array(8);
    this.watch(this.wakeFd, () => {
      this.#libc.read(this.wakeFd, count);
      options.onWake();
    });
  }

  /** In a timer's callback: how much later than asked it runs. */
  get lateMs(): number {
    return this.#lateMs;
  }

  /**
   * Calls `onReadable` whenever the descriptor is readable or in error, until the returned function
   * is called. Stop watching before closing a descriptor.
   */
  watch(fd: number, onReadable: () => void): () => void {
    const watch = { fd, onReadable, active: true };
    this.#watches.push(watch);
    this.#fdsChanged = true;
    return () => {
      watch.active = false;
      this.#fdsChanged = true;
    };
  }

  /**
   * Calls back once, at or soon after `performance.now()` has reached `atMs`; the returned function
   * cancels it.
   */
  at(atMs: number, callback: () => void): () => void {
    const timer = this.#timers.add(atMs, callback);
    return () => this.#timers.remove(timer);
  }

  /**
   * Blocks this thread, serving descriptors and timers, until a callback has called `stop`. What a
   * callback throws ends the loop and comes out here.
   */
  run(): void {
    this.#running = true;
    try {
      while (this.#running) {
        if (this.#fdsChanged) this.#layOutFds();
        const ready = this.#libc.poll(this.#fdBytes, this.#watches.length, this.#waitMs());
        if (ready !== EINTR) checked(ready, "poll", "wait for descriptors");
        // Once for all timers of a round.
        const nowMs = performance.now();
        if (ready > 0) this.#serveFds(ready);
        this.#serveTimers(nowMs);
      }
    } finally {
      this.#running = false;
    }
  }

  stop(): void {
    this.#running = false;
  }

  /** Gives the eventfd back; watched descriptors belong to their owners. */
  close(): void {
    this.#running = false;
    this.#watches = [];
    this.#libc.close(this.wakeFd);
  }

  #waitMs(): number {
    const next = this.#timers.nextAtMs;
    if (next === undefined) return -1;
    // Rounded up: waking early would only wait again.
    const waitMs = Math.ceil(next - performance.now());
    return Math.min(Math.max(waitMs, 0), LONGEST_WAIT_MS);
  }

  #layOutFds(): void {
    this.#watches = this.#watches.filter(({ active }) => active);
    const length = POLLFD_LENGTH * this.#watches.length;
    if (this.#fds.byteLength < length) {
      this.#fds = new DataView(new ArrayBuffer(2 * length));
      this.#fdBytes = new Uint8Array(this.#fds.buffer);
    }
    for (const [index, { fd }] of this.#watches.entries()) {
      this.#fds.setInt32(POLLFD_LENGTH * index, fd, true);
      this.#fds.setInt16(POLLFD_LENGTH * index + 4, POLLIN, true);
    }
    this.#fdsChanged = false;
  }

  #serveFds(ready: number): void {
    const watches = this.#watches;
    let left = ready;
    // `left` ends it before the watches that callbacks add: these were not waited for.
    for (let index = 0; left > 0 && this.#running; index++) {
      if (this.#fds.getInt16(POLLFD_LENGTH * index + 6, true) === 0) continue;
      left -= 1;
      const watch = watches[index];
      // An earlier callback of this round may have ended it, and its number may be reused.
      if (watch?.active) watch.onReadable();
    }
  }

  #serveTimers(nowMs: number): void {
    // No more than there were: timers that set others for "now" cannot keep us from descriptors.
    for (let left = this.#timers.size; left > 0 && this.#running; left--) {
      const timer = this.#timers.takeDue(nowMs);
      if (timer === undefined) break;
      this.#lateMs = nowMs - timer.atMs;
      timer.callback();
    }
    this.#lateMs = 0;
  }
}
