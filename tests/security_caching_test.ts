/**
 * What shared caches may keep: `Vary` and `Cache-Control`.
 */

import { assertEquals, assertStrictEquals } from "@std/assert";
import {
  type Session,
  SessionManager,
  withLazySession,
  withSession,
} from "@tessera/session";
import { get, getWith, testOnStores, tokenOf } from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response();
}

async function newToken(sessions: SessionManager): Promise<string> {
  return tokenOf(await sessions.handle(get(), remember));
}

/** A use of every member: complete, or it does not compile. */
const USES = {
  id: (session) => session.id,
  isNew: (session) => session.isNew,
  subject: (session) => session.subject,
  createdAt: (session) => session.createdAt,
  lastSeenAt: (session) => session.lastSeenAt,
  expiresAt: (session) => session.expiresAt,
  authenticatedAt: (session) => session.authenticatedAt,
  size: (session) => session.size,
  get: (session) => session.get("seen"),
  has: (session) => session.has("none"),
  set: (session) => session.set("x", 1),
  delete: (session) => session.delete("none"),
  clear: (session) => session.clear(),
  entries: (session) => session.entries(),
  update: (session) => session.update("x", () => 1),
  flash: (session) => session.flash("none"),
  keepFlash: (session) => session.keepFlash(),
  persist: (session) => session.persist(true),
  login: (session) => session.login("ada"),
  logout: (session) => session.logout(),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
  commit: (session) => session.commit(),
  signal: (session) => session.signal,
  attach: (session) => {
    const socket = Object.assign(new EventTarget(), { readyState: 1 });
    session.attach(socket as unknown as WebSocket);
    socket.dispatchEvent(new Event("close"));
  },
} satisfies Record<keyof Session, (session: Session) => unknown>;

for (const [member, use] of Object.entries(USES)) {
  testOnStores(
    `R46 Session.${member} makes the response vary by Cookie`,
    async ({ store }) => {
      const sessions = new SessionManager({ store });
      const handler = withSession(async (_request, session) => {
        await use(session);
        return new Response();
      }, sessions);
      for (const token of [undefined, await newToken(sessions)]) {
        const response = await handler(
          token === undefined ? get() : getWith(token),
        );
        assertEquals(response.headers.get("vary"), "Cookie", `with ${token}`);
        const sets = response.headers.getSetCookie().length > 0;
        assertEquals(
          response.headers.get("cache-control"),
          sets ? "no-store" : null,
        );
      }
    },
  );
}

testOnStores(
  "R46 a response that does not depend on the session is left alone",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = await newToken(sessions);
    const own = new Response("hello", {
      headers: { "cache-control": "public" },
    });
    const eager = withSession(() => own, sessions);
    const lazy = withLazySession(async (_request, lazy) => {
      await lazy.load();
      return own;
    }, sessions);
    for (const handler of [eager, lazy]) {
      for (const request of [get(), getWith(token), getWith("junk")]) {
        const response = await handler(request);
        assertStrictEquals(response, own);
        assertEquals([...response.headers], [
          ["cache-control", "public"],
          ["content-type", "text/plain;charset=UTF-8"],
        ]);
      }
    }
  },
);

testOnStores("R46 Vary is added to what is there", async ({ store }) => {
  const sessions = new SessionManager({ store });
  const cases = {
    "Accept-Encoding": "Accept-Encoding, Cookie",
    "Accept, Origin": "Accept, Origin, Cookie",
    "Cookie": "Cookie",
    "cookie": "cookie",
    "Origin,COOKIE ,Accept": "Origin,COOKIE ,Accept",
    "X-Cookie": "X-Cookie, Cookie",
    "Cookie2": "Cookie2, Cookie",
    "*": "*",
    "Accept, *": "Accept, *",
  };
  for (const [vary, expected] of Object.entries(cases)) {
    for (const use of [remember, (session: Session) => session.id]) {
      const response = await sessions.handle(get(), (session) => {
        use(session);
        return new Response(null, { headers: { vary } });
      });
      assertEquals(response.headers.get("vary"), expected);
    }
  }
});

testOnStores(
  "R46 no cache keeps a response with a cookie, whatever the app says",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const cached =
      (change: (session: Session) => void) => (session: Session) => {
        change(session);
        return new Response("page", {
          headers: { "cache-control": "public, max-age=600" },
        });
      };
    const login = cached((session) => session.login("ada"));
    const signedIn = await sessions.handle(get(), login);
    assertEquals(signedIn.headers.get("cache-control"), "no-store");
    const token = tokenOf(signedIn);

    const read = cached((session) => session.subject);
    const seen = await sessions.handle(getWith(token), read);
    assertEquals(seen.headers.get("cache-control"), "public, max-age=600");
    assertEquals(seen.headers.get("vary"), "Cookie");

    const logout = cached((session) => session.logout());
    const gone = await sessions.handle(getWith(token), logout);
    assertEquals(tokenOf(gone), "");
    assertEquals(gone.headers.get("cache-control"), "no-store");
  },
);
