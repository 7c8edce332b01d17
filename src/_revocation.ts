/**
 * Ends all sessions of a subject.
 *
 * @module
 */

import { inBatches } from "./_batches.ts";
import { checkOptions, checkType } from "./_check.ts";
import { findLiving, lineageOf } from "./_lineage.ts";
import type { SessionRecord } from "./_record.ts";
import { endListed } from "./_removal.ts";
import { backOff, type StoreWriter } from "./_store_writer.ts";
import { SessionConflictError } from "./errors.ts";

/** So often each is tried to be ended before they are listed again. */
const TRIES = 3;

/** So often the sessions are listed, until none is found that is to be ended. */
const MAX_LISTS = 50;

/** Options of `SessionManager.revokeAll`. */
export interface RevokeAllOptions {
  /** The id of a session to spare: that of the request that asks, as a rule. @default none */
  except?: string | undefined;
}

/**
 * The session to spare: by its id, which it may only be about to get, and by what stays when
 * that changes.
 */
interface Spared {
  readonly ids: readonly string[];
  readonly lineages: readonly string[];
}

/**
 * Ends every session of a subject that existed at the call.
 *
 * They are listed until there are none left: one that got a new id meanwhile is recognised
 * by the time of its login, and by its lineage.
 *
 * @param writer What writes.
 * @param subject The subject.
 * @param options The session to spare.
 * @returns How many sessions it ended.
 * @throws {TypeError} If the subject is no string, or an option is unknown.
 * @throws {SessionConflictError} If one got new ids faster than it could be ended.
 */
export async function revokeSubject(
  writer: StoreWriter,
  subject: string,
  options: RevokeAllOptions,
): Promise<number> {
  const action = "revoke sessions";
  checkType(action, "subject", subject, "string");
  const { except } = checkOptions(action, options, ["except"]);
  if (except !== undefined) checkType(action, "except", except, "string");
  const { settings, reader } = writer;
  const start = settings.now();
  const spared = except === undefined ? undefined : await find(writer, except);

  /** Those found, to tell them from who signs in at this very millisecond. */
  const existing = new Set<string>();
  let count = 0;
  for (let lists = 1; lists <= MAX_LISTS; lists++) {
    if (lists > 2) await backOff(lists); // or it may meet them in step each time
    const living = await findLiving(settings, reader, subject, {
      removeExpired: true,
    });
    const now = settings.now();
    const existed = (record: SessionRecord) =>
      lists === 1
        ? !isWithin(record.authenticatedAt ?? start, start, now)
        : (record.authenticatedAt ?? start) < start ||
          existing.has(lineageOf(record));
    const wanted = living.filter(({ id, record }) =>
      existed(record) && !isSpared(id, record, spared)
    );
    for (const { record } of wanted) existing.add(lineageOf(record));
    if (lists > 1 && wanted.length === 0) return count;
    const ended = await inBatches(
      wanted,
      // who follows a session that moves on is always late: better to list it anew
      (session) => endListed(writer, session, "revoked", TRIES),
    );
    count += ended.filter(Boolean).length;
  }
  throw new SessionConflictError(
    `Cannot ${action}: want sessions that stay where they are for a moment: received new ids in ${MAX_LISTS} lists`,
  );
}

/** Whether somebody signed in after the call; what a clock ahead of ours says is not believed. */
function isWithin(time: number, start: number, now: number): boolean {
  return start < time && time <= now;
}

function isSpared(
  id: string,
  record: SessionRecord,
  spared: Spared | undefined,
): boolean {
  return spared !== undefined &&
    (spared.ids.includes(id) || spared.lineages.includes(lineageOf(record)));
}

/**
 * Finds the session to spare.
 *
 * A request that has logged in or regenerated names the id that its session is to get.
 */
async function find(writer: StoreWriter, id: string): Promise<Spared> {
  const { reader, renamings } = writer;
  const previous = renamings.get(id);
  const named = previous === undefined ? [id] : [id, previous];
  const found = await Promise.all(
    named.map((one) => reader.find(one, { dataNeeded: false })),
  );
  return {
    ids: named,
    lineages: found.flatMap((one) =>
      "missing" in one ? [] : lineageOf(one.record)
    ).filter((lineage) => lineage !== ""),
  };
}
