import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  cookieTransport,
  headerTransport,
  type LazySession,
  SessionClosedError,
  SessionManager,
  type SessionOptions,
  SessionSkippedError,
  SessionStoreError,
  SessionValidationError,
  withLazySession,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { fails, SpyStore, testOnSpyStores } from "./_spy_store.ts";

/** Serves `/n` with a session, and everything else without. */
function serve(options: SessionOptions) {
  return new TestClient(withLazySession(async (request, lazy) => {
    if (!request.url.endsWith("/n")) return new Response("no session");
    const session = await lazy.load();
    session.update<number>("n", (n = 0) => n + 1);
    return Response.json(session.get("n"));
  }, options));
}

testOnSpyStores(
  "R31 a lazy session that is not loaded costs no store call, with a token or without",
  async (store) => {
    const client = serve({ store });
    const before = await client.get("/");
    assertEquals(await (await client.get("/n")).json(), 1);
    store.reset();
    const after = await client.get("/");
    for (const { headers } of [before, after]) {
      assertEquals([...headers.keys()], ["content-type"]);
    }
    assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
    assertEquals(await (await client.get("/n")).json(), 2);
    assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
  },
);

Deno.test("withLazySession() leaves a response alone if the session was not loaded", async () => {
  const response = new Response("hello");
  const handler = withLazySession(() => response, { store: new SpyStore() });
  const headers = { cookie: "__Host-session=x" };
  const request = new Request("https://example.com/", { headers });
  assertStrictEquals(await handler(request), response);
});

Deno.test("withLazySession() loads once, and commits what it loaded", async () => {
  const store = new SpyStore();
  const client = new TestClient(withLazySession(async (_request, lazy) => {
    const [first, second] = await Promise.all([lazy.load(), lazy.load()]);
    assertStrictEquals(first, second);
    assertStrictEquals(await lazy.load(), first);
    first.update<number>("n", (n = 0) => n + 1);
    return Response.json(first.get("n"));
  }, { store }));
  const first = await client.get("/");
  assertEquals(first.headers.getSetCookie().length, 1);
  assertEquals(first.headers.get("vary"), "Cookie");
  store.reset();
  assertEquals(await (await client.get("/")).json(), 2);
  assertEquals(store.calls, { get: 1, commit: 1, list: 0 });
});

Deno.test("withLazySession() hands on whatever it is called with, and takes a manager", async () => {
  const sessions = new SessionManager({ store: new SpyStore() });
  const handler = withLazySession(
    async (_request, lazy, id: string) => {
      const session = await lazy.load();
      return Response.json([id, session.isNew]);
    },
    sessions,
  );
  const response = await handler(new Request("https://example.com/"), "7");
  assertEquals(await response.json(), ["7", true]);
});

Deno.test("withLazySession() saves nothing if the handler throws or returns no response", async () => {
  const store = new SpyStore();
  const handler = withLazySession(async (request, lazy) => {
    const session = await lazy.load();
    session.set("n", 1);
    if (request.url.endsWith("/throws")) throw new RangeError("x");
    return undefined as unknown as Response;
  }, { store });
  const client = new TestClient(handler);
  await assertRejects(() => client.get("/throws"), RangeError, "x");
  await assertRejects(
    () => client.get("/"),
    TypeError,
    "the handler must return a Response",
  );
  assertEquals(store.calls.commit, 0);
});

Deno.test("withLazySession() shows a flash value again that a handler took before it threw", async () => {
  const seen: unknown[] = [];
  const client = new TestClient(
    withLazySession(async (request, lazy) => {
      const session = await lazy.load();
      if (request.url.endsWith("/start")) session.flash("notice", "hi");
      else seen.push(session.flash("notice"));
      if (request.url.endsWith("/throws")) throw new RangeError("x");
      return new Response();
    }, { store: new SpyStore() }),
  );
  await client.get("/start");
  await assertRejects(() => client.get("/throws"), RangeError, "x");
  await client.get("/");
  assertEquals(seen, ["hi", "hi"]);
});

Deno.test("withLazySession() fails where it loads, and the handler may answer for it", async () => {
  const store = new SpyStore();
  const client = serve({ store });
  await client.get("/n");
  store.onGet = fails;
  assertEquals(await (await client.get("/")).text(), "no session");
  await assertRejects(() => client.get("/n"), SessionStoreError);
  store.onGet = undefined;
  assertEquals(await (await client.get("/n")).json(), 2);
});

Deno.test("withLazySession() gives a session that throws when skip left the request out", async () => {
  const store = new SpyStore();
  const handler = withLazySession(async (_request, lazy) => {
    const session = await lazy.load();
    assertThrows(() => session.get("n"), SessionSkippedError);
    return new Response();
  }, { store, skip: () => true });
  const response = await handler(new Request("https://example.com/"));
  assertEquals([...response.headers.keys()], []);
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
});

Deno.test("withLazySession() loads nothing after the response", async () => {
  const store = new SpyStore();
  const kept: LazySession[] = [];
  const client = new TestClient(withLazySession((_request, lazy) => {
    kept.push(lazy);
    return new Response();
  }, { store }));
  await client.get("/");
  await assertRejects(
    async () => await kept[0]?.load(),
    SessionClosedError,
    "received a first load after its response; use manager.edit",
  );
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
});

Deno.test("withLazySession() sends what a handler answered to a failed load, with Vary alone", async () => {
  const store = new SpyStore();
  const events: string[] = [];
  const sessions = new SessionManager({
    store,
    transport: [headerTransport(), cookieTransport()],
    onEvent: ({ type }) => events.push(type),
    onError: () => new Response("from onError", { status: 500 }),
  });
  const answers: Response[] = [
    new Response("degraded", { status: 503 }),
    Response.redirect("https://example.com/down"),
  ];
  const client = serve({ store });
  await client.get("/n");
  const cookie = `__Host-session=${client.cookie("__Host-session")?.value}`;
  const send = (handler: (request: Request) => Promise<Response>) =>
    handler(new Request("https://example.com/", { headers: { cookie } }));
  const well = await send(withLazySession(async (_request, lazy) => {
    return Response.json((await lazy.load()).get("n"));
  }, sessions));
  assertEquals(await well.json(), 1);
  for (const answer of answers) {
    store.reset();
    store.onGet = fails;
    const { status } = answer;
    const location = answer.headers.get("location");
    const response = await send(withLazySession(async (_request, lazy) => {
      await assertRejects(() => lazy.load(), SessionStoreError);
      await assertRejects(() => lazy.load(), SessionStoreError);
      return answer;
    }, sessions));
    assertEquals(response.status, status);
    assertEquals(response.headers.get("location"), location);
    assertEquals(response.headers.get("vary"), well.headers.get("vary"));
    assertEquals(response.headers.get("vary"), "x-session, Cookie");
    assertEquals(response.headers.getSetCookie(), []);
    assertEquals(response.headers.get("cache-control"), null);
    assertEquals(store.calls, { get: 1, commit: 0, list: 0 });
    assertEquals(events.splice(0), ["store-error"]);
  }
  assertEquals(await answers[0]?.text(), "degraded");
});

Deno.test("withLazySession() sends what a handler answered to data that does not fit the schema", async () => {
  const store = new SpyStore();
  const before = new TestClient(withLazySession(async (_request, lazy) => {
    (await lazy.load()).set("n", 1);
    return new Response();
  }, { store }));
  await before.get("/");
  const handler = withLazySession(async (_request, lazy) => {
    const error = await assertRejects(
      () => lazy.load(),
      SessionValidationError,
    );
    return new Response(error.name, { status: 500 });
  }, {
    store,
    onInvalid: "fail",
    schema: {
      "~standard": {
        version: 1,
        vendor: "test",
        validate: () => ({ issues: [{ message: "no" }] }),
      },
    },
  });
  const cookie = `__Host-session=${before.cookie("__Host-session")?.value}`;
  const response = await handler(
    new Request("https://example.com/", { headers: { cookie } }),
  );
  assertEquals(await response.text(), "SessionValidationError");
});

Deno.test("withLazySession() fails still if the handler does not answer for a failed load", async () => {
  const store = new SpyStore();
  const client = serve({ store });
  await client.get("/n");
  const cookie = `__Host-session=${client.cookie("__Host-session")?.value}`;
  const send = (handler: (request: Request) => Promise<Response>) =>
    handler(new Request("https://example.com/", { headers: { cookie } }));
  store.onGet = fails;
  const handlers: Parameters<typeof withLazySession>[0][] = [
    async (_request, lazy) => {
      await lazy.load();
      return new Response();
    },
    (_request, lazy) => {
      lazy.load().catch(() => {}); // and does not wait for it
      return new Response();
    },
    async (_request, lazy) => {
      await lazy.load().catch(() => {});
      return undefined as unknown as Response;
    },
  ];
  const failures = [SessionStoreError, SessionStoreError, TypeError];
  for (const [index, handler] of handlers.entries()) {
    await assertRejects(
      () => send(withLazySession(handler, { store })),
      failures[index] ?? Error,
    );
    const onError = () => new Response("from onError");
    const caught = send(withLazySession(handler, { store, onError }));
    if (index === 2) await assertRejects(() => caught, TypeError);
    else assertEquals(await (await caught).text(), "from onError");
  }
});
