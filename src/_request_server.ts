/**
 * What a manager does with a request: load, run the handler, commit, respond.
 *
 * @module
 */

import {
  enterRequest,
  leaveRequest,
  registerManager,
  type Visit,
} from "./_busy_requests.ts";
import { describeType } from "./_check.ts";
import { InsecureWarning } from "./_insecure.ts";
import { assertResponse, isRequest, loadedLate, noRequest } from "./_misuse.ts";
import type { LoadResult, SessionParts } from "./_request_parts.ts";
import { RequestSession } from "./_request_session.ts";
import { assertSendable, respond } from "./_respond.ts";
import type { SessionLoader } from "./_session_loader.ts";
import type { Settings } from "./_settings.ts";
import { isSkipped, SKIPPED_SESSION } from "./_skipped_session.ts";
import { traced } from "./_trace.ts";
import { varyOf } from "./_transports.ts";
import { SessionConflictError, SessionStoreError } from "./errors.ts";
import type { Session } from "./session.ts";

/** Serves the requests of one manager. */
export class RequestServer {
  readonly #settings: Settings;
  readonly #loader: SessionLoader;
  readonly #parts: SessionParts;
  /** What is left when a session that was loaded by itself is committed. */
  readonly #visits = new WeakMap<RequestSession, Visit>();
  readonly #insecure = new InsecureWarning();

  /** Constructs a server. */
  constructor(parts: SessionParts, loader: SessionLoader) {
    this.#settings = parts.settings;
    registerManager(parts.settings);
    this.#loader = loader;
    this.#parts = parts;
  }

  /** Serves one request: see `SessionManager.handle`. */
  async handle(
    request: Request,
    run: (session: Session) => Response | Promise<Response>,
  ): Promise<Response> {
    const settings = this.#settings;
    if (isSkipped(settings.skip, request)) return await run(SKIPPED_SESSION);
    let session: RequestSession | undefined;
    const visit = enterRequest(request, settings);
    try {
      const loading = this.#load(request);
      session = this.sessionOf(
        loading instanceof Promise ? await loading : loading,
        request,
      );
      const result = run(session.handle);
      const response = result instanceof Response ? result : await result;
      assertResponse(response, "respond", "the handler must return");
      const answer = this.#finish(session, response);
      return answer instanceof Promise ? await answer : answer;
    } catch (error) {
      session?.discard();
      return await this.#fail(error, request, session);
    } finally {
      leaveRequest(request, settings, visit);
    }
  }

  /** Serves one request: see `SessionManager.handleLazily`. */
  async handleLazily(
    request: Request,
    run: (
      load: () => Promise<Session>,
    ) => Response | Promise<Response>,
  ): Promise<Response> {
    const settings = this.#settings;
    if (isSkipped(settings.skip, request)) {
      return await run(() => Promise.resolve(SKIPPED_SESSION));
    }
    let opening: Promise<RequestSession> | undefined;
    let failed = false;
    let over = false;
    const load = async () => {
      if (over && opening === undefined) throw loadedLate();
      if (opening === undefined) {
        opening = this.#open(request);
        opening.catch(() => failed = true);
      }
      return (await opening).handle;
    };
    const visit = enterRequest(request, settings);
    try {
      const result = run(() => handled(load()));
      const response = result instanceof Response ? result : await result;
      assertResponse(response, "respond", "the handler must return");
      if (opening === undefined) return response;
      return failed // before the handler answered: it answered for that too
        ? this.#answerWithout(response)
        : await this.#finish(await opening, response);
    } catch (error) {
      const session = await opening?.catch(() => undefined);
      session?.discard();
      return await this.#fail(error, request, session);
    } finally {
      over = true;
      leaveRequest(request, settings, visit);
    }
  }

  /** Lets `onError` answer a failure of the store; throws every other error on. */
  async #fail(
    error: unknown,
    request: Request,
    session: RequestSession | undefined,
  ): Promise<Response> {
    const { onError } = this.#settings;
    if (
      onError !== undefined &&
      (error instanceof SessionStoreError ||
        error instanceof SessionConflictError)
    ) {
      const response = await onError(error, request);
      assertResponse(response, "respond", `"onError" must return`);
      if (session === undefined) return this.#answerWithout(response);
      void session.handle.isNew; // the answer depends on the session that failed
      await session.committing?.catch(() => {}); // begun, and not waited for
      if (session.isCommitted) await this.#parts.committer.renew(session);
      return respond(session, response);
    }
    throw error;
  }

  /** Loads the session of a request: see `SessionManager.load`. */
  async load(request: Request): Promise<Session> {
    if (isSkipped(this.#settings.skip, request)) {
      return SKIPPED_SESSION;
    }
    const visit = enterRequest(request, this.#settings);
    if (visit === undefined) return (await this.#open(request)).handle;
    try {
      const session = await this.#open(request);
      this.#visits.set(session, visit);
      return session.handle;
    } catch (error) {
      leaveRequest(request, this.#settings, visit);
      throw error;
    }
  }

  /** Commits a session: see `SessionManager.commit`. */
  async commit(
    session: Session,
    response: Response,
  ): Promise<Response> {
    if (session === SKIPPED_SESSION) return response;
    const owner = RequestSession.of(session);
    if (owner === undefined || owner.settings !== this.#settings) {
      throw new TypeError(
        `Cannot commit session: want one that this manager loaded: received ${
          owner === undefined ? describeType(session) : "another manager's"
        }`,
      );
    }
    assertResponse(response, "commit session", `"response" must be`);
    try {
      return await this.#finish(owner, response);
    } finally {
      const visit = this.#visits.get(owner);
      if (owner.request !== undefined && visit !== undefined) {
        leaveRequest(owner.request, this.#settings, visit);
      }
    }
  }

  /** Makes the session of a request. */
  async #open(request: Request): Promise<RequestSession> {
    return this.sessionOf(await this.#load(request), request);
  }

  /** Loads what a request brings; at once, if it brings nothing. */
  #load(request: Request): LoadResult | Promise<LoadResult> {
    const { trace } = this.#settings;
    return trace === undefined
      ? this.#read(request)
      : traced(trace, "session.load", () => this.#read(request));
  }

  #read(request: Request): LoadResult | Promise<LoadResult> {
    try {
      return this.#loader.load(request);
    } catch (error) {
      throw isRequest(request) ? error : noRequest(request);
    }
  }

  /** Makes the session of a request, or of an edit. */
  sessionOf(result: LoadResult, request?: Request): RequestSession {
    return new RequestSession(this.#parts, result, request);
  }

  /** Commits and responds; at once, if there is nothing to commit. */
  #finish(
    session: RequestSession,
    response: Response,
  ): Response | Promise<Response> {
    const { settings, handle } = session;
    if (session.closeUnchanged()) {
      if (settings.trace === undefined) return respond(session, response);
    } else assertSendable(session, response);
    if (handle.changedLate) {
      settings.emit({
        type: "warning",
        id: handle.id,
        message:
          "A value was changed in place after session.commit(), and is not saved: change it before, or use manager.edit",
      });
    }
    return this.#commit(session, response);
  }

  async #commit(
    session: RequestSession,
    response: Response,
  ): Promise<Response> {
    const { committer } = this.#parts;
    const wasCommitted = session.committing !== undefined;
    await session.commit();
    if (wasCommitted) await committer.renew(session);
    const answered = respond(session, response);
    this.#insecure.check(session, answered);
    return answered;
  }

  /** Answers without the session, which could not be loaded. */
  #answerWithout(response: Response): Response {
    const vary = this.#settings.transports.flatMap(varyOf);
    const origin = { transport: undefined, vary, stale: false };
    const session = this.sessionOf({ origin, loaded: undefined });
    void session.handle.isNew; // the answer depends on whether there was one
    return respond(session, response);
  }
}

/** Keeps a promise from ending the process: the request fails with it, whoever waits. */
function handled<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => {});
  return promise;
}
