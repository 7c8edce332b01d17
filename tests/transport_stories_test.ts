/**
 * Ways for a token to travel: headers, bearer tokens, one's own, and several.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  bearerTransport,
  cookieTransport,
  headerTransport,
  MemoryStore,
  type SessionOptions,
  type SessionTransport,
  withSession,
} from "@tessera/session";
import { rawRequest, serve, testOnStores } from "./_helpers.ts";

/** An app: `/login`, `/logout`, `/count`, `/new-id`, and `/` to be told the name. */
function app(options: SessionOptions) {
  const handler = withSession((request, session) => {
    switch (new URL(request.url).pathname) {
      case "/login":
        session.login("ada");
        return new Response("signed in");
      case "/logout":
        session.logout();
        return new Response("signed out");
      case "/new-id":
        session.regenerate();
        return new Response("new id");
      case "/count":
        session.update<number>("count", (count = 0) => count + 1);
        return Response.json(session.get("count"));
      case "/static":
        return new Response("static");
      default:
        return new Response(session.subject ?? "login first");
    }
  }, options);
  return (path: string, headers: Record<string, string> = {}) =>
    handler(new Request(`https://example.com${path}`, { headers }));
}

/** What a response says of the session: its headers, as far as they are set. */
function told({ headers }: Response) {
  const cookie = headers.getSetCookie();
  return {
    ...(cookie.length > 0 && { cookie: cookie.length }),
    ...(headers.has("x-session") && {
      header: headers.get("x-session") === "" ? "ended" : "token",
    }),
    vary: headers.get("vary"),
    cache: headers.get("cache-control"),
  };
}

testOnStores(
  "a client without cookies signs in by header, stays signed in, and signs out",
  async ({ store }) => {
    const send = app({ store, transport: headerTransport() });
    const anonymous = await send("/");
    assertEquals(await anonymous.text(), "login first");
    assertEquals(told(anonymous), { vary: "x-session", cache: null });

    const login = await send("/login");
    assertEquals(told(login), {
      header: "token",
      vary: "x-session",
      cache: "no-store",
    });
    const token = login.headers.get("x-session") ?? "";
    assert(/^[0-7][0-9A-HJKMNP-TV-Z]{25}\.[\w-]{43}$/.test(token));

    const page = await send("/", { "x-session": token });
    assertEquals(await page.text(), "ada");
    assertEquals(told(page), { vary: "x-session", cache: null });

    const logout = await send("/logout", { "x-session": token });
    assertEquals(told(logout), {
      header: "ended",
      vary: "x-session",
      cache: "no-store",
    });
    const after = await send("/", { "x-session": token });
    assertEquals(await after.text(), "login first");
    assertEquals(told(after), { vary: "x-session", cache: null });
    assertEquals(told(await send("/static", { "x-session": token })), {
      vary: null,
      cache: null,
    });
  },
);

testOnStores(
  "a bearer token is answered in x-session, and told when it ends",
  async ({ store }) => {
    const send = app({ store, transport: bearerTransport() });
    const login = await send("/login");
    assertEquals(told(login), {
      header: "token",
      vary: "Authorization",
      cache: "no-store",
    });
    const authorization = `Bearer ${login.headers.get("x-session")}`;
    assertEquals(await (await send("/", { authorization })).text(), "ada");
    const token = login.headers.get("x-session") ?? "";
    for (
      const wrong of [
        token,
        `Basic ${token}`,
        `Bearer`,
        `Bearer  `,
        `Bearer ${token} ${token}`,
        `Bearer ${token}, Bearer ${token}`,
        `Token ${token}`,
      ]
    ) {
      const response = await send("/", { authorization: wrong });
      assertEquals(await response.text(), "login first", wrong);
    }
    const rotated = await send("/new-id", { authorization });
    assertEquals(told(rotated).header, "token");
    const next = `Bearer ${rotated.headers.get("x-session")}`;
    assertEquals(
      told(await send("/logout", { authorization: next })).header,
      "ended",
    );
  },
);

testOnStores(
  "of several transports the first that yields a token wins, and the answer goes the same way",
  async ({ store }) => {
    const send = app({
      store,
      transport: [cookieTransport(), headerTransport(), bearerTransport()],
    });
    // a new session goes out by the first
    const login = await send("/login");
    assertEquals(told(login), {
      cookie: 1,
      vary: "Cookie, x-session, Authorization",
      cache: "no-store",
    });
    const [line = ""] = login.headers.getSetCookie();
    const cookie = line.split(";")[0] ?? "";
    const token = cookie.split("=")[1] ?? "";

    // the three ways in, and out again
    const ways: [Record<string, string>, object][] = [
      [{ cookie }, { cookie: 1, vary: "Cookie" }],
      [{ "x-session": token }, { header: "token", vary: "Cookie, x-session" }],
      [{ authorization: `Bearer ${token}` }, {
        header: "token",
        vary: "Cookie, x-session, Authorization",
      }],
    ];
    for (const [headers, answer] of ways) {
      const response = await send("/new-id", headers);
      assertEquals<object>(told(response), { ...answer, cache: "no-store" });
      assertEquals(await (await send("/", headers)).text(), "ada");
    }

    // the cookie counts, though the header is somebody else's
    const again = await send("/new-id", { cookie });
    const [newer = ""] = again.headers.getSetCookie();
    const mine = newer.split(";")[0] ?? "";
    const other = await send("/count");
    const [second = ""] = other.headers.getSetCookie();
    const bob = second.split(";")[0]?.split("=")[1] ?? "";
    const both = await send("/count", { cookie: mine, "x-session": bob });
    assertEquals(await both.json(), 1);
    assertEquals(told(both), { vary: "Cookie", cache: null });
    // what is no token at all does not count as one
    const garbage = { cookie: "__Host-session=x", "x-session": bob };
    const read = await send("/count", garbage);
    assertEquals(await read.json(), 2);
    assertEquals(told(read), { vary: "Cookie, x-session", cache: null });
    const ended = await send("/logout", garbage);
    assertEquals(told(ended), {
      header: "ended",
      vary: "Cookie, x-session",
      cache: "no-store",
    });
  },
);

testOnStores(
  "R11 an id in a query, a body or a header that is no transport is ignored",
  async ({ store }) => {
    for (
      const [transport, name] of [
        [cookieTransport(), "__Host-session"],
        [headerTransport({ name: "x-own" }), "x-own"],
      ] as const
    ) {
      const handler = withSession((_request, session) => {
        if (session.isNew) session.login("ada");
        else return new Response("known");
        return new Response("new");
      }, { store, transport });
      const first = await handler(new Request("https://example.com/"));
      const [line = ""] = first.headers.getSetCookie();
      const token = first.headers.get("x-own") ??
        line.split(";")[0]?.split("=")[1] ?? "";
      assert(token.length > 60);
      const carried: RequestInit[] = [
        { headers: { "x-session": token } },
        { headers: { authorization: `Bearer ${token}` } },
        { headers: { "x-session-id": token, "session": token } },
        { method: "POST", body: new URLSearchParams({ [name]: token }) },
        { method: "POST", body: JSON.stringify({ [name]: token }) },
        name === "x-own"
          ? { headers: { cookie: `__Host-session=${token}; x-own=${token}` } }
          : { headers: { "x-own": token, "set-cookie": `${name}=${token}` } },
      ];
      const query = new URLSearchParams({ [name]: token, session: token });
      for (const init of [...carried, {}]) {
        const response = await handler(
          new Request(`https://example.com/;${name}=${token}?${query}`, init),
        );
        assertEquals(await response.text(), "new", Deno.inspect(init));
      }
    }
  },
);

testOnStores(
  "a transport of one's own carries the token however it likes",
  async ({ store }) => {
    const written: (number | undefined)[] = [];
    const transport: SessionTransport = {
      name: "ticket",
      vary: ["X-Ticket", "X-Device"],
      persistent: false,
      read: (request) => {
        const ticket = request.headers.get("x-ticket");
        return ticket === null ? [] : ticket.split("|");
      },
      write: (headers, token, lifetime) => {
        written.push(lifetime);
        headers.set("x-ticket", token);
      },
      clear: (headers) => headers.set("x-ticket", "void"),
    };
    const send = app({ store, transport });
    const login = await send("/login");
    assertEquals(login.headers.get("vary"), "X-Ticket, X-Device");
    assertEquals(login.headers.get("cache-control"), "no-store");
    assertEquals(login.headers.getSetCookie(), []);
    assertEquals(written, [undefined]);
    const ticket = login.headers.get("x-ticket") ?? "";
    for (const sent of [ticket, `junk|${ticket}`, `1|2|3|${ticket}`]) {
      assertEquals(
        await (await send("/", { "x-ticket": sent })).text(),
        "ada",
      );
    }
    // at most four are looked at
    const late = await send("/", { "x-ticket": `1|2|3|4|${ticket}` });
    assertEquals(await late.text(), "login first");
    const logout = await send("/logout", { "x-ticket": ticket });
    assertEquals(logout.headers.get("x-ticket"), "void");
  },
);

Deno.test("a signed token of one transport is worth nothing in another", async () => {
  const store = new MemoryStore();
  const secrets = ["k".repeat(32)];
  const byHeader = app({ store, secrets, transport: headerTransport() });
  const byCookie = app({ store, secrets });
  const token = (await byHeader("/login")).headers.get("x-session") ?? "";
  assertEquals(
    await (await byHeader("/", { "x-session": token })).text(),
    "ada",
  );
  const cookie = `__Host-session=${token}`;
  assertEquals(await (await byCookie("/", { cookie })).text(), "login first");
});

Deno.test("a token travels by header over the wire, in both directions", async () => {
  const handler = app({
    store: new MemoryStore(),
    transport: headerTransport(),
  });
  const server = serve((request) => {
    const { pathname } = new URL(request.url);
    return handler(pathname, Object.fromEntries(request.headers));
  });
  const { port } = server.addr;
  const login = await rawRequest(port, [], "GET /login HTTP/1.1");
  const line = login.lines.find((line) => /^x-session:/i.test(line)) ?? "";
  const token = line.split(": ")[1] ?? "";
  const page = await rawRequest(port, [`X-SESSION: ${token}`]);
  assertEquals(page.body, "ada");
  assertEquals(page.lines.filter((line) => /^x-session:/i.test(line)), []);
  // said twice, it is none
  const twice = await rawRequest(port, [
    `x-session: ${token}`,
    `x-session: ${token}`,
  ]);
  assertEquals(twice.body, "login first");
  await server.shutdown();
});

Deno.test("transports are checked when they are handed over", () => {
  const make = (transport: unknown, more = {}) => () =>
    Reflect.apply(withSession, undefined, [() => new Response(), {
      store: new MemoryStore(),
      transport,
      ...more,
    }]);
  assertThrows(make([]), TypeError, "name one or more");
  assertThrows(make({}), TypeError, "have name, vary, read, write and clear");
  assertThrows(
    make([headerTransport(), headerTransport({ name: "X-Session" })]),
    TypeError,
    `"x-session"`,
  );
  assertThrows(
    make(headerTransport(), { cookie: { name: "x" } }),
    TypeError,
    `not go together with "transport"`,
  );
  make([headerTransport(), bearerTransport(), cookieTransport()])();
});
