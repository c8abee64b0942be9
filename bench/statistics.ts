// Percentiles of small samples, and of the histograms that our programs serve.

/** The value that the share `p` (0 to 1) of the sample does not exceed: nearest rank. */
export function percentile(sample: readonly number[], p: number): number {
  const sorted = [...sample].sort((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(p * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

/** How often a value was at most `bound`; the last bound is infinite. */
export type Histogram = readonly { readonly bound: number; readonly count: number }[];

/** Reads a histogram without labels out of the text of /metrics. */
export function readHistogram(metrics: string, name: string): Histogram {
  const lines = metrics.matchAll(new RegExp(`^${name}_bucket\\{le="([^"]+)"\\} (\\d+)$`, "gm"));
  return [...lines].map(([, bound, count]) => ({
    bound: bound === "+Inf" ? Number.POSITIVE_INFINITY : Number(bound),
    count: Number(count),
  }));
}

/** What came to a histogram after it was as `before`. */
export function histogramSince(before: Histogram, after: Histogram): Histogram {
  return after.map(({ bound, count }, i) => ({ bound, count: count - (before[i]?.count ?? 0) }));
}

/** The percentile `p` (0 to 1), evenly spread within its bucket; infinite above the last bound. */
export function histogramPercentile(histogram: Histogram, p: number): number {
  const rank = p * (histogram.at(-1)?.count ?? 0);
  let below = { bound: 0, count: 0 };
  for (const bucket of histogram) {
    if (bucket.count >= rank && bucket.count > below.count) {
      if (!Number.isFinite(bucket.bound)) return bucket.bound;
      const share = (rank - below.count) / (bucket.count - below.count);
      return below.bound + share * (bucket.bound - below.bound);
    }
    below = bucket;
  }
  return Number.NaN;
}
