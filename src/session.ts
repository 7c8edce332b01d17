/**
 * The handle that a request handler works with.
 *
 * @module
 */

import type {
  EntryOf,
  KeyOf,
  UntypedData,
  UntypedKey,
  ValueOf,
} from "./_data_types.ts";
import type { SessionSocket } from "./_session_socket.ts";

export type { EntryOf, KeyOf, SessionSocket, UntypedData, UntypedKey, ValueOf };

/** Options of {@linkcode Session.login}. */
export interface LoginOptions {
  /**
   * What the app wants to remember of the device or the way of signing in, to
   * show in a list of devices. Nothing is recorded unasked.
   *
   * @default what the session has from an earlier sign-in of the subject, or none
   */
  label?: string | undefined;
}

/**
 * What a server remembers of a client between its requests.
 *
 * Reads and changes are synchronous; changes take effect together, atomically,
 * when the manager commits the session, before the response leaves. The
 * words are those of `Map`. Values are what structured clone carries; a value that
 * is changed in place after `get` is noticed and saved.
 *
 * After the commit the handle is closed: reads show what was committed, and a
 * change is a `SessionClosedError` instead of getting lost.
 *
 * @typeParam Data The keys and the types of their values; any key, with values
 *   of type `unknown`, if left out. Of a union, the keys of every variant: what a
 *   key means beside the others is for the `schema` to check.
 * @typeParam Flash The kinds of flash values and their types; likewise.
 *
 * @example Count visits
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { TestClient } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((_request, session) => {
 *   session.update<number>("visits", (visits = 0) => visits + 1);
 *   return new Response(`visit ${session.get("visits")}`);
 * }, { store: new MemoryStore() });
 *
 * const client = new TestClient(handler);
 * await client.get("/");
 *
 * assertEquals(await (await client.get("/")).text(), "visit 2");
 * ```
 */
export interface Session<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> {
  /**
   * The public id, a ULID: safe to log, list and show; useless as a credential.
   * Changes with `login` and `regenerate`.
   */
  readonly id: string;
  /** Whether the request brought no session; stays so after a commit. */
  readonly isNew: boolean;
  /** Who is signed in, if anyone. */
  readonly subject: string | undefined;
  /** When the session was created, in epoch milliseconds. */
  readonly createdAt: number;
  /** When it was last used, in epoch milliseconds, to a tenth of the idle timeout. */
  readonly lastSeenAt: number;
  /** When it ends unless it is used, in epoch milliseconds. */
  readonly expiresAt: number;
  /** When the subject signed in, in epoch milliseconds, for step-up checks (ASVS 7.5.1). */
  readonly authenticatedAt: number | undefined;
  /**
   * How many keys the data has.
   *
   * @throws {SessionClosedError} If the session was destroyed in this request.
   */
  readonly size: number;

  /**
   * Reads a value whose type is not declared.
   *
   * @typeParam Value The type that the caller knows it to have.
   * @param key The key.
   * @returns The value, or `undefined` if there is none.
   * @throws {SessionClosedError} If the session was destroyed in this request.
   */
  get<Value = unknown>(key: UntypedKey<Data>): Value | undefined;
  /**
   * Reads a value.
   *
   * @param key The key.
   * @returns The value, the same object each time, or `undefined` if there is none.
   * @throws {SessionClosedError} If the session was destroyed in this request.
   */
  get<Key extends KeyOf<Data>>(key: Key): ValueOf<Data, Key> | undefined;

  /**
   * Says whether there is a value.
   *
   * @param key The key.
   * @returns Whether the data has the key.
   * @throws {SessionClosedError} If the session was destroyed in this request.
   */
  has(key: KeyOf<Data>): boolean;

  /**
   * Sets a value. Of racing requests that set the same key, the last commit wins.
   *
   * @param key The key: any string, `__proto__` included.
   * @param value What structured clone carries: no function, symbol, promise or
   *   class instance.
   * @throws {TypeError} If the value cannot be stored; the message names the key.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  set<Key extends KeyOf<Data>>(key: Key, value: ValueOf<Data, Key>): void;

  /**
   * Removes a value.
   *
   * @param key The key.
   * @returns Whether there was one.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  delete(key: KeyOf<Data>): boolean;

  /**
   * Removes all values; flash values and the subject stay.
   *
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  clear(): void;

  /**
   * Lists keys and values, in the order in which they were first set.
   *
   * @returns An iterator over `[key, value]` pairs.
   * @throws {SessionClosedError} If the session was destroyed in this request.
   */
  entries(): IterableIterator<EntryOf<Data>>;

  /**
   * Computes a value whose type is not declared from the current one.
   *
   * @typeParam Value The type that the caller knows it to have.
   * @param key The key.
   * @param next Takes a copy of the current value and returns the next one, which may be the
   *   copy; may run again.
   * @throws {TypeError} If it returns a promise, or what cannot be stored, or nothing
   *   after it has changed the copy; or if it changes the session itself.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  update<Value = unknown>(
    key: UntypedKey<Data>,
    next: (current: Value | undefined) => Value,
  ): void;
  /**
   * Computes a value from the current one, so that no racing update is lost.
   *
   * The callback runs at once, and runs again at the commit if another request has
   * changed the value meanwhile; so it must be synchronous, and free of effects
   * of its own.
   *
   * @param key The key.
   * @param next Takes a copy of the current value, or `undefined`, and returns
   *   the next one.
   * @throws {TypeError} If it returns a promise, or what cannot be stored, or nothing
   *   after it has changed the copy; or if it changes the session itself.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  update<Key extends KeyOf<Data>>(
    key: Key,
    next: (current: ValueOf<Data, Key> | undefined) => ValueOf<Data, Key>,
  ): void;

  /**
   * Queues a value that is to be shown once, by this request or a later one.
   *
   * @param kind What sort of value it is, e.g. `"notice"`.
   * @param value What structured clone carries.
   * @throws {TypeError} If the value cannot be stored.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  flash<Kind extends KeyOf<Flash>>(
    kind: Kind,
    value: ValueOf<Flash, Kind>,
  ): void;
  /**
   * Takes the oldest unread value of a kind whose type is not declared.
   *
   * @typeParam Value The type that the caller knows it to have.
   * @param kind The kind.
   * @returns The value, or `undefined` if there is none left.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  flash<Value = unknown>(kind: UntypedKey<Flash>): Value | undefined;
  /**
   * Takes the oldest unread value of a kind.
   *
   * It is gone once this request commits; it stays if the request fails. Two requests
   * of one process never take the same value.
   *
   * @param kind The kind.
   * @returns The value, or `undefined` if there is none left.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  flash<Kind extends KeyOf<Flash>>(
    kind: Kind,
  ): ValueOf<Flash, Kind> | undefined;

  /**
   * Puts back the flash values that this request took, for the next one.
   *
   * @param kind The kind; all kinds if left out.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  keepFlash(kind?: KeyOf<Flash>): void;

  /**
   * Chooses whether the session outlives the browser: "remember me".
   *
   * Kept with the session: touches and rotations keep to it. It stores nothing by
   * itself where there is no session.
   *
   * @param persistent `true`: a cookie with Max-Age; `false`: one that goes with
   *   the browser.
   * @throws {TypeError} If it is no boolean, or the session is being edited outside a request.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  persist(persistent: boolean): void;

  /**
   * Signs a subject in: new id, same data, and the absolute timeout starts anew.
   *
   * The old id is dead as soon as this commits, so that a planted one never sees
   * the user (session fixation).
   *
   * @param subject Who signs in: any string, compared by code unit.
   * @param options What to remember with it.
   * @throws {TypeError} If the subject is no string, an option is unknown, or the
   *   session is being edited outside a request.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  login(subject: string, options?: LoginOptions): void;

  /**
   * Ends the session: the same as `destroy`.
   *
   * @throws {SessionClosedError} If the session is committed.
   */
  logout(): void;

  /**
   * Gives the session a new id and secret; data, subject and limits stay.
   *
   * The old id leads to the new one for the `rotationGrace`, so that requests in
   * flight are not lost.
   *
   * @throws {TypeError} If the session is being edited outside a request.
   * @throws {SessionClosedError} If the session is committed or destroyed.
   */
  regenerate(): void;

  /**
   * Ends the session: its record goes, and the client is told to forget it.
   *
   * Later use in the same request is a `SessionClosedError`; a second call
   * changes nothing.
   *
   * @throws {SessionClosedError} If the session is committed.
   */
  destroy(): void;

  /**
   * Commits now, before the response exists: before streaming, for example.
   *
   * Closes the handle as the commit after the handler would; that one then only
   * writes the cookie, if it has not been outdated meanwhile: where there is one to write, the
   * session is read once more. Calling it again changes nothing.
   *
   * Where the session has ended meanwhile there is nothing to store them in: then they are
   * dropped, with an event, and reads show the session as it was loaded.
   *
   * @returns When the changes are stored, or dropped.
   * @throws {TypeError} If it is called by the callback of an update.
   * @throws {SessionStoreError} If the store fails; the call may be repeated.
   * @throws {SessionConflictError} If other writers kept winning.
   * @throws {SessionTooLargeError} If the session does not fit its store.
   * @throws {SessionValidationError} If the data does not fit the `schema`.
   */
  commit(): Promise<void>;

  /**
   * Aborts when this session ends, in whatever process: its `reason` is a
   * `SessionEndedError` that says why.
   *
   * At once if this process ends it, or if the store's `watch` reaches across processes;
   * within the `pollInterval` otherwise. A new id by `regenerate` is no end, and `id` shows it;
   * from `login` on it is the new session's, unless the old one had ended before.
   * It is let go when the body of the response ends, so read it before the response is
   * returned; with the 101 of an upgrade at once: `attach` the socket there.
   *
   * @throws {SessionClosedError} If it is first read after the response was returned.
   * @throws {TypeError} If the manager is stateless.
   */
  readonly signal: AbortSignal;

  /**
   * Closes a socket with code 3000 when this session ends, in whatever process.
   *
   * It is let go when the socket closes.
   *
   * @param socket The server's side of the socket.
   * @throws {TypeError} If it is no socket, or the manager is stateless.
   */
  attach(socket: SessionSocket): void;
}
