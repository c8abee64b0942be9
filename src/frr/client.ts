// What the applier asks of FRR, whichever way it is reached: by the daemons' sockets (vty.ts) or
// by running vtysh (vtysh.ts). Shapes and the one error class; opens nothing.

export const DAEMONS = ["zebra", "bgpd", "bfdd", "staticd", "mgmtd"] as const;

export type Daemon = (typeof DAEMONS)[number];

/** A line that FRR did not take. */
export type Refusal = {
  readonly daemon: Daemon;
  /** The lines entered before it, outermost first. */
  readonly context: readonly string[];
  readonly line: string;
  /** FRR's own words without decoration; "unknown command" and the like where it has none. */
  readonly message: string;
};

/** Commands of one node of the configuration, for one daemon. */
export type Batch = {
  readonly daemon: Daemon;
  /** The lines that lead to the node, outermost first; empty: the top. */
  readonly context: readonly string[];
  readonly lines: readonly string[];
};

export type FrrClient = {
  /** Runs one show command and gives its text; throws FrrError. */
  readonly show: (daemon: Daemon, command: string) => Promise<string>;
  /**
   * Runs configuration lines in order; without any it only enters the node, which makes it.
   * Refused lines are returned and the rest still runs; when a context line is refused, so is
   * everything inside it, and where nothing is, the line itself. Throws FrrError when the daemon
   * cannot be reached or does not answer: how many lines ran is then unknown.
   */
  readonly configure: (batch: Batch) => Promise<readonly Refusal[]>;
  readonly close: () => void;
};

export type FrrErrorKind =
  /** No socket, nobody listening, or no permission. */
  | "unreachable"
  /** The daemon went away in the middle. */
  | "closed"
  /** No answer within the deadline: the daemon hangs. */
  | "timeout"
  /** It answered, but not with success. */
  | "refused";

/** FRR could not be asked, or did not answer as it should. */
export class FrrError extends Error {
  readonly kind: FrrErrorKind;
  readonly daemon: Daemon;

  constructor(kind: FrrErrorKind, daemon: Daemon, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = "FrrError";
    this.kind = kind;
    this.daemon = daemon;
  }
}

/** Status bytes of the vty protocol (lib/command.h), those that can reach a client. */
const STATUS_TEXT: Readonly<Record<number, string>> = {
  0: "ok",
  1: "warning",
  2: "unknown command",
  3: "ambiguous command",
  4: "incomplete command",
  12: "suspended",
  13: "configuration failed",
  14: "not this instance",
  15: "no such level",
};

export function statusText(status: number): string {
  return STATUS_TEXT[status] ?? `status ${status}`;
}

/** FRR's answer as one line: no percent signs, no daemon's name, no line breaks. */
export function plainMessage(text: string): string {
  return text
    .split("\n")
    .map((line) => line.replace(/^\s*%\s*(\[[A-Z]+\] )?/, "").trim())
    .filter((line) => line !== "")
    .join("; ");
}
