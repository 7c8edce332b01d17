/**
 * What a request brings, and what becomes of it.
 */

import { assert, assertEquals } from "@std/assert";
import {
  headerTransport,
  type Session,
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

/** What a record may not be: each replaces a good one, or a part of it. */
const CORRUPT: Record<string, (record: Record<string, unknown>) => unknown> = {
  "1": () => 1,
  "null": () => null,
  "true": () => true,
  "a string": () => "x",
  "an empty string": () => "",
  "{}": () => ({}),
  "[]": () => [],
  "a Map": (record) => new Map(Object.entries(record)),
  "bytes": () => new Uint8Array(9),
  "a Date": () => new Date(0),
  ...without("v", [undefined, 0, 2, "1", NaN]),
  ...without("secretHash", [undefined, null, 1]),
  ...without("data", [undefined, null, {}, [], "x", new Set()]),
  ...without("data", [new Map<unknown, number>([[1, 1]])]),
  ...without("flash", [undefined, null, {}, "x", [1], [null], [{ id: 1 }]]),
  ...without("flash", [[{ id: "a", kind: 1, value: 1 }]]),
  ...without("subject", [null, 1, {}]),
  ...without("label", [null, 1, {}]),
  ...without("persistent", [undefined, null, 1, "true"]),
  ...without("createdAt", [undefined, null, NaN, Infinity, "0", 0n]),
  ...without("authenticatedAt", [null, NaN, "0"]),
  ...without("lastSeenAt", [undefined, null, NaN, -Infinity, "0"]),
  ...without("expiresAt", [undefined, null, NaN, Infinity, "9", 1e300, 1.5]),
  ...without("endsAt", [undefined, null, NaN, Infinity, "9", 0.5, 1]),
  ...without("nonce", [undefined, null, 1]),
  ...without("forward", [null, 1, {}]),
  "a forward without its secret": (record) => ({
    v: 1,
    forward: "01ARZ3NDEKTSV4RRFFQ69G5FAV",
    secretHash: record["secretHash"],
    expiresAt: record["expiresAt"],
  }),
};

/** Puts each of the values in the place of one field. */
function without(field: string, values: readonly unknown[]): typeof CORRUPT {
  return Object.fromEntries(values.map((value) => [
    `${field} ${Deno.inspect(value, { breakLength: Infinity })}`,
    (record: Record<string, unknown>) => ({ ...record, [field]: value }),
  ]));
}
