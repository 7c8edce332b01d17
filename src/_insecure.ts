/**
 * Notices cookies that browsers will drop.
 *
 * @module
 */

/** Hosts to which browsers send Secure cookies over plain http too. */
const LOCAL_HOST = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * Says whether browsers would drop a cookie that this response sets.
 *
 * The protocol is the one that the server sees: `X-Forwarded-Proto` can be sent by
 * anybody, and is not trusted.
 *
 * @param request The request.
 * @param headers The headers of its response.
 * @returns Whether a Secure cookie goes to a host that is not local, over plain http.
 */
export function isDropped(request: Request, headers: Headers): boolean {
  if (!request.url.startsWith("http://")) return false;
  if (LOCAL_HOST.test(new URL(request.url).hostname)) return false;
  return headers.getSetCookie().some((cookie) =>
    /;\s*secure(?:;|$)/i.test(cookie)
  );
}
