/**
 * Watching of one key.
 *
 * @module
 */

import type { KvConnection, KvKey } from "./_kv_database.ts";

/**
 * Calls back after each change of a key, until the signal aborts.
 *
 * A failure ends the watch in silence: it is a hint, and polls stand behind it.
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
  if (signal.aborted) return;
  try {
    const database = connection.database ?? await connection.open();
    // `signal` may have been aborted during the wait, whatever the compiler thinks.
    if (database.watch === undefined || isAborted(signal)) return;
    const reader = database.watch([key]).getReader();
    const cancel = () => void reader.cancel().catch(() => {});
    signal.addEventListener("abort", cancel, { once: true });
    try {
      // The first is the present state: a change only if the key has gone since
      // it was read last, for a watch takes a while to begin.
      let first = true;
      for (;;) {
        const { done, value } = await reader.read();
        if (done || isAborted(signal)) break;
        if (!first || value?.[0]?.versionstamp === null) changed();
        first = false;
      }
    } finally {
      signal.removeEventListener("abort", cancel);
      cancel();
    }
  } catch {
    // See above.
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
