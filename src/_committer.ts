/**
 * Commits what requests did to their sessions.
 *
 * Every write is one atomic commit of the store under a version check. When another
 * writer comes first, the operations are applied to what it left, and tried again.
 * Requests that meet at one session while it is being written are committed together.
 *
 * @module
 */

import { type Changes, isEmpty } from "./_changes.ts";
import { isTimeout } from "./_guarded_store.ts";
import { IdMap } from "./_id_map.ts";
import { createSession, regenerate, signIn } from "./_identity.ts";
import {
  dropJobs,
  expiredSince,
  findAgain,
  type Job,
  mergeJobs,
} from "./_merge.ts";
import { MOMENT_MS, touchDue } from "./_record.ts";
import { destroy } from "./_removal.ts";
import type { RequestSession } from "./_request_session.ts";
import type { Missing, StoredSession } from "./_session_reader.ts";
import { commitSealed } from "./_stateless.ts";
import type { StoreWriter } from "./_store_writer.ts";

const NO_JOBS: readonly Job[] = [];

/** A commit that waits for another one of its session. */
interface Waiter {
  readonly job: Job;
  /** Since when, on the clock of `performance.now`. */
  readonly since: number;
}

/** Commits sessions, those of one id one after the other. */
export class Committer {
  readonly #writer: StoreWriter;
  /** The commits that wait for the one under way, by the id they were loaded under. */
  readonly #waiting = new IdMap<Waiter[]>();

  /** How many sessions have a commit under way. */
  get busy(): number {
    return this.#waiting.size;
  }

  /** Constructs a committer. */
  constructor(writer: StoreWriter) {
    this.#writer = writer;
  }

  /**
   * Commits what a request did to its session.
   *
   * @param request The request.
   * @param changes What it did.
   * @returns Rejects with what could not be done; nothing is half-written.
   */
  commit(request: RequestSession, changes: Changes): Promise<void> {
    const { loaded, origin } = request;
    const { settings } = this.#writer;
    if (settings.cipher !== undefined) {
      return commitSealed(settings, settings.cipher, request, changes);
    }
    if (loaded === undefined) {
      return isEmpty(changes)
        ? Promise.resolve()
        : createSession(this.#writer, request, changes);
    }
    const touches = origin.transport !== undefined &&
      touchDue(loaded.record, settings.now(), settings);
    if (!isEmpty(changes) || touches) {
      return this.#enqueue(request, loaded, changes);
    }
    return loaded.hops.length > 0 || origin.stale
      ? this.#reissue(request, loaded)
      : Promise.resolve();
  }

  /**
   * Brings up to date what a response tells, where its commit was a while ago: since then the
   * session may have moved on, or ended, and the client may have a newer token.
   *
   * @param request The request.
   */
  async renew(request: RequestSession): Promise<void> {
    const { issued } = request;
    const { settings } = this.#writer;
    if (issued === undefined || settings.cipher !== undefined) return;
    try {
      const found = await findAgain(this.#writer, request, issued, {
        dataNeeded: false,
      });
      request.withdraw();
      // of one that has moved far away only the id is known
      if ("missing" in found || found.secret === undefined) return;
      const now = settings.now();
      const { issuedAt } = issued;
      const since = now - issuedAt < MOMENT_MS ? issuedAt : now;
      request.follow(found, found.secret, since);
    } catch {
      // reported by the store's guard; a token that the client has may have been replaced
      if (issued.id === request.loaded?.id) request.withdraw();
    }
  }

  /** Hands out the token in force, as the one that was brought is to be replaced. */
  async #reissue(
    request: RequestSession,
    loaded: StoredSession,
  ): Promise<void> {
    const { settings } = this.#writer;
    const found = await findAgain(this.#writer, request, loaded);
    if ("missing" in found) request.drop();
    else request.settle(found, found.secret, settings.now());
  }

  #enqueue(
    request: RequestSession,
    base: StoredSession,
    changes: Changes,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const job: Job = { request, base, changes, resolve, reject };
      if (!this.#writer.settings.batch) return void this.#drain(job);
      const waiting = this.#waiting.get(base.id);
      if (waiting !== undefined) {
        waiting.push({ job, since: performance.now() });
      } else {
        this.#waiting.add(base.id, []);
        void this.#drain(job);
      }
    });
  }

  /** Writes a job, and then those that have come meanwhile, until there are none. */
  async #drain(first: Job): Promise<void> {
    const { id } = first.base;
    let start: StoredSession | undefined = first.base;
    let jobs: readonly Job[] = [first];
    do {
      try {
        await this.#write(jobs, start);
      } catch (error) {
        for (const { reject } of jobs) reject(error);
        if (isTimeout(error)) this.#rejectLate(id, error);
      }
      start = undefined;
      jobs = this.#takeWaiting(id);
    } while (jobs.length > 0);
    this.#waiting.delete(id);
  }

  /** Takes the jobs that can be written together: one that changes the identity goes alone. */
  #takeWaiting(id: string): readonly Job[] {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return NO_JOBS;
    const next = waiting.findIndex(({ job }) =>
      job.changes.identity !== undefined
    );
    return waiting.splice(0, next === -1 ? waiting.length : Math.max(1, next))
      .map(({ job }) => job);
  }

  /**
   * Fails with a store that does not answer those who have waited as long for it as it may take.
   */
  #rejectLate(id: string, error: unknown): void {
    const waiting = this.#waiting.get(id) ?? [];
    const latest = performance.now() - this.#writer.settings.storeTimeout;
    const inTime = waiting.findIndex(({ since }) => since > latest);
    const late = waiting.splice(0, inTime === -1 ? waiting.length : inTime);
    for (const { job } of late) job.reject(error);
  }

  /** Writes jobs that can be written together; those that are not settled by then fail with it. */
  #write(jobs: readonly Job[], start?: StoredSession): Promise<void> {
    const [job] = jobs;
    if (job === undefined) return Promise.resolve();
    const { request, changes: { identity } } = job;
    if (identity?.type === "login") {
      return signIn(this.#writer, job, identity, start).then(job.resolve);
    }
    const expired = start && expiredSince(this.#writer, request, start);
    if (start !== undefined && expired !== undefined) {
      return this.#writeExpired(jobs, start, expired);
    }
    switch (identity?.type) {
      case "destroy":
        return destroy(this.#writer, job, start);
      case "regenerate":
        return regenerate(this.#writer, job, start);
      default:
        return mergeJobs(this.#writer, jobs, start);
    }
  }

  /** Writes to a session that has expired since it was loaded: others may have used it. */
  async #writeExpired(
    jobs: readonly Job[],
    start: StoredSession,
    expired: Missing,
  ): Promise<void> {
    const [job] = jobs;
    if (job === undefined) return;
    const found = await findAgain(this.#writer, job.request, start);
    if (!("missing" in found)) return await this.#write(jobs, found);
    const known = found.missing === "unknown" ? expired : found;
    dropJobs(this.#writer, jobs, known);
  }
}
