/**
 * What a manager does with a request: load, run the handler, commit, respond.
 *
 * @module
 */

import {
  assertAlone,
  enterRequest,
  leaveRequest,
  registerManager,
} from "./_busy_requests.ts";
import { describeType } from "./_check.ts";
import { isDropped } from "./_insecure.ts";
import {
  type LoadResult,
  RequestSession,
  type SessionParts,
} from "./_request_session.ts";
import { respond } from "./_respond.ts";
import type { SessionLoader } from "./_session_loader.ts";
import type { Settings } from "./_settings.ts";
import { isSkipped, SKIPPED_SESSION } from "./_skipped_session.ts";
import { traced } from "./_trace.ts";
import {
  SessionClosedError,
  SessionConflictError,
  SessionStoreError,
} from "./errors.ts";
import type { Session } from "./session.ts";

/** Serves the requests of one manager. */
export class RequestServer {
  readonly #settings: Settings;
  readonly #loader: SessionLoader;
  readonly #parts: SessionParts;
  #warnedOfInsecure = false;

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
    const slot = enterRequest(request, settings);
    try {
      const loading = this.#load(request);
      session = this.attach(
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
      return await this.#fail(error, request);
    } finally {
      leaveRequest(request, slot);
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
    let over = false;
    const load = async () => {
      if (over && opening === undefined) throw loadedLate();
      return (await (opening ??= this.#open(request))).handle;
    };
    const slot = enterRequest(request, settings);
    try {
      const result = run(() => handled(load()));
      const response = result instanceof Response ? result : await result;
      assertResponse(response, "respond", "the handler must return");
      return opening === undefined
        ? response
        : await this.#finish(await opening, response);
    } catch (error) {
      await opening?.then((session) => session.discard(), () => {});
      return await this.#fail(error, request);
    } finally {
      over = true;
      leaveRequest(request, slot);
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

  /** Loads the session of a request: see `SessionManager.load`. */
  async load(request: Request): Promise<Session> {
    if (isSkipped(this.#settings.skip, request)) {
      return SKIPPED_SESSION;
    }
    assertAlone(request, this.#settings);
    return (await this.#open(request)).handle;
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
    return await this.#finish(owner, response);
  }

  /** Makes the session of a request. */
  async #open(request: Request): Promise<RequestSession> {
    return this.attach(await this.#load(request), request);
  }

  /** Loads what a request brings; at once, if it brings nothing. */
  #load(request: Request): LoadResult | Promise<LoadResult> {
    const { trace } = this.#settings;
    return trace === undefined
      ? this.#loader.load(request)
      : traced(trace, "session.load", () => this.#loader.load(request));
  }

  /** Makes the session of a request, or of an edit. */
  attach(result: LoadResult, request?: Request): RequestSession {
    return new RequestSession(this.#parts, result, request);
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
