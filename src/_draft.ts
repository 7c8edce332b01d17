/**
 * What a request makes of its session, before it is stored.
 *
 * @module
 */

import {
  applyChanges,
  applyOperations,
  type Changes,
  type IdentityChange,
} from "./_changes.ts";
import {
  blankRecord,
  type Lifetimes,
  NO_DATA,
  type SessionRecord,
} from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import type { LoadedState } from "./_session_io.ts";
import type { Settings } from "./_settings.ts";
import { checkStorable } from "./_validation.ts";

/** A login among the changes. */
export type Login = Extract<IdentityChange, { type: "login" }>;

/** What is about to be stored, and what the handle is to show of it. */
interface Draft {
  /** The record. */
  readonly record: SessionRecord;
  /** Its data, as the schema sees it. */
  readonly data: ReadonlyMap<string, unknown>;
  /** When it was made, which lifetimes are counted from. */
  readonly now: number;
}

/**
 * Applies what a request did, identity apart, to a session or to a blank one.
 *
 * @param settings The manager's settings.
 * @param request The request.
 * @param changes What it did.
 * @param base The session, if there is one.
 * @returns The draft.
 * @throws {SessionValidationError} If the data does not fit the schema.
 */
export async function draft(
  settings: Settings,
  request: RequestSession,
  changes: Changes,
  base: LoadedState | undefined,
): Promise<Draft> {
  const persistent = request.origin.transport?.persistent ?? true;
  const before = base?.data ?? NO_DATA;
  const next = applyOperations(before, changes.operations);
  const changed = next !== before;
  const data = changed ? await checkStorable(settings, next) : before;
  const now = settings.now();
  const record = base?.record ?? blankRecord(now, settings, persistent);
  // what no operation changed stays as it is stored, whatever the schema makes of it
  const stored = changed ? data : record.data;
  return { record: applyChanges(record, changes, stored), data, now };
}

/** Makes a record its subject's: the absolute timeout starts anew. */
export function signedIn(
  record: SessionRecord,
  { subject, label }: Login,
  now: number,
  lifetimes: Lifetimes,
): SessionRecord {
  const endsAt = now + lifetimes.absoluteTimeout;
  const expiresAt = Math.min(now + lifetimes.idleTimeout, endsAt);
  return {
    ...record,
    subject,
    label: label ?? (record.subject === subject ? record.label : undefined),
    authenticatedAt: now,
    lastSeenAt: now,
    expiresAt,
    endsAt,
  };
}
