/**
 * Ends sessions: those of requests, and those that are named from outside.
 *
 * @module
 */

import type { LivingSession } from "./_lineage.ts";
import { dropJobs, findAgain, type Job } from "./_merge.ts";
import type { Missing, StoredSession } from "./_session_reader.ts";
import { deletesOf, type StoreWriter } from "./_store_writer.ts";
import { SessionStoreError } from "./errors.ts";
import type { EndReason } from "./events.ts";

/** So many of the replaced ids that led to a session are deleted with it. */
const MAX_HOPS = 64;

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
  // an edit began with what it has read just now
  const since = request.usedAt === -Infinity
    ? writer.settings.now()
    : request.usedAt;
  let gone: Missing | undefined;
  try {
    const found = start ?? await again();
    gone = await remove(writer, found, "logout", { findAgain: again, since });
  } catch (error) {
    request.mayBeGone ||= error instanceof SessionStoreError;
    throw error;
  }
  if (gone !== undefined) {
    const isOwn = request.mayBeGone && gone.missing === "unknown" &&
      !(await writer.lineages.hasMovedOn(base.record, since));
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
  const found = await find();
  return await remove(writer, found, reason, { findAgain: find }) === undefined;
}

/**
 * Ends a session that was listed: from there, or from where it has moved to since.
 *
 * @param writer What writes.
 * @param session The session, as it was listed.
 * @param reason Why it ends.
 * @param tries How often to try, where others write to it; as often as it takes by default.
 * @returns Whether it was there to be ended.
 */
export async function endListed(
  writer: StoreWriter,
  { id, record, version }: LivingSession,
  reason: EndReason,
  tries?: number,
): Promise<boolean> {
  const { data } = record;
  const listed = { id, record, version, data, secret: undefined, hops: [] };
  const find = () => writer.reader.find(id, { dataNeeded: false });
  const options = { findAgain: find, tries };
  return await remove(writer, listed, reason, options) === undefined;
}

/** How to remove a record. */
interface RemoveOptions {
  /** Looks where the session is by now. */
  readonly findAgain: () => Promise<StoredSession | Missing>;
  /** How often to try, where others write to it. @default {Infinity} */
  readonly tries?: number | undefined;
  /** When it was read first, in epoch milliseconds. @default now */
  readonly since?: number;
}

/** Removes a record; returns why there was none to remove. */
async function remove(
  writer: StoreWriter,
  found: StoredSession | Missing,
  reason: EndReason,
  { findAgain, tries = Infinity, since = writer.settings.now() }: RemoveOptions,
): Promise<Missing | undefined> {
  for (let attempt = 1; !("missing" in found); attempt++) {
    const { id, version, hops, record } = found;
    // what leads nowhere from now on may stay: to delete it unseen takes another trip
    const leading = attempt === 1 ? hops.slice(-MAX_HOPS) : [];
    const commit = {
      check: [{ id, version }],
      put: [],
      delete: deletesOf([id, ...leading], record.subject),
    };
    const proof = { id, nonce: undefined, deleted: { record, since } };
    if (await writer.write(commit, proof)) {
      writer.reader.ended(id, reason, hops);
      return undefined;
    }
    if (attempt >= tries) return { missing: "unknown", id };
    await writer.conflict(id, attempt);
    // from there on: from the first id on the way may grow faster than it is gone
    found = await writer.reader.find(id, { dataNeeded: false });
    if ("missing" in found) found = await findAgain();
  }
  return found;
}
