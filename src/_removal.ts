/**
 * Ends sessions: those of requests, and those that are named from outside.
 *
 * @module
 */

import { dropJobs, findAgain, type Job } from "./_merge.ts";
import type { Missing, StoredSession } from "./_session_reader.ts";
import { deletesOf, type StoreWriter } from "./_store_writer.ts";
import { SessionStoreError } from "./errors.ts";
import type { EndReason } from "./events.ts";

/** So many sessions are ended at a time: what one atomic write of Deno KV can check. */
const BATCH = 100;

/**
 * Ends the session of a request.
 *
 * @param writer What writes.
 * @param job The request's commit.
 * @param start The session to begin with, unless it is to be read first.
 */
export async function destroy(
  writer: StoreWriter,
  job: Job,
  start?: StoredSession,
): Promise<void> {
  const { request, base } = job;
  const again = () => findAgain(writer, request, base);
  let gone: Missing | undefined;
  try {
    gone = await remove(writer, start ?? await again(), "logout", again);
  } catch (error) {
    request.mayBeGone ||= error instanceof SessionStoreError;
    throw error;
  }
  if (gone !== undefined) {
    const isOwn = request.mayBeGone && gone.missing === "unknown";
    if (!isOwn) return dropJobs(writer, [job], gone);
    writer.reader.ended(base.id, "logout", base.hops);
  }
  request.clear();
  job.resolve();
}

/**
 * Ends a session from outside of it; a replaced id leads to it.
 *
 * @param writer What writes.
 * @param id The id of the session.
 * @param reason Why it ends.
 * @returns Whether there was one.
 */
export async function endSession(
  writer: StoreWriter,
  id: string,
  reason: EndReason,
): Promise<boolean> {
  const find = () => writer.reader.find(id, { dataNeeded: false });
  return await remove(writer, await find(), reason, find) === undefined;
}

/**
 * Ends sessions, many at a time.
 *
 * @param ids Their ids.
 * @param end Ends one of them; says whether there was one.
 * @returns How many there were.
 */
export async function endEach(
  ids: readonly string[],
  end: (id: string) => Promise<boolean>,
): Promise<number> {
  let count = 0;
  for (let from = 0; from < ids.length; from += BATCH) {
    const ended = await Promise.all(ids.slice(from, from + BATCH).map(end));
    count += ended.filter(Boolean).length;
  }
  return count;
}

/** Removes a record; returns why there was none to remove. */
async function remove(
  writer: StoreWriter,
  found: StoredSession | Missing,
  reason: EndReason,
  findAgain: () => Promise<StoredSession | Missing>,
): Promise<Missing | undefined> {
  for (let attempt = 1; !("missing" in found); attempt++) {
    const { id, version, hops, record } = found;
    const commit = {
      check: [{ id, version }],
      put: [],
      delete: deletesOf([id, ...hops], record.subject),
    };
    if (await writer.write(commit, { id, nonce: undefined })) {
      writer.reader.ended(id, reason, hops);
      return undefined;
    }
    await writer.conflict(id, attempt);
    found = await findAgain();
  }
  return found;
}
