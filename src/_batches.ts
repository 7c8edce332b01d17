/**
 * Work on many sessions at a time.
 *
 * @module
 */

/** So many are worked on at a time: what one atomic write of Deno KV can check. */
const BATCH = 100;

/**
 * Does something for each of many, a bounded number at a time.
 *
 * @param items What it is done for.
 * @param run Does it.
 * @returns What `run` resolved to, in the same order.
 */
export async function inBatches<Item, Result>(
  items: readonly Item[],
  run: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  for (let from = 0; from < items.length; from += BATCH) {
    results.push(
      ...await Promise.all(items.slice(from, from + BATCH).map(run)),
    );
  }
  return results;
}
