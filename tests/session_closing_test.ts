import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  MemoryStore,
  type Session,
  SessionClosedError,
  SessionManager,
  SessionStoreError,
  SessionTooLargeError,
} from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { getWith, tokenOf } from "./_helpers.ts";
import { fails, SpyStore } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";
import { assertClosed } from "./_mutators.ts";

Deno.test("Session is closed after the response, whatever was done with it", async () => {
  const uses: ((session: Session) => unknown)[] = [
    (session) => session.set("a", 1),
    (session) => session.get("a"),
    () => {},
    (session) => session.commit(),
    (session) => session.update<number>("a", (a = 0) => a + 1),
  ];
  for (const use of uses) {
    for (const known of [false, true]) {
      const visitor = new Visitor();
      if (known) await visitor.visit((session) => session.set("a", 0));
      const session = await visitor.visit(async (session) => {
        await use(session);
        return [session] as const;
      });
      const before = await visitor.read();
      assertClosed(session[0]);
      assertEquals([...session[0].entries()], before);
      assertEquals(await visitor.read(), before);
    }
  }
});

Deno.test("Session is closed after a handler that threw, and nothing of it can be committed", async () => {
  for (const known of [false, true]) {
    const visitor = new Visitor();
    if (known) await visitor.visit((session) => session.set("a", 0));
    const before = await visitor.read();
    const kept: Session[] = [];
    await assertRejects(
      () =>
        visitor.visit((session) => {
          kept.push(session);
          session.set("a", 1);
          throw new Error("the handler's own");
        }),
      Error,
      "the handler's own",
    );
    const [session] = kept;
    assert(session !== undefined);
    assertClosed(session, "a change after the request failed");
    await assertRejects(
      () => session.commit(),
      SessionClosedError,
      "the request must still be under way",
    );
    assertEquals(await visitor.read(), before);
    assertEquals(
      (await Array.fromAsync(visitor.sessions.list())).length,
      known ? 1 : 0,
    );
  }
});

Deno.test("Session.commit() stores at once, closes the handle, and the response has the cookie", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  await visitor.visit(async (session) => {
    session.set("a", { b: 1 });
    await session.commit();
    assertEquals((await store.dump()).length, 1);
    assertClosed(session);
    assertEquals(session.get("a"), { b: 1 });
    await session.commit();
    assertEquals(store.calls.commit, 1);
  });
  assertEquals(store.calls.commit, 1);
  assertEquals(visitor.response.headers.getSetCookie().length, 1);
  assertEquals(await visitor.read(), [["a", { b: 1 }]]);
});

Deno.test("Session.commit() stays done though the handler throws", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("a", 1));
  await assertRejects(
    () =>
      visitor.visit(async (session) => {
        session.set("a", 2);
        await session.commit();
        throw new Error("too late");
      }),
    Error,
    "too late",
  );
  assertEquals(await visitor.read(), [["a", 2]]);
});

Deno.test("Session shows what was committed, also what other requests had a part in", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.set("n", 1);
    session.set("gone", true);
  });
  const shown = await visitor.visit(async (session) => {
    session.update<number>("n", (n = 0) => n + 1);
    session.set("mine", [1]);
    assertEquals(session.get("n"), 2);
    await visitor.visit((other) => {
      other.update<number>("n", (n = 0) => n + 10);
      other.set("theirs", true);
      other.delete("gone");
    });
    await session.commit();
    assertEquals(session.get("n"), 12);
    assertEquals(session.has("gone"), false);
    assertEquals(session.size, 3);
    return [...session.entries()];
  });
  assertEquals(shown, [["n", 12], ["theirs", true], ["mine", [1]]]);
  assertEquals(await visitor.read(), shown);
});

Deno.test("Session.commit() commits values as they are when it is called", async () => {
  const visitor = new Visitor();
  const list = [1];
  const shown = await visitor.visit(async (session) => {
    session.set("list", list);
    const committing = session.commit();
    list.push(2);
    await committing;
    list.push(3);
    return session.get("list");
  });
  assertEquals(shown, [1]);
  assertEquals(await visitor.read(), [["list", [1]]]);
});

Deno.test("Session tells of a login what was committed, and follows new ids from there", async () => {
  const clock = new TestClock();
  const visitor = new Visitor({ clock: clock.now });
  await visitor.visit((session) => session.set("a", 1));
  let held: Session | undefined;
  const response = await visitor.sessions.handle(
    getWith(visitor.token),
    async (session) => {
      held = session;
      assertEquals(session.signal.aborted, false);
      session.login("ada");
      clock.advance(1_000);
      await session.commit();
      const info = await visitor.sessions.get(session.id);
      assertEquals(session.authenticatedAt, info?.authenticatedAt);
      assertEquals(session.expiresAt, info?.expiresAt);
      return new Response(new ReadableStream({ start() {} }));
    },
  );
  const renamed = await visitor.sessions.handle(
    getWith(tokenOf(response)),
    (session) => {
      session.regenerate();
      return new Response(session.id);
    },
  );
  assertEquals(held?.id, await renamed.text());
  await response.body?.cancel();
});

Deno.test("Session.commit() can be tried again after what was too large was removed", async () => {
  using kv = await Deno.openKv(":memory:");
  const visitor = new Visitor({ store: kv });
  for (const known of [false, true]) {
    if (known) await visitor.visit((session) => session.set("old", 1));
    await visitor.visit(async (session) => {
      session.set("small", 1);
      session.set("large", "x".repeat(900_000));
      const error = await assertRejects(
        () => session.commit(),
        SessionTooLargeError,
      );
      assert(error.size > error.limit);
      assertEquals(session.delete("large"), true);
      await session.commit();
      assertThrows(() => session.set("small", 2), SessionClosedError);
    });
    const expected = known ? ["small", "old"] : ["small"];
    assertEquals((await visitor.read()).map(([key]) => key), expected);
  }
});

Deno.test("Session that is too large leaves what was stored as it is", async () => {
  using kv = await Deno.openKv(":memory:");
  const visitor = new Visitor({ store: kv });
  await visitor.visit((session) => session.set("old", 1));
  await assertRejects(
    () => visitor.visit((session) => session.set("large", "x".repeat(900_000))),
    SessionTooLargeError,
  );
  assertEquals(await visitor.read(), [["old", 1]]);
});

Deno.test("Session.commit() that the store failed can be repeated, and is by the response", async () => {
  const store = new SpyStore();
  const visitor = new Visitor({ store });
  for (const again of [true, false]) {
    await visitor.visit(async (session) => {
      session.update<number>("n", (n = 0) => n + 1);
      store.onCommit = fails;
      await assertRejects(() => session.commit(), SessionStoreError);
      store.onCommit = undefined;
      assertThrows(() => session.set("n", 7), SessionClosedError);
      if (again) await session.commit();
    });
  }
  assertEquals(await visitor.read(), [["n", 2]]);
});

Deno.test("Session.expiresAt shows what was committed, however long the handler took before", async () => {
  for (const change of ["set", "login"] as const) {
    const clock = new TestClock();
    const store = new MemoryStore();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      absoluteTimeout: { hours: 1 },
    });
    await sessions.handle(
      new Request("https://example.com/"),
      async (session) => {
        clock.advance({ seconds: 20 });
        if (change === "set") session.set("n", 1);
        else session.login("ada");
        await session.commit();
        const stored = await sessions.get(session.id);
        assertEquals(session.expiresAt, stored?.expiresAt);
        return new Response();
      },
    );
  }
});

Deno.test("Session shows what was loaded after an early commit that was dropped", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.set("n", 1));
  await visitor.visit(async (session) => {
    const { id } = session;
    session.update<number>("n", (n = 0) => n + 1);
    session.set("paid", true);
    session.regenerate();
    await visitor.sessions.revoke(id);
    await session.commit();
    assertEquals([...session.entries()], [["n", 1]]);
    assertEquals(session.id, id);
  });
  assertEquals(await visitor.read(), []);
});

Deno.test("Session.expiresAt of an early commit that was dropped is the one that was shown before", async () => {
  const store = new SpyStore();
  const now = Date.now();
  const ahead = new Visitor({ store, clock: () => now + 90 * 86_400_000 });
  await ahead.visit((session) => session.set("n", 1));
  const sessions = new SessionManager({ store, clock: () => now });
  const headers = { cookie: `__Host-session=${ahead.token}` };
  await sessions.handle(
    new Request("https://example.com/", { headers }),
    async (session) => {
      const { expiresAt, id } = session;
      session.set("n", 2);
      await sessions.revoke(id);
      await session.commit();
      assertEquals(session.expiresAt, expiresAt);
      return new Response();
    },
  );
});
