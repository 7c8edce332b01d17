/**
 * Tokens in headers.
 */

import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  bearerTransport,
  type HeaderOptions,
  headerTransport,
  type Session,
  SessionManager,
  type SessionTransport,
  skipHeader,
} from "@tessera/session";
import { Events, get, NO_CALLS, testOnStores } from "./_helpers.ts";

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

/** Headers that already mean something, one of each kind. */
const TAKEN = [
  "set-cookie",
  "cookie",
  "cache-control",
  "vary",
  "authorization",
  "content-length",
  "content-type",
  "connection",
  "transfer-encoding",
  "host",
  "location",
  "www-authenticate",
  "accept",
  "accept-encoding",
  "access-control-allow-origin",
  "if-none-match",
  "proxy-authorization",
  "sec-fetch-site",
  "x-forwarded-for",
];

Deno.test("R43 headerTransport() refuses the names of headers with another meaning, in any case", () => {
  for (const name of TAKEN) {
    for (const cased of [name, name.toUpperCase()]) {
      assertThrows(
        () => headerTransport({ name: cased }),
        TypeError,
        `Cannot create headerTransport: "name" must be a header without another meaning: received "${cased}"`,
      );
    }
  }
  for (
    const name of ["x-session", "X-H3-Session", "session", "token", "x-cookie"]
  ) {
    assertEquals(headerTransport({ name }).name, name.toLowerCase());
  }
});

Deno.test("bearerTransport() refuses arguments: it has no options", () => {
  for (const given of [{ name: "x-api" }, {}, "x-api", null]) {
    assertThrows(
      () => Reflect.apply(bearerTransport, undefined, [given]),
      TypeError,
      "Cannot create bearerTransport: want no options",
    );
  }
  assertEquals(
    Reflect.apply(bearerTransport, undefined, [undefined]).name,
    "bearer",
  );
});

/** What `read` of a transport in JavaScript may return, and how it is called. */
const MISREAD: [read: () => unknown, received: string][] = [
  [() => "token", "string"],
  [() => "", "string"],
  [() => null, "null"],
  [() => undefined, "undefined"],
  [() => Promise.resolve([]), "a promise"],
  [() => Promise.reject(new Error("no")), "a promise"],
  [() => new Set(["token"]), "object"],
];

testOnStores(
  "SessionTransport.read() that returns no array is a TypeError that names the transport",
  async ({ store }) => {
    for (const [read, received] of MISREAD) {
      const events = new Events();
      const sessions = new SessionManager({
        store,
        onEvent: events.push,
        transport: {
          name: "odd",
          vary: [],
          read: read as SessionTransport["read"],
          write: () => {},
          clear: () => {},
        },
      });
      await assertRejects(
        () => sessions.handle(get(), () => new Response()),
        TypeError,
        `Cannot load session: "read" of transport "odd" must return an array of strings: received ${received}`,
      );
      assertEquals(events.take(), []);
    }
    assertEquals(store.take(), NO_CALLS);
  },
);

Deno.test("headerTransport() refuses options that it does not know", () => {
  assertThrows(
    () => headerTransport({ header: "x" } as HeaderOptions),
    TypeError,
    `received "header"`,
  );
});

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

testOnStores(
  "SessionTransport.write() and clear() that return a promise are a TypeError that names the transport",
  async ({ store }) => {
    const transport = {
      name: "odd",
      vary: [],
      read: (request: Request) => [request.headers.get("token") ?? ""],
      write: (headers: Headers, token: string) => headers.set("token", token),
      clear: () => {},
    };
    const promises = [
      () => Promise.resolve(),
      () => Promise.reject(new Error("no")),
    ];
    for (const late of promises) {
      const sessions = new SessionManager({
        store,
        transport: { ...transport, write: late, clear: late },
      });
      await assertRejects(
        () =>
          sessions.handle(get(), (session) => {
            session.set("a", 1);
            return new Response();
          }),
        TypeError,
        'Cannot respond: "write" of transport "odd" must be synchronous: received a promise',
      );
      const begin = new SessionManager({ store, transport });
      const { headers } = await begin.handle(get(), (session) => {
        session.set("a", 1);
        return new Response();
      });
      await assertRejects(
        () =>
          sessions.handle(
            new Request("http://localhost/", { headers }),
            (session) => {
              session.destroy();
              return new Response();
            },
          ),
        TypeError,
        '"clear" of transport "odd" must be synchronous: received a promise',
      );
    }
  },
);

testOnStores(
  "SessionTransport.vary may be a list, as a header holds it, or nothing",
  async ({ store }) => {
    const cases: [vary: SessionTransport["vary"], sent: string | null][] = [
      ["", null],
      [[], null],
      ["X-Q", "X-Q"],
      ["X-Q, Cookie", "X-Q, Cookie"],
      [["X-Q", "", "Cookie"], "X-Q, Cookie"],
      ["*", "*"],
    ];
    for (const [vary, sent] of cases) {
      const transport: SessionTransport = {
        name: "own",
        vary,
        read: () => [],
        write: () => {},
        clear: () => {},
      };
      const sessions = new SessionManager({ store, transport });
      const { headers } = await sessions.handle(get(), (session) => {
        void session.isNew;
        return new Response();
      });
      assertEquals(headers.get("vary"), sent);
    }
  },
);
