/**
 * Refuses requests that another site made a browser send (CSRF).
 *
 * @module
 */

import {
  checkOptions,
  checkType,
  describeType,
  describeValue,
} from "./_check.ts";
import { problem } from "./_problem.ts";

/** Methods that change nothing (RFC 9110 §9.2.1). */
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);

/** The host of a serialised origin, to the letter: default ports are left out by browsers. */
const ORIGIN_HOST = /^[a-z][a-z0-9+.-]*:\/\/([^/?#@]+)$/i;

/** A list of protocols that names WebSocket (RFC 9110 §7.8). */
const UPGRADE = /(?:^|,)\s*websocket\s*(?:$|[,/])/i;

/** Options of {@linkcode crossOriginProtection}. */
export interface CrossOriginProtectionOptions {
  /**
   * Other origins whose requests are welcome, as browsers send them:
   * `https://app.example.com`, with a port that is not the default one, without a path.
   * They are matched exactly: there are no wildcards.
   *
   * @default none
   */
  trustedOrigins?: readonly string[] | undefined;
}

/**
 * Wraps a handler, so that requests from other sites cannot change anything.
 *
 * The algorithm is that of Go 1.25's `http.CrossOriginProtection`, and works without
 * tokens: GET, HEAD and OPTIONS pass; others pass if `Sec-Fetch-Site` says `same-origin` or
 * `none`, or, from an older browser, if `Origin` names the host; requests that are not a
 * browser's, with neither header, pass. A WebSocket upgrade is checked by its `Origin`,
 * although it is a GET. Whoever may not pass is answered 403 as `application/problem+json`.
 *
 * @typeParam Rest What the handler gets after the request; inferred.
 * @param handler Answers a request; must not change anything for a safe method.
 * @param options Which other origins are trusted.
 * @returns The guarded handler.
 * @throws {TypeError} If the handler is no function, an option is unknown, or an origin is
 *   none, or holds a wildcard.
 *
 * @example A form of another site
 * ```ts
 * import { crossOriginProtection } from "@tessera/session";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = crossOriginProtection(() => new Response("changed"));
 *
 * const headers = { "sec-fetch-site": "cross-site" };
 * const response = await handler(
 *   new Request("https://example.com/", { method: "POST", headers }),
 * );
 *
 * assertEquals(response.status, 403);
 * ```
 */
export function crossOriginProtection<
  // deno-lint-ignore no-explicit-any -- whatever the handler takes
  Rest extends any[] = any[],
>(
  handler: (request: Request, ...rest: Rest) => Response | Promise<Response>,
  options: CrossOriginProtectionOptions = {},
): (request: Request, ...rest: Rest) => Promise<Response> {
  const action = "create crossOriginProtection";
  checkType(action, "handler", handler, "function");
  const { trustedOrigins = [] } = checkOptions(action, options, [
    "trustedOrigins",
  ]);
  const trusted = new Set(checkOrigins(action, trustedOrigins));
  return async (request, ...rest) =>
    isWelcome(request, trusted) ? await handler(request, ...rest) : problem(
      403,
      "Forbidden",
      "The request comes from another origin.",
    );
}

function isWelcome(request: Request, trusted: ReadonlySet<string>): boolean {
  const { method, headers } = request;
  const upgrade = UPGRADE.test(headers.get("upgrade") ?? "");
  if (SAFE_METHODS.has(method) && !upgrade) return true;
  const origin = headers.get("origin") ?? "";
  if (trusted.has(origin)) return true;
  const site = headers.get("sec-fetch-site") ?? "";
  if (site !== "" && !upgrade) return site === "same-origin" || site === "none";
  if (origin === "") return true;
  const host = headers.get("host") ?? new URL(request.url).host;
  return ORIGIN_HOST.exec(origin)?.[1] === host;
}

function checkOrigins(
  action: string,
  origins: readonly string[],
): readonly string[] {
  if (!Array.isArray(origins)) {
    throw new TypeError(
      `Cannot ${action}: "trustedOrigins" must be a list: received ${
        describeType(origins)
      }`,
    );
  }
  for (const origin of origins) {
    if (typeof origin !== "string" || !isOrigin(origin)) {
      throw new TypeError(
        `Cannot ${action}: "trustedOrigins" must hold origins as browsers send them, like "https://example.com", as they are matched exactly: received ${
          describeValue(origin)
        }`,
      );
    }
  }
  return origins;
}

/** Whether a browser can send it: in lower case, without a default port, a path or a user. */
function isOrigin(origin: string): boolean {
  if (!ORIGIN_HOST.test(origin) || !URL.canParse(origin)) return false;
  if (origin.includes("*")) return false; // which URLs may hold, and hosts may not
  const url = new URL(origin);
  // of other schemes, extensions' for example, the URL standard knows no origin
  return url.origin === origin || !/^https?:$/.test(url.protocol);
}
