/**
 * The statistics of the benchmarks: medians, and how far the rounds lie apart.
 *
 * @module
 */

/** A median and the range of what it is the median of. */
export interface Spread {
  /** The median. */
  readonly median: number;
  /** The least value. */
  readonly low: number;
  /** The greatest value. */
  readonly high: number;
}

/**
 * Computes a quantile, between the two nearest values if it falls between them.
 *
 * @param values The values, in any order; one at least.
 * @param fraction Which: 0.5 is the median.
 * @returns The quantile.
 * @throws {RangeError} If there are no values.
 */
export function quantile(values: readonly number[], fraction: number): number {
  if (values.length === 0) {
    throw new RangeError(
      "Cannot compute a quantile: want one value or more: received none",
    );
  }
  const sorted = values.toSorted((a, b) => a - b);
  const position = (sorted.length - 1) * fraction;
  const below = sorted[Math.floor(position)] as number;
  const above = sorted[Math.ceil(position)] as number;
  return below + (above - below) * (position % 1);
}

/** Computes the median. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Computes the median and the range. */
export function spreadOf(values: readonly number[]): Spread {
  return {
    median: median(values),
    low: Math.min(...values),
    high: Math.max(...values),
  };
}

/** Half the range, as a fraction of the median: the ± of the tables. */
export function relativeSpread({ median, low, high }: Spread): number {
  return median === 0 ? 0 : (high - low) / 2 / median;
}
