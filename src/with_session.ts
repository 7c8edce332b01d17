/**
 * Gives a request handler its session.
 *
 * @module
 */

import { checkType } from "./_check.ts";
import type { Session, UntypedData } from "./session.ts";
import { SessionManager } from "./session_manager.ts";
import type { SessionOptions } from "./session_options.ts";

/**
 * Wraps a handler, so that it gets the session of each request.
 *
 * The session is loaded before the handler runs, and committed before its response
 * leaves; if the handler throws, nothing is saved. A request without a session
 * costs no store call, and a session in which nothing is set is never stored.
 *
 * Whatever the wrapped handler is called with beside the request is passed on: the `info` of
 * `Deno.serve`, the parameters of a router, the session of another `withSession`.
 *
 * @typeParam Data The keys and the types of their values; inferred from a `schema`
 *   or a manager, any key with unknown values if left out.
 * @typeParam Flash The kinds of flash values and their types; likewise.
 * @typeParam Rest What the handler gets after the session; inferred.
 * @param handler Answers a request: `(request, session, ...rest) => Response`.
 * @param optionsOrManager Options, or a manager that is shared with other handlers.
 * @returns The handler, without the session: `(request, ...rest) => Promise<Response>`.
 * @throws {TypeError} If the handler is no function, or an option is unknown, of the wrong
 *   type, or contradicts another.
 * @throws {RangeError} If a number among the options is out of its range.
 *
 * @example A complete server
 * ```ts ignore
 * import { withSession } from "@tessera/session";
 *
 * Deno.serve(withSession((_request, session) => {
 *   const count = session.get<number>("count") ?? 0;
 *   session.set("count", count + 1);
 *   return Response.json({ count });
 * }));
 * ```
 *
 * @example Typed data
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * interface Shop {
 *   cart: string[];
 * }
 *
 * const handler = withSession<Shop>((_request, session) => {
 *   session.update("cart", (cart = []) => [...cart, "apples"]);
 *   return Response.json(session.get("cart"));
 * }, { store: new MemoryStore() });
 *
 * const response = await handler(new Request("http://localhost/"));
 *
 * assertEquals(await response.json(), ["apples"]);
 * ```
 */
export function withSession<
  Data extends object = UntypedData,
  Flash extends object = UntypedData,
  // deno-lint-ignore no-explicit-any -- the default, where Data is named and Rest cannot be inferred
  Rest extends any[] = any[],
>(
  handler: (
    request: Request,
    session: Session<Data, Flash>,
    ...rest: Rest
  ) => Response | Promise<Response>,
  optionsOrManager?: SessionOptions<Data> | SessionManager<Data, Flash>,
): (request: Request, ...rest: Rest) => Promise<Response> {
  checkType("create withSession", "handler", handler, "function");
  const manager = toManager(optionsOrManager);
  return (request, ...rest) =>
    manager.handle(request, (session) => handler(request, session, ...rest));
}

/** Takes a manager as it is, and makes one of options. */
export function toManager<Data extends object, Flash extends object>(
  optionsOrManager:
    | SessionOptions<Data>
    | SessionManager<Data, Flash>
    | undefined,
): SessionManager<Data, Flash> {
  return optionsOrManager instanceof SessionManager
    ? optionsOrManager
    : new SessionManager<Data, Flash>(optionsOrManager);
}
