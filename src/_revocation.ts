/**
 * Ends all sessions of a subject.
 *
 * @module
 */

import { checkOptions, checkType } from "./_check.ts";
import { endSession } from "./_identity.ts";
import { parseRecord } from "./_record.ts";
import { livingSessions } from "./_session_list.ts";
import type { StoreWriter } from "./_store_writer.ts";

/** So many sessions are ended at a time: what one atomic write of Deno KV can check. */
const BATCH = 100;

/** Options of `SessionManager.revokeAll`. */
export interface RevokeAllOptions {
  /** The id of a session to spare: that of the request that asks, as a rule. @default none */
  except?: string | undefined;
}

/**
 * Ends every session of a subject that existed at the call.
 *
 * @param writer What writes.
 * @param subject The subject.
 * @param options The session to spare.
 * @returns How many sessions it ended.
 * @throws {TypeError} If the subject is no string, or an option is unknown.
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
  const { settings } = writer;
  const start = settings.now();

  // replaced ids are listed too: they lead to sessions whose new id may have
  // come too late for the list
  const listed: string[] = [];
  const replaced = new Set<string>();
  for await (const { id, record: stored } of settings.store.list({ subject })) {
    const record = parseRecord(stored);
    if (record === undefined) continue;
    if ("forward" in record) replaced.add(id);
    else if (record.subject !== subject) continue;
    else if (isWithin(record.authenticatedAt, start, settings.now())) continue;
    listed.push(id);
  }
  // only now, as the session to spare may have got a new id meanwhile
  let spared = await idsOf(writer, except);
  const ending: string[] = [];
  for (const id of listed) {
    const target = replaced.has(id) ? await findId(writer, id) : id;
    if (target !== undefined && !spared.has(target)) ending.push(id);
  }
  const count = await endEach(writer, ending);

  // what was replaced without a trace meanwhile is recognised by its login
  spared = await idsOf(writer, except);
  const missed: string[] = [];
  for await (const { id, record } of livingSessions(settings, subject)) {
    if (!spared.has(id) && (record.authenticatedAt ?? start) < start) {
      missed.push(id);
    }
  }
  return count + await endEach(writer, missed);
}

/** Whether somebody signed in after the call; what a clock ahead of ours says is not believed. */
function isWithin(
  time: number | undefined,
  start: number,
  now: number,
): boolean {
  return time !== undefined && start < time && time <= now;
}

/** Ends sessions, many at a time; returns how many there were. */
async function endEach(
  writer: StoreWriter,
  ids: readonly string[],
): Promise<number> {
  let count = 0;
  for (let from = 0; from < ids.length; from += BATCH) {
    const batch = ids.slice(from, from + BATCH);
    const ended = await Promise.all(
      batch.map((id) => endSession(writer, id, "revoked")),
    );
    count += ended.filter(Boolean).length;
  }
  return count;
}

/**
 * The id that was named, and the one it leads to by now.
 *
 * A request that has logged in or regenerated names the id that its session is to get.
 */
async function idsOf(
  writer: StoreWriter,
  id: string | undefined,
): Promise<ReadonlySet<string>> {
  if (id === undefined) return new Set();
  const previous = writer.reader.renamings.previousOf(id);
  const named = previous === undefined ? [id] : [id, previous];
  const found = await Promise.all(named.map((one) => findId(writer, one)));
  return new Set([...named, ...found].filter((one) => one !== undefined));
}

/** The id of the living session that an id leads to. */
async function findId(
  writer: StoreWriter,
  id: string,
): Promise<string | undefined> {
  const found = await writer.reader.find(id, { dataNeeded: false });
  return "missing" in found ? undefined : found.id;
}
