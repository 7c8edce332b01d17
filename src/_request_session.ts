/**
 * One session in one request, from load to answer; or in one edit outside of any.
 *
 * @module
 */

import { Births } from "./_births.ts";
import type { Changes } from "./_changes.ts";
import {
  bounded,
  lifetimeChanged,
  type Lifetimes,
  maxAgeOf,
  type SessionRecord,
  touchDue,
} from "./_record.ts";
import type {
  Answer,
  LoadResult,
  RequestOrigin,
  SessionParts,
} from "./_request_parts.ts";
import { SessionHandle } from "./_session_handle.ts";
import type { LoadedState, SessionIo } from "./_session_io.ts";
import { SessionLinks } from "./_session_links.ts";
import type { StoredSession } from "./_session_reader.ts";
import type { SessionSocket } from "./_session_socket.ts";
import type { Settings } from "./_settings.ts";
import { traced } from "./_trace.ts";
import { SessionClosedError, SessionStoreError } from "./errors.ts";

/** The state of a request's session that the handler does not see. */
export class RequestSession implements SessionIo {
  readonly settings: Settings;
  readonly origin: RequestOrigin;
  readonly loaded: StoredSession | undefined;
  readonly request: Request | undefined;
  readonly usedAt: number;
  readonly handle: SessionHandle;
  /** Whether the changes were dropped, because the session had ended. */
  dropped = false;
  /**
   * The names of its writes that may have taken place unnoticed, so that a later try looks for
   * them.
   */
  nonces: string[] | undefined;
  /** Whether it may have ended its session unnoticed. */
  mayBeGone = false;
  /** Whether it is committed. */
  isCommitted = false;
  /** Whether that was a sign-in. */
  signedIn = false;
  /** Brings the answer up to date when it is sent; `false`: it must not be sent any more. */
  renew: (() => boolean) | undefined;
  #births: Births | undefined;
  #over: "responded" | "discarded" | undefined;
  #answer: Answer | undefined;
  #links: SessionLinks | undefined;
  /** The session as it is stored, if it is. */
  #stored: LoadedState | undefined;
  readonly #parts: SessionParts;
  #committing: Promise<void> | undefined;

  /**
   * Constructs the session of a request.
   *
   * @param parts The manager's parts.
   * @param result What was loaded.
   * @param request The request; `undefined` outside of requests.
   */
  constructor(
    parts: SessionParts,
    { origin, loaded }: LoadResult,
    request: Request | undefined,
  ) {
    const { settings } = parts;
    this.settings = settings;
    this.origin = origin;
    this.loaded = loaded;
    this.request = request;
    // an edit is no use of the session by its client
    this.usedAt = origin.transport === undefined ? -Infinity : settings.now();
    this.handle = new SessionHandle(this, loaded);
    this.#parts = parts;
    this.#stored = loaded;
  }

  /** Finds the request's part of a session handle. */
  static of(handle: object): RequestSession | undefined {
    const io = SessionHandle.ioOf(handle);
    return io instanceof RequestSession ? io : undefined;
  }

  get lifetimes(): Lifetimes {
    return this.settings;
  }

  get fixedToken(): string | undefined {
    return this.origin.transport === undefined
      ? "the new cookie must travel in a response: received a session outside of a request"
      : undefined;
  }

  get isForwarded(): boolean {
    return this.loaded !== undefined && this.loaded.hops.length > 0;
  }

  /** What the response has to tell, if anything. */
  get answer(): Answer | undefined {
    if (this.renew?.() === false) return undefined;
    return this.#isOutdated ? undefined : this.#answer;
  }

  /**
   * Whether the token that the client is to be told leads nowhere any more, as this process
   * knows.
   */
  get #isOutdated(): boolean {
    if (this.#answer?.type !== "token" || this.#stored === undefined) {
      return false;
    }
    const reason = this.#parts.endings.reasonOf(this.#stored.id);
    // whoever signs in is told a token, though it may be one too many by then
    return reason !== undefined && !(reason === "evicted" && this.signedIn);
  }

  get signal(): AbortSignal {
    return this.#link("get session signal").signal;
  }

  attach(socket: SessionSocket): void {
    this.#link("attach socket").attach(socket);
  }

  /** What is tied to the session, if anything is. */
  get links(): SessionLinks | undefined {
    return this.#links;
  }

  #link(action: string): SessionLinks {
    if (this.settings.cipher !== undefined) {
      throw new TypeError(
        `Cannot ${action}: want a manager with a store: received one with "stateless"`,
      );
    }
    this.#links ??= new SessionLinks(
      this.#parts.watcher,
      this.#stored,
      this.handle,
    );
    if (this.#over !== undefined) this.#links.close();
    return this.#links;
  }

  /** Notes that the response is on its way. */
  responded(): void {
    this.#over ??= "responded";
    this.#links?.close();
  }

  nextId(): string {
    const id = this.settings.nextId();
    if (this.#stored !== undefined) {
      this.#parts.renamings.set(id, this.#stored.id);
    }
    return id;
  }

  /** What the first record of its new id is made with, if it gets one. */
  get births(): Births {
    return this.#births ??= new Births(this);
  }

  /** Closes a session that is to stay as it is; `false` if there is something to commit. */
  closeUnchanged(): boolean {
    const { loaded, origin, settings, handle } = this;
    const unchanged = this.#committing === undefined &&
      handle.changes.untouched && (
        loaded === undefined ||
        loaded.hops.length === 0 && !origin.stale &&
          !touchDue(loaded.record, settings.now(), settings)
      );
    if (unchanged) handle.close();
    return unchanged;
  }

  /** The commit that has begun: by the handler itself, if it is still running. */
  get committing(): Promise<void> | undefined {
    return this.#committing;
  }

  /** Commits once; a failed commit may be tried again. */
  commit(): Promise<void> {
    if (this.#over === "discarded") {
      return Promise.reject(
        new SessionClosedError(
          "Cannot commit session: the request must still be under way: received a commit after its end",
        ),
      );
    }
    if (this.#committing !== undefined) return this.#committing;
    try {
      return this.#committing = this.#commit(this.handle.seal());
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #commit(changes: Changes): Promise<void> {
    const { trace } = this.settings;
    const { committer } = this.#parts;
    try {
      await (trace === undefined ? committer.commit(this, changes) : traced(
        trace,
        "session.commit",
        () => committer.commit(this, changes),
      ));
      this.isCommitted = true;
    } catch (error) {
      await undefined; // what is thrown at once must not be forgotten before it is kept
      this.#committing = undefined;
      // after a store's failure it is not known what became of the changes
      if (!(error instanceof SessionStoreError)) this.handle.reopen();
      throw error;
    }
  }

  /**
   * Takes over what was committed, and decides what the response tells.
   *
   * @param state What was committed, or is in force without a commit.
   * @param secret The secret that belongs to it.
   * @param now When it was committed, which its lifetime is counted from.
   */
  settle(state: LoadedState, secret: string | undefined, now: number): void {
    this.handle.settle(state);
    this.follow(state, secret, now);
  }

  /**
   * Decides what the response tells of a session; the handle shows what was committed.
   *
   * @param state The session as it is stored by now.
   * @param secret The secret that belongs to it.
   * @param now When to count its lifetime from.
   */
  follow(state: LoadedState, secret: string | undefined, now: number): void {
    this.#stored = state;
    this.#links?.follow(state);
    const { transport, stale } = this.origin;
    if (transport === undefined || secret === undefined) return;
    const { record } = state;
    const before = this.loaded;
    const newToken = before === undefined || stale || before.id !== state.id ||
      before.hops.length > 0;
    const newLifetime = before?.record.persistent !== record.persistent ||
      (record.persistent && lifetimeChanged(before.record, record));
    if (newToken || newLifetime) {
      this.issue(
        this.settings.codec.format(transport.name, state.id, secret),
        record,
        now,
        secret,
      );
    }
  }

  /** The session whose token the client is to be told, and since when. */
  get issued(): StoredSession & { issuedAt: number } | undefined {
    const stored = this.#stored;
    const answer = this.#answer;
    if (answer?.type !== "token" || stored === undefined) return undefined;
    const { issuedAt, secret } = answer;
    return { ...stored, secret, issuedAt, version: "", hops: [] };
  }

  /** Hands a token to the client, for as long as the record lives. */
  issue(
    token: string,
    record: SessionRecord,
    issuedAt: number,
    secret?: string,
  ): void {
    const lifetime = maxAgeOf(record, issuedAt, this.settings);
    this.#answer = { type: "token", token, lifetime, secret, issuedAt };
  }

  /** Drops the changes: the session that they were made to has ended, and is shown as it was. */
  drop(): void {
    this.dropped = true;
    if (this.loaded === undefined) return;
    const record = bounded(this.loaded.record, this.usedAt, this.settings);
    this.handle.settle({ ...this.loaded, record });
  }

  /** Keeps a token from the client that leads nowhere any more. */
  withdraw(): void {
    this.#answer = undefined;
  }

  /** Gives up: nothing of the request is committed, and nothing tied to it is kept. */
  discard(): void {
    this.#over = "discarded";
    this.handle.discard();
    this.#links?.discard();
  }

  /** Tells the client to forget its token: this request ended the session. */
  clear(): void {
    if (this.origin.transport !== undefined) this.#answer = { type: "clear" };
  }
}
