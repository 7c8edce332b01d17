import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionConflictError,
  SessionError,
  type SessionEvent,
  SessionManager,
  type SessionOptions,
  SessionStoreError,
  withLazySession,
} from "@tessera/session";
import { TestClient, TestClock } from "@tessera/session/testing";
import {
  appliesAndFails,
  fails,
  type Fault,
  hangs,
  SpyStore,
  testOnSpyStores,
} from "./_spy_store.ts";

const COOKIE = "__Host-session";

/** What a request does to its session, by the path that asks for it. */
const USES: Record<string, (session: Session) => void> = {
  "/read": (session) => void session.get("n"),
  "/count": (session) => session.update<number>("n", (n = 0) => n + 1),
  "/flash": (session) => session.flash("notice", "hi"),
  "/login": (session) => session.login("alice"),
  "/regenerate": (session) => session.regenerate(),
  "/logout": (session) => session.logout(),
};

/** A browser that has a session in which `n` is 1. */
async function setUp(store: SpyStore, options: SessionOptions = {}) {
  const events: SessionEvent[] = [];
  const sessions = new SessionManager({
    store,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const responses: Response[] = [];
  const client = new TestClient(async (request) => {
    const response = await sessions.handle(request, (session) => {
      USES[new URL(request.url).pathname]?.(session);
      const { subject } = session;
      if (request.url.endsWith("/logout")) return new Response("signed out");
      return Response.json({ n: session.get("n"), subject });
    });
    responses.push(response);
    return response;
  }, { clock: options.clock ?? Date.now });
  await client.get("/count");
  events.length = responses.length = 0;
  store.reset();
  const token = () => client.cookie(COOKIE)?.value ?? "";
  const read = async () => await (await client.get("/read")).json();
  return { client, events, sessions, responses, token, read };
}

/** Everything that needs the store, and what it needs it for. */
const OUTAGES: [fault: "onGet" | "onCommit", path: string][] = [
  ["onGet", "/read"],
  ["onGet", "/count"],
  ["onGet", "/logout"],
  ["onGet", "/login"],
  ["onCommit", "/count"],
  ["onCommit", "/flash"],
  ["onCommit", "/login"],
  ["onCommit", "/regenerate"],
  ["onCommit", "/logout"],
];

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
  } finally {
    Math.random = random;
  }
});

/** The write takes effect, but the store never says so. */
const appliesAndHangs: Fault = async (call) => {
  await call();
  return await new Promise(() => {});
};

/** The write takes effect, but the store takes it for another writer's. */
const appliesAndConflicts: Fault = async (call) => {
  await call();
  return { ok: false } as Awaited<ReturnType<typeof call>>;
};

/** Makes the next commit alone go wrong. */
function failOnce(store: SpyStore, fault: Fault): void {
  store.onCommit = (call) => {
    store.onCommit = undefined;
    return fault(call);
  };
}

for (
  const [name, fault] of Object.entries({
    "is reported as failed": appliesAndFails,
    "is never reported": appliesAndHangs,
    "is reported as a conflict": appliesAndConflicts,
  })
) {
  testOnSpyStores(
    `R36 a commit that took place and ${name} counts, and counts once`,
    async (store) => {
      const { client, sessions, token, read } = await setUp(store, {
        storeTimeout: 30,
      });
      const list = () => Array.fromAsync(sessions.list(), ({ id }) => id);

      failOnce(store, fault);
      await client.get("/count");
      assertEquals(await read(), { n: 2 });

      const anonymous = token();
      failOnce(store, fault);
      await client.get("/login");
      assertNotEquals(token(), anonymous);
      assertEquals(await read(), { n: 2, subject: "alice" });
      assertEquals(await list(), [token().split(".")[0]]);

      const signedIn = token();
      failOnce(store, fault);
      await client.get("/regenerate");
      assertNotEquals(token(), signedIn);
      assertEquals(await read(), { n: 2, subject: "alice" });
      assertEquals(await list(), [token().split(".")[0]]);

      client.clear();
      failOnce(store, fault);
      await client.get("/count");
      assertEquals(await read(), { n: 1 });
      assertEquals((await list()).length, 2);
    },
  );
}

testOnSpyStores(
  "R36 a logout that took place and is reported as failed is a success",
  async (store) => {
    for (const fault of [appliesAndFails, appliesAndHangs]) {
      const { client, events, token } = await setUp(store, {
        storeTimeout: 30,
      });
      failOnce(store, fault);
      const response = await client.get("/logout");
      assertEquals(response.status, 200);
      assertEquals(response.headers.getSetCookie().length, 1);
      assertEquals(token(), "");
      assertEquals(await store.dump(), []);
      assertEquals(events.map(({ type }) => type), ["store-error", "ended"]);
    }
  },
);

Deno.test("R36 a logout that the store takes for another writer's leaves no session either", async () => {
  const store = new SpyStore();
  const { client, read } = await setUp(store);
  failOnce(store, appliesAndConflicts);
  await client.get("/logout");
  assertEquals(await store.dump(), []);
  assertEquals(await read(), {});
});

Deno.test("R36 a commit of which nothing can be known is an error, and counts once when it is tried again", async () => {
  const store = new SpyStore();
  const { client, sessions, token, read } = await setUp(store);
  const blind = () => {
    store.onCommit = async (call) => {
      store.onCommit = undefined;
      store.onGet = fails;
      return await appliesAndFails(call);
    };
  };
  const tryTwice = async (change: (session: Session) => void) => {
    const headers: HeadersInit = { cookie: `${COOKIE}=${token()}` };
    const request = new Request("https://example.com/", { headers });
    const response = await sessions.handle(request, async (session) => {
      change(session);
      blind();
      await assertRejects(() => session.commit(), SessionStoreError);
      store.onGet = undefined;
      await session.commit();
      return new Response();
    });
    await client.get("/read");
    return response;
  };
  const list = () => Array.fromAsync(sessions.list(), ({ id }) => id);
  const idOf = (response: Response) =>
    /=([^.]+)/.exec(response.headers.get("set-cookie") ?? "")?.[1] ?? "";

  const updated = await tryTwice((session) => {
    session.update<number>("n", (n = 0) => n + 1);
  });
  assertEquals(updated.headers.getSetCookie(), []);
  assertEquals(await read(), { n: 2 });

  const signedIn = await tryTwice((session) => session.login("alice"));
  assertEquals(await list(), [idOf(signedIn)]);
  assertEquals(await read(), {}); // the browser did not get the new cookie
  await client.get("/count");

  const rotated = await tryTwice((session) => session.regenerate());
  assert(await sessions.get(idOf(rotated)) !== undefined);
  assertEquals((await list()).length, 2);
  assertEquals(await read(), { n: 1 });
  assertEquals(token().split(".")[0], idOf(rotated));

  client.clear();
  const created = await tryTwice((session) => session.set("n", 5));
  assert(await sessions.get(idOf(created)) !== undefined);
  assertEquals((await list()).length, 3);
});

Deno.test("R36 a promised store that never comes is a SessionStoreError at each use", async () => {
  const cause = new Error("no such host");
  const sessions = new SessionManager({ store: Promise.reject(cause) });
  const open = () =>
    sessions.handle(new Request("https://example.com/"), (session) => {
      session.set("n", 1);
      return new Response();
    });
  for (let count = 0; count < 2; count++) {
    const error = await assertRejects(open, SessionStoreError);
    assertStrictEquals(error.cause, cause);
  }
  const anonymous = await sessions.handle(
    new Request("https://example.com/"),
    (session) => Response.json(session.get("n") ?? null),
  );
  assertEquals(await anonymous.json(), null);
});

Deno.test("R36 a session loaded for later and never awaited fails the request, not the process", async () => {
  const store = new SpyStore();
  const { client } = await setUp(store);
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    const handler = withLazySession((_request, lazy) => {
      void lazy.load();
      return new Response();
    }, { store });
    store.onGet = fails;
    const headers = { cookie: `${COOKIE}=${client.cookie(COOKIE)?.value}` };
    await assertRejects(
      () => handler(new Request("https://example.com/", { headers })),
      SessionStoreError,
    );
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
});

Deno.test("R36 an expired session is over though its record cannot be removed", async () => {
  const store = new SpyStore();
  const clock = new TestClock();
  const { client, token, read } = await setUp(store, { clock: clock.now });
  const headers = { cookie: `${COOKIE}=${token()}` };
  clock.advance({ days: 7 });
  store.onCommit = fails;
  const response = await client.get("/read", { headers });
  assertEquals(await response.json(), {});
  assertEquals(response.headers.getSetCookie(), []);
  store.onCommit = undefined;
  assertEquals(await read(), {});
});

Deno.test("R36 a login stands though the sessions too many could not be ended", async () => {
  const store = new SpyStore();
  const { client, events, read } = await setUp(store, {
    maxSessionsPerSubject: 1,
  });
  store.onList = fails;
  await client.get("/login");
  client.clear();
  assertEquals((await client.get("/login")).status, 200);
  assertEquals(await read(), { subject: "alice" });
  assertEquals(events.filter(({ type }) => type === "store-error").length, 2);
  store.onList = undefined;
  client.clear();
  await client.get("/login");
  assertEquals((await store.dump()).length, 1);
});
