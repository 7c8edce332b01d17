/**
 * What programs get wrong, in JavaScript above all: said at once, or harmless.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  crossOriginProtection,
  MemoryStore,
  requireSession,
  SessionManager,
  SessionStoreError,
  type SessionTransport,
  withLazySession,
  withSession,
} from "@tessera/session";
import { fails, SpyStore } from "./_spy_store.ts";
import { countTimers } from "./_timers.ts";
import { Visitor } from "./_visitor.ts";

const URL = "https://example.com/";
/** Longer than any timer can be, which makes engines take one millisecond instead. */
const FOREVER = { days: 365 };

/** What no type checker lets through. */
function untyped(value: unknown): never {
  return value as never;
}

const WRAPPERS: Record<string, (handler: never) => unknown> = {
  withSession: (handler) => withSession(handler, { store: new MemoryStore() }),
  withLazySession: (handler) =>
    withLazySession(handler, { store: new MemoryStore() }),
  requireSession: (handler) =>
    requireSession(handler, new SessionManager({ store: new MemoryStore() })),
  crossOriginProtection: (handler) => crossOriginProtection(handler),
};

for (const [name, wrap] of Object.entries(WRAPPERS)) {
  Deno.test(`${name}() throws at once when the handler is no function`, () => {
    for (const handler of [undefined, null, "handler", { fetch() {} }]) {
      assertThrows(
        () => wrap(untyped(handler)),
        TypeError,
        `Cannot create ${name}: "handler" must be a function: received`,
      );
    }
  });
}

Deno.test("SessionManager.commit() stores nothing when the response is none", async () => {
  const store = new MemoryStore();
  const sessions = new SessionManager({ store });
  const session = await sessions.load(new Request(URL));
  session.set("n", 1);
  await assertRejects(
    () => sessions.commit(session, untyped(undefined)),
    TypeError,
    `Cannot commit session: "response" must be a Response: received undefined`,
  );
  assertEquals(store.size, 0);
  const response = await sessions.commit(session, new Response());
  assertEquals(response.headers.getSetCookie().length, 1);
});

Deno.test("SessionManager.commit() says what it was given in place of a session", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  for (const value of [null, undefined, "session", {}]) {
    await assertRejects(
      () => sessions.commit(untyped(value), new Response()),
      TypeError,
      "want one that this manager loaded: received",
    );
  }
});

Deno.test("SessionManager.commit() sets the cookie once when a response is answered twice", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const session = await sessions.load(new Request(URL));
  session.set("n", 1);
  const other = "__Host-session=; Path=/old; Max-Age=0";
  const headers = [["set-cookie", "a=1"], ["set-cookie", other]];
  const once = await sessions.commit(
    session,
    new Response(null, { headers: headers as [string, string][] }),
  );
  const twice = await sessions.commit(session, once);
  const [first, second, own, ...rest] = twice.headers.getSetCookie();
  assertEquals([first, second, rest], ["a=1", other, []]);
  assertEquals(twice.headers.getSetCookie(), once.headers.getSetCookie());
  assertStringIncludes(own ?? "", `__Host-session=${session.id}.`);
});

Deno.test("one manager nested in itself sets the cookie once", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  const { sessions, token } = visitor;
  const inner = withSession((_request, session) => {
    session.regenerate();
    return new Response();
  }, sessions);
  const outer = withSession(async (request, session) => {
    const response = await inner(request);
    session.set("m", 2);
    return response;
  }, sessions);
  const headers = { cookie: `__Host-session=${token}` };
  const response = await outer(new Request(URL, { headers }));
  const [line = "", ...others] = response.headers.getSetCookie();
  assertEquals(others, []);
  const [cookie = ""] = line.split(";");
  const entries = await sessions.handle(
    new Request(URL, { headers: { cookie } }),
    (session) => Response.json([...session.entries()]),
  );
  assertEquals(await entries.json(), [["n", 1], ["m", 2]]);
});

Deno.test("onError must return a Response", async () => {
  const store = new SpyStore();
  store.onCommit = fails;
  const { sessions } = new Visitor({
    store,
    onError: () => untyped(undefined),
  });
  await assertRejects(
    () =>
      sessions.handle(new Request(URL), (session) => {
        session.set("n", 1);
        return new Response();
      }),
    TypeError,
    `Cannot respond: "onError" must return a Response: received undefined`,
  );
});

Deno.test("skip must be synchronous", async () => {
  for (const answer of [Promise.resolve(false), Promise.reject("no")]) {
    const { sessions } = new Visitor({ skip: () => untyped(answer) });
    await assertRejects(
      () => sessions.handle(new Request(URL), () => new Response()),
      TypeError,
      `"skip" must be synchronous, and return a boolean: received a promise`,
    );
  }
});

Deno.test("a transport that yields null brings no token", async () => {
  const transport: SessionTransport = {
    name: "x-token",
    vary: "x-token",
    read: ({ headers }) => [untyped(headers.get("x-token"))],
    write: (headers, token) => headers.set("x-token", token),
    clear: (headers) => headers.delete("x-token"),
  };
  const store = new SpyStore();
  const { sessions } = new Visitor({ store, transport });
  const visit = (headers: HeadersInit) =>
    sessions.handle(new Request(URL, { headers }), (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      return Response.json(session.get("n"));
    });
  const first = await visit({});
  assertEquals(store.calls.get, 0);
  const token = first.headers.get("x-token") ?? "";
  assertEquals(await (await visit({ "x-token": token })).json(), 2);
});

Deno.test("a store that answers null has no such session", async () => {
  const store = new SpyStore();
  store.onGet = async (call) => await call() ?? untyped(null);
  const visitor = new Visitor({ store });
  const id = await visitor.visit((session) => {
    session.set("n", 1);
    return session.id;
  });
  assertEquals(await visitor.read(), [["n", 1]]);
  assertEquals(await visitor.sessions.revoke(id), true);
  assertEquals(await visitor.sessions.get(id), undefined);
  assertEquals(await visitor.read(), []);
});

Deno.test("SessionManager() says what an object lacks to be a store", () => {
  assertThrows(
    () =>
      new SessionManager({ store: untyped({ get: () => {}, list: () => {} }) }),
    TypeError,
    "received an object without commit",
  );
});

for (
  const [name, watch] of Object.entries({
    "throws": () => {
      throw new Error("watch");
    },
    "rejects": () => Promise.reject(new Error("watch")),
  })
) {
  Deno.test(`a store whose watch ${name} is polled`, async () => {
    const store = Object.assign(new SpyStore(), { watch });
    await using sessions = new SessionManager({ store, pollInterval: 10 });
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.set("n", 1);
      return session.id;
    });
    const ended = Promise.withResolvers<void>();
    const cookie = `__Host-session=${visitor.token}`;
    const response = await sessions.handle(
      new Request(URL, { headers: { cookie } }),
      ({ signal }) => {
        signal.addEventListener("abort", () => ended.resolve());
        return new Response(new ReadableStream());
      },
    );
    const elsewhere = new SessionManager({ store });
    assertEquals(await elsewhere.revoke(id), true);
    await ended.promise;
    await response.body?.cancel();
  });
}

Deno.test("a pollInterval and a storeTimeout of a year are a year", async () => {
  const store = new SpyStore();
  await using sessions = new SessionManager({
    store,
    pollInterval: FOREVER,
    storeTimeout: FOREVER,
  });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => session.set("n", 1));
  const answer = Promise.withResolvers<void>();
  store.onGet = async (call) => {
    await answer.promise;
    return await call();
  };
  const timers = countTimers();
  try {
    const cookie = `__Host-session=${visitor.token}`;
    const request = new Request(URL, { headers: { cookie } });
    const responding = sessions.handle(request, ({ signal }) => {
      return new Response(String(signal.aborted));
    });
    answer.resolve();
    const response = await responding;
    assert(timers.delays.length > 0);
    assert(timers.delays.every((delay) => delay > 0 && delay < 2 ** 31));
    assertEquals(await response.text(), "false");
  } finally {
    timers.restore();
  }
});

Deno.test("a value that was deleted again may become anything", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    const value: Record<string, unknown> = {};
    session.set("gone", value);
    session.delete("gone");
    session.set("n", 1);
    value.call = () => {};
  });
  assertEquals(await visitor.read(), [["n", 1]]);
});

Deno.test("a commit that nobody waits for fails the request, and not the process", async () => {
  const store = new SpyStore();
  store.onCommit = fails;
  const { sessions } = new Visitor({ store });
  await assertRejects(
    () =>
      sessions.handle(new Request(URL), async (session) => {
        session.set("n", 1);
        void session.commit();
        await new Promise((resolve) => setTimeout(resolve));
        return new Response();
      }),
    SessionStoreError,
  );
});

for (const change of ["login", "regenerate"] as const) {
  Deno.test(`revokeAll() spares the session that a ${change} is about to rename`, async () => {
    const store = new SpyStore();
    const visitor = new Visitor({ store });
    const other = new Visitor(visitor.sessions);
    for (const one of [visitor, other]) {
      await one.visit((session) => {
        session.login("ada");
        session.set("n", 1);
      });
    }
    const ended = await visitor.visit((session) => {
      if (change === "login") session.login("ada");
      else session.regenerate();
      return visitor.sessions.revokeAll("ada", { except: session.id });
    });
    assertEquals(ended, 1);
    assertEquals(await visitor.visit(({ subject }) => subject), "ada");
    assertEquals(await visitor.read(), [["n", 1]]);
    assertEquals(await other.visit(({ subject }) => subject), undefined);
  });
}

Deno.test("session.commit() within the callback of an update is refused, and nothing of the update is lost", async () => {
  const sessions = new SessionManager({ store: new MemoryStore() });
  const visitor = new Visitor(sessions);
  await visitor.visit((session) => {
    session.update<number>("n", () => {
      assertThrows(
        () => session.commit(),
        TypeError,
        "Cannot commit session: want an update callback without effects",
      );
      return 1;
    });
  });
  await visitor.visit((session) => assertEquals(session.get("n"), 1));
});
