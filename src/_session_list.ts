/**
 * What the outside may know of sessions.
 *
 * @module
 */

import { checkLimit, checkOptions, checkType } from "./_check.ts";
import {
  bounded,
  expiredBy,
  type ForwardRecord,
  parseRecord,
  type SessionRecord,
} from "./_record.ts";
import type { SessionReader } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";

/** What is known of a session; nothing in it is a credential. */
export interface SessionInfo {
  /** The public id. */
  readonly id: string;
  /** Who is signed in, if anyone. */
  readonly subject: string | undefined;
  /** What the app chose to remember at the login. */
  readonly label: string | undefined;
  /** When it was created, in epoch milliseconds. */
  readonly createdAt: number;
  /** When its subject signed in, in epoch milliseconds, if one did. */
  readonly authenticatedAt: number | undefined;
  /** When it was last used, in epoch milliseconds, to a tenth of the idle timeout. */
  readonly lastSeenAt: number;
  /** When it ends unless it is used, in epoch milliseconds. */
  readonly expiresAt: number;
}

/** Options of `SessionManager.list`. */
export interface ListOptions {
  /** Only the sessions of exactly this subject, compared by code unit. @default all */
  subject?: string | undefined;
  /** At most so many sessions: an integer of 1 or more. @default {Infinity} */
  limit?: number | undefined;
  /** The last id seen: goes on after it. @default from the newest on */
  cursor?: string | undefined;
}

/** Shows a record to the outside. */
export function infoOf(
  id: string,
  record: SessionRecord,
  settings: Settings,
): SessionInfo {
  const { subject, label, createdAt, authenticatedAt, lastSeenAt, expiresAt } =
    bounded(record, settings.now(), settings);
  return {
    id,
    subject,
    label,
    createdAt,
    authenticatedAt,
    lastSeenAt,
    expiresAt,
  };
}

/** Options of a list, completed. */
interface Selection {
  readonly subject: string | undefined;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/**
 * Lists the living sessions, newest first.
 *
 * @param settings The manager's settings.
 * @param reader What follows replaced ids.
 * @param options Which, how many, and from where on.
 * @returns The sessions, read as the caller iterates.
 * @throws {TypeError} If an option is unknown or of the wrong type.
 * @throws {RangeError} If the limit is not an integer of 1 or more.
 */
export function listSessions(
  settings: Settings,
  reader: SessionReader,
  options: ListOptions,
): AsyncGenerator<SessionInfo> {
  const action = "list sessions";
  const { subject, limit = Infinity, cursor } = checkOptions(action, options, [
    "subject",
    "limit",
    "cursor",
  ]);
  if (subject !== undefined) checkType(action, "subject", subject, "string");
  if (cursor !== undefined) checkType(action, "cursor", cursor, "string");
  checkLimit(limit);
  return livingSessions(settings, reader, { subject, limit, cursor });
}

/**
 * Reads living sessions; what has expired, was replaced, or is corrupt is passed over.
 *
 * One that gets a new id meanwhile, which comes too late for a whole list, is shown in the place
 * of its old one.
 */
async function* livingSessions(
  settings: Settings,
  reader: SessionReader,
  { subject, cursor, limit }: Selection,
): AsyncGenerator<SessionInfo> {
  // by pages it would be shown twice
  const isWhole = cursor === undefined && limit === Infinity;
  let newest: string | undefined;
  let left = limit;
  for await (const { id, record } of readRecords(settings, subject, cursor)) {
    newest ??= id;
    let shown: SessionInfo | undefined;
    if (!("forward" in record)) {
      const now = settings.now();
      const expired = expiredBy(record, now, now, settings);
      if (expired === undefined) shown = infoOf(id, record, settings);
    } else if (isWhole && record.forward > newest) {
      const found = await reader.find(record.forward, { dataNeeded: false });
      if ("missing" in found) continue;
      const isOther = subject !== undefined && found.record.subject !== subject;
      if (!isOther) shown = infoOf(found.id, found.record, settings);
    }
    if (shown === undefined) continue;
    yield shown;
    if (--left === 0) return;
  }
}

/** What a list of the store shows. */
export interface ListedSession {
  /** The id. */
  readonly id: string;
  /** The record of a session, or of a replaced id. */
  readonly record: SessionRecord | ForwardRecord;
  /** The version of the record. */
  readonly version: string;
}

/**
 * Reads the records of sessions and of replaced ids, newest first; what is corrupt is passed
 * over.
 */
export async function* readRecords(
  settings: Settings,
  subject?: string,
  before?: string,
): AsyncGenerator<ListedSession> {
  const selection = {
    ...(subject === undefined ? {} : { subject }),
    ...(before === undefined ? {} : { before }),
  };
  for await (const listed of settings.store.list(selection)) {
    const record = parseRecord(listed.record);
    if (record === undefined) continue;
    const isOther = subject !== undefined && !("forward" in record) &&
      record.subject !== subject;
    if (!isOther) yield { id: listed.id, record, version: listed.version };
  }
}
