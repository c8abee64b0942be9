// Who was seen to say that an address is its own, and what follows from it: who owned it when, and
// for how long nobody did. Pure.

/** A host said on the wire that an address is its own. */
export type Sighting = {
  /** On the system's monotonic clock, the same in every process. */
  readonly atMs: number;
  readonly address: string;
  readonly mac: string;
  /** An answer to the witness, or a frame to all that nobody asked for. */
  readonly kind: "answer" | "announcement";
};

/** A time in which one host and no other was seen to have the address. */
export type Stint = {
  readonly mac: string;
  readonly fromMs: number;
  readonly toMs: number;
  readonly answers: number;
};

/** One line of text, and back; undefined for any other line. */
export function formatSighting({ atMs, address, mac, kind }: Sighting): string {
  return `${kind} ${atMs.toFixed(3)} ${address} ${mac}`;
}

export function parseSighting(line: string): Sighting | undefined {
  const match = /^(answer|announcement) (\d+\.\d+) ([\d.]+|[\da-f:]+) ([\da-f:]{17})$/.exec(line);
  const [, kind, at, address, mac] = match ?? [];
  if (address === undefined || mac === undefined) return undefined;
  return { kind: kind === "answer" ? "answer" : "announcement", atMs: Number(at), address, mac };
}

/**
 * The owners of one address, one after the other. Sightings are in the order in which frames came:
 * two hosts that have the address at once show as stints that go back and forth.
 */
export function stintsOf(sightings: readonly Sighting[]): readonly Stint[] {
  const stints: Stint[] = [];
  for (const { mac, atMs, kind } of sightings) {
    const last = stints.at(-1);
    const answers = kind === "answer" ? 1 : 0;
    if (last?.mac === mac) {
      stints[stints.length - 1] = { ...last, toMs: atMs, answers: last.answers + answers };
    } else {
      stints.push({ mac, fromMs: atMs, toMs: atMs, answers });
    }
  }
  return stints;
}

export type Span = { readonly fromMs: number; readonly toMs: number };

/** The longest time in the span without an event. */
export function longestGap(timesMs: readonly number[], span: Span): number {
  const inside = timesMs.filter((atMs) => atMs > span.fromMs && atMs < span.toMs);
  let longest = 0;
  let before = span.fromMs;
  for (const atMs of [...inside.sort((a, b) => a - b), span.toMs]) {
    longest = Math.max(longest, atMs - before);
    before = atMs;
  }
  return longest;
}
