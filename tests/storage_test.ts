import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MemoryStore,
  SessionConflictError,
  SessionError,
  SessionManager,
  SessionStoreError,
} from "@tessera/session";
import { fails, hangs, SpyStore, testOnSpyStores } from "./_spy_store.ts";
import { OUTAGES, setUp } from "./_failing_app.ts";

for (const [fault, path] of OUTAGES) {
  const call = fault === "onGet" ? "load" : "commit";

  testOnSpyStores(
    `R36 ${path} is a SessionStoreError while the store fails to ${call}, and works again after it`,
    async (store) => {
      const { client, events, responses, token, read } = await setUp(store);
      const before = token();
      const stored = await store.dump();
      store[fault] = fails;
      const error = await assertRejects(
        () => client.get(path),
        SessionStoreError,
        `Cannot ${call} session: the store must answer: received Error`,
      );
      assert(error instanceof SessionError);
      assert(error.cause instanceof Error);
      assertEquals(error.cause.message, "disk on fire");
      assert(!error.message.includes("disk on fire"));
      assertEquals(responses, []);
      assertEquals(
        events.map((event) => [
          event.type,
          event.type === "store-error" && event.error,
        ]),
        [["store-error", error.cause]],
      );

      store[fault] = undefined;
      assertEquals(await store.dump(), stored);
      assertEquals(token(), before);
      assertEquals(await read(), { n: 1 });
      assertEquals((await client.get(path)).status, 200);
    },
  );
}

Deno.test("R36 a new visitor gets no cookie for a session that could not be stored", async () => {
  const store = new SpyStore();
  const { client, responses, token, read } = await setUp(store);
  client.clear();
  store.onCommit = fails;
  for (const path of ["/count", "/login", "/flash"]) {
    await assertRejects(() => client.get(path), SessionStoreError);
  }
  assertEquals(responses, []);
  assertEquals(token(), "");
  store.onCommit = undefined;
  assertEquals(await read(), {});
  assertEquals((await client.get("/login")).status, 200);
  assertEquals(await read(), { subject: "alice" });
});

Deno.test("R36 a store that does not answer is a SessionStoreError after storeTimeout", async () => {
  for (const [fault, path] of OUTAGES) {
    const store = new SpyStore();
    const { client, events, token, read } = await setUp(store, {
      storeTimeout: 10,
    });
    const before = token();
    store[fault] = hangs;
    await assertRejects(
      () => client.get(path),
      SessionStoreError,
      `Cannot ${
        fault === "onGet" ? "load" : "commit"
      } session: the store must answer within 10 ms: received nothing`,
    );
    assertEquals(events.map(({ type }) => type), ["store-error"]);
    store[fault] = undefined;
    assertEquals(token(), before);
    assertEquals(await read(), { n: 1 });
  }
});

Deno.test("R36 a store that answers in time is not hurried", async () => {
  const store = new SpyStore();
  const { client } = await setUp(store, { storeTimeout: 2_000 });
  store.onGet = store.onCommit = async (call) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    return await call();
  };
  assertEquals((await client.get("/count")).status, 200);
});

Deno.test("R36 get, edit, revoke and list are a SessionStoreError while the store fails or hangs", async () => {
  for (const fault of [fails, hangs]) {
    const store = new SpyStore();
    const { sessions, token, read } = await setUp(store, { storeTimeout: 10 });
    const [id = ""] = token().split(".");
    store.onGet = store.onList = fault;
    await assertRejects(() => sessions.get(id), SessionStoreError);
    await assertRejects(() => sessions.revoke(id), SessionStoreError);
    await assertRejects(
      () => sessions.edit(id, (session) => session.set("n", 2)),
      SessionStoreError,
    );
    await assertRejects(
      () => Array.fromAsync(sessions.list()),
      SessionStoreError,
      "Cannot list sessions: the store must answer",
    );
    store.onGet = store.onList = undefined;
    store.onCommit = fault;
    await assertRejects(() => sessions.revoke(id), SessionStoreError);
    await assertRejects(
      () => sessions.edit(id, (session) => session.set("n", 2)),
      SessionStoreError,
    );
    store.onCommit = undefined;
    assertEquals(await read(), { n: 1 });
    assertEquals(await sessions.revoke(id), true);
  }
});

Deno.test("R36 a store that throws at once fails like any other", async () => {
  const store = new SpyStore();
  const { client, read } = await setUp(store);
  const cause = new TypeError("not even a promise");
  store.onGet = () => {
    throw cause;
  };
  const error = await assertRejects(
    () => client.get("/read"),
    SessionStoreError,
    "received TypeError",
  );
  assertStrictEquals(error.cause, cause);
  store.onGet = undefined;
  assertEquals(await read(), { n: 1 });
});

Deno.test("R36 onError answers for the store, without a cookie, and gets the request", async () => {
  const store = new SpyStore();
  const seen: unknown[] = [];
  const { client, responses, token, read } = await setUp(store, {
    onError: (error, request) => {
      seen.push(error.constructor, new URL(request.url).pathname);
      return new Response("try again", { status: 503 });
    },
  });
  const before = token();
  for (const [fault, path] of OUTAGES) {
    store[fault] = fails;
    const response = await client.get(path);
    store[fault] = undefined;
    assertEquals(response.status, 503);
    assertEquals(await response.text(), "try again");
    assertEquals(seen.splice(0), [SessionStoreError, path]);
  }
  assert(responses.every(({ headers }) => !headers.has("set-cookie")));
  assertEquals(token(), before);
  assertEquals(await read(), { n: 1 });
});

Deno.test("R36 onError is asked for the store's errors alone", async () => {
  const failure = new RangeError("the handler's own");
  const sessions = new SessionManager({
    store: new MemoryStore(),
    onError: () => new Response("never"),
  });
  const request = new Request("https://example.com/");
  const error = await assertRejects(() =>
    sessions.handle(request, () => {
      throw failure;
    })
  );
  assertStrictEquals(error, failure);
  await assertRejects(
    () => sessions.handle(request, () => undefined as unknown as Response),
    TypeError,
    "the handler must return a Response",
  );
});

Deno.test("R36 other writers who always win are a SessionConflictError, and nothing is written", async () => {
  const { random } = Math;
  Math.random = () => 0; // no waits between the tries
  try {
    const store = new SpyStore();
    const { client, events, token, read } = await setUp(store);
    const before = token();
    for (const path of ["/count", "/login", "/regenerate", "/logout"]) {
      store.onCommit = () => Promise.resolve({ ok: false }) as Promise<never>;
      await assertRejects(
        () => client.get(path),
        SessionConflictError,
        "want one of 100 tries to come before other writers",
      );
      store.onCommit = undefined;
      const conflicts = events.splice(0);
      assert(conflicts.every(({ type }) => type === "conflict"));
      assertEquals(
        conflicts.map((event) => "attempt" in event && event.attempt),
        Array.from({ length: 100 }, (_, index) => index + 1),
      );
      assertEquals(token(), before);
      assertEquals(await read(), { n: 1 });
    }
    const answered = await setUp(new SpyStore(), {
      store,
      onError: (error) => new Response(error.name, { status: 503 }),
    });
    store.onCommit = () => Promise.resolve({ ok: false }) as Promise<never>;
    const response = await answered.client.get("/count");
    assertEquals(await response.text(), "SessionConflictError");
  } finally {
    Math.random = random;
  }
});

/** What a request is told when its store throws a TypeError with a message. */
async function messageFor(message: string): Promise<string> {
  const store = new SpyStore();
  const { client } = await setUp(store);
  store.onGet = () => Promise.reject(new TypeError(message));
  const error = await assertRejects(
    () => client.get("/read"),
    SessionStoreError,
  );
  return error.message;
}

Deno.test("R56 a SessionStoreError never quotes what a driver or the engine quotes", async () => {
  const secrets = [
    `Cannot use 'in' operator to search for 'gone' in {"a": "want it: received 4111"}`,
    "Cannot connect to postgres://app:hunter2@db/app",
    "Cannot convert hunter2 to a BigInt",
  ];
  for (const message of secrets) {
    assertEquals(
      await messageFor(message),
      "Cannot load session: the store must answer: received TypeError",
    );
  }
});

Deno.test("SessionStoreError quotes the messages of the package", async () => {
  const messages = [
    "Cannot create RedisStore: want a client of npm:redis, with mGet, eval and evalSha: received something else",
    'Cannot create table tessera_sessions: want a table with the columns of a PostgresStore, or none: received one for something else; choose another name with the option "table"',
    "Cannot use sessions: the runtime must have node:v8 in process.getBuiltinModule: received none",
    'Cannot create KvStore: "prefix" must be at most 1024 bytes: received 1025',
  ];
  for (const message of messages) {
    assertEquals(
      await messageFor(message),
      `Cannot load session: the store must answer: received ${message}`,
    );
  }
});

Deno.test("R36 a store that rejects with nothing has failed, and was not slow", async () => {
  const store = new SpyStore();
  const { client, events } = await setUp(store);
  store.onGet = () => Promise.reject();
  const error = await assertRejects(
    () => client.get("/read"),
    SessionStoreError,
    "the store must answer: received undefined",
  );
  assertEquals(
    events.map((event) => event.type === "store-error" && event.error),
    [error],
  );
});

Deno.test("SessionStore.commit() that does not say how it went is a TypeError that says what it must", async () => {
  const odd = [undefined, null, true, {}, { ok: 1 }];
  for (const result of odd) {
    const store = new SpyStore();
    const { client } = await setUp(store);
    store.onCommit = () => Promise.resolve(result as never);
    await assertRejects(
      () => client.get("/count"),
      TypeError,
      "the store's commit must answer { ok: true, version } or { ok: false }: received",
    );
  }
});
