import {
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  type LazySession,
  SessionClosedError,
  SessionManager,
  type SessionOptions,
  SessionSkippedError,
  SessionStoreError,
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
