/**
 * The options of a session manager.
 *
 * @module
 */

import type { CookieOptions } from "./cookie_transport.ts";
import type { Duration } from "./duration.ts";
import type { SessionConflictError, SessionStoreError } from "./errors.ts";
import type { SessionEvent } from "./events.ts";
import type { KvDatabase } from "./kv_store.ts";
import type { UntypedData } from "./session.ts";
import type { SessionStore } from "./session_store.ts";
import type { SessionTransport } from "./session_transport.ts";
import type { StandardSchema } from "./standard_schema.ts";

/** What the `store` option takes. */
export type StoreOption = SessionStore | KvDatabase;

/**
 * Options of `SessionManager`, and of `withSession` and its kin.
 *
 * The defaults are secure and complete. Durations are milliseconds or
 * `{ days, hours, minutes, seconds }`; a `Temporal.Duration` fits.
 *
 * @typeParam Data What the sessions hold; inferred from `schema`, if there is one.
 */
export interface SessionOptions<Data extends object = UntypedData> {
  /**
   * Where sessions are kept: a `SessionStore`, a `Deno.Kv`, or a promise of one.
   *
   * @default a `KvStore` on `Deno.openKv()`, opened on first use
   */
  store?: StoreOption | PromiseLike<StoreOption> | undefined;
  /**
   * The attributes of the cookie; not together with `transport`.
   *
   * @default `__Host-session`; Secure; HttpOnly; SameSite=Lax; Path=/; persistent
   */
  cookie?: CookieOptions | undefined;
  /**
   * How tokens travel: one way, or several. The first that yields a token wins, and
   * the answer goes out the way the token came in; a new session's by the first.
   *
   * @default {cookieTransport(cookie)}
   */
  transport?: SessionTransport | readonly SessionTransport[] | undefined;
  /**
   * How long after its last use a session ends: whole milliseconds, at least one second,
   * and not longer than `absoluteTimeout`. Uses are written down every tenth of it, so
   * it may end that much earlier.
   *
   * @default 7 days, or `absoluteTimeout` if that is shorter
   */
  idleTimeout?: Duration | undefined;
  /**
   * How long after its creation or login a session ends, whatever happens: whole
   * milliseconds, at least one second.
   *
   * @default 30 days
   */
  absoluteTimeout?: Duration | undefined;
  /**
   * Keys to sign tokens with, of at least 32 bytes each: the first signs, all verify, so that
   * forged tokens never reach the store. Put a new key first to rotate.
   *
   * @default none: tokens are not signed
   */
  secrets?: readonly (string | Uint8Array)[] | undefined;
  /**
   * Whether to keep no store at all: the encrypted session is the token. Needs `secrets`;
   * `get`, `list`, `revoke`, `edit`, limits, `signal` and `attach` are not to be had then.
   *
   * Within one manager racing requests are merged, and what has ended stays ended, as long as
   * it remembers: the 1,000 sessions changed last, the last 10,000 ended. Across processes
   * and after a restart the last answer wins, and a copied cookie lives until its timeouts,
   * even after a logout.
   *
   * @default {false}
   */
  stateless?: boolean | undefined;
  /**
   * A Standard Schema of the whole data (zod, valibot, arktype …). Applied when a commit
   * writes changed data, and when a session is loaded, so that its defaults and
   * transforms migrate old data; it must accept what it returned. Data that was emptied is
   * stored whatever the schema makes of it.
   *
   * @default none
   */
  schema?: StandardSchema<Data> | undefined;
  /**
   * What becomes of a stored session whose data no longer fits the `schema`: `"reset"`
   * keeps session and subject and empties the data; `"fail"` throws a
   * `SessionValidationError`.
   *
   * @default {"reset"}
   */
  onInvalid?: "reset" | "fail" | undefined;
  /**
   * How many sessions a subject may have: an integer of 1 or more. When one more signs
   * in, the oldest ends.
   *
   * @default {Infinity}
   */
  maxSessionsPerSubject?: number | undefined;
  /**
   * How long an id replaced by `regenerate` still leads to its session: whole
   * milliseconds, 0 or more.
   *
   * Requests that had loaded the session before find it later too, if somebody is signed in.
   *
   * @default 10 seconds
   */
  rotationGrace?: Duration | undefined;
  /**
   * How often `signal` and `attach` look for the end of a session that they
   * are not told of: whole milliseconds, 1 or more.
   *
   * Keep it below `rotationGrace` if sessions regenerate that nobody is signed in to: one
   * that looks later takes a new id that another process gave them for their end.
   *
   * @default 5 seconds
   */
  pollInterval?: Duration | undefined;
  /**
   * How long a call of the store may take before it counts as failed: whole
   * milliseconds, 1 or more. Requests that have waited as long for such a call of their
   * session fail with it.
   *
   * @default 5 seconds
   */
  storeTimeout?: Duration | undefined;
  /**
   * Says which requests have no session: nothing is read or written, and using the
   * session is a `SessionSkippedError`.
   *
   * @default never
   */
  skip?: ((request: Request) => boolean) | undefined;
  /**
   * Called with every step in the life of a session. What it throws is ignored.
   *
   * @default none
   */
  onEvent?: ((event: SessionEvent) => unknown) | undefined;
  /**
   * Called around `session.load` and `session.commit`, for tracing: must call
   * `run` and return its result.
   *
   * @default none
   */
  trace?: SessionTrace | undefined;
  /**
   * Answers a request whose session the store failed to load or commit. The answer gets
   * `Vary`, as it depends on the session, and the cookie of what the handler had committed.
   *
   * @default the error is thrown on
   */
  onError?:
    | ((
      error: SessionStoreError | SessionConflictError,
      request: Request,
    ) => Response | Promise<Response>)
    | undefined;
  /**
   * Tells the time in epoch milliseconds, for tests.
   *
   * @default {Date.now}
   */
  clock?: (() => number) | undefined;
  /**
   * Whether calls that are made at the same time travel together; `false` for debugging. A
   * store that you construct has an option of its own.
   *
   * @default {true}
   */
  batch?: boolean | undefined;
}

/** Wraps a step of the session's life, to measure it. */
export type SessionTrace = <T>(
  name: "session.load" | "session.commit",
  run: () => Promise<T>,
) => Promise<T>;
