/**
 * Keeps the number of a subject's sessions within its limit.
 *
 * @module
 */

import { lineageOf } from "./_lineage.ts";
import { endEach, endSession } from "./_removal.ts";
import { readRecords } from "./_session_list.ts";
import { expiredBy } from "./_record.ts";
import type { Settings } from "./_settings.ts";
import type { StoreWriter } from "./_store_writer.ts";

/** So often a list is read anew while sessions in it get new ids. */
const MAX_LISTS = 10;

/** A sign-in that is further ahead of this clock was made by one that goes wrong. */
const CLOCK_SKEW_MS = 10_000;

/** A living session, as far as its age matters. */
interface Living {
  readonly id: string;
  /** When its subject signed in. */
  readonly since: number;
  /** Tells the order of sign-ins of one millisecond. */
  readonly order: string;
}

/**
 * Ends the oldest sessions of a subject, as many as are too many; never rejects: the
 * login stands, and the next one evicts what could not be ended.
 */
export async function evict(
  writer: StoreWriter,
  subject: string,
): Promise<void> {
  const { settings } = writer;
  if (settings.maxSessionsPerSubject === Infinity) return;
  try {
    const living = await livingOf(settings, subject);
    const latest = settings.now() + CLOCK_SKEW_MS;
    living.sort((a, b) => compareAges(a, b, latest));
    const ids = living.slice(settings.maxSessionsPerSubject).map(({ id }) =>
      id
    );
    await endEach(
      ids,
      // one that fails, which an event reports, leaves the others to be ended
      (id) => endSession(writer, id, "evicted").catch(() => false),
    );
  } catch {
    // the list failed: reported by the store's guard
  }
}

/** Sorts the newest first; what was signed in by a clock far ahead counts as old, or no login would outlast it. */
function compareAges(a: Living, b: Living, latest: number): number {
  const ahead = Number(a.since > latest) - Number(b.since > latest);
  return ahead || b.since - a.since || (a.order < b.order ? 1 : -1);
}

/**
 * Lists the living sessions of a subject.
 *
 * One that gets a new id meanwhile may be missing, as the new one stands before what was
 * read already; but then it has left a trace that was not there before.
 */
async function livingOf(
  settings: Settings,
  subject: string,
): Promise<Living[]> {
  let known = new Set<string>();
  for (let lists = 1;; lists++) {
    const living: Living[] = [];
    const replaced = new Set<string>();
    for await (const { id, record } of readRecords(settings, subject)) {
      const now = settings.now();
      if ("forward" in record) replaced.add(id);
      else if (expiredBy(record, now, now, settings) === undefined) {
        const since = record.authenticatedAt ?? record.createdAt;
        living.push({ id, since, order: lineageOf(record) });
      }
    }
    if (lists === MAX_LISTS || [...replaced].every((id) => known.has(id))) {
      return living;
    }
    known = replaced;
  }
}
