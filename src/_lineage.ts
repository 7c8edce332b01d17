/**
 * Sessions across their ids.
 *
 * @module
 */

import { firstNonce } from "./_nonce.ts";
import type { SessionRecord } from "./_record.ts";
import { livingSessions } from "./_session_list.ts";
import type { Settings } from "./_settings.ts";

/** Tells a session from all others, whatever its id is by now: `regenerate` keeps it, a login does not. */
export function lineageOf({ nonce }: SessionRecord): string {
  return firstNonce(nonce);
}

/**
 * Finds a session of a signed-in subject that is no longer where it was, and has left no trace:
 * it got a new id, and the grace of the old one has passed.
 *
 * @param settings The manager's settings.
 * @param record The session as it was last seen.
 * @returns Its id by now; `undefined` if it has ended, or nobody is signed in.
 */
export async function findMoved(
  settings: Settings,
  record: SessionRecord,
): Promise<string | undefined> {
  const { subject } = record;
  const lineage = lineageOf(record);
  if (subject === undefined || lineage === "") return undefined;
  for await (const { id, record } of livingSessions(settings, subject)) {
    if (lineageOf(record) === lineage) return id;
  }
  return undefined;
}
