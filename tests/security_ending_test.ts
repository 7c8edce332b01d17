import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  type CookieOptions,
  MemoryStore,
  SessionClosedError,
  type SessionEvent,
  SessionManager,
  withSession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import { testOnSpyStores } from "./_spy_store.ts";
import { request, serve, tokenOf } from "./_known_app.ts";

for (const path of ["/logout", "/destroy"]) {
  testOnSpyStores(
    `R24 ${path} deletes the record, and every trace of it`,
    async (store) => {
      const events: SessionEvent[] = [];
      const manager = new SessionManager({
        store,
        onEvent: (event) => events.push(event),
      });
      const client = new TestClient(serve(manager));
      await client.get("/start");
      await client.get("/login");
      const [id = ""] = tokenOf(client).split(".");
      assertEquals((await store.dump()).length, 1);
      store.reset();

      await client.get(path);

      assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
      assertEquals(store.commits[0]?.delete, [{ id, subject: "alice" }]);
      assertEquals(await store.dump(), []);
      assertEquals(await Array.fromAsync(store.list({ subject: "alice" })), []);
      assertEquals(client.cookies, []);
      const last = events.at(-1);
      assertEquals([last?.type, last?.id], ["ended", id]);
      assertEquals(last?.type === "ended" && last.reason, "logout");
    },
  );
}

Deno.test("R24 a logout leaves nothing in the database, pieces of a large record included", async () => {
  using kv = await Deno.openKv(":memory:");
  const handler = withSession((request, session) => {
    if (request.url.endsWith("/start")) {
      session.login("alice");
      session.set("large", "x".repeat(200_000));
    } else session.logout();
    return new Response();
  }, { store: kv });
  const client = new TestClient(handler);
  await client.get("/start");
  const before = await Array.fromAsync(kv.list({ prefix: [] }));
  assert(before.length >= 5, `${before.length} entries`);
  await client.get("/logout");
  assertEquals(await Array.fromAsync(kv.list({ prefix: [] })), []);
});

testOnSpyStores(
  "R24 a logout ends the ids too that the session had before",
  async (store) => {
    const handler = serve(new SessionManager({ store }));
    const client = new TestClient(handler);
    await client.get("/start");
    const tokens = [tokenOf(client)];
    await client.get("/regenerate");
    tokens.push(tokenOf(client));
    await client.get("/regenerate");
    tokens.push(tokenOf(client));
    assertEquals(
      await (await handler(request("/", tokens[0]))).text(),
      "known",
    );

    // ended by way of the oldest id, which still leads to the session
    const response = await handler(request("/logout", tokens[0]));
    assertEquals(response.headers.getSetCookie().length, 1);
    for (const token of tokens) {
      const later = await handler(request("/", token));
      assertEquals(await later.text(), "anonymous");
    }
    assertEquals(await store.dump(), []);
  },
);

const COOKIES: { cookie: CookieOptions; deletion: string }[] = [
  {
    cookie: {},
    deletion: "__Host-session=; Secure; HttpOnly; Max-Age=0; SameSite=Lax; " +
      "Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: {
      domain: "example.com",
      path: "/app",
      sameSite: "Strict",
    },
    deletion: "__Secure-session=; Secure; HttpOnly; Max-Age=0; " +
      "Domain=example.com; SameSite=Strict; Path=/app; " +
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: { partitioned: true, sameSite: "None" },
    deletion: "__Host-session=; Secure; HttpOnly; Partitioned; Max-Age=0; " +
      "SameSite=None; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
  {
    cookie: { secure: false, name: "sid" },
    deletion: "sid=; HttpOnly; Max-Age=0; SameSite=Lax; Path=/; " +
      "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
  },
];

for (const { cookie, deletion } of COOKIES) {
  Deno.test(`R28 the deletion cookie repeats every attribute of ${JSON.stringify(cookie)}`, async () => {
    const manager = new SessionManager({ store: new MemoryStore(), cookie });
    const path = cookie.path ?? "";
    const handler = withSession((request, session) => {
      if (request.url.endsWith("/start")) session.set("n", 1);
      else session.destroy();
      return new Response();
    }, manager);
    const client = new TestClient(handler);
    const set = await client.get(`${path}/start`);
    assertEquals(client.cookies.length, 1);
    const ended = await client.get(`${path}/end`);

    const [line = ""] = ended.headers.getSetCookie();
    assertEquals(attributes(line), attributes(deletion));
    assertEquals(ended.headers.getSetCookie().length, 1);
    assertEquals(ended.headers.get("cache-control"), "no-store");
    assertEquals(client.cookies, []);
    // but for value and time it is the cookie that was set
    const [first = ""] = set.headers.getSetCookie();
    const constant = (text: string) =>
      attributes(text).filter((one) => !/^(Max-Age|Expires)=/.test(one));
    assertEquals(constant(line).slice(1), constant(first).slice(1));
  });
}

/** The pair, and then the attributes in the order of the alphabet. */
function attributes(line: string): string[] {
  const [pair = "", ...rest] = line.split("; ");
  return [pair, ...rest.sort()];
}

testOnSpyStores(
  "R28 a deletion cookie is sent only by the request that ended a live session",
  async (store) => {
    const clock = new TestClock();
    const manager = new SessionManager({ store, clock: clock.now });
    const handler = serve(manager);
    const client = new TestClient(handler, { clock: clock.now });
    await client.get("/start");
    const ended = tokenOf(client);
    const first = await handler(request("/logout", ended));
    assertEquals(first.headers.getSetCookie().length, 1);

    client.clear();
    await client.get("/start");
    const expired = tokenOf(client);
    clock.advance({ days: 7 });

    client.clear();
    await client.get("/start");
    const live = tokenOf(client);
    const forged = live.slice(0, -2) + (live.endsWith("AA") ? "BA" : "AA");

    const bad = {
      none: undefined,
      ended,
      expired,
      forged,
      malformed: "x",
      empty: "",
      unknown: `01ARZ3NDEKTSV4RRFFQ69G5FAV.${"A".repeat(43)}`,
    };
    for (const [name, token] of Object.entries(bad)) {
      for (const path of ["/logout", "/destroy", "/", "/keep", "/regenerate"]) {
        const response = await handler(request(path, token));
        assertEquals(response.headers.getSetCookie(), [], `${name} at ${path}`);
        assertEquals(await response.text(), "anonymous", `${name} at ${path}`);
      }
    }
    assertEquals(
      (await handler(request("/logout", live))).headers.getSetCookie().length,
      1,
    );
  },
);

testOnSpyStores(
  "R28 of two requests that end one session, one sends the deletion cookie",
  async (store) => {
    const events: SessionEvent[] = [];
    for (const batch of [true, false]) {
      const manager = new SessionManager({
        store,
        batch,
        onEvent: (event) => events.push(event),
      });
      const handler = serve(manager);
      const client = new TestClient(handler);
      await client.get("/start");
      const token = tokenOf(client);
      events.length = 0;
      const responses = await Promise.all(
        Array.from({ length: 5 }, () => handler(request("/logout", token))),
      );
      const sent = responses.filter(({ headers }) => headers.has("set-cookie"));
      assertEquals(sent.length, 1);
      assertEquals(events.filter(({ type }) => type === "ended").length, 1);
      assertEquals(events.filter(({ type }) => type === "dropped").length, 4);
    }
  },
);

testOnSpyStores(
  "R28 a logout whose record is already gone sends nothing",
  async (store) => {
    const manager = new SessionManager({ store });
    const client = new TestClient(withSession(async (request, session) => {
      if (request.url.endsWith("/start")) session.set("n", 1);
      else {
        assertEquals(await manager.revoke(session.id), true);
        session.logout();
      }
      return new Response();
    }, manager));
    await client.get("/start");
    const response = await client.get("/logout");
    assertEquals(response.headers.getSetCookie(), []);
    assertEquals(response.headers.get("cache-control"), null);
    assertEquals(client.cookies.length, 1);
  },
);

testOnSpyStores(
  "R29 10,000 anonymous logouts store nothing and ask for nothing",
  async (store) => {
    const handler = serve(new SessionManager({ store }));
    for (let count = 0; count < 10_000; count++) {
      const response = await handler(
        request(count % 2 === 0 ? "/logout" : "/destroy"),
      );
      assert(!response.headers.has("set-cookie"));
    }
    assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
    assertEquals(await store.dump(), []);
  },
);

Deno.test("R30 a use after destroy in the same request is an error, never the old data", async () => {
  const manager = new SessionManager({ store: new MemoryStore() });
  const client = new TestClient(withSession((request, session) => {
    if (request.url.endsWith("/start")) {
      session.login("alice");
      session.set("secret", "old");
      session.flash("notice", "old");
      return new Response();
    }
    const before = session.get("secret");
    session.destroy();
    const uses: Record<string, () => unknown> = {
      get: () => session.get("secret"),
      has: () => session.has("secret"),
      size: () => session.size,
      entries: () => session.entries(),
      set: () => session.set("secret", "new"),
      delete: () => session.delete("secret"),
      clear: () => session.clear(),
      update: () => session.update("secret", () => "new"),
      "flash, taken": () => session.flash("notice"),
      "flash, queued": () => session.flash("notice", "new"),
      keepFlash: () => session.keepFlash(),
      persist: () => session.persist(true),
      login: () => session.login("bob"),
      regenerate: () => session.regenerate(),
    };
    for (const [name, use] of Object.entries(uses)) {
      const error = assertThrows(
        use,
        SessionClosedError,
        "the session must still be open: received a ",
        name,
      );
      assert(error.message.includes("after destroy"), `${name}: ${error}`);
      assert(!error.message.includes("old"), name);
    }
    assertEquals(session.subject, undefined);
    assertEquals(session.authenticatedAt, undefined);
    assert(!Deno.inspect(session).includes("old"));
    // a second end changes nothing, and is no error
    session.destroy();
    session.logout();
    return Response.json({ before });
  }, manager));
  await client.get("/start");
  const response = await client.get("/end");
  assertEquals(await response.json(), { before: "old" });
  assertEquals(client.cookies, []);
});
