/**
 * Listing of keys, newest first.
 *
 * @module
 */

import type { KvConnection, KvEntry, KvKey } from "./_kv_database.ts";
import type { KvKeys } from "./_kv_keys.ts";
import { Backoff } from "./_kv_retry.ts";

/** Entries fetched at a time, at most. */
const LIST_BATCH = 100;

/** What to list. */
export interface ListRange {
  /** Says which ids can be part of a key. */
  readonly keys: KvKeys;
  /** What comes before the id in the keys. */
  readonly prefix: KvKey;
  /** Only ids that sort before this one. */
  readonly before: string | undefined;
  /** How many will be wanted, as far as is known. */
  readonly limit: number;
}

/**
 * Yields the entries right under a prefix, from the greatest id to the smallest.
 *
 * @param connection The database.
 * @param range What to list.
 */
export async function* listEntries(
  connection: KvConnection,
  range: ListRange,
): AsyncGenerator<[id: string, entry: KvEntry]> {
  const { keys, prefix, before, limit } = range;
  if (before === "") return;
  const batchSize = Math.min(limit, LIST_BATCH);
  // An id that cannot be a key does not bound a scan; the comparison below does.
  let end = before !== undefined && keys.accepts(before) ? before : undefined;
  let backoff: Backoff | undefined;
  for (;;) {
    try {
      const database = connection.database ?? await connection.open();
      const selector = end === undefined
        ? { prefix }
        : { prefix, end: [...prefix, end] };
      for await (
        const entry of database.list(selector, { reverse: true, batchSize })
      ) {
        const id = entry.key.at(-1);
        if (typeof id !== "string" || entry.key.length !== prefix.length + 1) {
          continue;
        }
        if (before !== undefined && id >= before) continue;
        end = id;
        backoff = undefined;
        yield [id, entry];
      }
      return;
    } catch (error) {
      // On from where it was, if the failure passes by itself.
      await (backoff ??= new Backoff()).pause(error);
    }
  }
}
