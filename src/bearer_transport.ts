/**
 * Carries the token as a bearer token, as API clients expect.
 *
 * @module
 */

import { describeType } from "./_check.ts";
import { SESSION_HEADER } from "./header_transport.ts";
import type { SessionTransport } from "./session_transport.ts";

/** `Bearer`, in any case, and the token (RFC 6750 §2.1, RFC 9110 §11.1). */
const CREDENTIALS = /^bearer +([^ ]+)$/i;

/**
 * Creates a transport that reads `Authorization: Bearer` and answers in `x-session`.
 *
 * There is no standard header to answer a bearer token in; an empty `x-session`
 * says that the session has ended.
 *
 * @returns The transport.
 * @throws {TypeError} If it is given anything: it has no options.
 *
 * @example The token of a response is the bearer token of the next request
 * ```ts
 * import { bearerTransport, MemoryStore, withSession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((_request, session) => {
 *   if (session.subject === undefined) session.login("ada");
 *   return new Response(session.subject);
 * }, { transport: bearerTransport(), store: new MemoryStore() });
 *
 * const first = await handler(new Request("http://localhost/"));
 * const headers = { authorization: `Bearer ${first.headers.get("x-session")}` };
 * const second = await handler(new Request("http://localhost/", { headers }));
 *
 * assertEquals(await second.text(), "ada");
 * assertEquals(second.headers.get("x-session"), null);
 * ```
 */
export function bearerTransport(): SessionTransport {
  const given: unknown = arguments[0];
  if (given !== undefined) {
    throw new TypeError(
      `Cannot create bearerTransport: want no options, as the header names are fixed: received ${
        describeType(given)
      }`,
    );
  }
  return {
    name: "bearer",
    vary: "Authorization",
    read: (request) => {
      const token = CREDENTIALS.exec(request.headers.get("authorization") ?? "")
        ?.[1];
      return token === undefined ? [] : [token];
    },
    write: (headers, token) => headers.set(SESSION_HEADER, token),
    clear: (headers) => headers.set(SESSION_HEADER, ""),
  };
}
