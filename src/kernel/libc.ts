// The C library's system calls, bound through koffi at first use. Knows calling conventions and
// error numbers, not what the calls are for.

import { createRequire } from "node:module";
import { constants } from "node:os";
import { SystemError } from "./system-error.ts";

/**
 * System calls of 64-bit Linux. Each returns what the call does or, like the kernel itself, the
 * negated error number; none throws.
 */
export type Libc = {
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly bind: (fd: number, address: Uint8Array) => number;
  /** Fills `address` with what the socket is bound to. */
  readonly getsockname: (fd: number, address: Uint8Array) => number;
  readonly setsockopt: (fd: number, level: number, name: number, value: Uint8Array) => number;
  readonly recv: (fd: number, into: Uint8Array, flags: number) => number;
  /** Fills `from` with the sender's address. */
  readonly recvfrom: (fd: number, into: Uint8Array, flags: number, from: Uint8Array) => number;
  /** `header` is a struct msghdr, whose pointers come from `addressOf`. */
  readonly recvmsg: (fd: number, header: Uint8Array, flags: number) => number;
  readonly send: (fd: number, bytes: Uint8Array, flags: number) => number;
  readonly sendto: (fd: number, bytes: Uint8Array, flags: number, to: Uint8Array) => number;
  /** `fds` is an array of `count` struct pollfd; a negative timeout waits for ever. */
  readonly poll: (fds: Uint8Array, count: number, timeoutMs: number) => number;
  readonly eventfd: (flags: number) => number;
  readonly read: (fd: number, into: Uint8Array) => number;
  readonly close: (fd: number) => number;
  /** `attributes` is a struct sched_attr for the calling thread, sched_setattr(2). */
  readonly schedSetattr: (attributes: Uint8Array) => number;
  /** Fills `attributes` with those of the calling thread. */
  readonly schedGetattr: (attributes: Uint8Array) => number;
  /**
   * Where the octets are in memory, for a struct that points to them. The caller keeps the array,
   * which must have come from `pinned`.
   */
  readonly addressOf: (bytes: Uint8Array) => bigint;
};

type Argument = number | Uint8Array | null;
type Native = (...values: readonly Argument[]) => number;

let loaded: Libc | undefined;

/** The C library of this process; loaded when first asked. Throws a SystemError without koffi. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

/** Octets that the garbage collector never moves; short arrays else live in its own heap. */
export function pinned(length: number): Uint8Array {
  return new Uint8Array(new ArrayBuffer(length));
}

/** The value of an int for `setsockopt`. */
export function intValue(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer);
}

function load(): Libc {
  try {
    return bindings();
  } catch (error) {
    const platform = `${process.platform} on ${process.arch}`;
    const why = error instanceof Error ? error.message : String(error);
    throw new SystemError(
      "dlopen",
      constants.errno.ENOSYS,
      `Cannot call the system on ${platform}: want Linux on x64 or arm64 and the package koffi: ${why}`,
      error,
    );
  }
}

function bindings(): Libc {
  // Not an import: a platform without koffi's binary is told at first use, not at start.
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi");
  // The process itself is linked to its C library, whether that is glibc or musl.
  const library = koffi.load(null);
  const bound = (name: string, result: string, parameters: readonly string[]): Native => {
    const native = library.func(name, result, [...parameters]) as Native;
    return (...values) => {
      const returned = native(...values);
      return returned < 0 ? -koffi.errno() : returned;
    };
  };
  const socket = bound("socket", "int", ["int", "int", "int"]);
  const bind = bound("bind", "int", ["int", "void *", "uint"]);
  const getsockname = bound("getsockname", "int", ["int", "void *", "void *"]);
  const setsockopt = bound("setsockopt", "int", ["int", "int", "int", "void *", "uint"]);
  const recv = bound("recv", "long", ["int", "void *", "size_t", "int"]);
  const recvfrom = bound("recvfrom", "long", [
    "int",
    "void *",
    "size_t",
    "int",
    "void *",
    "void *",
  ]);
  const recvmsg = bound("recvmsg", "long", ["int", "void *", "int"]);
  const send = bound("send", "long", ["int", "void *", "size_t", "int"]);
  const sendto = bound("sendto", "long", ["int", "void *", "size_t", "int", "void *", "uint"]);
  const poll = bound("poll", "int", ["void *", "ulong", "int"]);
  const eventfd = bound("eventfd", "int", ["uint", "int"]);
  const read = bound("read", "long", ["int", "void *", "size_t"]);
  const close = bound("close", "int", ["int"]);
  // The C library has no functions for these two.
  const [setattr, getattr] = process.arch === "arm64" ? [274, 275] : [314, 315];
  const schedSetattr = bound("syscall", "long", ["long", "long", "void *", "long"]);
  const schedGetattr = bound("syscall", "long", ["long", "long", "void *", "long", "long"]);

  // A socklen_t that the kernel reads and writes.
  const length = new Uint32Array(new ArrayBuffer(4));
  const lengthBytes = new Uint8Array(length.buffer);
  return {
    socket,
    bind: (fd, address) => bind(fd, address, address.length),
    getsockname: (fd, address) => {
      length[0] = address.length;
      return getsockname(fd, address, lengthBytes);
    },
    setsockopt: (fd, level, name, value) => setsockopt(fd, level, name, value, value.length),
    recv: (fd, into, flags) => recv(fd, into, into.length, flags),
    recvfrom: (fd, into, flags, from) => {
      length[0] = from.length;
      return recvfrom(fd, into, into.length, flags, from, lengthBytes);
    },
    recvmsg,
    send: (fd, bytes, flags) => send(fd, bytes, bytes.length, flags),
    sendto: (fd, bytes, flags, to) => sendto(fd, bytes, bytes.length, flags, to, to.length),
    poll,
    eventfd: (flags) => eventfd(0, flags),
    read: (fd, into) => read(fd, into, into.length),
    close,
    schedSetattr: (attributes) => schedSetattr(setattr, 0, attributes, 0),
    schedGetattr: (attributes) => schedGetattr(getattr, 0, attributes, attributes.length, 0),
    addressOf: (bytes) => koffi.address(bytes),
  };
}
