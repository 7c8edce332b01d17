/**
 * Watching of one key.
 *
 * @module
 */

import type { KvConnection, KvDatabase, KvKey } from "./_kv_database.ts";

/**
 * Watches of one database at a time. Over KV Connect all that is done to a
 * database shares one HTTP/2 connection, of which a server takes some 100 or 200
 * requests at a time: with more watches than that, nothing else would get through.
 */
const MAX_WATCHES = 64;

/**
 * `npm:@deno/kv` must not be watched: to cancel a watch blocks the process, or
 * keeps it from ending.
 */
const CAN_CANCEL = "Deno" in globalThis;

/** How many watches each database has. */
const watches = new WeakMap<KvDatabase, number>();

/**
 * Calls back after each change of a key, until the signal aborts.
 *
 * A failure ends the watch in silence, and one too many does not begin: it is a
 * hint, and polls stand behind it.
 *
 * @param connection The database; without `watch` nothing happens.
 * @param key The key.
 * @param changed The callback.
 * @param signal Ends the watch.
 */
export async function watchKey(
  connection: KvConnection,
  key: KvKey,
  changed: () => void,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted || !CAN_CANCEL) return;
  try {
    const database = connection.database ?? await connection.open();
    // `signal` may have been aborted during the wait, whatever the compiler thinks.
    if (database.watch === undefined || isAborted(signal)) return;
    const others = watches.get(database) ?? 0;
    if (others >= MAX_WATCHES) return;
    const reader = database.watch([key]).getReader();
    watches.set(database, others + 1);
    const cancel = () => void reader.cancel().catch(() => {});
    signal.addEventListener("abort", cancel, { once: true });
    try {
      // the first is the present state: a change only if the key has gone since
      // it was read last, for a watch takes a while to begin
      let first = true;
      for (;;) {
        const { done, value } = await reader.read();
        if (done || isAborted(signal)) break;
        if (!first || value?.[0]?.versionstamp === null) changed();
        first = false;
      }
    } finally {
      watches.set(database, (watches.get(database) ?? 1) - 1);
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  } catch {
    // see above
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
