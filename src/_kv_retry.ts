/**
 * Retries what failed for a reason that passes by itself.
 *
 * @module
 */

import { Deadlines } from "./_deadlines.ts";

/** Longest time spent on retries of one operation, in milliseconds. */
const RETRY_LIMIT_MS = 2_000;
/** Longest pause before the first retry, in milliseconds; doubles from there. */
const FIRST_PAUSE_MS = 2;
/** Longest pause before any retry, in milliseconds. */
const LONGEST_PAUSE_MS = 100;

/**
 * How long the database may take for one answer. Over KV Connect, Deno itself
 * retries for ever what meets no server or one in trouble, and waits for ever on
 * a connection that is silent (denokv, `remote/lib.rs`).
 */
const ANSWER_LIMIT_MS = 10_000;

/**
 * What passes by itself. SQLite: SQLITE_BUSY and SQLITE_LOCKED, which Deno KV
 * reports as `TypeError: database is locked` when two processes write to one
 * file. KV Connect: half an answer, too many requests, a failover; and with
 * `npm:@deno/kv`, which gives up sooner, a connection that broke.
 */
const TRANSIENT_MESSAGE =
  /database (?:table |schema )?is (?:locked|busy)|SQLITE_(?:BUSY|LOCKED)|KV Connect failed to read response body|KV Connect failed to call .*\(status=(?:429|5\d\d)\b|Unexpected response status: (?:429|5\d\d)\b|(?:Reads|Writes) are disabled for this database|Unspecified (?:read|write) error|connection (?:reset|closed|refused)|fetch failed|snapshotRead: response checks failed/i;
/** System error codes of a broken connection. */
const TRANSIENT_CODES: ReadonlySet<unknown> = new Set([
  "ECONNRESET",
  "ECONNREFUSED",
  "EPIPE",
  "ETIMEDOUT",
]);

/** What an operation that got no answer fails with; nothing is known of its outcome. */
class NoAnswer extends Error {
  override readonly name = "TimeoutError";

  constructor() {
    super(
      `Cannot use Deno KV: want an answer within ${ANSWER_LIMIT_MS} ms: received none`,
    );
  }
}

const deadlines = new Deadlines(ANSWER_LIMIT_MS);

/** Says whether the database let an operation wait until its time was up. */
export function isUnanswered(error: unknown): boolean {
  return error instanceof NoAnswer;
}

/** Says whether an atomic operation had more checks than the database takes. */
export function hadTooManyChecks(error: unknown): boolean {
  return error instanceof Error && /too ?many ?checks/i.test(error.message);
}

/** Says whether an error passes by itself. */
export function isTransient(error: unknown): boolean {
  if (typeof error !== "object" || error === null) return false;
  const { message, code } = error as { message?: unknown; code?: unknown };
  return TRANSIENT_CODES.has(code) ||
    typeof message === "string" && TRANSIENT_MESSAGE.test(message);
}

/**
 * Spaces out retries, with jitter, in a bounded time that begins with the first
 * failure.
 */
export class Backoff {
  #deadline: number | undefined;
  #longest = FIRST_PAUSE_MS;

  /**
   * Waits before the next try.
   *
   * @param error What the last try failed with.
   * @throws The error itself, if it does not pass or the time is up.
   */
  async pause(error: unknown): Promise<void> {
    const pause = Math.random() * this.#longest;
    this.#deadline ??= performance.now() + RETRY_LIMIT_MS;
    if (!isTransient(error) || performance.now() + pause > this.#deadline) {
      throw error;
    }
    this.#longest = Math.min(this.#longest * 2, LONGEST_PAUSE_MS);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}

/**
 * Runs an operation, again while it fails for a reason that passes by itself.
 *
 * @param run The operation; may run more than once.
 * @param backoff Shared by operations that are retried in one bounded time.
 * @returns What the operation returned at last.
 * @throws What it threw, as it is, once the time is up or if it does not pass;
 *   or an error for which {@linkcode isUnanswered} holds.
 */
export function retryTransient<T>(
  run: () => Promise<T>,
  backoff?: Backoff,
): Promise<T> {
  return answerOf(run(), (error) => runAgain(run, error, backoff));
}

async function runAgain<T>(
  run: () => Promise<T>,
  error: unknown,
  backoff = new Backoff(),
): Promise<T> {
  await backoff.pause(error);
  return await retryTransient(run, backoff);
}

/**
 * Waits for an answer, as long as there is hope.
 *
 * @param answer What may never come.
 * @param recover What to do about a failure; left out: it is thrown.
 * @returns The answer.
 * @throws What it failed with, or an error for which {@linkcode isUnanswered} holds.
 */
export function answerOf<T>(
  answer: Promise<T>,
  recover?: (error: unknown) => Promise<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const call = deadlines.begin(() => reject(new NoAnswer()));
    answer.then((value) => {
      if (deadlines.end(call)) resolve(value);
    }, (error) => {
      if (!deadlines.end(call)) return;
      if (recover === undefined) reject(error);
      else resolve(recover(error));
    });
  });
}
