/**
 * Gives a request handler its session when it asks for it.
 *
 * @module
 */

import { checkType } from "./_check.ts";
import type { Session, UntypedData } from "./session.ts";
import type { SessionManager } from "./session_manager.ts";
import type { SessionOptions } from "./session_options.ts";
import { toManager } from "./with_session.ts";

/** A session that is not loaded yet. */
export interface LazySession<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
> {
  /**
   * Loads the session, once; later calls return the same one.
   *
   * If that fails, a handler may catch it and answer all the same: its response is sent as
   * it is, but for a `Vary`.
   *
   * @returns The session.
   * @throws {SessionStoreError} If the store fails.
   * @throws {SessionValidationError} If the data no longer fits the schema, and that is to fail.
   * @throws {SessionClosedError} If it is first called after the response was returned.
   * @throws {TypeError} If the request is none, or another manager answers it under the same
   *   name.
   * @throws {SessionSkippedError} When the session is used, if `skip` left the request out.
   */
  load(): Promise<Session<Data, Flash>>;
}

/**
 * Wraps a handler, so that it can load the session of a request if it needs it.
 *
 * A request whose handler never calls `load` makes no store call, with a token or
 * without, and its response is not touched. Otherwise as `withSession`.
 *
 * @typeParam Data The keys and the types of their values.
 * @typeParam Flash The kinds of flash values and their types.
 * @typeParam Rest What the handler gets after the lazy session; inferred.
 * @param handler Answers a request: `(request, lazy, ...rest) => Response`.
 * @param optionsOrManager Options, or a manager that is shared with other handlers.
 * @returns The handler, without the session: `(request, ...rest) => Promise<Response>`.
 * @throws {TypeError} If the handler is no function, or an option is unknown, of the wrong
 *   type, or contradicts another.
 * @throws {RangeError} If a number among the options is out of its range.
 *
 * @example Only some pages need the session
 * ```ts
 * import { MemoryStore, withLazySession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withLazySession(async (request, lazy) => {
 *   if (new URL(request.url).pathname === "/style.css") return new Response("body {}");
 *   const session = await lazy.load();
 *   session.set("seen", true);
 *   return new Response("hello");
 * }, { store: new MemoryStore() });
 *
 * const style = await handler(new Request("http://localhost/style.css"));
 * const page = await handler(new Request("http://localhost/"));
 *
 * assertEquals(style.headers.has("set-cookie"), false);
 * assertEquals(page.headers.has("set-cookie"), true);
 * ```
 */
export function withLazySession<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
  // deno-lint-ignore no-explicit-any -- the default, where Data is named and Rest cannot be inferred
  Rest extends any[] = any[],
>(
  handler: (
    request: Request,
    lazy: LazySession<Data, Flash>,
    ...rest: Rest
  ) => Response | Promise<Response>,
  optionsOrManager?: SessionOptions<Data> | SessionManager<Data, Flash>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  checkType("create withLazySession", "handler", handler, "function");
  const manager = toManager(optionsOrManager);
  return (request, ...rest) =>
    manager.handleLazily(
      request,
      (load) => handler(request, { load }, ...rest),
    );
}
