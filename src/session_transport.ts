/**
 * The contract between the session manager and what carries a token.
 *
 * @module
 */

/**
 * How a token travels: in a cookie, a header, or your own way.
 *
 * A transport knows nothing of what a token means: it finds candidates in a
 * request, and writes the token to, or clears it from, the headers of a response.
 *
 * @example A transport of your own: a token in the query, for a legacy client
 * ```ts
 * import { SessionManager, type SessionTransport, MemoryStore } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const query: SessionTransport = {
 *   name: "query-sid",
 *   vary: [],
 *   read: (request) => new URL(request.url).searchParams.getAll("sid"),
 *   write: (headers, token) => headers.set("x-sid", token),
 *   clear: (headers) => headers.set("x-sid", ""),
 * };
 *
 * const sessions = new SessionManager({ transport: query, store: new MemoryStore() });
 * const first = await sessions.handle(new Request("http://localhost/"), (session) => {
 *   session.set("seen", true);
 *   return new Response("hello");
 * });
 * const url = `http://localhost/?sid=${first.headers.get("x-sid")}`;
 * const second = await sessions.handle(
 *   new Request(url),
 *   (session) => Response.json(session.get("seen")),
 * );
 * assertEquals(await second.json(), true);
 * ```
 */
export interface SessionTransport {
  /**
   * Names the transport among those of an app: for a cookie, its name.
   *
   * Signed tokens are bound to it, so that a token of one transport is worth
   * nothing in another.
   */
  readonly name: string;

  /**
   * The request headers that the answer depends on, for `Vary`.
   *
   * One name or several, as a list or as a header holds them: `"Cookie"`, `"X-App, Cookie"`;
   * an empty list for none.
   */
  readonly vary: string | readonly string[];

  /**
   * Whether its sessions outlive the browser unless `session.persist` says
   * otherwise.
   *
   * @default {true}
   */
  readonly persistent?: boolean | undefined;

  /**
   * Finds the candidates for a token in a request.
   *
   * @param request The request. Must not be changed, nor its body be read.
   * @returns What was found, best first; at most four are looked at. Never throws
   *   for what a client sends.
   */
  read(request: Request): readonly string[];

  /**
   * Writes a token to the headers of a response, before it returns: one that returns a
   * promise is a `TypeError`.
   *
   * @param headers The headers to write to.
   * @param token The token: ASCII letters, digits, `.`, `-` and `_`.
   * @param lifetime Whole seconds the client may keep it, 1 to 34,560,000;
   *   `undefined`: until the browser is closed, or less than a second is left.
   */
  write(headers: Headers, token: string, lifetime: number | undefined): void;

  /**
   * Tells the client to forget its token.
   *
   * @param headers The headers to write to.
   */
  clear(headers: Headers): void;
}

/** At most this many candidates of a request are looked at. */
export const MAX_CANDIDATES = 4;
