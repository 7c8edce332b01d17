/**
 * Notices cookies that browsers will drop.
 *
 * @module
 */

/** Hosts to which browsers send Secure cookies over plain http too. */
const LOCAL_HOST = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/**
 * Says whether browsers would drop the session cookie that this response sets.
 *
 * The protocol is the one that the server sees: `X-Forwarded-Proto` can be sent by
 * anybody, and is not trusted.
 *
 * @param request The request.
 * @param headers The headers of its response.
 * @param name The name of the cookie; the app's own cookies are its own affair.
 * @returns Whether it is Secure, and goes to a host that is not local, over plain http.
 */
export function isDropped(
  request: Request,
  headers: Headers,
  name: string,
): boolean {
  if (!request.url.startsWith("http://")) return false;
  // the host is what the client sent, and may be none
  if (!URL.canParse(request.url)) return false;
  if (LOCAL_HOST.test(new URL(request.url).hostname)) return false;
  return headers.getSetCookie().some((cookie) =>
    cookie.startsWith(`${name}=`) && /;\s*secure(?:;|$)/i.test(cookie)
  );
}
