/**
 * Several transports at once, and those of one's own.
 */

import { assert, assertEquals } from "@std/assert";
import {
  bearerTransport,
  cookieTransport,
  headerTransport,
  type Session,
  SessionManager,
  type SessionTransport,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import {
  COOKIE,
  Events,
  get,
  getWith,
  key,
  NO_CALLS,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("who", "ada");
  return new Response();
}

function logout(session: Session): Response {
  session.logout();
  return new Response();
}

function whose(session: Session): Response {
  return Response.json(session.get("who") ?? null);
}

/** Makes a request with headers. */
function withHeaders(headers: HeadersInit): Request {
  return new Request("https://example.com/", { headers });
}

/** A manager with all three ways: cookie, header and bearer. */
const ALL = [cookieTransport(), headerTransport(), bearerTransport()];

testOnStores(
  "Of several transports, a new session is answered by the first",
  async ({ store }) => {
    for (const transport of [ALL, ALL.toReversed()]) {
      const sessions = new SessionManager({ store, transport });
      const response = await sessions.handle(get(), remember);
      const byCookie = transport[0]?.name === COOKIE;
      assertEquals(response.headers.getSetCookie().length, byCookie ? 1 : 0);
      assertEquals(response.headers.has("x-session"), !byCookie);
      assertEquals(
        response.headers.get("vary")?.toLowerCase(),
        byCookie
          ? "cookie, x-session, authorization"
          : "authorization, x-session, cookie",
        "every one was asked",
      );
    }
  },
);

testOnStores(
  "Of several transports, the answer goes out the way the token came in",
  async ({ store }) => {
    const sessions = new SessionManager({ store, transport: ALL });
    const ways = [
      {
        sends: (token: string) => getWith(token),
        vary: "cookie",
        told: (response: Response) =>
          response.headers.getSetCookie()[0]?.split(/[=;]/)[1],
        silent: (response: Response) => !response.headers.has("x-session"),
      },
      {
        sends: (token: string) => withHeaders({ "x-session": token }),
        vary: "cookie, x-session",
        told: (response: Response) => response.headers.get("x-session"),
        silent: (response: Response) =>
          response.headers.getSetCookie().length === 0,
      },
      {
        sends: (token: string) =>
          withHeaders({ authorization: `Bearer ${token}` }),
        vary: "cookie, x-session, authorization",
        told: (response: Response) => response.headers.get("x-session"),
        silent: (response: Response) =>
          response.headers.getSetCookie().length === 0,
      },
    ];
    for (const { sends, vary, told, silent } of ways) {
      const token = tokenOf(await sessions.handle(get(), remember));
      const rotated = await sessions.handle(sends(token), (session) => {
        session.regenerate();
        return new Response();
      });
      const next = told(rotated) ?? "";
      assert(next.length === 70 && next !== token);
      assert(silent(rotated));
      assertEquals(rotated.headers.get("vary")?.toLowerCase(), vary);
      const end = await sessions.handle(sends(next), logout);
      assertEquals(told(end), "");
      assert(silent(end));
    }
  },
);

testOnStores(
  "Of several transports, the first that yields a token wins, dead or alive",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({
      store,
      transport: ALL,
      onEvent: events.push,
    });
    const [ada, bob] = [
      tokenOf(await sessions.handle(get(), remember)),
      tokenOf(
        await sessions.handle(get(), (session) => {
          session.set("who", "bob");
          return new Response();
        }),
      ),
    ];
    const dead = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"a".repeat(42)}A`;
    store.take();
    events.take();
    const ask = async (cookie: string, header: string) => {
      const request = withHeaders({
        cookie: `${COOKIE}=${cookie}`,
        "x-session": header,
      });
      return await (await sessions.handle(request, whose)).json();
    };
    assertEquals(await ask(ada, bob), "ada");
    assertEquals(store.take(), { ...NO_CALLS, gets: 1 });
    assertEquals(await ask(dead, bob), null);
    assertEquals(events.take(), ["refused unknown"]);
    // what is no token at all does not count
    assertEquals(await ask("junk", bob), "bob");
    assertEquals(events.take(), ["refused malformed"]);
  },
);

testOnStores(
  "Tokens signed for one transport of a manager are worth nothing in another",
  async ({ store }) => {
    const sessions = new SessionManager({
      store,
      transport: ALL,
      secrets: [key("transports")],
    });
    const token = tokenOf(await sessions.handle(get(), remember));
    const requests = [
      withHeaders({ "x-session": token }),
      withHeaders({ authorization: `Bearer ${token}` }),
    ];
    for (const request of requests) {
      assertEquals(await (await sessions.handle(request, whose)).json(), null);
    }
    const own = await sessions.handle(getWith(token), whose);
    assertEquals(await own.json(), "ada");
  },
);

testOnStores(
  "A transport of one's own is asked, told, and named in Vary as it says",
  async ({ store }) => {
    const told: unknown[] = [];
    const transport: SessionTransport = {
      name: "query",
      vary: ["X-One", "X-Two"],
      persistent: false,
      read: (request) => new URL(request.url).searchParams.getAll("sid"),
      write: (headers, token, lifetime) => {
        told.push(["write", lifetime]);
        headers.set("x-sid", token);
      },
      clear: (headers) => {
        told.push(["clear"]);
        headers.set("x-sid", "none");
      },
    };
    const { now } = new TestClock();
    const sessions = new SessionManager({ store, transport, clock: now });
    const first = await sessions.handle(get(), remember);
    const token = first.headers.get("x-sid") ?? "";
    assertEquals(first.headers.get("vary"), "X-One, X-Two");
    const request = () => get(undefined, `https://example.com/?sid=${token}`);
    const read = await sessions.handle(request(), whose);
    assertEquals(await read.json(), "ada");
    await sessions.handle(request(), (session) => {
      session.persist(true);
      return new Response();
    });
    const end = await sessions.handle(request(), logout);
    assertEquals(end.headers.get("x-sid"), "none");
    assertEquals(told, [["write", undefined], ["write", 604_800], ["clear"]]);
  },
);
