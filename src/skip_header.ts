/**
 * Leaves requests with a certain header without a session.
 *
 * @module
 */

import { checkName, checkType } from "./_check.ts";

/**
 * Creates a `skip` that leaves out requests with a certain header.
 *
 * For health checks, probes and internal calls, which announce themselves.
 *
 * @param name The name of the header.
 * @param value The value that it must have, to the letter; `"*"`: any.
 * @returns A predicate for the `skip` option.
 * @throws {TypeError} If the name is none of a header, or the value is no string.
 *
 * @example No session for health checks
 * ```ts
 * import { MemoryStore, skipHeader, withSession } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((request, session) => {
 *   if (new URL(request.url).pathname !== "/health") session.set("seen", true);
 *   return new Response("ok");
 * }, { store: new MemoryStore(), skip: skipHeader("x-probe", "1") });
 *
 * const headers = { "x-probe": "1" };
 * const response = await handler(new Request("http://localhost/health", { headers }));
 *
 * assertEquals(response.headers.has("vary"), false);
 * ```
 */
export function skipHeader(
  name: string,
  value: string,
): (request: Request) => boolean {
  checkName("create skipHeader", "name", name);
  checkType("create skipHeader", "value", value, "string");
  return ({ headers }) =>
    value === "*" ? headers.has(name) : headers.get(name) === value;
}
