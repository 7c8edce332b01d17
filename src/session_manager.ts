/**
 * The life of one request's session: load, run the handler, commit.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import { assertAlone, enterRequest, leaveRequest } from "./_busy_requests.ts";
import { Committer } from "./_committer.ts";
import { endSession } from "./_identity.ts";
import { type LoadResult, SessionLoader } from "./_session_loader.ts";
import { RequestSession, type SessionParts } from "./_request_session.ts";
import { respond } from "./_respond.ts";
import { SessionReader } from "./_session_reader.ts";
import {
  infoOf,
  type ListOptions,
  listSessions,
  type SessionInfo,
} from "./_session_list.ts";
import { type RevokeAllOptions, revokeSubject } from "./_revocation.ts";
import { resolveSettings, type Settings } from "./_settings.ts";
import { SessionWatcher } from "./_session_watcher.ts";
import { isSkipped, SKIPPED_SESSION } from "./_skipped_session.ts";
import { StoreWriter } from "./_store_writer.ts";
import { traced } from "./_trace.ts";
import { isDropped } from "./_insecure.ts";
import {
  SessionClosedError,
  SessionConflictError,
  SessionStoreError,
} from "./errors.ts";
import type { Session, UntypedData } from "./session.ts";
import type { SessionOptions } from "./session_options.ts";

export type { RevokeAllOptions } from "./_revocation.ts";
export type { ListOptions, SessionInfo } from "./_session_list.ts";

/**
 * Manages the sessions of an app.
 *
 * `withSession` makes one of its options; make it yourself to share it between handlers, or
 * to list, edit and revoke sessions from outside of requests.
 *
 * @typeParam Data What the sessions hold; inferred from the `schema` option.
 * @typeParam Flash The kinds of flash values and their types.
 *
 * @example Revoke a session from outside
 * ```ts
 * import { MemoryStore, SessionManager, withSession } from "@tessera/session";
 * import { TestClient } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * await using sessions = new SessionManager({ store: new MemoryStore() });
 * const client = new TestClient(withSession((_request, session) => {
 *   if (session.isNew) session.set("cart", ["apples"]);
 *   return new Response(session.id);
 * }, sessions));
 *
 * const id = await (await client.get("/")).text();
 *
 * assertEquals(await sessions.revoke(id), true);
 * assertEquals(await sessions.get(id), undefined);
 * ```
 */
export class SessionManager<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> {
  readonly #settings: Settings;
  readonly #reader: SessionReader;
  readonly #writer: StoreWriter;
  readonly #loader: SessionLoader;
  readonly #parts: SessionParts;
  #warnedOfInsecure = false;

  /**
   * Constructs a manager; nothing is opened or read yet.
   *
   * @param options The options; every one has a secure default.
   * @throws {TypeError} If an option is unknown, of the wrong type, or contradicts another.
   * @throws {RangeError} If a number is out of its range.
   */
  constructor(options: SessionOptions<Data> = {}) {
    this.#settings = resolveSettings(options);
    this.#reader = new SessionReader(this.#settings);
    this.#writer = new StoreWriter(this.#settings, this.#reader);
    this.#loader = new SessionLoader(this.#settings, this.#reader);
    this.#parts = {
      settings: this.#settings,
      committer: new Committer(this.#writer),
      watcher: new SessionWatcher(this.#settings, this.#reader),
      renamings: this.#reader.renamings,
    };
  }

  /**
   * Serves one request: loads its session, runs the handler, commits, responds.
   *
   * The response leaves only after the commit succeeded. If the handler throws,
   * nothing is saved.
   *
   * @param request The request.
   * @param run The handler.
   * @returns The handler's response, with the cookie if there is one to set.
   * @throws What the handler throws, unchanged.
   * @throws {SessionStoreError} If the store fails, unless `onError` answers.
   * @throws {SessionConflictError} If other writers kept winning, unless `onError` answers.
   * @throws {SessionTooLargeError} If the session does not fit its store.
   * @throws {SessionValidationError} If the data does not fit the `schema`.
   */
  async handle(
    request: Request,
    run: (session: Session<Data, Flash>) => Response | Promise<Response>,
  ): Promise<Response> {
    const settings = this.#settings;
    if (isSkipped(settings.skip, request)) return await run(skippedSession());
    let session: RequestSession | undefined;
    enterRequest(request, settings);
    try {
      const opening = this.#open(request);
      session = opening instanceof Promise ? await opening : opening;
      const response = await run(handleOf(session));
      assertResponse(response, "respond", "the handler must return");
      const answer = this.#finish(session, response);
      return answer instanceof Promise ? await answer : answer;
    } catch (error) {
      session?.discard();
      return await this.#fail(error, request);
    } finally {
      leaveRequest(request, settings);
    }
  }

  /**
   * Serves one request whose handler may or may not load the session.
   *
   * @param request The request.
   * @param run The handler; calls `load` for the session, as often as it likes.
   * @returns The handler's response; untouched, if it did not load the session.
   * @throws What {@linkcode handle} throws.
   */
  async handleLazily(
    request: Request,
    run: (
      load: () => Promise<Session<Data, Flash>>,
    ) => Response | Promise<Response>,
  ): Promise<Response> {
    const settings = this.#settings;
    if (isSkipped(settings.skip, request)) {
      return await run(() => Promise.resolve(skippedSession()));
    }
    let opening: Promise<RequestSession> | undefined;
    let over = false;
    const open = async () => await this.#open(request);
    const load = async () => {
      if (over && opening === undefined) throw loadedLate();
      return handleOf<Data, Flash>(await (opening ??= open()));
    };
    enterRequest(request, settings);
    try {
      const response = await run(() => handled(load()));
      assertResponse(response, "respond", "the handler must return");
      return opening === undefined
        ? response
        : await this.#finish(await opening, response);
    } catch (error) {
      await opening?.then((session) => session.discard(), () => {});
      return await this.#fail(error, request);
    } finally {
      over = true;
      leaveRequest(request, settings);
    }
  }

  /** Lets `onError` answer a failure of the store; throws every other error on. */
  async #fail(error: unknown, request: Request): Promise<Response> {
    const { onError } = this.#settings;
    if (
      onError !== undefined &&
      (error instanceof SessionStoreError ||
        error instanceof SessionConflictError)
    ) {
      const response = await onError(error, request);
      assertResponse(response, "respond", `"onError" must return`);
      return response;
    }
    throw error;
  }

  /**
   * Loads the session of a request: the first half of {@linkcode handle}.
   *
   * @param request The request.
   * @returns The session; a blank one, if the request brought none that lives.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionValidationError} If the data no longer fits the `schema`, and
   *   `onInvalid` is `"fail"`.
   */
  async load(request: Request): Promise<Session<Data, Flash>> {
    if (isSkipped(this.#settings.skip, request)) {
      return skippedSession();
    }
    return handleOf(await this.#open(request));
  }

  /**
   * Commits a session, and writes its cookie: the second half of {@linkcode handle}.
   *
   * @param session The session, from {@linkcode load}.
   * @param response The response to send.
   * @returns The response, with the cookie if there is one to set.
   * @throws {TypeError} If the session was not loaded by this manager, or the response is none.
   * @throws What {@linkcode handle} throws for the commit.
   */
  async commit(
    session: Session<Data, Flash>,
    response: Response,
  ): Promise<Response> {
    if (session as Session === SKIPPED_SESSION) return response;
    const owner = RequestSession.of(session);
    if (owner === undefined || owner.settings !== this.#settings) {
      throw new TypeError(
        `Cannot commit session: want one that this manager loaded: received ${
          owner === undefined ? describeType(session) : "another manager's"
        }`,
      );
    }
    assertResponse(response, "commit session", `"response" must be`);
    return await this.#finish(owner, response);
  }

  /**
   * Edits a session outside of a request: from a queue, a timer, a socket.
   *
   * Merges with requests as these do with each other. It is no use of the session by its client,
   * so it does not put off the idle timeout.
   *
   * @param id The public id of the session; an id that was just replaced leads to it too.
   * @param edit Changes the session; saved when it returns, not if it throws.
   * @returns What `edit` returned, or `undefined` if there is no such session.
   * @throws What `edit` throws, unchanged.
   * @throws {TypeError} If the manager is stateless.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionConflictError} If other writers kept winning.
   */
  async edit<T>(
    id: string,
    edit: (session: Session<Data, Flash>) => T | Promise<T>,
  ): Promise<T | undefined> {
    this.#assertStored("edit session");
    const found = await this.#reader.find(id);
    if ("missing" in found) return undefined;
    const origin = { transport: undefined, consulted: [], stale: false };
    const session = this.#attach({ origin, loaded: found });
    try {
      const result = await edit(handleOf(session));
      await session.commit();
      session.responded();
      session.links?.release();
      return session.dropped ? undefined : result;
    } catch (error) {
      session.discard();
      throw error;
    }
  }

  /**
   * Looks a session up, without using it.
   *
   * @param id The public id; an id that was just replaced leads to its session too.
   * @returns What is known of it; never a token.
   * @throws {TypeError} If the manager is stateless.
   * @throws {SessionStoreError} If the store fails.
   */
  async get(id: string): Promise<SessionInfo | undefined> {
    this.#assertStored("get session");
    const found = await this.#reader.find(id, { dataNeeded: false });
    return "missing" in found ? undefined : infoOf(found.id, found.record);
  }

  /**
   * Lists the living sessions, newest first: all, or those of one subject.
   *
   * @param options Which, how many, and from where on.
   * @returns The sessions, read from the store as the caller iterates.
   * @throws {TypeError} If the manager is stateless, or an option is unknown.
   * @throws {RangeError} If the limit is not an integer of 1 or more.
   */
  list(options: ListOptions = {}): AsyncIterable<SessionInfo> {
    this.#assertStored("list sessions");
    return listSessions(this.#settings, options);
  }

  /**
   * Ends a session.
   *
   * @param id The public id; an id that was just replaced leads to its session too.
   * @returns Whether there was one.
   * @throws {TypeError} If the manager is stateless.
   * @throws {SessionStoreError} If the store fails.
   */
  async revoke(id: string): Promise<boolean> {
    this.#assertStored("revoke session");
    return await endSession(this.#writer, id, "revoked");
  }

  /**
   * Ends every session of a subject: "log out everywhere".
   *
   * Every one that existed when it was called; who signs in meanwhile stays.
   *
   * @param subject The subject, compared by code unit.
   * @param options The session to spare.
   * @returns How many sessions it ended.
   * @throws {TypeError} If the subject is no string, an option is unknown, or the manager is
   *   stateless.
   * @throws {SessionStoreError} If the store fails; some may have ended by then.
   */
  async revokeAll(
    subject: string,
    options: RevokeAllOptions = {},
  ): Promise<number> {
    this.#assertStored("revoke sessions");
    return await revokeSubject(this.#writer, subject, options);
  }

  /** Closes what the manager opened itself: the database, if no `store` was given. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#parts.watcher.close();
    await this.#settings.store.close();
  }

  /** Loads what a request brings; at once, if it brings nothing. */
  #open(request: Request): RequestSession | Promise<RequestSession> {
    assertAlone(request, this.#settings);
    const { trace } = this.#settings;
    const loading = trace === undefined
      ? this.#loader.load(request)
      : traced(trace, "session.load", () => this.#loader.load(request));
    return loading instanceof Promise
      ? loading.then((result) => this.#attach(result, request))
      : this.#attach(loading, request);
  }

  #attach({ origin, loaded }: LoadResult, request?: Request): RequestSession {
    return new RequestSession(this.#parts, {
      origin,
      loaded,
      request,
    });
  }

  /** Commits and responds; at once, if there is nothing to commit. */
  #finish(
    session: RequestSession,
    response: Response,
  ): Response | Promise<Response> {
    const { settings, handle } = session;
    if (settings.trace === undefined && session.closeUnchanged()) {
      return respond(session, response);
    }
    if (response.bodyUsed) {
      throw new TypeError(
        "Cannot respond: the body of the response must be there to send: received one that was read already",
      );
    }
    if (handle.changedLate) {
      settings.emit({
        type: "warning",
        id: handle.id,
        message:
          "A value was changed in place after session.commit(), and is not saved: change it before, or use manager.edit",
      });
    }
    return session.commit().then(() => this.#answer(session, response));
  }

  #answer(session: RequestSession, response: Response): Response {
    const answered = respond(session, response);
    if (session.answer?.type === "token" && !this.#warnedOfInsecure) {
      this.#warnOfInsecure(session, answered);
    }
    return answered;
  }

  /** Says once, by an event, that browsers drop the cookie. */
  #warnOfInsecure(
    { request, origin: { transport } }: RequestSession,
    { headers }: Response,
  ): void {
    if (request === undefined || transport === undefined) return;
    if (!isDropped(request, headers, transport.name)) return;
    this.#warnedOfInsecure = true;
    this.#settings.emit({
      type: "warning",
      message:
        `Browsers drop the Secure session cookie of a plain http response unless the host is localhost: serve over https; or, if a proxy in front does, ignore this; or, where https cannot be, set "cookie: { secure: false }"`,
    });
  }

  #assertStored(action: string): void {
    if (this.#settings.cipher !== undefined) {
      throw new TypeError(
        `Cannot ${action}: want a manager with a store: received one with "stateless"`,
      );
    }
  }
}

function handleOf<Data extends object, Flash extends object>(
  session: RequestSession,
): Session<Data, Flash> {
  return session.handle as unknown as Session<Data, Flash>;
}

/** What is loaded after the response could not be saved any more. */
function loadedLate(): SessionClosedError {
  return new SessionClosedError(
    "Cannot load session: the request must still be under way: received a first load after its response; use manager.edit from sockets and queues",
  );
}

/** Keeps a promise from ending the process: the request fails with it, whoever waits. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}

function skippedSession<Data extends object, Flash extends object>(): Session<
  Data,
  Flash
> {
  return SKIPPED_SESSION as unknown as Session<Data, Flash>;
}

/** Makes sure that a handler answered; responses of other realms and polyfills count too. */
function assertResponse(
  value: unknown,
  action: string,
  want: string,
): asserts value is Response {
  if (
    typeof value === "object" && value !== null && "headers" in value &&
    "status" in value
  ) return;
  throw new TypeError(
    `Cannot ${action}: ${want} a Response: received ${describeType(value)}`,
  );
}
