/**
 * Keeps the number of a subject's sessions within its limit.
 *
 * @module
 */

import { inBatches } from "./_batches.ts";
import { findLiving, lineageOf, type LivingSession } from "./_lineage.ts";
import type { SessionRecord } from "./_record.ts";
import { endListed } from "./_removal.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import type { StoreWriter } from "./_store_writer.ts";

/** A sign-in that is further ahead of this clock was made by one that goes wrong. */
const CLOCK_SKEW_MS = 10_000;

/** So often the sessions are listed, where ids that are replaced leave no trace. */
const MAX_LISTS = 5;

/**
 * Ends the oldest sessions of a subject, as many as are too many; never rejects: the
 * login stands, and the next one evicts what could not be ended.
 *
 * Those who sign in at the same time are counted together.
 */
export async function evict(
  writer: StoreWriter,
  subject: string,
): Promise<void> {
  if (writer.settings.maxSessionsPerSubject === Infinity) return;
  await writer.evictions.join(subject, () => evictNow(writer, subject));
}

async function evictNow(writer: StoreWriter, subject: string): Promise<void> {
  const { settings, reader } = writer;
  try {
    for (let tries = 1; tries <= MAX_LISTS; tries++) {
      const living = await findAll(settings, reader, subject);
      const latest = settings.now() + CLOCK_SKEW_MS;
      living.sort((a, b) => compareAges(a, b, latest));
      const ended = await inBatches(
        living.slice(settings.maxSessionsPerSubject),
        // one that fails, which an event reports, leaves the others to be ended
        (session) => endListed(writer, session, "evicted").catch(() => true),
      );
      // of one that was no longer there nothing may tell where it is
      if (settings.rotationGrace > 0 || ended.every(Boolean)) return;
    }
  } catch {
    // the list failed: reported by the store's guard
  }
}

/** Finds the living sessions, those included that get a new id meanwhile. */
async function findAll(
  settings: Settings,
  reader: SessionReader,
  subject: string,
): Promise<LivingSession[]> {
  const list = () =>
    findLiving(settings, reader, subject, { removeExpired: true });
  let living = await list();
  if (settings.rotationGrace > 0) return living;
  // an id without a grace leads nowhere, and the new one may have come too late for a list: it
  // is whole once it misses none of the list before
  for (let lists = 2; lists <= MAX_LISTS; lists++) {
    const before = living;
    living = await list();
    const listed = new Set(living.map(({ record }) => lineageOf(record)));
    if (before.every(({ record }) => listed.has(lineageOf(record)))) break;
  }
  return living;
}

/**
 * Sorts the newest first, those of one millisecond by the order of their sign-ins.
 *
 * What was signed in by a clock far ahead counts as old, or no login would outlast it.
 */
function compareAges(
  { record: a }: LivingSession,
  { record: b }: LivingSession,
  latest: number,
): number {
  const [since, other] = [signedInAt(a), signedInAt(b)];
  return Number(since > latest) - Number(other > latest) || other - since ||
    (lineageOf(a) < lineageOf(b) ? 1 : -1);
}

function signedInAt({ authenticatedAt, createdAt }: SessionRecord): number {
  return authenticatedAt ?? createdAt;
}
