/**
 * Carries the token in a header of its own, for clients without cookies.
 *
 * @module
 */

import { checkName, checkOptions } from "./_check.ts";
import type { SessionTransport } from "./session_transport.ts";

/** The header in which a token is answered unless another is named. */
export const SESSION_HEADER = "x-session";

/** Headers that HTTP, Fetch §2.2.2 or this package use for something else. */
const TAKEN: ReadonlySet<string> = new Set(
  `accept age allow alt-svc authorization cache-control clear-site-data
  connection cookie cookie2 date dnt etag expect expires forwarded from host
  http2-settings keep-alive last-modified link location max-forwards origin
  permissions-policy pragma priority range referer referrer-policy refresh
  retry-after server set-cookie set-cookie2 strict-transport-security te trailer
  transfer-encoding upgrade user-agent vary via warning www-authenticate
  x-content-type-options x-frame-options`.split(/\s+/),
);

/** Families of such headers. */
const TAKEN_PREFIX =
  /^(?:accept|access-control|content|if|proxy|sec|x-forwarded)-/;

/** Options of {@linkcode headerTransport}. */
export interface HeaderOptions {
  /**
   * The name of the header, in requests and in responses; none that HTTP, or this package,
   * uses for something else, as `Cookie` or `Authorization`.
   *
   * @default {"x-session"}
   */
  name?: string | undefined;
}

/**
 * Creates a transport that carries the token in a header, both ways.
 *
 * For native clients and services: they keep the value of the response header,
 * and send it with the next request. An empty value says that the session has
 * ended. A browser on another origin sees it only if the app's CORS headers
 * allow and expose it.
 *
 * @param options The name of the header.
 * @returns The transport.
 * @throws {TypeError} If an option is unknown, or the name is none of a header, or
 *   that of one with another meaning.
 *
 * @example A client that keeps its token itself
 * ```ts
 * import { headerTransport, MemoryStore, withSession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((_request, session) => {
 *   session.update<number>("count", (count = 0) => count + 1);
 *   return Response.json(session.get("count"));
 * }, { transport: headerTransport(), store: new MemoryStore() });
 *
 * const first = await handler(new Request("http://localhost/"));
 * const token = first.headers.get("x-session") ?? "";
 * const headers = { "x-session": token };
 * const second = await handler(new Request("http://localhost/", { headers }));
 *
 * assertEquals(await second.json(), 2);
 * ```
 */
export function headerTransport(options: HeaderOptions = {}): SessionTransport {
  const action = "create headerTransport";
  const { name = SESSION_HEADER } = checkOptions(action, options, ["name"]);
  checkName(action, "name", name);
  const lower = name.toLowerCase();
  if (TAKEN.has(lower) || TAKEN_PREFIX.test(lower)) {
    throw new TypeError(
      `Cannot ${action}: "name" must be a header without another meaning: received ${
        JSON.stringify(name)
      }`,
    );
  }
  return {
    name: lower,
    vary: name,
    read: (request) => {
      const value = request.headers.get(name);
      return value === null || value === "" ? [] : [value];
    },
    write: (headers, token) => headers.set(name, token),
    clear: (headers) => headers.set(name, ""),
  };
}
