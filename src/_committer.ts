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
import { createSession, destroy, regenerate, signIn } from "./_identity.ts";
import {
  dropJobs,
  expiredSince,
  findAgain,
  type Job,
  mergeJobs,
} from "./_merge.ts";
import { touchDue } from "./_record.ts";
import { commitSealed } from "./_stateless.ts";
import type { RequestSession } from "./_request_session.ts";
import type { StoredSession } from "./_session_reader.ts";
import type { StoreWriter } from "./_store_writer.ts";

const NO_JOBS: readonly Job[] = [];

/** Commits sessions, those of one id one after the other. */
export class Committer {
  readonly #writer: StoreWriter;
  /** The commits that wait for the one under way, by the id they were loaded under. */
  readonly #waiting = new Map<string, Job[] | undefined>();

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
   * Hands out the token in force: since it was loaded the session may have moved on, or
   * ended, and the client may have a newer token.
   */
  async #reissue(
    request: RequestSession,
    loaded: StoredSession,
  ): Promise<void> {
    const { settings } = this.#writer;
    const found = await findAgain(this.#writer, request, loaded);
    if ("missing" in found) request.dropped = true;
    else request.settle(found, found.secret, settings.now());
  }

  #enqueue(
    request: RequestSession,
    base: StoredSession,
    changes: Changes,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const job: Job = { request, base, changes, resolve, reject };
      if (!this.#writer.settings.batch) return void this.#run([job], base);
      const waiting = this.#waiting.get(base.id);
      if (waiting !== undefined) waiting.push(job);
      else if (this.#waiting.has(base.id)) this.#waiting.set(base.id, [job]);
      else {
        this.#waiting.set(base.id, undefined);
        void this.#drain(job);
      }
    });
  }

  /** Runs a job, and then those that have come meanwhile, until there are none. */
  async #drain(first: Job): Promise<void> {
    const { id } = first.base;
    await this.#run([first], first.base);
    for (
      let jobs = this.#takeWaiting(id);
      jobs.length > 0;
      jobs = this.#takeWaiting(id)
    ) await this.#run(jobs);
    this.#waiting.delete(id);
  }

  /** Takes the jobs that can be written together: one that changes the identity goes alone. */
  #takeWaiting(id: string): readonly Job[] {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return NO_JOBS;
    const next = waiting.findIndex(({ changes }) =>
      changes.identity !== undefined
    );
    return waiting.splice(0, next === -1 ? waiting.length : Math.max(1, next));
  }

  /** Runs jobs; never rejects. */
  #run(jobs: readonly Job[], start?: StoredSession): Promise<void> {
    return this.#write(jobs, start).catch((error) => {
      for (const { reject } of jobs) reject(error);
    });
  }

  async #write(jobs: readonly Job[], start?: StoredSession): Promise<void> {
    const writer = this.#writer;
    const [job] = jobs;
    if (job === undefined) return;
    const { request, changes } = job;
    const { identity } = changes;
    if (identity?.type === "login") {
      await signIn(writer, job, identity, start);
      return job.resolve();
    }
    const expired = start && expiredSince(writer, request, start);
    if (start !== undefined && expired !== undefined) {
      // others may have used it since it was loaded
      const found = await findAgain(writer, request, start);
      if ("missing" in found) {
        const known = found.missing === "unknown" ? expired : found;
        return dropJobs(writer, jobs, known);
      }
      start = found;
    }
    if (identity?.type === "destroy") return await destroy(writer, job, start);
    if (identity?.type === "regenerate") {
      return await regenerate(writer, job, start);
    }
    await mergeJobs(writer, jobs, start);
  }
}
