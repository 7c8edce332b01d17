import {
  assert,
  assertEquals,
  assertNotEquals,
  assertRejects,
  assertStrictEquals,
} from "@std/assert";
import {
  type Session,
  SessionManager,
  SessionStoreError,
  withLazySession,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import {
  appliesAndFails,
  fails,
  type Fault,
  SpyStore,
  testOnSpyMemory,
  testOnSpyStores,
} from "./_spy_store.ts";
import { COOKIE, setUp } from "./_failing_app.ts";

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
  // a database may be slow; memory answers before any time is up
  const test = fault === appliesAndHangs ? testOnSpyMemory : testOnSpyStores;
  test(
    `R36 a commit that took place and ${name} counts, and counts once`,
    async (store) => {
      const storeTimeout = fault === appliesAndHangs ? 10 : 60_000;
      const { client, sessions, token, read } = await setUp(store, {
        storeTimeout,
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

testOnSpyMemory(
  "R36 a logout that took place and is reported as failed is a success",
  async (store) => {
    for (const fault of [appliesAndFails, appliesAndHangs]) {
      const { client, events, token } = await setUp(store, {
        storeTimeout: 10,
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

Deno.test("R36 a logout that may have failed is not taken for the revoke that came after it", async () => {
  const store = new SpyStore();
  const { sessions, events, token } = await setUp(store);
  const headers = { cookie: `${COOKIE}=${token()}` };
  const request = new Request("https://example.com/", { headers });
  const response = await sessions.handle(request, async (session) => {
    session.logout();
    store.onCommit = store.onGet = fails;
    await assertRejects(() => session.commit(), SessionStoreError);
    store.onCommit = store.onGet = undefined;
    assertEquals(await sessions.revoke(session.id), true);
    events.length = 0;
    return new Response();
  });
  assertEquals(response.headers.getSetCookie(), []);
  const told = events.flatMap((event) =>
    event.type === "ended" || event.type === "dropped"
      ? [[event.type, event.reason]]
      : []
  );
  assertEquals(told, [["dropped", "revoked"]]);
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
      const { cause } = await assertRejects(
        () => session.commit(),
        SessionStoreError,
        "Cannot commit session",
      );
      assert(cause instanceof Error);
      assertEquals(cause.message, "connection reset"); // not the look for the proof's
      store.onGet = undefined;
      await session.commit();
      return new Response();
    });
    await client.get("/read");
    return response;
  };
  const list = () => Array.fromAsync(sessions.list(), ({ id }) => id);
  /** The id of the session that the cookie of a response leads to. */
  const idOf = async (response: Response) => {
    const [line = ""] = response.headers.getSetCookie();
    const headers = { cookie: line.split(";")[0] ?? "" };
    const request = new Request("https://example.com/", { headers });
    const session = await sessions.load(request);
    assertEquals(session.isNew, false);
    return session.id;
  };

  const updated = await tryTwice((session) => {
    session.update<number>("n", (n = 0) => n + 1);
  });
  assertEquals(updated.headers.getSetCookie(), []);
  assertEquals(await read(), { n: 2 });

  const signedIn = await tryTwice((session) => session.login("alice"));
  assertEquals(await list(), [await idOf(signedIn)]);
  assertEquals(await read(), {}); // the browser did not get the new cookie
  await client.get("/count");

  const rotated = await tryTwice((session) => session.regenerate());
  const rotatedId = await idOf(rotated);
  assertEquals((await list()).length, 2);
  assertEquals(await read(), { n: 1 });
  assertEquals(token().split(".")[0], rotatedId);

  client.clear();
  const created = await tryTwice((session) => session.set("n", 5));
  assert((await list()).includes(await idOf(created)));
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

Deno.test("R36 a promised store that never comes, and is never used, ends no process", async () => {
  const unhandled: unknown[] = [];
  const note = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  addEventListener("unhandledrejection", note);
  try {
    new SessionManager({ store: Promise.reject(new Error("no such host")) });
    await new Promise((resolve) => setTimeout(resolve, 0));
    assertEquals(unhandled, []);
  } finally {
    removeEventListener("unhandledrejection", note);
  }
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
