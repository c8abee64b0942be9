// Tables for people: columns as wide as their longest cell, numbers to the right.

export type Table = {
  readonly title: string;
  /** Under the title: conditions, what the reference is, what is left out. */
  readonly notes?: readonly string[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

/** The table as text. The first column is aligned to the left, the others to the right. */
export function formatTable({ title, notes = [], columns, rows }: Table): string {
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => row[i]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    widths
      .map((width, i) =>
        i === 0 ? (cells[i] ?? "").padEnd(width) : (cells[i] ?? "").padStart(width),
      )
      .join("  ");
  const rule = widths.map((width) => "-".repeat(width)).join("  ");
  return [
    title,
    ...notes.map((note) => `  ${note}`),
    "",
    line(columns),
    rule,
    ...rows.map(line),
    "",
  ].join("\n");
}

/** Milliseconds with a sensible number of digits: "7.4 ms", "62 ms", "8.6 s". */
export function formatMs(ms: number): string {
  if (!Number.isFinite(ms)) return "-";
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(ms < 100_000 ? 1 : 0)} s`;
}

/** How many times `reference` is as long: "140 x". */
export function formatRatio(reference: number, ours: number): string {
  const ratio = reference / ours;
  if (!Number.isFinite(ratio)) return "-";
  return `${ratio < 10 ? ratio.toFixed(1) : ratio.toFixed(0)} x`;
}

/** Octets as MiB. */
export function formatMib(octets: number): string {
  return `${(octets / 2 ** 20).toFixed(0)} MiB`;
}
