/**
 * Commits changes that leave the identity of a session alone.
 *
 * @module
 */

import {
  applyChanges,
  applyOperations,
  type Changes,
  isEmpty,
} from "./_changes.ts";
import { remembersNonce } from "./_nonce.ts";
import {
  capped,
  cookieEndsEarly,
  type SessionRecord,
  touchDue,
  touched,
} from "./_record.ts";
import type { RequestSession } from "./_request_session.ts";
import { settleFlash } from "./_session_flash.ts";
import type { FindOptions, Missing, StoredSession } from "./_session_reader.ts";
import type { Settings } from "./_settings.ts";
import { putOf, type StoreWriter } from "./_store_writer.ts";
import { checkStorable } from "./_validation.ts";
import { SessionTooLargeError } from "./errors.ts";

/** So often a touch is tried; then it gives way to those who write. */
const TOUCH_ATTEMPTS = 3;

/** One request's commit to an existing session, and who waits for it. */
export interface Job {
  /** The request, or the edit. */
  readonly request: RequestSession;
  /** The session as it was loaded. */
  readonly base: StoredSession;
  /** What to change. */
  readonly changes: Changes;
  /** Called when it is committed, or was dropped. */
  readonly resolve: () => void;
  /** Called with why it failed. */
  readonly reject: (error: unknown) => void;
}

/** What a job makes of a session, before it is stored. */
interface Applied {
  readonly job: Job;
  readonly data: ReadonlyMap<string, unknown>;
}

/** What jobs make of a session one after the other. */
interface Merged {
  /** The record that results. */
  readonly record: SessionRecord;
  /** Those that did not fail. */
  readonly applied: readonly Applied[];
}

/**
 * Commits the changes of requests to one session, in order, in one write.
 *
 * Each has its own outcome: what fails for one leaves the others alone.
 *
 * @param writer What writes.
 * @param jobs The requests' commits, none of which changes the identity.
 * @param start The session to begin with, unless it is to be read first.
 * @throws What the store throws; jobs that are not settled by then fail with it.
 */
export async function mergeJobs(
  writer: StoreWriter,
  jobs: readonly Job[],
  start?: StoredSession,
): Promise<void> {
  const { settings } = writer;
  const nonce = settings.nonces.next();
  let current: StoredSession | Missing | undefined = start;
  for (let attempt = 1;; attempt++) {
    current ??= await findFor(writer, jobs);
    if ("missing" in current) return dropJobs(writer, jobs, current);
    if (jobs.some(hasTried)) jobs = settleDone(writer, jobs, current);
    const { record: merged, applied } = await applyJobs(
      settings,
      jobs,
      current,
    );
    if (applied.length === 0) return;
    if (applied.length < jobs.length) jobs = applied.map(({ job }) => job);

    const now = settings.now();
    const onlyReads = jobs.every(({ changes }) => isEmpty(changes));
    const touch = jobs.some(isRequest) &&
      (touchDue(current.record, now, settings) ||
        !onlyReads && jobs.some(tellsLifetime) &&
          cookieEndsEarly(merged, now, settings));
    if (onlyReads && (!touch || attempt > TOUCH_ATTEMPTS)) {
      return settle(applied, current, current.record, now);
    }
    const record = {
      ...(touch ? touched : capped)(merged, now, settings),
      nonce: settings.nonces.remember(nonce, current.record.nonce),
    };
    const { id, version } = current;
    try {
      const commit = {
        check: [{ id, version }],
        put: [putOf(id, record, now)],
        delete: [],
      };
      if (await writer.write(commit, { id, nonce })) {
        return settle(applied, current, record, now);
      }
    } catch (error) {
      if (attempt === 1) noteTried(jobs, nonce);
      if (!(error instanceof SessionTooLargeError)) throw error;
      if (jobs.length > 1) return await mergeEach(writer, jobs);
      if (!onlyReads) throw error;
      settings.emit({
        type: "warning",
        id,
        message:
          "A session that has no room left could not be touched: it ends as if it had not been used",
      });
      return settle(applied, current, current.record, now);
    }
    if (attempt === 1) noteTried(jobs, nonce);
    await writer.conflict(id, attempt);
    current = undefined;
  }
}

/**
 * Notes the name of a write that may have taken place unnoticed, so that a later try looks for
 * it.
 */
export function noteTried(jobs: readonly Job[], nonce: string): void {
  for (const { request } of jobs) (request.nonces ??= []).push(nonce);
}

/** Says whether a write of a job may have taken place unnoticed. */
function hasTried({ request }: Job): boolean {
  return request.nonces !== undefined;
}

/** Settles the jobs of which an earlier try took place after all, and returns the others. */
function settleDone(
  writer: StoreWriter,
  jobs: readonly Job[],
  current: StoredSession,
): readonly Job[] {
  const { record, data } = current;
  const isDone = ({ request }: Job) =>
    request.nonces?.some((nonce) => remembersNonce(record.nonce, nonce));
  const done = jobs.filter(isDone);
  if (done.length === 0) return jobs;
  const applied = done.map((job) => ({ job, data }));
  settle(applied, current, record, writer.settings.now());
  return jobs.filter((job) => !done.includes(job));
}

/** Commits jobs one by one, as together they are too large: whose fault it is shows then. */
async function mergeEach(
  writer: StoreWriter,
  jobs: readonly Job[],
): Promise<void> {
  for (const job of jobs) await mergeJobs(writer, [job]).catch(job.reject);
}

/** Reads the newest state of the session that jobs belong to. */
async function findFor(
  writer: StoreWriter,
  jobs: readonly Job[],
): Promise<StoredSession | Missing> {
  const [job] = jobs;
  if (job === undefined) return { missing: "unknown", id: "" };
  const secret = jobs.find(({ base }) => base.secret !== undefined)?.base
    .secret;
  const usedAt = Math.max(...jobs.map(({ request }) => request.usedAt));
  return await findNow(writer, job.base, { secret, usedAt });
}

/** Applies the changes of jobs one after the other; one that fails is left out. */
async function applyJobs(
  settings: Settings,
  jobs: readonly Job[],
  base: StoredSession,
): Promise<Merged> {
  const applied: Applied[] = [];
  let { record, data } = base;
  for (const job of jobs) {
    try {
      const next = applyOperations(data, job.changes.operations);
      const changed = next !== data;
      if (changed) {
        const fitted = checkStorable(settings, next);
        data = fitted instanceof Promise ? await fitted : fitted;
      }
      // a touch or a flash alone leaves stored data as it is, whatever the schema makes of it
      record = applyChanges(record, job.changes, changed ? data : record.data);
      applied.push({ job, data });
    } catch (error) {
      job.reject(error);
    }
  }
  return { record, applied };
}

/** Tells requests what was committed, each with the data as it left it. */
function settle(
  applied: readonly Applied[],
  current: StoredSession,
  record: SessionRecord,
  now: number,
): void {
  for (const { job, data } of applied) {
    settleFlash(job.changes.taken);
    job.request.settle({ id: current.id, record, data }, current.secret, now);
    job.resolve();
  }
}

/** Drops the changes of requests whose session has ended. */
export function dropJobs(
  writer: StoreWriter,
  jobs: readonly Job[],
  gone: Missing,
): void {
  for (const { request, base, changes, resolve } of jobs) {
    request.drop();
    settleFlash(changes.taken); // its response shows them all the same
    writer.settings.emit({
      type: "dropped",
      id: base.id,
      reason: gone.missing,
    });
    resolve();
  }
}

/** Says how a session as it was loaded has expired since, if it has. */
export function expiredSince(
  writer: StoreWriter,
  request: RequestSession,
  base: StoredSession,
): Missing | undefined {
  const { id, record } = base;
  const missing = writer.reader.expiredBy(id, record, request.usedAt);
  return missing === undefined ? undefined : { missing, id };
}

/** Reads the session again that a request has loaded, under whatever id it has by now. */
export async function findAgain(
  writer: StoreWriter,
  { usedAt }: RequestSession,
  base: StoredSession,
  options: Pick<FindOptions, "dataNeeded"> = {},
): Promise<StoredSession | Missing> {
  const { secret } = base;
  return await findNow(writer, base, { secret, usedAt, ...options });
}

/**
 * The same, for who began to use it at a time: the id may have changed so long ago that nothing
 * leads there.
 */
async function findNow(
  { lineages, reader }: StoreWriter,
  base: StoredSession,
  options: FindOptions,
): Promise<StoredSession | Missing> {
  const found = await reader.find(base.id, options);
  if (!("missing" in found) || found.missing !== "unknown") return found;
  const id = await lineages.find(base.record);
  if (id === undefined) return found;
  const moved = await reader.find(id, { ...options, secret: undefined });
  return "missing" in moved
    ? moved
    : { ...moved, hops: [base.id, ...moved.hops] };
}

/** Whether the client of a request is to be told how long to keep its token. */
function tellsLifetime({ request, base, changes }: Job): boolean {
  const { persistent } = base.record;
  return base.hops.length > 0 || request.origin.stale ||
    (changes.persistent ?? persistent) !== persistent;
}

/** Edits outside of requests are no use of a session by its client. */
function isRequest({ request }: Job): boolean {
  return request.origin.transport !== undefined;
}
