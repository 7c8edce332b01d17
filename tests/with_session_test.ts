import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionManager,
  type SessionOptions,
  withSession,
} from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { SpyStore } from "./_spy_store.ts";

const ORIGIN = "https://example.com/";

Deno.test("withSession() counts visits, for each browser apart", async () => {
  const handler = withSession((_request, session) => {
    const count = session.get<number>("count") ?? 0;
    session.set("count", count + 1);
    return Response.json({ count });
  }, { store: new MemoryStore() });
  const [alice, bob] = [new TestClient(handler), new TestClient(handler)];
  const counts = [];
  for (const client of [alice, alice, bob, alice, bob]) {
    counts.push((await (await client.get("/")).json()).count);
  }
  assertEquals(counts, [0, 1, 0, 2, 1]);
});

Deno.test("withSession() hands on whatever it is called with", async () => {
  const handler = withSession(
    (_request, session, info: { port: number }, ...more: string[]) => {
      assertEquals(session.isNew, true);
      return Response.json([info, more]);
    },
    { store: new MemoryStore() },
  );
  const request = new Request(ORIGIN);
  const response = await handler(request, { port: 7 }, "a", "b");
  assertEquals(await response.json(), [{ port: 7 }, ["a", "b"]]);
  const same = withSession((given) => {
    assertStrictEquals(given, request);
    return new Response();
  }, { store: new MemoryStore() });
  assertEquals((await same(request)).status, 200);
});

Deno.test("withSession() shares the sessions of a manager that it is given", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const write = withSession((_request, session) => {
    session.set("n", 1);
    return new Response();
  }, sessions);
  const read = withSession(
    (_request, session) => Response.json(session.get("n") ?? null),
    sessions,
  );
  const client = new TestClient((request) =>
    request.url.endsWith("/write") ? write(request) : read(request)
  );
  assertEquals(await (await client.get("/")).json(), null);
  await client.get("/write");
  assertEquals(await (await client.get("/")).json(), 1);
});

Deno.test("withSession() refuses bad options when it is called, not when it serves", () => {
  const wrap = (options: unknown) =>
    withSession(() => new Response(), options as SessionOptions);
  assertThrows(() => wrap({ idle: 1 }), TypeError, 'received "idle"');
  assertThrows(() => wrap({ idleTimeout: 0 }), RangeError, '"idleTimeout"');
  assertThrows(() => wrap(null), TypeError, "object of options: received null");
  assertThrows(() => wrap({ store: {} }), TypeError, '"store" must be');
});

Deno.test("withSession() throws on what the handler throws, unchanged, and saves nothing", async () => {
  const store = new SpyStore();
  const failures = [new RangeError("x"), "a string", undefined, null];
  const handler = withSession((request, session) => {
    session.update<number>("n", (n = 0) => n + 1);
    const { pathname, searchParams } = new URL(request.url);
    const failure = failures[Number(searchParams.get("failure"))];
    if (pathname === "/throws") throw failure;
    if (pathname === "/rejects") return Promise.reject(failure);
    return Response.json(session.get("n"));
  }, { store });
  const client = new TestClient(handler);
  for (const known of [false, true]) {
    if (known) await client.get("/");
    store.reset();
    for (const path of ["/throws", "/rejects"]) {
      for (const [index, failure] of failures.entries()) {
        const outcome = await client.get(`${path}?failure=${index}`).then(
          () => "a response",
          (error) => [error],
        );
        assert(Array.isArray(outcome));
        assertStrictEquals(outcome[0], failure);
      }
    }
    assertEquals(store.calls.commit, 0);
    assertEquals(client.cookies.length, known ? 1 : 0);
  }
  assertEquals(await (await client.get("/")).json(), 2);
});

Deno.test("withSession() refuses what is no response, and saves nothing", async () => {
  for (const known of [false, true]) {
    const store = new SpyStore();
    let answer: unknown = new Response();
    const client = new TestClient(withSession((_request, session) => {
      session.update<number>("n", (n = 0) => n + 1);
      return answer as Response;
    }, { store }));
    if (known) await client.get("/");
    const before = await store.dump();
    store.reset();
    const bad: [unknown, string][] = [
      [undefined, "undefined"],
      [null, "null"],
      ["hello", "string"],
      [404, "number"],
      [{}, "object"],
      [[], "an array"],
      [new Headers(), "object"],
      [Promise.resolve(undefined), "undefined"],
    ];
    for (const [value, received] of bad) {
      answer = value;
      await assertRejects(
        () => client.get("/"),
        TypeError,
        `Cannot respond: the handler must return a Response: received ${received}`,
      );
    }
    assertEquals(store.calls.commit, 0);
    assertEquals(await store.dump(), before);
    assertEquals(client.cookies.length, known ? 1 : 0);
  }
});

Deno.test("withSession() takes responses of other makes", async () => {
  class OtherResponse extends Response {}
  const handler = withSession((_request, session) => {
    session.set("n", 1);
    return new OtherResponse("hello");
  }, { store: new MemoryStore() });
  const response = await handler(new Request(ORIGIN));
  assertEquals(await response.text(), "hello");
  assertEquals(response.headers.getSetCookie().length, 1);
});

Deno.test("withSession() leaves the response of an untouched anonymous session as it is", async () => {
  const response = new Response("hello");
  const handler = withSession(() => response, { store: new MemoryStore() });
  assertStrictEquals(await handler(new Request(ORIGIN)), response);
  assertEquals(response.headers.has("vary"), false);
});

Deno.test("withSession() adds its cookie to a 101 itself, as none can be built anew", async () => {
  const response = new Response(null, { status: 101 });
  const handler = withSession((_request, session) => {
    session.set("n", 1);
    return response;
  }, { store: new MemoryStore() });
  assertStrictEquals(await handler(new Request(ORIGIN)), response);
  assertEquals(response.headers.getSetCookie().length, 1);
});

Deno.test("withSession() says Vary with every answer that depended on the session, and for nothing else", async () => {
  const handler = withSession((request, session) => {
    if (request.url.endsWith("/read")) session.get("n");
    if (request.url.endsWith("/id")) void session.id;
    if (request.url.endsWith("/isNew")) void session.isNew;
    if (request.url.endsWith("/write")) session.set("n", 1);
    return new Response();
  }, { store: new MemoryStore() });
  const vary = async (client: TestClient, path: string) =>
    (await client.get(path)).headers.get("vary");
  for (
    const [path, expected] of [
      ["/", null],
      ["/read", "Cookie"],
      ["/id", "Cookie"],
      ["/isNew", "Cookie"],
      ["/write", "Cookie"],
    ] as const
  ) {
    const client = new TestClient(handler);
    assertEquals(await vary(client, path), expected, path);
    await client.get("/write");
    assertEquals(await vary(client, path), expected, `${path}, known`);
  }
});

Deno.test("withSession() ignores a session that is used when the response has left", async () => {
  const store = new SpyStore();
  const kept: Session[] = [];
  const handler = withSession((_request, session) => {
    kept.push(session);
    return new Response();
  }, { store });
  const response = await handler(new Request(ORIGIN));
  const [session] = kept;
  assert(session !== undefined);
  assertThrows(() => session.set("n", 1), Error, "after the commit");
  await session.commit(); // there is nothing to commit
  assertEquals(response.headers.getSetCookie(), []);
  assertEquals(store.calls, { get: 0, commit: 0, list: 0 });
});
