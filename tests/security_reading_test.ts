/**
 * What a request brings, and what becomes of it.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  headerTransport,
  type Session,
  SessionClosedError,
  SessionManager,
  withSession,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import {
  COOKIE,
  Events,
  get,
  getWith,
  NO_CALLS,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";
import { SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

/** Names who a session belongs to. */
function remember(who: string): (session: Session) => Response {
  return (session) => {
    session.set("who", who);
    return new Response();
  };
}

async function whose(
  sessions: SessionManager,
  request: Request,
): Promise<unknown> {
  const response = await sessions.handle(
    request,
    (session) => Response.json(session.get("who") ?? null),
  );
  return await response.json();
}

function rotate(session: Session): Response {
  session.regenerate();
  return new Response();
}

testOnStores(
  "R7 a cookie name is matched to the letter, whatever characters it has",
  async ({ store }) => {
    for (const name of ["a.b*c", "s|d", "$id", "^sid+", "~", "__host"]) {
      const cookie = name === "__host"
        ? { name }
        : { name, domain: "example.com", secure: false };
      const sessions = new SessionManager({ store, cookie });
      const response = await sessions.handle(get(), remember("ada"));
      const token = tokenOf(response, name);
      const eve = tokenOf(await sessions.handle(get(), remember("eve")), name);
      store.take();
      for (
        const impostor of ["axb*c", "a.bc", "s", "d", "id", "sid", name + "~"]
      ) {
        const cookies = `${impostor}=${eve}; ${name}=${token}; ${impostor}=x`;
        assertEquals(await whose(sessions, get(cookies)), "ada", name);
        assertEquals(await whose(sessions, get(`${impostor}=${eve}`)), null);
      }
      assertEquals(store.take(), { ...NO_CALLS, gets: 7 });
    }
  },
);

testOnStores(
  "R9 two live tokens under one name are none, however many others come with them",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const [a, b, c] = [
      tokenOf(await sessions.handle(get(), remember("a"))),
      tokenOf(await sessions.handle(get(), remember("b"))),
      tokenOf(await sessions.handle(get(), remember("c"))),
    ];
    events.take();
    for (
      const tokens of [[a, b], [b, a], [a, b, c], [a, a, b, a], [a, "", b]]
    ) {
      const cookies = tokens.map((token) => `${COOKIE}=${token}`).join("; ");
      assertEquals(await whose(sessions, get(cookies)), null);
      assertEquals(
        events.take().filter((event) => event !== "refused malformed"),
        ["refused duplicate"],
      );
    }
    // neither is ended by it
    assertEquals(await whose(sessions, getWith(a)), "a");
    assertEquals(await whose(sessions, getWith(b)), "b");
  },
);

testOnStores(
  "R9 a duplicate is anonymous: what it sets goes to a session of its own",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const [a, b] = [
      tokenOf(await sessions.handle(get(), remember("a"))),
      tokenOf(await sessions.handle(get(), remember("b"))),
    ];
    const both = get(`${COOKIE}=${a}; ${COOKIE}=${b}`);
    const c = tokenOf(await sessions.handle(both, remember("c")));
    assertEquals(
      [
        await whose(sessions, getWith(a)),
        await whose(sessions, getWith(b)),
        await whose(sessions, getWith(c)),
      ],
      ["a", "b", "c"],
    );
  },
);

testOnStores(
  "R9 a live token beside dead ones is the one loaded",
  async ({ store }) => {
    const clock = new TestClock();
    const events = new Events();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: { hours: 1 },
      onEvent: events.push,
    });
    const expired = tokenOf(await sessions.handle(get(), remember("old")));
    clock.advance({ hours: 2 });
    const out = tokenOf(await sessions.handle(get(), remember("out")));
    await sessions.handle(getWith(out), (session) => {
      session.logout();
      return new Response();
    });
    const unknown = `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"a".repeat(42)}A`;
    const good = tokenOf(await sessions.handle(get(), remember("ada")));
    const badSecret = `${good.slice(0, 27)}${"a".repeat(42)}A`;
    events.take();
    const reasons = {
      [expired]: "refused idle-timeout",
      [out]: "refused logout",
      [unknown]: "refused unknown",
      [badSecret]: "refused bad-secret",
    };
    for (const [bad, reason] of Object.entries(reasons)) {
      for (const tokens of [[bad, good], [good, bad]]) {
        const cookies = tokens.map((token) => `${COOKIE}=${token}`).join("; ");
        assertEquals(await whose(sessions, get(cookies)), "ada", reason);
        const told = events.take().filter((event) =>
          !event.startsWith("ended")
        );
        assertEquals(told, [reason]);
      }
    }
  },
);

testOnStores(
  "R9 a replaced token beside the one that replaced it is no duplicate",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const first = tokenOf(await sessions.handle(get(), remember("ada")));
    const second = tokenOf(await sessions.handle(getWith(first), rotate));
    events.take();
    for (const tokens of [[first, second], [second, first]]) {
      const cookies = tokens.map((token) => `${COOKIE}=${token}`).join("; ");
      const response = await sessions.handle(
        get(cookies),
        (session) => new Response(session.get<string>("who")),
      );
      assertEquals(await response.text(), "ada");
      assertEquals(response.headers.getSetCookie(), [], "it has the newer one");
    }
    assertEquals(events.take(), []);
  },
);

testOnStores(
  "R11 a header transport reads its own header alone, and a cookie transport the cookie",
  async ({ store }) => {
    const byHeader = new SessionManager({
      store,
      transport: headerTransport(),
    });
    const byCookie = new SessionManager({ store });
    const token = tokenOf(await byCookie.handle(get(), remember("ada")));
    const request = (headers: Record<string, string>) =>
      new Request("https://example.com/", { headers });
    const cookie = { cookie: `${COOKIE}=${token}; x-session=${token}` };
    const header = { "x-session": token };
    assertEquals(await whose(byHeader, request(cookie)), null);
    assertEquals(await whose(byHeader, request(header)), "ada");
    assertEquals(await whose(byCookie, request(header)), null);
    assertEquals(await whose(byCookie, request(cookie)), "ada");
  },
);

testOnStores(
  "R38 a handler that throws leaves nothing behind, and its error goes on unchanged",
  async ({ store, dump }) => {
    const sessions = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember("ada")));
    const before = await dump();
    store.take();
    const errors = [new RangeError("mine"), "a string", undefined, null];
    for (const error of errors) {
      for (const cookie of [undefined, `${COOKIE}=${token}`]) {
        for (const late of [false, true]) {
          const handler = withSession((_request, session) => {
            session.set("who", "eve");
            session.flash("notice", "hello");
            session.persist(false);
            session.login("root");
            if (late) return Promise.reject(error);
            throw error;
          }, sessions);
          const outcome = await handler(get(cookie)).then(
            () => assert(false, "it must not answer"),
            (thrown: unknown) => ({ thrown }),
          );
          assert(Object.is(outcome?.thrown, error));
        }
      }
    }
    assertEquals(store.take(), { ...NO_CALLS, gets: errors.length * 2 });
    assertEquals(await dump(), before);
    assertEquals(await whose(sessions, getWith(token)), "ada");
  },
);

testOnStores(
  "R38 a handler that throws on its way out of a lost session cannot end it either",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember("ada")));
    const outcome = await sessions.handle(getWith(token), (session) => {
      session.destroy();
      throw new Error("mine");
    }).then(() => "answered", (error: Error) => error.message);
    assertEquals(outcome, "mine");
    assertEquals(await whose(sessions, getWith(token)), "ada");
  },
);

testOnStores(
  "R38 after a handler has thrown, its session is closed: nothing gets lost silently",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const token = tokenOf(await sessions.handle(get(), remember("ada")));
    for (const request of [getWith(token), get()]) {
      let kept: Session | undefined;
      const failing = sessions.handle(request, (session) => {
        kept = session;
        session.set("who", "eve");
        throw new Error("mine");
      });
      await assertRejects(() => failing, Error, "mine");
      assertThrows(() => kept?.set("who", "bob"), SessionClosedError, "open");
      await assertRejects(async () => await kept?.commit(), SessionClosedError);
    }
    assertEquals(await whose(sessions, getWith(token)), "ada");
  },
);

Deno.test("R9 a replaced token beside the one that replaced it is no duplicate, though that is replaced meanwhile", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit((session) => session.login("ada"));
  const first = visitor.token;
  await visitor.visit((session) => session.regenerate());
  const second = visitor.token;
  let gets = 0;
  store.onGet = async (call) => {
    // the second lookup is that of the token that is about to be replaced
    if (++gets === 2) await visitor.visit((session) => session.regenerate());
    return await call();
  };
  const headers = { cookie: `${COOKIE}=${first}; ${COOKIE}=${second}` };
  const request = new Request("https://example.com/", { headers });
  const session = await visitor.sessions.load(request);
  assertEquals(session.subject, "ada");
});

Deno.test("R9 two sessions that remember no commits are two", async () => {
  const store = new SpyStore();
  const sessions = new SessionManager({ store });
  const tokens: string[] = [];
  for (const who of ["ada", "eve"]) {
    tokens.push(tokenOf(await sessions.handle(get(), remember(who))));
  }
  for (const { id, record, version } of await store.dump()) {
    const { nonce: _, ...rest } = record as Record<string, unknown>;
    await store.commit({
      check: [{ id, version }],
      put: [{ id, record: rest, expireIn: 60_000 }],
      delete: [],
    });
  }
  const cookies = tokens.map((token) => `${COOKIE}=${token}`).join("; ");
  assertEquals(await whose(sessions, get(cookies)), null);
});
