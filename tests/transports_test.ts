/**
 * Tokens in headers, in several ways at once, and in ways of one's own.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bearerTransport,
  cookieTransport,
  type HeaderOptions,
  headerTransport,
  type Session,
  SessionManager,
  type SessionTransport,
  skipHeader,
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

const HEADERS: [what: string, transport: SessionTransport, request: string][] =
  [
    ["headerTransport()", headerTransport(), "x-session"],
    [
      "headerTransport({ name })",
      headerTransport({ name: "X-App-Token" }),
      "x-app-token",
    ],
    ["bearerTransport()", bearerTransport(), "authorization"],
  ];

for (const [what, transport, name] of HEADERS) {
  const bearer = name === "authorization";
  const answer = bearer ? "x-session" : name;
  const send = (token: string) =>
    withHeaders({ [name]: bearer ? `Bearer ${token}` : token });

  testOnStores(
    `${what} carries a session from creation to its end, without cookies`,
    async ({ store }) => {
      const events = new Events();
      const sessions = new SessionManager({
        store,
        transport,
        onEvent: events.push,
      });
      const first = await sessions.handle(get(), remember);
      const token = first.headers.get(answer) ?? "";
      assertEquals(token.length, 70);
      assertEquals(first.headers.getSetCookie(), []);
      assertEquals(first.headers.get("cache-control"), "no-store");
      assertEquals(first.headers.get("vary")?.toLowerCase(), name);

      const read = await sessions.handle(send(token), whose);
      assertEquals(await read.json(), "ada");
      assertEquals(read.headers.get(answer), null, "nothing new to tell");
      assertEquals(read.headers.get("cache-control"), null);
      assertEquals(read.headers.get("vary")?.toLowerCase(), name);

      const rotated = await sessions.handle(send(token), (session) => {
        session.login("ada");
        return new Response();
      });
      const next = rotated.headers.get(answer) ?? "";
      assert(next.length === 70 && next !== token);

      const end = await sessions.handle(send(next), logout);
      assertEquals(end.headers.get(answer), "", "an empty header: it is over");
      assertEquals(end.headers.getSetCookie(), []);
      assertEquals(end.headers.get("cache-control"), "no-store");
      for (const old of [token, next]) {
        const gone = await sessions.handle(send(old), whose);
        assertEquals(await gone.json(), null);
        assertEquals(gone.headers.get(answer), null);
      }
      assertEquals(events.take(), [
        "created",
        "ended rotated",
        "login",
        "ended logout",
        "refused rotated",
        "refused logout",
      ]);
    },
  );

  testOnStores(
    `${what} takes odd values for none, without a store call`,
    async ({ store }) => {
      const sessions = new SessionManager({ store, transport });
      const first = await sessions.handle(get(), remember);
      const token = first.headers.get(answer) ?? "";
      store.take();
      const values = [
        "",
        "Bearer",
        "Bearer ",
        "x",
        "null",
        `${token}x`,
        `${token}, ${token}`,
        token.slice(1),
        token.toLowerCase(),
        "\xa0" + token,
        "x".repeat(60_000),
        ...(bearer
          ? [
            token,
            `Basic ${token}`,
            `Bearer${token}`,
            `Bearer: ${token}`,
            `Bearer ${token} x`,
            `Bearer "${token}"`,
            `XBearer ${token}`,
            `Bearer\xa0${token}`,
          ]
          : [`Bearer ${token}`]),
      ];
      for (const value of values) {
        for (const sent of bearer ? [value, `Bearer ${value}`] : [value]) {
          if (sent === `Bearer ${token}`) continue;
          const response = await sessions.handle(
            withHeaders({ [name]: sent }),
            whose,
          );
          assertEquals(await response.json(), null, sent);
        }
      }
      assertEquals(store.take(), NO_CALLS);
      const good = await sessions.handle(send(token), whose);
      assertEquals(await good.json(), "ada");
    },
  );
}

testOnStores(
  "bearerTransport() takes the scheme in any case",
  async ({ store }) => {
    const sessions = new SessionManager({
      store,
      transport: bearerTransport(),
    });
    const first = await sessions.handle(get(), remember);
    const token = first.headers.get("x-session");
    for (const scheme of ["Bearer", "bearer", "BEARER", "Bearer  "]) {
      const request = withHeaders({ authorization: `${scheme} ${token}` });
      const response = await sessions.handle(request, whose);
      assertEquals(await response.json(), "ada", scheme);
    }
  },
);

testOnStores(
  "Header transports have nothing to do with Max-Age, nor with http",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({
      store,
      transport: headerTransport(),
      onEvent: events.push,
    });
    const request = get(undefined, "http://shop.example/");
    const response = await sessions.handle(request, (session) => {
      session.persist(false);
      return remember(session);
    });
    assertEquals([...response.headers.keys()].sort(), [
      "cache-control",
      "vary",
      "x-session",
    ]);
    assertEquals(events.take(), ["created"]);
  },
);

for (
  const name of ["", "a b", "a:b", "é", "a\r\nb", 1, null] as (
    | string
    | number
    | null
  )[]
) {
  Deno.test(`headerTransport() refuses ${JSON.stringify(name)} as a name`, () => {
    assertThrows(
      () => headerTransport({ name } as HeaderOptions),
      TypeError,
      `Cannot create headerTransport: "name" must be`,
    );
    assertThrows(
      () => skipHeader(name as string, "1"),
      TypeError,
      `Cannot create skipHeader: "name" must be`,
    );
  });
}

Deno.test("headerTransport() refuses options that it does not know", () => {
  assertThrows(
    () => headerTransport({ header: "x" } as HeaderOptions),
    TypeError,
    `received "header"`,
  );
});

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
    const sessions = new SessionManager({ store, transport });
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

testOnStores(
  "skipHeader() leaves out the requests with that very value",
  async ({ store }) => {
    const sessions = new SessionManager({
      store,
      skip: skipHeader("X-Probe", "yes"),
    });
    const isSkipped = async (headers: HeadersInit) => {
      const response = await sessions.handle(
        withHeaders(headers),
        () => new Response(),
      );
      const touched = await sessions.handle(withHeaders(headers), remember)
        .then(() => false, (error: Error) => error.name);
      assertEquals(response.headers.has("vary"), false);
      return touched === "SessionSkippedError";
    };
    assertEquals(await isSkipped({ "x-probe": "yes" }), true);
    assertEquals(await isSkipped({ "X-PROBE": "yes" }), true);
    assertEquals(await isSkipped({ "x-probe": "Yes" }), false);
    assertEquals(await isSkipped({ "x-probe": "" }), false);
    assertEquals(await isSkipped({}), false);
  },
);
