/**
 * An app whose store can be made to fail, and a browser with a session in it.
 *
 * @module
 */

import {
  type Session,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import type { SpyStore } from "./_spy_store.ts";

export const COOKIE = "__Host-session";

/** What a request does to its session, by the path that asks for it. */
const USES: Record<string, (session: Session) => void> = {
  "/read": (session) => void session.get("n"),
  "/count": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/flash": (session) => session.flash("notice", "hi"),
  "/login": (session) => session.login("alice"),
  "/regenerate": (session) => session.regenerate(),
  "/logout": (session) => session.logout(),
};

/** An app on a store, and a browser of it. */
export interface FailingApp {
  readonly client: TestClient;
  readonly events: SessionEvent[];
  readonly sessions: SessionManager;
  /** The responses so far. */
  readonly responses: Response[];
  /** The token that the browser has, the empty string if it has none. */
  readonly token: () => string;
  /** Reads what the session of the browser holds. */
  readonly read: () => Promise<{ n?: number; subject?: string }>;
}

/** Sets up an app, and a browser that has a session in which `n` is 1. */
export async function setUp(
  store: SpyStore,
  options: SessionOptions = {},
): Promise<FailingApp> {
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const responses: Response[] = [];
  const client = new TestClient(async (request) => {
    const response = await sessions.handle(request, (session) => {
      USES[new URL(request.url).pathname]?.(session);
      const { subject } = session;
      if (request.url.endsWith("/logout")) return new Response("signed out");
      return Response.json({ n: session.get("n"), subject });
    });
    responses.push(response);
    return response;
  }, { clock: options.clock ?? Date.now });
  await client.get("/count");
  events.length = responses.length = 0;
  store.reset();
  const token = () => client.cookie(COOKIE)?.value ?? "";
  const read = async () => await (await client.get("/read")).json();
  return { client, events, sessions, responses, token, read };
}

/** Everything that needs the store, and what it needs it for. */
export const OUTAGES: [fault: "onGet" | "onCommit", path: string][] = [
  ["onGet", "/read"],
  ["onGet", "/count"],
  ["onGet", "/logout"],
  ["onGet", "/login"],
  ["onCommit", "/count"],
  ["onCommit", "/flash"],
  ["onCommit", "/login"],
  ["onCommit", "/regenerate"],
  ["onCommit", "/logout"],
];
