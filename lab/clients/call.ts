// What became of a client's requests, and how long the service was away for it. Pure.

/** One request on a connection of its own. */
export type Call = {
  /** On the system's monotonic clock, the same in every process. */
  readonly sentMs: number;
  readonly doneMs: number;
  /** The text that came; undefined: none did, and `failure` says why. */
  readonly answer: string | undefined;
  readonly failure: string | undefined;
};

/** A request that lost its first packet: TCP sends it again after a second. */
const LATE_MS = 500;

export type CallSummary = {
  readonly answered: number;
  /** Of the answered ones: those whose first packets were lost. */
  readonly late: number;
  /** By the reason, how many were not answered. */
  readonly failures: ReadonlyMap<string, number>;
};

export function formatCall({ sentMs, doneMs, answer, failure }: Call): string {
  const end = answer === undefined ? `! ${failure}` : `= ${answer}`;
  return `${sentMs.toFixed(3)} ${doneMs.toFixed(3)} ${end}`;
}

/** Undefined for a line that is no call. */
export function parseCall(line: string): Call | undefined {
  const match = /^(\d+\.\d+) (\d+\.\d+) ([=!]) (.*)$/.exec(line);
  const [, sent, done, sign, text] = match ?? [];
  if (match === null || text === undefined) return undefined;
  return {
    sentMs: Number(sent),
    doneMs: Number(done),
    answer: sign === "=" ? text : undefined,
    failure: sign === "!" ? text : undefined,
  };
}

export function summarizeCalls(calls: readonly Call[]): CallSummary {
  const answered = calls.filter(({ failure }) => failure === undefined);
  const failures = new Map<string, number>();
  for (const { failure } of calls) {
    if (failure !== undefined) failures.set(failure, (failures.get(failure) ?? 0) + 1);
  }
  const late = answered.filter(({ sentMs, doneMs }) => doneMs - sentMs > LATE_MS);
  return { answered: answered.length, late: late.length, failures };
}
