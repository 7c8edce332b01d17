/**
 * An app on a clock that the test moves, and a browser that shares it.
 *
 * @module
 */

import { assert } from "@std/assert";
import {
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { SpyStore } from "./_spy_store.ts";

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** What a request does to its session, by the path that asks for it. */
export const USES: Record<string, (session: Session) => void> = {
  "/start": (session) => session.set("started", true),
  "/login": (session) => session.login("alice"),
  "/read": (session) => void session.get("started"),
  "/ignore": () => {},
  "/write": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/flash": (session) => session.flash("notice", "hi"),
  "/regenerate": (session) => session.regenerate(),
};

/** An app on a clock, and a browser of it. */
export interface ClockedApp {
  readonly clock: TestClock;
  readonly events: SessionEvent[];
  readonly sessions: SessionManager;
  readonly client: TestClient;
  /** The app. */
  readonly handler: (request: Request) => Promise<Response>;
  /** Makes the same app on another manager. */
  readonly serve: (
    manager: SessionManager,
  ) => (request: Request) => Promise<Response>;
  /** Sends a request of the browser, and says whether it had a session. */
  readonly use: (path: string) => Promise<boolean>;
}

/** Sets up an app, and a browser whose clock is the server's. */
export function setUp(options: SessionOptions = {}): ClockedApp {
  const clock = new TestClock(1_700_000_000_000);
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store: new SpyStore(),
    clock: clock.now,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const serve = (manager: SessionManager) => (request: Request) =>
    manager.handle(request, (session) => {
      if (request.url.endsWith("/untouched")) return Response.json({});
      USES[new URL(request.url).pathname]?.(session);
      return Response.json({
        alive: !session.isNew,
        id: session.id,
        expiresAt: session.expiresAt,
        started: session.get("started") ?? false,
      });
    });
  const handler = serve(sessions);
  const client = new TestClient(handler, { clock: clock.now });
  const use = async (path: string): Promise<boolean> =>
    (await (await client.get(path)).json()).alive ?? true;
  return { clock, events, sessions, client, handler, serve, use };
}

/** Sends the cookie as it is, whatever a browser would make of its Max-Age. */
export async function isAlive(
  handler: (request: Request) => Promise<Response>,
  token: string,
  path = "/ignore",
): Promise<boolean> {
  const headers = { cookie: `__Host-session=${token}` };
  const request = new Request(`https://example.com${path}`, { headers });
  return (await (await handler(request)).json()).alive;
}

/** The token that a browser has; it must have one. */
export function tokenOf(client: TestClient): string {
  const cookie = client.cookie("__Host-session");
  assert(cookie !== undefined, "the browser has no session cookie");
  return cookie.value;
}
