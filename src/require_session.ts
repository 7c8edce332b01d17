/**
 * Lets only signed-in users through to a handler.
 *
 * @module
 */

import { checkOptions, checkType, describeType } from "./_check.ts";
import { problem } from "./_problem.ts";
import type { Session, UntypedData } from "./session.ts";
import { SessionManager } from "./session_manager.ts";

/** A session in which somebody is signed in. */
export type SignedInSession<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> = Session<Data, Flash> & {
  /** Who is signed in. */
  readonly subject: string;
};

/** Options of {@linkcode requireSession}. */
export interface RequireSessionOptions<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> {
  /**
   * Says whether the one who is signed in may pass: only `true` is a yes. What it
   * throws is thrown on.
   *
   * @default everybody who is signed in
   */
  verify?:
    | ((
      session: SignedInSession<Data, Flash>,
      request: Request,
    ) => boolean | Promise<boolean>)
    | undefined;
  /**
   * Answers those who may not pass; `status` is 401 if nobody is signed in, and 403
   * if `verify` refused. What it changes in the session is saved.
   *
   * @default `application/problem+json` (RFC 9457) with that status
   */
  reject?:
    | ((
      request: Request,
      session: Session<Data, Flash>,
      status: 401 | 403,
    ) => Response | Promise<Response>)
    | undefined;
}

/**
 * Wraps a handler, so that it is called only for those who are signed in.
 *
 * Answers 401 if nobody is signed in, and 403 to those whom `verify` refuses.
 *
 * It loads the session itself: within a handler that has the session of the same manager, it
 * sees none of that handler's changes.
 *
 * @typeParam Data The keys and the types of the session's values; from the manager.
 * @typeParam Flash The kinds of flash values and their types; from the manager.
 * @typeParam Rest What the handler gets after the session; inferred.
 * @param handler Answers a request: `(request, session, ...rest) => Response`, with a
 *   `session.subject` that is a string.
 * @param manager The manager that the user signed in with.
 * @param options Who may pass, and what the others are answered.
 * @returns The handler, without the session: `(request, ...rest) => Promise<Response>`.
 * @throws {TypeError} If the manager is none, or an option is unknown or no function.
 *
 * @example Only administrators, and everybody else to the login page
 * ```ts
 * import { MemoryStore, requireSession, SessionManager } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const sessions = new SessionManager({ store: new MemoryStore() });
 * const admin = requireSession(
 *   (_request, session) => new Response(`Hello ${session.subject}`),
 *   sessions,
 *   {
 *     verify: (session) => session.get("role") === "admin",
 *     reject: (request, _session, status) => {
 *       const login = new URL("/login", request.url);
 *       login.searchParams.set("to", new URL(request.url).pathname);
 *       return status === 401 ? Response.redirect(login) : new Response("No", { status });
 *     },
 *   },
 * );
 *
 * const response = await admin(new Request("http://localhost/admin"));
 *
 * assertEquals(response.headers.get("location"), "http://localhost/login?to=%2Fadmin");
 * ```
 */
export function requireSession<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
  // deno-lint-ignore no-explicit-any -- the default, where Data is named and Rest cannot be inferred
  Rest extends any[] = any[],
>(
  handler: (
    request: Request,
    session: SignedInSession<Data, Flash>,
    ...rest: Rest
  ) => Response | Promise<Response>,
  manager: SessionManager<Data, Flash>,
  options: RequireSessionOptions<Data, Flash> = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  const action = "create requireSession";
  checkType(action, "handler", handler, "function");
  if (!(manager instanceof SessionManager)) {
    throw new TypeError(
      `Cannot ${action}: "manager" must be a SessionManager: received ${
        describeType(manager)
      }`,
    );
  }
  const { verify, reject = rejection } = checkOptions(action, options, [
    "verify",
    "reject",
  ]);
  if (verify !== undefined) checkType(action, "verify", verify, "function");
  checkType(action, "reject", reject, "function");
  return (request, ...rest) =>
    manager.handle(request, async (session) => {
      if (!isSignedIn(session)) return await reject(request, session, 401);
      if (verify !== undefined && await verify(session, request) !== true) {
        return await reject(request, session, 403);
      }
      return await handler(request, session, ...rest);
    });
}

function isSignedIn<Data extends object, Flash extends object>(
  session: Session<Data, Flash>,
): session is SignedInSession<Data, Flash> {
  return session.subject !== undefined;
}

function rejection(
  _request: Request,
  _session: unknown,
  status: 401 | 403,
): Response {
  return status === 401
    ? problem(401, "Unauthorized", "Nobody is signed in.")
    : problem(403, "Forbidden", "The user who is signed in may not do this.");
}
