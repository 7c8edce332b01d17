/**
 * An app that tells a browser whether it has a session.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  type Session,
  type SessionManager,
  withSession,
} from "@tessera/session";
import type { TestClient } from "@tessera/session/testing";

export const COOKIE = "__Host-session";

/** Serves `/start`, `/login`, `/logout` and more, on one manager. */
export function serve(
  manager: SessionManager,
): (request: Request) => Promise<Response> {
  const uses: Record<string, (session: Session) => void> = {
    "/start": (session) => session.set("n", 1),
    "/login": (session) => session.login("alice"),
    "/logout": (session) => session.logout(),
    "/destroy": (session) => session.destroy(),
    "/persist": (session) => session.persist(true),
    "/keep": (session) => session.keepFlash(),
    "/regenerate": (session) => session.regenerate(),
  };
  return withSession((request, session) => {
    uses[new URL(request.url).pathname]?.(session);
    return new Response(session.isNew ? "anonymous" : "known");
  }, manager);
}

/** Makes a request, with a token if one is given. */
export function request(path: string, token?: string): Request {
  const headers: HeadersInit = token === undefined
    ? {}
    : { cookie: `${COOKIE}=${token}` };
  return new Request(`https://example.com${path}`, { headers });
}

/** The token that a browser has; it must have one. */
export function tokenOf(client: TestClient, name = COOKIE): string {
  const cookie = client.cookie(name);
  assert(cookie !== undefined, "the browser has no session cookie");
  return cookie.value;
}
