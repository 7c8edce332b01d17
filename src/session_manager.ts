/**
 * The life of one request's session: load, run the handler, commit.
 *
 * @module
 */

import { checkType } from "./_check.ts";
import { Committer } from "./_committer.ts";
import { endSession } from "./_removal.ts";
import { RequestServer } from "./_request_server.ts";
import { type RevokeAllOptions, revokeSubject } from "./_revocation.ts";
import {
  infoOf,
  type ListOptions,
  listSessions,
  type SessionInfo,
} from "./_session_list.ts";
import { SessionLoader } from "./_session_loader.ts";
import { SessionReader } from "./_session_reader.ts";
import { SessionWatcher } from "./_session_watcher.ts";
import { resolveSettings, type Settings } from "./_settings.ts";
import { StoreWriter } from "./_store_writer.ts";
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
 * const sessions = new SessionManager({ store: new MemoryStore() });
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
  readonly #watcher: SessionWatcher;
  readonly #server: RequestServer;

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
    this.#watcher = new SessionWatcher(
      this.#settings,
      this.#reader,
      this.#writer.lineages,
    );
    this.#server = new RequestServer({
      settings: this.#settings,
      committer: new Committer(this.#writer),
      watcher: this.#watcher,
      endings: this.#reader.endings,
      renamings: this.#writer.renamings,
    }, new SessionLoader(this.#settings, this.#reader));
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
   * @throws {TypeError} If the handler returns no `Response`, the request is none, or another
   *   manager answers it under the same name.
   * @throws {SessionStoreError} If the store fails, unless `onError` answers.
   * @throws {SessionConflictError} If other writers kept winning, unless `onError` answers.
   * @throws {SessionTooLargeError} If the session does not fit its store.
   * @throws {SessionValidationError} If the data does not fit the `schema`.
   */
  handle(
    request: Request,
    run: (session: Session<Data, Flash>) => Response | Promise<Response>,
  ): Promise<Response> {
    return this.#server.handle(request, run);
  }

  /**
   * Serves one request whose handler may or may not load the session.
   *
   * @param request The request.
   * @param run The handler; calls `load` for the session, as often as it likes.
   * @returns The handler's response; untouched, if it did not load the session.
   * @throws What {@linkcode handle} throws.
   */
  handleLazily(
    request: Request,
    run: (
      load: () => Promise<Session<Data, Flash>>,
    ) => Response | Promise<Response>,
  ): Promise<Response> {
    return this.#server.handleLazily(request, run);
  }

  /**
   * Loads the session of a request: the first half of {@linkcode handle}.
   *
   * Until it is committed nothing is saved, and other requests of this process do not get the
   * flash values that were taken of it. One that is never committed is a look: it writes
   * nothing, does not put off the idle timeout, and leaves `Vary` to you.
   *
   * @param request The request.
   * @returns The session; a blank one, if the request brought none that lives.
   * @throws {TypeError} If the request is none, or another manager answers it under the same
   *   name.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionValidationError} If the data no longer fits the `schema`, and
   *   `onInvalid` is `"fail"`.
   */
  load(request: Request): Promise<Session<Data, Flash>> {
    return this.#server.load(request);
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
  commit(
    session: Session<Data, Flash>,
    response: Response,
  ): Promise<Response> {
    return this.#server.commit(session, response);
  }

  /**
   * Edits a session outside of a request: from a queue, a timer, a socket.
   *
   * Merges with requests as these do with each other. It is no use of the session by its client,
   * so it does not put off the idle timeout. Nor does anybody catch what it throws, as a server
   * does for its requests: a rejection that is left alone ends the process.
   *
   * @param id The public id of the session; for the `rotationGrace`, one that `regenerate`
   *   replaced leads to it too. One that `login` replaced is unknown at once.
   * @param edit Changes the session; saved when it returns, not if it throws.
   * @returns What `edit` returned, or `undefined` if there is no such session.
   * @throws What `edit` throws, unchanged.
   * @throws {TypeError} If the manager is stateless, or `edit` no function.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionConflictError} If other writers kept winning.
   * @throws {SessionTooLargeError} If the session does not fit its store.
   * @throws {SessionValidationError} If the data does not fit the `schema`.
   */
  async edit<T>(
    id: string,
    edit: (session: Session<Data, Flash>) => T | Promise<T>,
  ): Promise<T | undefined> {
    this.#assertStored("edit session");
    checkType("edit session", "edit", edit, "function");
    const found = await this.#reader.find(id);
    if ("missing" in found) return undefined;
    const origin = { transport: undefined, vary: [], stale: false };
    const session = this.#server.sessionOf({ origin, loaded: found });
    try {
      const handle: Session = session.handle;
      const result = await edit(handle);
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
   * @param id The public id; for the `rotationGrace`, one that `regenerate` replaced leads to its
   *   session too. One that `login` replaced is unknown at once.
   * @returns What is known of it; never a token.
   * @throws {TypeError} If the manager is stateless.
   * @throws {SessionStoreError} If the store fails.
   */
  async get(id: string): Promise<SessionInfo | undefined> {
    this.#assertStored("get session");
    const found = await this.#reader.find(id, { dataNeeded: false });
    return "missing" in found
      ? undefined
      : infoOf(found.id, found.record, this.#settings);
  }

  /**
   * Lists the living sessions, newest first: all, or those of one subject.
   *
   * One that gets a new id by `regenerate` meanwhile stands in the place of its old one, or is
   * left out where there is a `limit` or a `cursor`.
   *
   * @param options Which, how many, and from where on.
   * @returns The sessions, read from the store as the caller iterates.
   * @throws {TypeError} If the manager is stateless, or an option is unknown.
   * @throws {RangeError} If the limit is not an integer of 1 or more.
   */
  list(options: ListOptions = {}): AsyncIterable<SessionInfo> {
    this.#assertStored("list sessions");
    return listSessions(this.#settings, this.#reader, options);
  }

  /**
   * Ends a session.
   *
   * @param id The public id; for the `rotationGrace`, one that `regenerate` replaced leads to its
   *   session too. One that `login` replaced is unknown at once.
   * @returns Whether there was one.
   * @throws {TypeError} If the manager is stateless.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionConflictError} If other writers kept winning.
   */
  async revoke(id: string): Promise<boolean> {
    this.#assertStored("revoke session");
    return await endSession(this.#writer, id, "revoked");
  }

  /**
   * Ends every session of a subject: "log out everywhere".
   *
   * Every one that existed when it was called; whoever signs in meanwhile stays.
   *
   * @param subject The subject, compared by code unit.
   * @param options The session to spare.
   * @returns How many sessions it ended.
   * @throws {TypeError} If the subject is no string, an option is unknown, or the manager is
   *   stateless.
   * @throws {SessionStoreError} If the store fails; some may have ended by then.
   * @throws {SessionConflictError} If a session got new ids faster than it could be ended.
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
    this.#watcher.close();
    await this.#settings.store.close();
  }

  #assertStored(action: string): void {
    if (this.#settings.cipher !== undefined) {
      throw new TypeError(
        `Cannot ${action}: want a manager with a store: received one with "stateless"`,
      );
    }
  }
}
