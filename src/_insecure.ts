/**
 * Notices cookies that browsers will drop.
 *
 * @module
 */

import type { RequestSession } from "./_request_session.ts";

/** Hosts to which browsers send Secure cookies over plain http too. */
const LOCAL_HOST = /^(?:localhost|.+\.localhost|127(?:\.\d+){3}|\[::1\])$/;

/** Says once, by an event, that browsers drop the cookies of a manager. */
export class InsecureWarning {
  #isGiven = false;

  /** Looks at a response that is about to be sent. */
  check(session: RequestSession, { headers }: Response): void {
    if (this.#isGiven || session.answer?.type !== "token") return;
    const { request, origin: { transport }, settings } = session;
    if (request === undefined || transport === undefined) return;
    if (!isDropped(request, headers, transport.name)) return;
    this.#isGiven = true;
    settings.emit({
      type: "warning",
      message:
        `Browsers drop the Secure session cookie of a plain http response unless the host is localhost: serve over https; or, if a proxy in front does, ignore this; or, where https cannot be, set "cookie: { secure: false }"`,
    });
  }
}

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
function isDropped(
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
